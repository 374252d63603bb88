/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl capacity: ports taken towards the busiest destinations, and until when they last. */
#include "agent.h"
#include "answer.h"
#include "duration.h"
#include "host_port.h"
#include "number.h"
#include "reply.h"
#include "verbs.h"

#include <string.h>

enum { OPTION_TOP };
enum { TEXT = HOST_PORT_TEXT + 32, TOP_MAX = 1000 };

static const struct option options[] = {
	[OPTION_TOP] = { "top", "N", "so many destinations of each binding (5)", COMPLETE_NONE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

static const struct column columns[] = {
	{ "BINDING", ALIGN_LEFT }, { "DESTINATION", ALIGN_LEFT }, { "PORTS OF", ALIGN_LEFT },
	{ "TAKEN", ALIGN_RIGHT }, { "OF", ALIGN_RIGHT }, { "ITS OWN", ALIGN_RIGHT },
	{ "PER SECOND", ALIGN_RIGHT }, { "LAST FOR", ALIGN_RIGHT },
};

struct capacity {
	json_t *uses;
	json_t *head;				/* the last reply without its uses */
	bool is_short;
};

static void take_uses(void *context, json_t *reply)
{
	struct capacity *capacity = context;
	json_t *uses = json_object_get(reply, "uses");

	for (size_t i = 0; i < json_array_size(uses); i++)
		capacity->is_short |= *reply_text(json_array_get(uses, i), "help") != '\0';
	(void)json_array_extend(capacity->uses, uses);
	(void)json_object_del(reply, "uses");
	agent_keep(&capacity->head, reply);
}

static const char *print_destination(const json_t *use, char out[static TEXT])
{
	char to[HOST_PORT_TEXT];

	(void)snprintf(out, TEXT, "%s %s",
		       host_port_print(reply_text(use, "to"), reply_number(use, "to_port"), to),
		       reply_text(use, "protocol"));
	return out;
}

static void add_rate(struct table *table, const json_t *use)
{
	const json_t *rate = reply_member(use, "per_second");
	const json_t *left = reply_member(use, "exhausted_in");
	char text[DURATION_TEXT];

	if (rate)
		table_add_format(table, "%+.1f", json_number_value(rate));
	else
		table_add(table, "-", TINT_DIM);
	if (reply_number(use, "taken") >= reply_number(use, "available"))
		table_add(table, "exhausted", TINT_BAD);
	else if (left && json_number_value(left) < 365.0 * 86400)
		table_add(table, duration_print((long long)(json_number_value(left) * 1000), text),
			  TINT_PLAIN);
	else
		table_add(table, "-", TINT_DIM);
}

static void add_row(struct table *table, const json_t *use)
{
	long long taken = reply_number(use, "taken"), available = reply_number(use, "available");
	char text[TEXT];

	(void)snprintf(text, sizeof text, "%s", reply_text(use, "binding"));
	table_add(table, *text ? text : "-", TINT_PLAIN);
	table_add(table, print_destination(use, text), TINT_PLAIN);
	table_add_format(table, "%s%s", reply_text(use, "source"),
			 reply_true(use, "outside") ? " (outside)" : "");
	(void)snprintf(text, sizeof text, "%lld, %lld%%", taken,
		       available > 0 ? taken * 100 / available : 100);
	table_add(table, text, *reply_text(use, "help") ? TINT_BAD : TINT_PLAIN);
	table_add_format(table, "%lld", available);
	table_add_format(table, "%lld", reply_number(use, "mine"));
	add_rate(table, use);
	table_end_row(table);
}

/* What to do, in a sentence. */
static void print_help(const struct ctl *ctl, const json_t *use, const json_t *head)
{
	const char *help = reply_text(use, "help");
	char to[TEXT];

	if (!*help)
		return;
	(void)fprintf(ctl->out, "%s to %s: ", reply_text(use, "binding"),
		      print_destination(use, to));
	if (strcmp(help, "range") == 0)
		(void)fprintf(ctl->out,
			      "widen net.ipv4.ip_local_port_range (now %lld-%lld, %lld ports), as in "
			      "`sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`",
			      reply_number(head, "first_port"), reply_number(head, "last_port"),
			      reply_number(head, "ports"));
	else if (strcmp(help, "address") == 0)
		(void)fputs("add an address to the binding", ctl->out);
	if (strcmp(help, "bind") == 0 || (strcmp(help, "range") == 0 &&
					  reply_number(use, "mine") < reply_number(use, "taken")))
		(void)fprintf(ctl->out,
			      "%shave senders bind to an address of their binding, or send by the "
			      "relay: all bindings share the ports of %s otherwise",
			      strcmp(help, "bind") == 0 ? "" : "; or ", reply_text(use, "source"));
	(void)fputc('\n', ctl->out);
}

static void print(const struct ctl *ctl, const struct capacity *capacity)
{
	struct table table = { .columns = columns, .n_columns = ARRAY_LEN(columns) };
	size_t n = json_array_size(capacity->uses);

	if (ctl->json) {
		(void)json_object_set(capacity->head, "uses", capacity->uses);
		answer_json(ctl, capacity->head);
		return;
	}
	for (size_t i = 0; i < n; i++)
		add_row(&table, json_array_get(capacity->uses, i));
	if (n == 0)
		(void)fputs("no connections that need ports\n", ctl->out);
	else
		table_print(&table, ctl->out, ctl->width, ctl->color);
	for (size_t i = 0; i < n; i++)
		print_help(ctl, json_array_get(capacity->uses, i), capacity->head);
	table_drop(&table);
}

static int ask(struct ctl *ctl, const char *binding, const char *top, struct capacity *capacity)
{
	json_t *parameters = json_object();
	int r = binding ? agent_add_text(ctl, parameters, "binding", binding) : CTL_DONE;
	long long n = 0;

	if (r == CTL_DONE && top && !number_read(top, 1, TOP_MAX, &n)) {
		ctl_complain(ctl, "--top: expected a number from 1 to %d, got '%s'", TOP_MAX, top);
		r = CTL_USAGE;
	}
	if (r != CTL_DONE) {
		json_decref(parameters);
		return r;
	}
	if (top)
		(void)json_object_set_new(parameters, "top", json_integer(n));
	return agent_call(ctl, "Capacity", parameters, take_uses, capacity);
}

static int capacity_run(struct ctl *ctl, const struct arguments *args)
{
	struct capacity capacity = { .uses = json_array() };
	int r = args->n_rest == 0 ? ask(ctl, NULL, args->value[OPTION_TOP], &capacity) : CTL_DONE;

	for (size_t i = 0; i < args->n_rest && r == CTL_DONE; i++)
		r = ask(ctl, args->rest[i], args->value[OPTION_TOP], &capacity);
	if (r == CTL_DONE) {
		print(ctl, &capacity);
		r = capacity.is_short ? CTL_NO : CTL_DONE;
	}
	json_decref(capacity.uses);
	json_decref(capacity.head);
	return r;
}

const struct verb capacity_verb = {
	.name = "capacity",
	.synopsis = "[--top N] [BINDING...]",
	.summary = "ports taken towards the busiest destinations, and how long they last",
	.text = "A connection needs a port of its source that no other one to the same destination has.\n"
		"The exit status is 1 if fewer are left somewhere than port-warning says.\n",
	.options = options,
	.least = 0,
	.most = 1000,
	.complete = COMPLETE_BINDING,
	.run = capacity_run,
};
