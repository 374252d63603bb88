/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl settle: what ExecStartPre= of a unit calls, so that the unit's cgroup has its element
 * in the kernel before the first process of ExecStart= is started. The cgroup was made before
 * ExecStartPre= runs, and stays the same one for ExecStart=.
 */
#include "agent.h"
#include "answer.h"
#include "verbs.h"

static void settle_text(const struct ctl *ctl, const json_t *reply)
{
	(void)ctl;
	(void)reply;
}

static int settle_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(json_drop) json_t *reply = NULL;
	int r = agent_ask(ctl, "Settle", NULL, &reply);

	(void)args;
	if (r == CTL_DONE)
		answer_reply(ctl, reply, settle_text);
	return r;
}

const struct verb settle_verb = {
	.name = "settle",
	.synopsis = "",
	.summary = "wait until all cgroups that exist now have their binding",
	.text = "For root, in a unit: ExecStartPre=+/usr/bin/outbindctl settle\n"
		"Then nothing of the unit can send before the unit's rule is in the kernel; if the agent\n"
		"does not answer, the unit does not start.\n",
	.run = settle_run,
};
