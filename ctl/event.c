/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See event.h. What the agent sent is shown with control characters made visible. */
#include "event.h"

#include "reply.h"
#include "table.h"

#include <string.h>

int event_follow(struct ctl *ctl, agent_reply *each, void *context)
{
	ctl->patience_ms = 0;			/* silence is no news */
	return agent_call(ctl, "Monitor", NULL, each, context);
}

const char *event_field(const json_t *event, const char *name)
{
	const json_t *fields = reply_member(event, "fields");

	for (size_t i = 0; i < json_array_size(fields); i++) {
		const json_t *field = json_array_get(fields, i);

		if (strcmp(reply_text(field, "name"), name) == 0)
			return reply_text(field, "value");
	}
	return "";
}

static enum tint tint_of(const char *severity)
{
	if (strcmp(severity, "error") == 0 || strcmp(severity, "warning") == 0)
		return TINT_BAD;
	return strcmp(severity, "info") == 0 ? TINT_DIM : TINT_PLAIN;
}

/* "name=value name="two words"", malloc'd. */
static char *join_fields(const json_t *event)
{
	const json_t *fields = reply_member(event, "fields");
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	for (size_t i = 0; i < json_array_size(fields); i++) {
		const json_t *field = json_array_get(fields, i);
		const char *value = reply_text(field, "value");
		const char *quote = *value == '\0' || strchr(value, ' ') ? "\"" : "";

		(void)fprintf(out, "%s%s=%s%s%s", i > 0 ? " " : "", reply_text(field, "name"),
			      quote, value, quote);
	}
	if (fclose(out) != 0)
		abort();
	return text;
}

void event_print(const struct ctl *ctl, const json_t *event)
{
	static const struct column columns[3] = { 0 };
	struct table table = { .columns = columns, .n_columns = ARRAY_LEN(columns) };
	char *AUTO(mem_drop) fields = NULL;

	if (ctl->json) {
		(void)json_dumpf(event, ctl->out, 0);
		(void)fputc('\n', ctl->out);
		return;
	}
	if (reply_number(event, "dropped") > 0)
		(void)fprintf(ctl->out, "%lld events were lost\n", reply_number(event, "dropped"));
	fields = join_fields(event);
	table_add(&table, reply_text(event, "time"), TINT_DIM);
	table_add(&table, reply_text(event, "event"), tint_of(reply_text(event, "severity")));
	if (*fields)
		table_add(&table, fields, TINT_PLAIN);
	table_end_row(&table);
	table_print(&table, ctl->out, 0, ctl->color);
	table_drop(&table);
}
