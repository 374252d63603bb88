/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See identity.h: the running agent's bindings, what it is told, and what it was told last. */
#include "identity.h"

#include "agent.h"
#include "answer.h"
#include "base/mem.h"
#include "duration.h"
#include "reply.h"

#include <string.h>

enum { REPORT_ROWS = 25 };			/* of one call, which must stay below 64 KiB */

static const char *keep(struct identity_list *list, const char *text)
{
	return text ? arena_text(&list->arena, text, strlen(text)) : NULL;
}

static const char *string_of(const json_t *json)
{
	const char *text = json_string_value(json);

	return text ? text : "";
}

struct gathering {
	struct identity_list *list;
	const char *hostname;			/* of the relay, or NULL */
	char **names;
	size_t n_names;
	bool *found;				/* by name */
};

/* The text of a member, kept, or @otherwise if it has none. */
static const char *text_of(struct gathering *gathering, const json_t *binding, const char *key,
			   const char *otherwise)
{
	const char *text = json_string_value(json_object_get(binding, key));

	return text ? keep(gathering->list, text) : otherwise;
}

static void take_domains(struct identity_list *list, const json_t *binding,
			 struct identity_subject *subject)
{
	const json_t *domains = json_object_get(binding, "sender_domains");
	size_t n = json_array_size(domains);
	const char **at = arena_alloc(&list->arena, (n + 1) * sizeof *at);

	for (size_t i = 0; i < n; i++)
		at[i] = keep(list, string_of(json_array_get(domains, i)));
	subject->domains = at;
	subject->n_domains = n;
}

static void take_binding(struct gathering *gathering, const json_t *binding)
{
	const json_t *addresses = json_object_get(binding, "addresses");
	struct identity_subject subject = { .binding = text_of(gathering, binding, "name", "") };
	const char *ehlo = text_of(gathering, binding, "ehlo", gathering->hostname);
	const char *ehlo6 = text_of(gathering, binding, "ehlo6", ehlo);

	take_domains(gathering->list, binding, &subject);
	for (size_t i = 0; i < json_array_size(addresses); i++) {
		struct prefix prefix;

		if (prefix_parse(string_of(json_array_get(addresses, i)), &prefix) < 0)
			continue;
		subject.ehlo = prefix.ip.len == 4 ? ehlo : ehlo6;
		identity_list_add(gathering->list, &subject, &prefix);
	}
}

static void on_bindings(void *context, json_t *reply)
{
	struct gathering *gathering = context;
	const json_t *bindings = json_object_get(reply, "bindings");

	for (size_t i = 0; i < json_array_size(bindings); i++) {
		const json_t *binding = json_array_get(bindings, i);
		bool wanted = gathering->n_names == 0;

		for (size_t k = 0; k < gathering->n_names; k++)
			if (strcmp(gathering->names[k], reply_text(binding, "name")) == 0)
				gathering->found[k] = wanted = true;
		if (wanted)
			take_binding(gathering, binding);
	}
}

static void take_texts(struct identity_list *list, const json_t *texts, bool blocklists)
{
	for (size_t i = 0; i < json_array_size(texts); i++) {
		const char *text = keep(list, string_of(json_array_get(texts, i)));

		if (blocklists)
			PUSH(&list->blocklists, text);
		else
			PUSH(&list->domains, text);
	}
}

int identity_list_agent(struct ctl *ctl, char **names, size_t n, struct identity_list *ret)
{
	bool *AUTO(mem_drop) found = mem_zero(n + 1, sizeof *found);
	struct gathering gathering = { ret, NULL, names, n, found };
	AUTO(json_drop) json_t *dns = NULL;
	const char *resolver;
	int r = agent_ask(ctl, "GetDns", NULL, &dns);

	if (r != CTL_DONE)
		return r;
	resolver = json_string_value(json_object_get(dns, "resolver"));
	gathering.hostname = text_of(&gathering, dns, "hostname", NULL);
	take_texts(ret, json_object_get(dns, "sender_domains"), false);
	take_texts(ret, json_object_get(dns, "blocklists"), true);
	r = resolver ? identity_list_resolver(ctl, resolver, ret) : CTL_DONE;
	if (r == CTL_DONE)
		r = agent_call(ctl, "ListBindings", NULL, on_bindings, &gathering);
	for (size_t i = 0; r == CTL_DONE && i < n; i++)
		if (!found[i]) {
			ctl_complain(ctl, "outbindd has no binding '%s'", names[i]);
			r = CTL_USAGE;
		}
	return r;
}

/* In order of the addresses, as the agent keeps them. */
static int by_ip(const void *left, const void *right, void *context)
{
	const struct identity_list *list = context;

	return ip_compare(&list->subjects.at[*(const size_t *)left].ip,
			  &list->subjects.at[*(const size_t *)right].ip);
}

static int send(struct ctl *ctl, json_t *results, bool last)
{
	AUTO(json_drop) json_t *reply = NULL;

	return agent_ask(ctl, "ReportIdentities",
			 json_pack("{s:o, s:b}", "results", results, "last", (int)last), &reply);
}

int identity_rows_report(struct ctl *ctl, const struct identity_rows *rows)
{
	struct identity_list list = *rows->list;	/* for qsort_r, which knows no const */
	size_t n = list.subjects.n, *AUTO(mem_drop) order = mem_zero(n + 1, sizeof *order);
	int r = CTL_DONE;

	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof *order, by_ip, &list);
	for (size_t i = 0; i < n && r == CTL_DONE; i += REPORT_ROWS) {
		json_t *results = json_array();

		for (size_t k = i; k < n && k < i + REPORT_ROWS; k++)
			(void)json_array_append_new(
				results, identity_row_json(&list.subjects.at[order[k]],
							   &rows->at[order[k]]));
		r = send(ctl, results, i + REPORT_ROWS >= n);
	}
	return r;
}

static const struct column last_columns[] = {
	{ "BINDING", ALIGN_LEFT }, { "ADDRESS", ALIGN_LEFT }, { "FCRDNS", ALIGN_LEFT },
	{ "EHLO", ALIGN_LEFT }, { "GENERIC", ALIGN_LEFT }, { "SPF", ALIGN_LEFT },
	{ "BLOCKLIST", ALIGN_LEFT }, { "AGE", ALIGN_RIGHT }, { "WHAT", ALIGN_LEFT },
};

struct last { const struct arguments *args; json_t *rows; bool bad; };

static void on_identities(void *context, json_t *reply)
{
	struct last *last = context;
	const json_t *rows = json_object_get(reply, "identities");

	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *row = json_array_get(rows, i);
		bool wanted = last->args->n_rest == 0;

		for (size_t k = 0; k < last->args->n_rest; k++)
			wanted |= strcmp(last->args->rest[k], reply_text(row, "binding")) == 0;
		if (wanted)
			(void)json_array_append(last->rows, row);
	}
}

static void add_last(struct table *table, const json_t *row, bool *bad)
{
	AUTO(mem_drop) char *what = NULL;
	char age[DURATION_TEXT];
	size_t len = 0;
	FILE *out = open_memstream(&what, &len);

	if (!out)
		abort();
	table_add(table, reply_text(row, "binding"), TINT_PLAIN);
	table_add(table, reply_text(row, "address"), TINT_PLAIN);
	for (int i = 0; i < IDENTITY_CHECKS; i++) {
		const json_t *check =
			reply_member(row, identity_check_name((enum identity_check)i));
		enum identity_state state = IDENTITY_UNASKED;
		const char *text = reply_text(check, "text");

		(void)!identity_state_of(reply_text(check, "state"), &state);
		*bad |= state == IDENTITY_BAD || state == IDENTITY_UNKNOWN;
		identity_row_add_state(table, state);
		if (*text)
			(void)fprintf(out, "%s%s", ftell(out) > 0 ? "; " : "", text);
	}
	if (fclose(out) != 0)
		abort();
	table_add(table, duration_print(reply_number(row, "checked") * 1000, age), TINT_PLAIN);
	table_add(table, what, TINT_PLAIN);
}

int identity_rows_last(struct ctl *ctl, const struct arguments *args)
{
	struct table table = { .columns = last_columns, .n_columns = ARRAY_LEN(last_columns) };
	struct last last = { args, json_array(), false };
	int r = agent_call(ctl, "ListIdentities", NULL, on_identities, &last);

	if (r == CTL_DONE) {
		for (size_t i = 0; i < json_array_size(last.rows); i++)
			add_last(&table, json_array_get(last.rows, i), &last.bad);
		r = last.bad ? CTL_NO : CTL_DONE;
		if (ctl->json) {
			AUTO(json_drop) json_t *all = json_pack("{s:O}", "identities", last.rows);

			answer_json(ctl, all);
		} else if (json_array_size(last.rows) == 0) {
			(void)fputs("nothing was reported\n", ctl->out);
		} else {
			table_print(&table, ctl->out, ctl->width, ctl->color);
		}
	}
	table_drop(&table);
	json_decref(last.rows);
	return r;
}
