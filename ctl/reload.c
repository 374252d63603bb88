/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl reload: read the files again, apply what changed. */
#include "agent.h"
#include "answer.h"
#include "refusal.h"
#include "reply.h"
#include "verbs.h"

static void reload_text(const struct ctl *ctl, const json_t *reply)
{
	long long operations = reply_number(reply, "operations"),
		  took = reply_number(reply, "microseconds");

	refusal_print_problems(ctl, reply_member(reply, "warnings"));
	(void)fprintf(ctl->out, "generation %lld: %s%lld operation%s in %lld.%03lld ms\n",
		      reply_number(reply, "generation"),
		      reply_true(reply, "replaced") ? "table replaced, " : "", operations,
		      operations == 1 ? "" : "s", took / 1000, took % 1000);
}

static int reload_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(json_drop) json_t *reply = NULL;
	int r = agent_ask(ctl, "Reload", NULL, &reply);

	(void)args;
	if (r == CTL_DONE)
		answer_reply(ctl, reply, reload_text);
	return r;
}

const struct verb reload_verb = {
	.name = "reload",
	.synopsis = "",
	.summary = "read the configuration again and apply what changed",
	.text = "The configuration is taken whole or not at all: with any problem nothing changes, every\n"
		"problem is printed, and the exit status is 1. Live connections keep their address.\n",
	.run = reload_run,
};
