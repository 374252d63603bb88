/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See report.h: members, and the manifest. */
#include "report.h"

#include "base/mem.h"

#include <stdarg.h>
#include <string.h>

void report_drop(struct report *report)
{
	for (size_t i = 0; i < report->members.n; i++) {
		free(report->members.at[i].path);
		free(report->members.at[i].text);
		free(report->members.at[i].note);
	}
	free(report->members.at);
	redact_drop(&report->redact);
	*report = (struct report){ 0 };
}

void report_add_clean(struct report *report, const char *path, char *text, size_t max,
		      const char *note)
{
	struct report_member member = { .path = mem_copy(path), .text = text,
					.note = mem_copy(note), .len = strlen(text) };

	if (member.len > max) {
		member.len = max;
		member.cut = true;
	}
	PUSH(&report->members, member);
}

void report_add(struct report *report, const char *path, const char *text, size_t max,
		const char *note)
{
	char *clean = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&clean, &size);

	if (!out)
		abort();
	redact_text(&report->redact, text, out);
	if (fclose(out) != 0)
		abort();
	report_add_clean(report, path, clean, max, note);
}

void report_leave_out(struct report *report, const char *path, const char *format, ...)
{
	struct report_member member = { .path = mem_copy(path) };
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&member.note, format, arguments) < 0)
		abort();
	va_end(arguments);
	PUSH(&report->members, member);
}

void report_manifest(struct report *report)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	(void)fprintf(out,
		      "Report of outbind " OUTBIND_VERSION ", for a bug report.\n\n"
		      "Left out of every text: comments of the configuration, values of key, certificate,\n"
		      "auth and tls-ca there and wherever else they occur, and what looks like a password,\n"
		      "secret, token, credential or private key. No file that the configuration names is in\n"
		      "here but those that it includes. %zu places were blanked.\n"
		      "Addresses, names of hosts, users and bindings are in: look before you send it.\n\n",
		      report->redact.n_removed);
	for (size_t i = 0; i < report->members.n; i++) {
		const struct report_member *member = &report->members.at[i];

		if (member->text)
			(void)fprintf(out, "%-28s %8zu bytes%s%s%s\n", member->path, member->len,
				      member->cut ? ", cut here" : "", member->note ? ": " : "",
				      member->note ? member->note : "");
		else
			(void)fprintf(out, "%-28s left out: %s\n", member->path, member->note);
	}
	if (fclose(out) != 0)
		abort();
	report_add_clean(report, "MANIFEST", text, REPORT_MEMBER_MAX, NULL);
}
