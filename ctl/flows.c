/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl flows: connections with the source that they really have. The agent knows conntrack and
 * sockets; whose sockets they are is looked up here, with the rights of who asks (owner.h).
 */
#include "agent.h"
#include "answer.h"
#include "duration.h"
#include "flow_query.h"
#include "host_port.h"
#include "owner.h"
#include "reply.h"
#include "verbs.h"

#include "base/types.h"

#include <string.h>
#include <time.h>

enum { OPTION_BINDING, OPTION_CLIENT, OPTION_TO, OPTION_FOLLOW };
enum { ROWS_AT_ONCE = 500, TEXT = HOST_PORT_TEXT, BYTES_TEXT = 48 };

static const struct option options[] = {
	[OPTION_BINDING] = { "binding", "NAME", "only of this binding or group", COMPLETE_BINDING },
	[OPTION_CLIENT] = { "client", "WHO",
			    "only of user:NAME, uid:N, pid:N, unit:NAME, cgroup:PATH, source:PREFIX",
			    COMPLETE_NONE },
	[OPTION_TO] = { "to", "ADDR[:PORT]", "only to this address, prefix or port there",
			COMPLETE_NONE },
	[OPTION_FOLLOW] = { "follow", NULL, "those that begin and end from now on", COMPLETE_NONE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

static const struct column columns[] = {
	{ "BINDING", ALIGN_LEFT }, { "CLIENT", ALIGN_LEFT }, { "SOURCE", ALIGN_LEFT },
	{ "DESTINATION", ALIGN_LEFT }, { "STATE", ALIGN_LEFT }, { "AGE", ALIGN_RIGHT },
	{ "TRAFFIC", ALIGN_RIGHT }, { "RULE", ALIGN_LEFT },
};

struct flows {
	struct ctl *ctl;
	struct flow_query query;
	struct owners owners;
	time_t read;				/* when @owners was */
	struct table table;
	size_t n, n_rows;			/* so far; in the table now */
	bool wrong, follow, opened;
	json_t *last;				/* the last reply, without its flows */
};

static const char *print_end(const json_t *flow, const char *address, const char *port,
			     char out[static TEXT])
{
	const char *text = reply_text(flow, address);
	long long number = reply_number(flow, port);

	if (number == 0)
		(void)snprintf(out, TEXT, "%s", text);
	else
		(void)host_port_print(text, number, out);
	return out;
}

static const char *print_client(const json_t *flow, char out[static 2 * TEXT])
{
	const char *user = reply_text(flow, "user"), *unit = reply_text(flow, "unit");
	const char *where = *unit ? unit : reply_text(flow, "cgroup");
	char end[TEXT], who[TEXT] = "";

	if (!reply_member(flow, "uid")) {
		(void)snprintf(out, 2 * TEXT, reply_true(flow, "local") ? "unknown (%s)" : "%s",
			       print_end(flow, "from", "from_port", end));
		return out;
	}
	if (reply_member(flow, "pid"))
		(void)snprintf(who, sizeof who, " %s[%lld]", reply_text(flow, "command"),
			       reply_number(flow, "pid"));
	(void)snprintf(out, 2 * TEXT, "%s%s%s", reply_true(flow, "relay") ? "relay session, " : "",
		       reply_true(flow, "tagged") ? "tagged, " : "", *user ? user : "uid ");
	if (!*user)
		(void)snprintf(out + strlen(out), 2 * TEXT - strlen(out), "%lld",
			       reply_number(flow, "uid"));
	(void)snprintf(out + strlen(out), 2 * TEXT - strlen(out), "%s%s%s", who, *where ? " " : "",
		       where);
	return out;
}

static void add_source(struct table *table, const json_t *flow)
{
	const char *verdict = reply_text(flow, "verdict");
	const json_t *intended = reply_member(flow, "intended");
	char end[TEXT], text[4 * TEXT];

	(void)print_end(flow, "source", "source_port", end);
	if (strcmp(verdict, "wrong") != 0) {
		bool own = strcmp(verdict, "own") == 0;

		(void)snprintf(text, sizeof text, own ? "%s" : "%s (%s)", end,
			       strcmp(verdict, "former") == 0 ? "its own until a change"
							      : "of no binding now");
		table_add(table, text, own ? TINT_GOOD : TINT_DIM);
		return;
	}
	(void)snprintf(text, sizeof text, "%s WRONG, intended:", end);
	for (size_t i = 0; i < json_array_size(intended) && i < 3; i++)
		(void)snprintf(text + strlen(text), sizeof text - strlen(text), " %s",
			       json_string_value(json_array_get(intended, i)));
	table_add(table, text, TINT_BAD);
}

static const char *print_bytes(long long n, char out[static BYTES_TEXT])
{
	static const char units[] = { 'B', 'K', 'M', 'G', 'T', 'P' };
	size_t unit = 0;
	long long part = n * 10;

	while (part >= 10240 && unit + 1 < ARRAY_LEN(units)) {
		part /= 1024;
		unit++;
	}
	if (unit == 0)
		(void)snprintf(out, BYTES_TEXT, "%lldB", n);
	else
		(void)snprintf(out, BYTES_TEXT, "%lld.%lld%c", part / 10, part % 10, units[unit]);
	return out;
}

static void add_traffic(struct table *table, const json_t *flow)
{
	const json_t *sent = reply_member(flow, "sent"), *answered = reply_member(flow, "answered");
	char out[BYTES_TEXT], in[BYTES_TEXT];

	if (sent)
		table_add_format(table, "%s/%s", print_bytes(reply_number(sent, "bytes"), out),
				 print_bytes(reply_number(answered, "bytes"), in));
	else
		table_add(table, "-", TINT_DIM);
}

static void add_row(struct table *table, const json_t *flow, bool news)
{
	const json_t *rule = reply_member(flow, "rule");
	const char *state = reply_text(flow, "state");
	char text[2 * TEXT], age[DURATION_TEXT];

	if (news)
		table_add(table, reply_text(flow, "what"), TINT_DIM);
	table_add_format(table, "%s", reply_member(flow, "binding") ? reply_text(flow, "binding")
								    : "-");
	table_add(table, print_client(flow, text), TINT_PLAIN);
	add_source(table, flow);
	table_add(table, print_end(flow, "to", "to_port", text), TINT_PLAIN);
	table_add_format(table, "%s%s%s", reply_text(flow, "protocol"), *state ? " " : "", state);
	table_add(table, reply_member(flow, "age_ms")
				 ? duration_print(reply_number(flow, "age_ms"), age) : "-",
		  TINT_PLAIN);
	add_traffic(table, flow);
	if (news)
		return;
	if (rule)
		table_add_format(table, "%s%s%s", reply_text(rule, "client"),
				 *reply_text(rule, "to") ? " " : "", reply_text(rule, "to"));
	else
		table_add(table, "-", TINT_DIM);
}

static void print_table(struct flows *flows)
{
	const struct ctl *ctl = flows->ctl;

	if (flows->n_rows > 0)
		table_print(&flows->table, ctl->out, ctl->width, ctl->color);
	table_drop(&flows->table);
	flows->table = (struct table){ .columns = columns, .n_columns = ARRAY_LEN(columns) };
	flows->n_rows = 0;
}

static void print_news(const struct flows *flows, const json_t *flow)
{
	static const struct column plain[ARRAY_LEN(columns)] = { 0 };
	struct table line = { .columns = plain, .n_columns = ARRAY_LEN(plain) };

	add_row(&line, flow, true);
	table_end_row(&line);
	table_print(&line, flows->ctl->out, 0, flows->ctl->color);
	table_drop(&line);
}

static void print_flow(struct flows *flows, const json_t *flow)
{
	const struct ctl *ctl = flows->ctl;

	if (ctl->json) {
		if (!flows->follow)
			(void)fputs(flows->n > 0 ? ",\n" : "\n", ctl->out);
		(void)json_dumpf(flow, ctl->out, 0);
		if (flows->follow)
			(void)fputc('\n', ctl->out);
	} else if (flows->follow) {
		print_news(flows, flow);
	} else {
		add_row(&flows->table, flow, false);
		table_end_row(&flows->table);
		if (++flows->n_rows == ROWS_AT_ONCE)
			print_table(flows);
	}
	flows->n++;
}

/* Sockets come and go: who is not known is looked for again, at most once a second. */
static void look(struct flows *flows, const json_t *flow)
{
	long long inode = reply_number(flow, "inode");
	time_t now = time(NULL);

	if (inode == 0 || now == flows->read || owners_find(&flows->owners, (uint32_t)inode))
		return;
	flows->read = now;
	owners_read(&flows->owners);
}

static void print_lost(const struct ctl *ctl, long long lost)
{
	if (lost > 0 && ctl->json)
		(void)fprintf(ctl->out, "{\"lost\": %lld}\n", lost);
	else if (lost > 0)
		(void)fprintf(ctl->out, "%lld connections were not read in time, and are lost\n",
			      lost);
}

static void take_piece(void *context, json_t *reply)
{
	struct flows *flows = context;
	const json_t *list = reply_member(reply, "flows");

	if (flows->ctl->json && !flows->follow && !flows->opened)
		(void)fputs("{\"flows\": [", flows->ctl->out);
	flows->opened = true;
	print_lost(flows->ctl, reply_number(reply, "lost"));
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *flow = json_array_get(list, i);

		look(flows, flow);
		owners_add(&flows->owners, flow);
		if (flow_query_takes(&flows->query, &flows->owners, flow)) {
			flows->wrong |= strcmp(reply_text(flow, "verdict"), "wrong") == 0;
			print_flow(flows, flow);
		}
	}
	json_decref(flows->last);
	flows->last = json_pack("{s:O*, s:b, s:b}", "refused", reply_member(reply, "refused"),
				"counts", reply_true(reply, "counts"), "times",
				reply_true(reply, "times"));
	if (flows->follow)
		(void)fflush(flows->ctl->out);
}

static void print_refused(const struct ctl *ctl, const json_t *refused)
{
	for (size_t i = 0; i < json_array_size(refused); i++) {
		const json_t *one = json_array_get(refused, i);
		const char *binding = reply_text(one, "binding");

		(void)fprintf(ctl->out,
			      "%srefused by the guard within the last minute: binding %s, which "
			      "somebody gave the source %s%s\n",
			      ctl->color ? "\033[31m" : "", *binding ? binding : "-",
			      reply_text(one, "source"), ctl->color ? "\033[0m" : "");
	}
}

static void finish(struct flows *flows)
{
	const struct ctl *ctl = flows->ctl;
	const json_t *refused = reply_member(flows->last, "refused");

	if (ctl->json) {
		(void)fputs("\n], \"refused\": ", ctl->out);
		(void)json_dumpf(refused, ctl->out, 0);
		(void)fprintf(ctl->out, ", \"counts\": %s, \"times\": %s}\n",
			      reply_true(flows->last, "counts") ? "true" : "false",
			      reply_true(flows->last, "times") ? "true" : "false");
		return;
	}
	print_table(flows);
	if (flows->n == 0)
		(void)fputs("no connections\n", ctl->out);
	print_refused(ctl, refused);
	if (!reply_true(flows->last, "counts"))
		(void)fputs("traffic is not counted: `sysctl -w net.netfilter.nf_conntrack_acct=1` "
			    "has it counted for new connections\n", ctl->out);
	if (!reply_true(flows->last, "times"))
		(void)fputs("ages are not recorded: `sysctl -w "
			    "net.netfilter.nf_conntrack_timestamp=1` has them recorded for new "
			    "connections\n", ctl->out);
}

static int ask(struct flows *flows, const struct arguments *args)
{
	struct ctl *ctl = flows->ctl;
	AUTO(json_drop) json_t *parameters = json_object();
	int r = CTL_DONE;

	if (args->value[OPTION_BINDING])
		r = agent_add_text(ctl, parameters, "binding", args->value[OPTION_BINDING]);
	if (r == CTL_DONE && args->value[OPTION_CLIENT])
		r = flow_query_client(ctl, args->value[OPTION_CLIENT], parameters, &flows->query);
	if (r == CTL_DONE && args->value[OPTION_TO])
		r = flow_query_to(ctl, args->value[OPTION_TO], parameters);
	if (r != CTL_DONE)
		return r;
	if (flows->follow)
		ctl->patience_ms = 0;		/* silence is no news */
	return agent_call(ctl, flows->follow ? "FollowFlows" : "ListFlows",
			  json_incref(parameters), take_piece, flows);
}

static int flows_run(struct ctl *ctl, const struct arguments *args)
{
	struct flows flows = { .ctl = ctl, .follow = args->value[OPTION_FOLLOW] != NULL };
	int r;

	flows.table = (struct table){ .columns = columns, .n_columns = ARRAY_LEN(columns) };
	r = ask(&flows, args);
	if (r == CTL_DONE && !flows.follow)
		finish(&flows);
	if (r == CTL_DONE && (flows.wrong ||
			      json_array_size(reply_member(flows.last, "refused")) > 0))
		r = CTL_NO;
	table_drop(&flows.table);
	owners_drop(&flows.owners);
	json_decref(flows.last);
	return r;
}

const struct verb flows_verb = {
	.name = "flows",
	.synopsis = "[OPTION...]",
	.summary = "connections of bindings, and the source that each really has",
	.text = "Live connections, from the kernel's own translation: who sends, by which rule and binding,\n"
		"from which address, where to. A source that is not one of the binding's is shown as WRONG,\n"
		"and what the guard refused because of its source within the last minute stands below.\n"
		"Process and unit are found with your own rights: what you may not see is left out.\n"
		"With --follow, --json prints an object a line.\n"
		"The exit status is 1 if a source is wrong or was refused.\n",
	.options = options,
	.run = flows_run,
};
