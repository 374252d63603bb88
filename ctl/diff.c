/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl diff: how the files differ from what runs, and which of it was changed at run time. */
#include "answer.h"
#include "change.h"
#include "reply.h"
#include "verbs.h"

static void diff_text(const struct ctl *ctl, const json_t *reply)
{
	const json_t *changes = reply_member(reply, "changes");
	size_t n_runtime = 0, left_out, n = change_count(changes, &left_out);

	if (n == 0)
		(void)fputs("no differences: what the files say is what runs\n", ctl->out);
	for (size_t i = 0; i < n; i++) {
		const json_t *change = json_array_get(changes, i);
		bool runtime = reply_true(change, "runtime");

		n_runtime += runtime;
		change_print(ctl, change, true, runtime ? "  (changed at run time)" : "");
	}
	if (left_out > 0)
		(void)fprintf(ctl->out, "and %zu more\n", left_out);
	if (n_runtime > 0)
		(void)fprintf(ctl->out, "%zu of %s%zu changed at run time: `outbindctl save` folds "
			      "that into the files\n", n_runtime,
			      left_out > 0 ? "the first " : "", n);
}

static int diff_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(json_drop) json_t *reply = NULL;
	int r = agent_ask(ctl, "Diff", NULL, &reply);

	(void)args;
	if (r != CTL_DONE)
		return r;
	answer_reply(ctl, reply, diff_text);
	return json_array_size(reply_member(reply, "changes")) > 0 ? CTL_NO : CTL_DONE;
}

const struct verb diff_verb = {
	.name = "diff",
	.synopsis = "",
	.summary = "how the configuration files differ from what runs",
	.text = "A line with + is only in the files, with - only running, with ~ in both but different.\n"
		"What was changed at run time is marked: files do not take it back, `outbindctl save` folds\n"
		"it into them. The exit status is 1 if there are differences.\n",
	.run = diff_run,
};
