/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See generation.h. Reads files through conf_world only; writes nothing. */
#include "daemon/generation.h"

#include "base/mem.h"
#include "daemon/quick.h"

void generation_drop(struct generation *generation)
{
	model_drop(&generation->model);
	plan_drop(&generation->plan);
	free(generation->numbers);
	quick_free(generation->quick);
	*generation = (struct generation){ 0 };
}

void generation_free(struct generation *generation)
{
	if (generation)
		generation_drop(generation);
	free(generation);
}

static int number(struct generation *generation, struct numbers *numbers, bool *ret_changed,
		  struct diag *diag)
{
	const struct model *model = &generation->model;
	int r = numbers_assign(numbers, model, &generation->numbers, ret_changed);

	if (r == -ENOSPC)
		diag_error(diag, model->where_mask,
			   "mark-mask 0x%x has room for %u bindings and uplinks, expected room for "
			   "%zu", model->mask.host, model_mask_capacity(model->mask),
			   model->bindings.n + model->uplinks.n);
	if (r == -EBUSY)
		diag_error(diag, model->where_mask,
			   "every free number of mark-mask 0x%x is still carried by a connection or a "
			   "socket of a binding that was removed, expected a wider mask, or to wait "
			   "until they end",
			   model->mask.host);
	return r;
}

int generation_read(const char *path, const struct conf_world *world,
		    const struct conf_layer *layers, size_t n, struct numbers *numbers,
		    struct generation *ret, bool *ret_changed, struct outcome *out)
{
	AUTO(generation_drop) struct generation fresh = { 0 };
	struct diag diag = { 0 };
	int r = conf_read_layers(path, world, layers, n, &fresh.model, &diag);

	if (r == 0)
		r = number(&fresh, numbers, ret_changed, &diag);
	problems_take(&out->problems, &fresh.model, &diag);
	if (r < 0)
		return -EINVAL;
	*ret = fresh;
	fresh = (struct generation){ 0 };
	return 0;
}

int generation_plan(const struct generation *generation, const struct facts *facts,
		    struct plan *ret_plan, struct outcome *out)
{
	struct diag diag = { 0 };
	int r = plan_build(&generation->model, generation->numbers, facts, ret_plan, &diag);

	problems_take(&out->problems, &generation->model, &diag);
	return r;
}

int generation_check(const char *path, const struct conf_world *world,
		     const struct conf_layer *layers, size_t n, struct outcome *out)
{
	AUTO(generation_drop) struct generation fresh = { 0 };
	AUTO(numbers_drop) struct numbers numbers = { 0 };
	AUTO(facts_drop) struct facts facts = { 0 };
	bool changed;
	int r = generation_read(path, world, layers, n, &numbers, &fresh, &changed, out);

	if (r < 0)
		return r;
	facts.cgroup_ids = mem_zero(fresh.model.cgroups.n, sizeof *facts.cgroup_ids);
	return generation_plan(&fresh, &facts, &fresh.plan, out);
}
