/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Diff: the files against what runs. Reads the files as a reload would, and changes nothing. */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/things.h"

#include <stdio.h>

/* The mask is no thing that a change can name. */
static void compare_masks(const struct model *files, const struct model *running, json_t *list)
{
	char fresh[16], old[16];

	if (files->mask.host == running->mask.host)
		return;
	snprintf(fresh, sizeof fresh, "0x%x", files->mask.host);
	snprintf(old, sizeof old, "0x%x", running->mask.host);
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "what", "changed",
					      "kind", "mark-mask", "name", "mark-mask", "files",
					      fresh, "running", old, "runtime", 0));
}

static void answer(struct call *call, const struct model *fresh)
{
	AUTO(things_drop) struct things files = { 0 }, running = { 0 };
	AUTO(things_differences_drop) struct differences differences = { 0 };
	const struct model *now = &call->agent->now->model;
	json_t *list;

	things_all(fresh, &files);
	things_all(now, &running);
	things_compare(&running, &files, &differences);
	list = method_json_differences(&differences, &call->agent->overlay);
	compare_masks(fresh, now, list);
	method_reply(call, json_pack("{s:o}", "changes", list));
}

void method_diff(struct call *call)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	AUTO(model_drop) struct model fresh = { 0 };
	struct diag diag = { 0 };
	int r = conf_read(call->agent->options->config, call->agent->world, &fresh, &diag);

	problems_take(&out.problems, &fresh, &diag);
	if (r < 0)
		method_fail_outcome(call, r, &out);
	else
		answer(call, &fresh);
}
