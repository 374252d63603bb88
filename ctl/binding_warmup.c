/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl binding warmup: days of few new connections, for an address that nobody knows yet. */
#include "agent.h"
#include "answer.h"
#include "grammar.h"
#include "reply.h"
#include "verbs.h"

#include "base/types.h"

#include <string.h>

static void warmup_text(const struct ctl *ctl, const json_t *reply)
{
	const json_t *warmup = reply_member(reply, "warmup");
	long long day = reply_number(warmup, "day"), left = reply_number(warmup, "left");

	(void)fputs(reply_text(warmup, "state"), ctl->out);
	if (day > 0)
		(void)fprintf(ctl->out, ": day %lld of %lld, %lld of %lld new connections, "
			      "next day %s %lld h %lld min",
			      day, reply_number(warmup, "days"), reply_number(warmup, "used"),
			      reply_number(warmup, "quota"),
			      strcmp(reply_text(warmup, "state"), "paused") == 0
				      ? "once resumed in" : "in",
			      left / 3600, left / 60 % 60);
	(void)fputc('\n', ctl->out);
}

static int binding_warmup_run(struct ctl *ctl, const struct arguments *args)
{
	static const struct { const char *word, *method; } acts[] = {
		{ "status", "GetWarmup" }, { "start", "StartWarmup" },
		{ "pause", "PauseWarmup" }, { "resume", "ResumeWarmup" },
	};
	AUTO(json_drop) json_t *reply = NULL;
	json_t *parameters;
	size_t i = 0;
	int r;

	while (i < ARRAY_LEN(acts) && strcmp(acts[i].word, args->rest[1]) != 0)
		i++;
	if (i == ARRAY_LEN(acts)) {
		ctl_complain(ctl,
			     "expected start, pause, resume or status after the name, got '%s'",
			     args->rest[1]);
		return CTL_USAGE;
	}
	parameters = json_object();
	r = agent_add_text(ctl, parameters, "name", args->rest[0]);
	if (r != CTL_DONE) {
		json_decref(parameters);
		return r;
	}
	r = agent_ask(ctl, acts[i].method, parameters, &reply);
	if (r == CTL_DONE)
		answer_reply(ctl, reply, warmup_text);
	return r;
}

const struct verb binding_warmup_verb = {
	.name = "binding warmup",
	.synopsis = "NAME start|pause|resume|status",
	.summary = "begin or hold the days on which a binding may have few new connections",
	.text = "Day 1 of `warmup` in the configuration begins when it is started, the next one 24 hours\n"
		"later; after the last day nothing is limited any more. While it is paused the days stand\n"
		"still and the number of the day stays the limit. This outlives reloads and restarts.\n",
	.least = 2,
	.most = 2,
	.complete = COMPLETE_BINDING,
	.words = grammar_warmup,
	.words_from = 1,
	.run = binding_warmup_run,
};
