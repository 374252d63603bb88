/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl binding suspend, binding resume: new connections of one binding, refused or not. */
#include "answer.h"
#include "change.h"
#include "reply.h"
#include "verbs.h"

static void print_change(const struct ctl *ctl, const json_t *reply, const char *what)
{
	(void)fprintf(ctl->out, "%s %lld us\n", what, reply_number(reply, "microseconds"));
}

static void suspend_text(const struct ctl *ctl, const json_t *reply)
{
	print_change(ctl, reply, "suspended: new connections are refused, live ones go on; took");
}

static void resume_text(const struct ctl *ctl, const json_t *reply)
{
	print_change(ctl, reply, "resumed; took");
}

static int run(struct ctl *ctl, const struct arguments *args, const char *method,
	       void (*text)(const struct ctl *ctl, const json_t *reply))
{
	AUTO(json_drop) json_t *reply = NULL;
	json_t *parameters = json_object();
	int r = agent_add_text(ctl, parameters, "name", args->rest[0]);

	if (r != CTL_DONE) {
		json_decref(parameters);
		return r;
	}
	if (args->value[CHANGE_DRY_RUN])
		return change_look(ctl, method, parameters, NULL);
	r = agent_ask(ctl, method, parameters, &reply);
	if (r == CTL_DONE)
		answer_reply(ctl, reply, text);
	return r;
}

static int binding_suspend_run(struct ctl *ctl, const struct arguments *args)
{
	return run(ctl, args, "SuspendBinding", suspend_text);
}

static int binding_resume_run(struct ctl *ctl, const struct arguments *args)
{
	return run(ctl, args, "ResumeBinding", resume_text);
}

const struct verb binding_suspend_verb = {
	.name = "binding suspend",
	.synopsis = "[--dry-run] NAME",
	.summary = "refuse new connections of a binding at once; live ones go on",
	.text = "connect() fails with ECONNREFUSED, `unusable use` does not apply, and the tag socket\n"
		"refuses. This outlives reloads and restarts, until `binding resume NAME`.\n"
		"NAME may be a group. `default`, if it has no address, stands for what no rule claims:\n"
		"the same as `default-binding suspended`.\n",
	.options = change_options,
	.least = 1,
	.most = 1,
	.complete = COMPLETE_BINDING,
	.run = binding_suspend_run,
};

const struct verb binding_resume_verb = {
	.name = "binding resume",
	.synopsis = "[--dry-run] NAME",
	.summary = "end what `binding suspend` began",
	.options = change_options,
	.least = 1,
	.most = 1,
	.complete = COMPLETE_BINDING,
	.run = binding_resume_run,
};
