/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See finding.h. The list is bounded: a host without any of 100,000 addresses has one fault, not as many. */
#include "plan/finding.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

void findings_drop(struct findings *findings)
{
	for (size_t i = 0; i < findings->n; i++) {
		free(findings->at[i].text);
		free(findings->at[i].evidence);
		free(findings->at[i].remedy);
	}
	free(findings->at);
	*findings = (struct findings){ 0 };
}

__attribute__((format(printf, 1, 0))) static char *print(const char *format, va_list arguments)
{
	char *text = NULL;

	if (vasprintf(&text, format, arguments) < 0)
		abort();
	return text;
}

void finding_add(struct findings *findings, enum severity severity, const char *about,
		 const char *format, ...)
{
	struct finding finding = { .severity = severity, .about = about };
	va_list arguments;

	if (findings->left_out > 0 || findings->n == FINDINGS_MAX) {
		findings->left_out++;
		return;
	}
	va_start(arguments, format);
	finding.text = print(format, arguments);
	va_end(arguments);
	PUSH(findings, finding);
}

void finding_evidence(struct findings *findings, const char *format, ...)
{
	va_list arguments;

	if (findings->left_out > 0)
		return;
	va_start(arguments, format);
	findings->at[findings->n - 1].evidence = print(format, arguments);
	va_end(arguments);
}

void finding_remedy(struct findings *findings, const char *format, ...)
{
	va_list arguments;

	if (findings->left_out > 0)
		return;
	va_start(arguments, format);
	findings->at[findings->n - 1].remedy = print(format, arguments);
	va_end(arguments);
}

void finding_owner(struct findings *findings, uint32_t port)
{
	if (findings->left_out == 0)
		findings->at[findings->n - 1].owner = port;
}

const char *finding_print(const struct finding *finding, char out[static FINDING_TEXT])
{
	if (finding->remedy)
		(void)snprintf(out, FINDING_TEXT, "%s: `%s`", finding->text, finding->remedy);
	else
		(void)snprintf(out, FINDING_TEXT, "%s", finding->text);
	return out;
}

const char *finding_severity(enum severity severity)
{
	static const char *const words[SEVERITIES] = { "note", "warning", "error" };

	return words[severity];
}
