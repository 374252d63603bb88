/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl relay status: what the relay does now, listener by listener. */
#include "answer.h"
#include "relay.h"
#include "reply.h"
#include "verbs.h"

enum { OPTION_SOCKET };

static const struct option options[] = {
	[OPTION_SOCKET] = RELAY_SOCKET_OPTION,
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

static const struct column columns[] = {
	{ "LISTENER", ALIGN_LEFT }, { "ADDRESS", ALIGN_LEFT }, { "PROTOCOL", ALIGN_LEFT },
	{ "DECIDES AT", ALIGN_LEFT }, { "SESSIONS", ALIGN_RIGHT }, { "ACCEPTED", ALIGN_RIGHT },
	{ "REFUSED", ALIGN_RIGHT },
};

static void add_who(struct table *block, const json_t *reply)
{
	bool agent = reply_true(reply, "agent");

	table_add(block, "relay", TINT_DIM);
	table_add_format(block, "outbind-relay %s, pid %lld, since %s%s",
			 reply_text(reply, "version"), reply_number(reply, "pid"),
			 reply_text(reply, "started"),
			 reply_true(reply, "stopping") ? ", stopping" : "");
	answer_line(block, "configuration", reply_text(reply, "configuration"), TINT_PLAIN);
	answer_line(block, "last reload", reply_text(reply, "last_reload"), TINT_PLAIN);
	answer_line(block, "agent", agent ? "answers" : "does not answer: everything is refused",
		    agent ? TINT_PLAIN : TINT_BAD);
}

static void add_work(struct table *block, const json_t *reply)
{
	const json_t *messages = reply_member(reply, "messages");
	const json_t *upstreams = reply_member(reply, "upstreams");

	answer_line_count(block, "rules", reply_number(reply, "rules"), "rule");
	table_add(block, "sessions", TINT_DIM);
	table_add_format(block, "%lld of at most %lld, by %lld worker%s",
			 reply_number(reply, "sessions"), reply_number(reply, "sessions_max"),
			 reply_number(reply, "workers"),
			 reply_number(reply, "workers") == 1 ? "" : "s");
	table_add(block, "messages", TINT_DIM);
	table_add_format(block,
			 "%lld delivered, %lld refused, %lld lost, %lld given up by the client",
			 reply_number(messages, "delivered"), reply_number(messages, "refused"),
			 reply_number(messages, "lost"), reply_number(messages, "aborted"));
	table_add(block, "", TINT_DIM);
	table_add_format(block, "%lld whose acknowledgement was lost, %lld spared as duplicates",
			 reply_number(messages, "ack_lost"), reply_number(messages, "spared"));
	table_add(block, "upstreams", TINT_DIM);
	table_add_format(block, "%lld open, %lld idle; %lld opened, %lld failed, %lld times reused",
			 reply_number(upstreams, "open"), reply_number(upstreams, "idle"),
			 reply_number(upstreams, "opened"), reply_number(upstreams, "failed"),
			 reply_number(upstreams, "reused"));
	table_add(block, "memory", TINT_DIM);
	table_add_format(block, "%lld KiB", reply_number(reply, "memory") / 1024);
}

static void print_listeners(const struct ctl *ctl, const json_t *listeners)
{
	struct table table = { .columns = columns, .n_columns = ARRAY_LEN(columns) };

	for (size_t i = 0; i < json_array_size(listeners); i++) {
		const json_t *one = json_array_get(listeners, i);

		table_add(&table, reply_text(one, "name"), TINT_PLAIN);
		table_add(&table, reply_text(one, "address"), TINT_PLAIN);
		table_add(&table, reply_text(one, "protocol"), TINT_PLAIN);
		table_add(&table, reply_text(one, "point"), TINT_PLAIN);
		table_add_format(&table, "%lld", reply_number(one, "sessions"));
		table_add_format(&table, "%lld", reply_number(one, "accepted"));
		table_add_format(&table, "%lld", reply_number(one, "refused"));
	}
	if (json_array_size(listeners) > 0) {
		(void)fputc('\n', ctl->out);
		table_print(&table, ctl->out, ctl->width, ctl->color);
	}
	table_drop(&table);
}

static void status_text(const struct ctl *ctl, const json_t *reply)
{
	struct table block = { .columns = answer_block, .n_columns = 2 };
	const json_t *warnings = reply_member(reply, "warnings");

	add_who(&block, reply);
	add_work(&block, reply);
	for (size_t i = 0; i < json_array_size(warnings); i++)
		answer_line(&block, "warning", json_string_value(json_array_get(warnings, i)),
			    TINT_BAD);
	table_print(&block, ctl->out, 0, ctl->color);
	table_drop(&block);
	print_listeners(ctl, reply_member(reply, "listeners"));
}

static int status_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(json_drop) json_t *reply = NULL;
	int r = relay_ask(ctl, args->value[OPTION_SOCKET], "GetStatus", NULL, &reply);

	if (r == CTL_DONE)
		answer_reply(ctl, reply, status_text);
	return r == CTL_DONE && !reply_true(reply, "agent") ? CTL_NO : r;
}

const struct verb relay_status_verb = {
	.name = "relay status",
	.synopsis = "",
	.summary = "what the relay does, listener by listener",
	.text = "\"Decides at\" is when a session there is decided and its destination called: as early as\n"
		"the rules allow. The exit status is 1 if the agent does not answer the relay.\n",
	.options = options,
	.run = status_run,
};
