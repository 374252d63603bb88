/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl render: the whole ruleset as text for `nft -f`. From the agent it is what it wants in
 * the kernel now; from a file it is what a host would get on which every address is present.
 */
#include "agent.h"
#include "answer.h"
#include "kernel/kernel.h"
#include "offline.h"
#include "reply.h"
#include "verbs.h"

#include <string.h>

static void print_piece(void *context, json_t *reply)
{
	const struct ctl *ctl = context;

	(void)fputs(reply_text(reply, "text"), ctl->out);
}

static void collect_piece(void *context, json_t *reply)
{
	(void)fputs(reply_text(reply, "text"), context);
}

static int render_agent(struct ctl *ctl)
{
	char *AUTO(mem_drop) text = NULL;
	size_t size = 0;
	FILE *file;
	int r;

	if (!ctl->json)
		return agent_call(ctl, "Render", NULL, print_piece, ctl);
	file = open_memstream(&text, &size);
	if (!file)
		abort();
	r = agent_call(ctl, "Render", NULL, collect_piece, file);
	if (fclose(file) != 0)
		abort();
	return r == CTL_DONE ? answer_text(ctl, text) : r;
}

static int render_file(const struct ctl *ctl, const char *path)
{
	const struct kernel_options options = { .table = "outbind" };
	AUTO(offline_drop) struct offline offline = { 0 };
	char *AUTO(mem_drop) text = NULL;
	struct kernel_error error = { 0 };
	int r;

	if (offline_read(path, &offline) < 0) {
		ctl_complain(ctl, "%s is not valid; `outbindctl check %s` says why", path, path);
		return CTL_NO;
	}
	r = kernel_render(&options, &offline.plan, offline_cgroup_path, &offline.model, &text,
			  &error);
	if (r < 0) {
		ctl_complain(ctl, "cannot render %s: %s", path,
			     *error.text ? error.text : strerror(-r));
		return CTL_REFUSED;
	}
	return answer_text(ctl, text);
}

static int render_run(struct ctl *ctl, const struct arguments *args)
{
	return args->n_rest > 0 ? render_file(ctl, args->rest[0]) : render_agent(ctl);
}

const struct verb render_verb = {
	.name = "render",
	.synopsis = "[FILE]",
	.summary = "the ruleset as text for nft",
	.text = "Without FILE: what the agent wants in the kernel now. With FILE: what that configuration\n"
		"gives on a host where every address is present; needs no agent and no rights. Rules\n"
		"for systemd units are comments then, because only the host knows their cgroups.\n",
	.most = 1,
	.complete = COMPLETE_FILE,
	.run = render_run,
};
