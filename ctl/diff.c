/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl diff: how the files differ from what runs, which is what a reload would change. */
#include "agent.h"
#include "answer.h"
#include "reply.h"
#include "verbs.h"

#include <string.h>

/* Canonical text of one side, which may be a stanza of several lines. */
static void print_lines(const struct ctl *ctl, char sign, const char *text)
{
	while (*text) {
		int len = (int)strcspn(text, "\n");

		if (len > 0)
			(void)fprintf(ctl->out, "    %c %.*s\n", sign, len, text);
		text += len;
		text += *text == '\n';
	}
}

static void print_change(const struct ctl *ctl, const json_t *change)
{
	static const struct {
		const char *what, *sign, *color;
	} signs[] = {
		{ "added", "+", "\033[32m" },
		{ "removed", "-", "\033[31m" },
		{ "changed", "~", "\033[33m" },
	};
	const char *what = reply_text(change, "what"), *sign = "?", *color = "";

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (strcmp(signs[i].what, what) == 0) {
			sign = signs[i].sign;
			color = signs[i].color;
		}
	}
	(void)fprintf(ctl->out, "%s%s %s %s%s\n", ctl->color ? color : "", sign,
		      reply_text(change, "kind"), reply_text(change, "name"),
		      ctl->color ? "\033[0m" : "");
	print_lines(ctl, '-', reply_text(change, "running"));
	print_lines(ctl, '+', reply_text(change, "files"));
}

static void diff_text(const struct ctl *ctl, const json_t *reply)
{
	const json_t *changes = reply_member(reply, "changes");

	if (json_array_size(changes) == 0)
		(void)fputs("no differences: what the files say is what runs\n", ctl->out);
	for (size_t i = 0; i < json_array_size(changes); i++)
		print_change(ctl, json_array_get(changes, i));
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
		"The exit status is 1 if there are differences.\n",
	.run = diff_run,
};
