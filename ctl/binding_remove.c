/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl binding remove: the way out of a binding, watched. The removal is the agent's; what is
 * here only shows it, so it may be interrupted at any time.
 */
#include "agent.h"
#include "answer.h"
#include "change.h"
#include "duration.h"
#include "reply.h"
#include "verbs.h"

#include <signal.h>
#include <string.h>

enum { BAR_MOST = 40, BAR_WORDS = 40, EXIT_INTERRUPTED = 128 + SIGINT };
enum { OPTION_REASSIGN, OPTION_DRAIN, OPTION_TIMEOUT, OPTION_KILL, OPTION_DRY_RUN };

struct watching {
	struct ctl *ctl;
	long long shown;			/* connections of the last line; -1: none yet */
	bool bar;				/* one stands on the terminal */
	int status;
};

static char farewell[512];			/* for on_interrupt(), which may only write */

static void on_interrupt(int number)
{
	(void)number;
	(void)!write(STDERR_FILENO, farewell, strlen(farewell));
	_exit(EXIT_INTERRUPTED);
}

/* Before the call: from here on the agent may have begun. */
static void expect_interrupt(const char *name)
{
	struct sigaction action = { .sa_handler = on_interrupt };

	(void)snprintf(farewell, sizeof farewell,
		       "\noutbindctl: no longer watching; what was begun goes on. `outbindctl binding remove "
		       "%.63s --drain` watches again,\n`outbindctl binding resume %.63s` ends it\n",
		       name, name);
	(void)sigaction(SIGINT, &action, NULL);
}

static void clear_bar(struct watching *watching)
{
	if (watching->bar)
		(void)fputs("\r\033[K", watching->ctl->err);
	watching->bar = false;
}

static void show_bar(struct watching *watching, long long left, long long at_start)
{
	static const char full[] = "########################################";
	static const char empty[] = "........................................";
	const struct ctl *ctl = watching->ctl;
	unsigned room = ctl->width > BAR_WORDS + 10 ? ctl->width - BAR_WORDS : 10;
	int width = (int)(room < BAR_MOST ? room : BAR_MOST), done;

	done = left >= at_start ? 0 : (int)((at_start - left) * width / at_start);
	(void)fprintf(ctl->err, "\r\033[K[%.*s%.*s] %lld of %lld connections left", done, full,
		      width - done, empty, left, at_start);
	(void)fflush(ctl->err);
	watching->bar = true;
}

static void show_progress(struct watching *watching, const json_t *reply)
{
	long long left = reply_number(reply, "connections");
	long long at_start = reply_number(reply, "at_start");

	if (watching->ctl->progress) {
		show_bar(watching, left, at_start);
	} else if (left != watching->shown) {
		(void)fprintf(watching->ctl->out, "%lld of %lld connections left\n", left,
			      at_start);
		(void)fflush(watching->ctl->out);
	}
	watching->shown = left;
}

static void print_removed(const struct ctl *ctl, const json_t *reply)
{
	long long killed = reply_number(reply, "killed");
	long long waited = reply_number(reply, "at_start") - killed;

	(void)fprintf(ctl->out, "removed %s", reply_text(reply, "name"));
	if (waited > 0)
		(void)fprintf(ctl->out, "; waited for %lld connection%s", waited,
			      waited == 1 ? "" : "s");
	if (killed > 0)
		(void)fprintf(ctl->out, "; ended %lld connection%s", killed,
			      killed == 1 ? "" : "s");
	(void)fputc('\n', ctl->out);
}

static void print_kept(const struct ctl *ctl, const json_t *reply)
{
	const json_t *remaining = reply_member(reply, "remaining");
	long long more = reply_number(reply, "connections") - (long long)json_array_size(remaining);

	(void)fprintf(ctl->out, "%s was not removed: %s\n", reply_text(reply, "name"),
		      reply_text(reply, "reason"));
	for (size_t i = 0; i < json_array_size(remaining); i++) {
		const char *text = json_string_value(json_array_get(remaining, i));

		(void)fprintf(ctl->out, "  %s\n", text ? text : "");
	}
	if (more > 0)
		(void)fprintf(ctl->out, "  and %lld more\n", more);
}

static void each_reply(void *context, json_t *reply)
{
	struct watching *watching = context;
	bool done = reply_true(reply, "done"), removed = reply_true(reply, "removed");

	watching->status = removed ? CTL_DONE : CTL_NO;
	if (watching->ctl->json) {
		answer_json(watching->ctl, reply);
		(void)fflush(watching->ctl->out);
		return;
	}
	if (!done) {
		show_progress(watching, reply);
		return;
	}
	clear_bar(watching);
	if (removed)
		print_removed(watching->ctl, reply);
	else
		print_kept(watching->ctl, reply);
}

static int add_timeout(const struct ctl *ctl, const struct arguments *args, json_t *parameters)
{
	const char *text = args->value[OPTION_TIMEOUT];
	bool drain = args->value[OPTION_DRAIN], kill = args->value[OPTION_KILL];
	long long seconds = 0;

	if (text && !drain) {
		ctl_complain(ctl, "--timeout is how long --drain waits: say --drain too");
		return CTL_USAGE;
	}
	if (!text && drain && kill) {
		ctl_complain(ctl,
			     "--drain --kill ends what is left after a time: say --timeout too");
		return CTL_USAGE;
	}
	if (text && !duration_read(text, &seconds)) {
		ctl_complain(ctl, "--timeout: expected a time like 90, 90s, 5m or 2h, got '%s'",
			     text);
		return CTL_USAGE;
	}
	if (text)
		json_object_set_new(parameters, "timeout", json_integer(seconds));
	return CTL_DONE;
}

static int add_parameters(struct ctl *ctl, const struct arguments *args, json_t *parameters)
{
	const char *name = args->rest[0], *other = args->value[OPTION_REASSIGN];
	int r = agent_add_text(ctl, parameters, "name", name);

	if (other && strcmp(other, name) == 0) {
		ctl_complain(ctl, "--reassign: expected another binding than '%s'", name);
		return CTL_USAGE;
	}
	if (r == CTL_DONE && other)
		r = agent_add_text(ctl, parameters, "reassign", other);
	if (r == CTL_DONE)
		r = add_timeout(ctl, args, parameters);
	if (args->value[OPTION_DRAIN])
		json_object_set_new(parameters, "drain", json_true());
	if (args->value[OPTION_KILL])
		json_object_set_new(parameters, "kill", json_true());
	return r;
}

static int binding_remove_run(struct ctl *ctl, const struct arguments *args)
{
	struct watching watching = { .ctl = ctl, .shown = -1, .status = CTL_NO };
	json_t *parameters = json_object();
	int r = add_parameters(ctl, args, parameters);

	if (r != CTL_DONE) {
		json_decref(parameters);
		return r;
	}
	if (args->value[OPTION_DRY_RUN])
		return change_look(ctl, "RemoveBinding", parameters,
				   !args->value[OPTION_DRAIN] ? "would be ended"
				   : args->value[OPTION_KILL] ? "would be waited for, then ended"
							      : "would be waited for");
	if (args->value[OPTION_DRAIN] || args->value[OPTION_KILL])
		expect_interrupt(args->rest[0]);
	r = agent_call(ctl, "RemoveBinding", parameters, each_reply, &watching);
	clear_bar(&watching);
	return r == CTL_DONE ? watching.status : r;
}

static const struct option binding_remove_options[] = {
	[OPTION_REASSIGN] = { .name = "reassign", .value = "OTHER", .complete = COMPLETE_BINDING,
			      .summary = "OTHER gets its rules and what else refers to it, at once" },
	[OPTION_DRAIN] = { .name = "drain",
			   .summary = "refuse new connections, wait for the live ones, then remove" },
	[OPTION_TIMEOUT] = { .name = "timeout", .value = "T",
			     .summary = "wait so long at most: 90, 90s, 5m or 2h" },
	[OPTION_KILL] = { .name = "kill",
			  .summary = "end the live connections: now, or after --drain --timeout" },
	[OPTION_DRY_RUN] = CHANGE_OPTION_DRY_RUN,
	{ .name = NULL },
};

const struct verb binding_remove_verb = {
	.name = "binding remove",
	.synopsis = "[--dry-run] NAME [--reassign OTHER] [--drain [--timeout T]] [--kill]",
	.summary = "remove a binding without losing a connection",
	.text = "Without options it refuses, and names them, while rules, groups, `unusable use` or\n"
		"`overflow` refer to the binding or connections of it live. The removal belongs to the\n"
		"agent: Ctrl-C ends the watching only, saying it again joins it, and `binding resume\n"
		"NAME` ends it. A connection that is ended by --kill is reset from the binding's address,\n"
		"and its program gets ECONNABORTED; TCP that this host only forwards cannot be ended\n"
		"here, and is left.\n"
		"Exit status 1: the time was up; the binding stays suspended, what remains was said.\n"
		"Exit status 5: refused, and nothing was changed.\n",
	.options = binding_remove_options,
	.least = 1,
	.most = 1,
	.complete = COMPLETE_BINDING,
	.run = binding_remove_run,
};
