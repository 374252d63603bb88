/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl explain: what would happen to a first packet, and whether the kernel would do the same
 * as the plan. Addresses and numbers are checked here, names (users, units) by the agent, because
 * it is the agent's view of them that counts. Processes are looked at here: the agent sees none.
 */
#include "agent.h"
#include "answer.h"
#include "number.h"
#include "reply.h"
#include "subject.h"
#include "verbs.h"

#include "base/types.h"
#include "plan/explain.h"

#include <string.h>

enum about { ABOUT_UNIT, ABOUT_CGROUP, ABOUT_PID, ABOUT_USER, ABOUT_GROUP, ABOUT_MARK, ABOUT_SOURCE,
	     ABOUT_TO, ABOUT_PORT, ABOUT_PROTOCOL };

static const struct option options[] = {
	[ABOUT_UNIT] = { "unit", "UNIT", "sent from this systemd unit", COMPLETE_UNIT },
	[ABOUT_CGROUP] = { "cgroup", "PATH", "sent from this cgroup", COMPLETE_FILE },
	[ABOUT_PID] = { "pid", "N", "sent by this process", COMPLETE_NONE },
	[ABOUT_USER] = { "user", "USER", "by this user", COMPLETE_USER },
	[ABOUT_GROUP] = { "group", "GROUP", "by this group", COMPLETE_GROUP },
	[ABOUT_MARK] = { "mark", "N", "with this mark on the socket", COMPLETE_NONE },
	[ABOUT_SOURCE] = { "source", "ADDR", "forwarded from this address", COMPLETE_NONE },
	[ABOUT_TO] = { "to", "ADDR", "to this address (needed)", COMPLETE_NONE },
	[ABOUT_PORT] = { "port", "N", "to this port", COMPLETE_NONE },
	[ABOUT_PROTOCOL] = { "protocol", "P", "tcp (default), udp, icmp, ... or a number",
			     COMPLETE_NONE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

/* Highest value of an option that is a number; 0: it is not one. */
static const long long highest[] = {
	[ABOUT_PID] = INT32_MAX, [ABOUT_MARK] = UINT32_MAX, [ABOUT_PORT] = UINT16_MAX,
	[ABOUT_PROTOCOL] = 0,
};

/* A mark, which may be in hexadecimal, as everybody writes them. */
static bool mark_read(const char *text, long long high, long long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 0);
	return end != text && !*end && errno == 0 && *ret >= 0 && *ret <= high;
}

static int read_number(struct ctl *ctl, enum about about, const char *text, long long *ret)
{
	if (about == ABOUT_MARK ? mark_read(text, highest[about], ret)
				: number_read(text, 0, highest[about], ret))
		return CTL_DONE;
	ctl_complain(ctl, "--%s: expected a number from 0 to %lld, got '%s'", options[about].name,
		     highest[about], text);
	return CTL_USAGE;
}

static int add_number(struct ctl *ctl, json_t *parameters, enum about about, const char *text)
{
	long long value;
	int r = read_number(ctl, about, text, &value);

	if (r != CTL_DONE)
		return r;
	return json_object_set_new(parameters, options[about].name, json_integer(value)) == 0 ?
		       CTL_DONE : CTL_REFUSED;
}

/* What a process is, but for what is said beside it; a user's name brings its own group. */
static int add_process(struct ctl *ctl, json_t *parameters, const struct arguments *args)
{
	const char *user = args->value[ABOUT_USER];
	bool by_name = user && (!*user || user[strspn(user, "0123456789")]);
	long long pid;
	int r = read_number(ctl, ABOUT_PID, args->value[ABOUT_PID], &pid);

	return r == CTL_DONE ? subject_add(ctl, parameters, pid, !user,
					   !by_name && !args->value[ABOUT_GROUP]) : r;
}

static int add_option(struct ctl *ctl, json_t *parameters, enum about about, const char *text)
{
	struct ip ip;

	if (highest[about] > 0)
		return add_number(ctl, parameters, about, text);
	if ((about == ABOUT_TO || about == ABOUT_SOURCE) && ip_parse(text, &ip) < 0) {
		ctl_complain(ctl, "--%s: expected an IPv4 or IPv6 address, got '%s'",
			     options[about].name, text);
		return CTL_USAGE;
	}
	return agent_add_text(ctl, parameters, options[about].name, text);
}

static int add_options(struct ctl *ctl, json_t *parameters, const struct arguments *args)
{
	int senders =
		!!args->value[ABOUT_UNIT] + !!args->value[ABOUT_CGROUP] + !!args->value[ABOUT_PID];
	int r = CTL_DONE;

	if (!args->value[ABOUT_TO]) {
		ctl_complain(ctl, "explain needs --to ADDR: the answer depends on the destination");
		return CTL_USAGE;
	}
	if (senders > 1) {
		ctl_complain(ctl, "--unit, --cgroup and --pid exclude each other");
		return CTL_USAGE;
	}
	for (size_t i = 0; r == CTL_DONE && options[i].name; i++)
		if (args->value[i] && i != ABOUT_PID)
			r = add_option(ctl, parameters, (enum about)i, args->value[i]);
	if (r == CTL_DONE && args->value[ABOUT_PID])
		r = add_process(ctl, parameters, args);
	return r;
}

static bool is_refused(const json_t *reply)
{
	static const enum verdict refused[] = { VERDICT_REJECT, VERDICT_UNUSABLE,
						VERDICT_UNKNOWN_MARK };

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (strcmp(reply_text(reply, "verdict"), explain_verdict_name(refused[i])) == 0)
			return true;
	return false;
}

static void print_verdict(const struct ctl *ctl, const json_t *reply)
{
	const char *source = reply_text(reply, "source"), *binding = reply_text(reply, "binding");
	const char *color = is_refused(reply) ? "\033[31m" : "\033[32m";

	(void)fputs(ctl->color ? color : "", ctl->out);
	if (*source && *binding)
		(void)fprintf(ctl->out, "leaves from %s (binding %s, mark 0x%llx)", source, binding,
			      (unsigned long long)reply_number(reply, "mark"));
	else
		(void)fputs(reply_text(reply, "text"), ctl->out);
	(void)fputs(ctl->color ? "\033[0m\n" : "\n", ctl->out);
}

static void add_rule(struct table *block, const json_t *rule)
{
	const char *to = reply_text(rule, "to");

	if (!rule)
		return;
	table_add(block, "  rule", TINT_DIM);
	table_add_format(block, "%s%s%s %s", reply_text(rule, "client"), *to ? " " : "", to,
			 reply_text(rule, "action"));
	answer_line(block, "  written at", reply_text(rule, "place"), TINT_PLAIN);
}

static void add_bypass(struct table *block, const json_t *bypass)
{
	answer_line(block, "  bypass", reply_text(bypass, "entry"), TINT_PLAIN);
	answer_line(block, "  written at", reply_text(bypass, "place"), TINT_PLAIN);
}

static void add_lookup(struct table *block, const json_t *lookup)
{
	const char *plan = reply_text(lookup, "plan"), *kernel = reply_text(lookup, "kernel");

	if (reply_true(lookup, "agree"))
		return;
	table_add(block, "", TINT_PLAIN);
	table_add_format(block, "%s { %s }: plan has %s, kernel has %s", reply_text(lookup, "set"),
			 reply_text(lookup, "key"), *plan ? plan : "nothing",
			 *kernel ? kernel : "nothing");
}

static void add_agreement(struct table *block, const json_t *reply)
{
	const json_t *lookups = reply_member(reply, "lookups");
	size_t n = json_array_size(lookups);

	table_add(block, "  kernel", TINT_DIM);
	if (reply_true(reply, "agree")) {
		table_add_format(block, "agrees (%zu lookup%s)", n, n == 1 ? "" : "s");
		return;
	}
	table_add(block, "DISAGREES with the plan:", TINT_BAD);
	for (size_t i = 0; i < n; i++)
		add_lookup(block, json_array_get(lookups, i));
}

static void explain_text(const struct ctl *ctl, const json_t *reply)
{
	struct table block = { .columns = answer_block, .n_columns = 2 };

	print_verdict(ctl, reply);
	add_rule(&block, reply_member(reply, "rule"));
	add_bypass(&block, reply_member(reply, "bypass"));
	answer_line(&block, "  intercept", reply_text(reply, "intercept"), TINT_PLAIN);
	answer_line(&block, "  group", reply_text(reply, "group"), TINT_PLAIN);
	if (reply_true(reply, "limited"))
		answer_line(&block, "  limits", "as long as no limit is reached", TINT_PLAIN);
	answer_line(&block, "  binding", reply_text(reply, "binding"), TINT_PLAIN);
	if (reply_member(reply, "mark")) {
		table_add(&block, "  mark", TINT_DIM);
		table_add_format(&block, "0x%llx", (unsigned long long)reply_number(reply, "mark"));
	}
	answer_line(&block, "  source", reply_text(reply, "source"), TINT_PLAIN);
	answer_line(&block, "  reason", reply_text(reply, "reason"),
		    is_refused(reply) ? TINT_BAD : TINT_PLAIN);
	add_agreement(&block, reply);
	table_print(&block, ctl->out, 0, ctl->color);
	table_drop(&block);
}

static int explain_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(json_drop) json_t *parameters = json_object();
	AUTO(json_drop) json_t *reply = NULL;
	int r = add_options(ctl, parameters, args);

	if (r == CTL_DONE)
		r = agent_ask(ctl, "Explain", json_incref(parameters), &reply);
	if (r != CTL_DONE)
		return r;
	answer_reply(ctl, reply, explain_text);
	return is_refused(reply) || !reply_true(reply, "agree") ? CTL_NO : CTL_DONE;
}

const struct verb explain_verb = {
	.name = "explain",
	.synopsis = "[OPTION...] --to ADDR",
	.summary = "which source address a connection would get, and why",
	.text = "Describe the sender by --unit, --cgroup or --pid, and by --user, --group, --mark; or\n"
		"a forwarded packet by --source. The answer is computed from the plan, and every element\n"
		"it depends on is compared with the kernel's.\n"
		"The exit status is 1 if the connection is refused, or if plan and kernel disagree.\n",
	.options = options,
	.run = explain_run,
};
