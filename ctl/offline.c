/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's own code for reading and compiling, fed with facts of a host on which everything is
 * as the configuration wants it. So what `check` finds is what the agent would find, except for
 * what only the host can tell.
 */
#include "offline.h"

#include "base/mem.h"
#include "plan/number.h"

#include <string.h>

void offline_drop(struct offline *offline)
{
	plan_drop(&offline->plan);
	facts_drop(&offline->facts);
	free(offline->numbers);
	diag_drop(&offline->diag);
	model_drop(&offline->model);
	*offline = (struct offline){ 0 };
}

static int compare_addresses(const void *a, const void *b)
{
	const struct local_address *left = a, *right = b;

	return ip_compare(&left->ip, &right->ip);
}

/* facts.addresses: all of the model, each on the interface that its binding names. */
static void pretend_addresses(struct offline *offline)
{
	const struct model *model = &offline->model;

	for (size_t i = 0; i < model->addresses.n; i++) {
		const struct address *address = &model->addresses.at[i];
		const char *interface = model->bindings.at[address->binding].interface;
		struct local_address local = { .ip = address->ip };

		(void)snprintf(local.interface, sizeof local.interface, "%s",
			       interface ? interface : "lo");
		PUSH(&offline->facts.addresses, local);
	}
	if (offline->facts.addresses.n > 0)
		qsort(offline->facts.addresses.at, offline->facts.addresses.n,
		      sizeof *offline->facts.addresses.at, compare_addresses);
}

static void pretend_cgroups(struct offline *offline)
{
	size_t n = offline->model.cgroups.n;

	offline->facts.cgroup_ids = mem_zero(n + 1, sizeof *offline->facts.cgroup_ids);
	for (size_t i = 0; i < n; i++)
		offline->facts.cgroup_ids[i] = i + 1;
}

static int give_numbers(struct offline *offline)
{
	struct numbers numbers = { 0 };
	bool changed;
	int r = numbers_assign(&numbers, &offline->model, &offline->numbers, &changed);

	numbers_drop(&numbers);
	if (r < 0)
		diag_error(&offline->diag, offline->model.where_mask,
			   "mark-mask 0x%x has room for %u bindings, but there are %zu",
			   offline->model.mask.host, model_mask_capacity(offline->model.mask),
			   offline->model.bindings.n);
	return r < 0 ? -EINVAL : 0;
}

int offline_read(const char *path, struct offline *ret)
{
	int r;

	*ret = (struct offline){ 0 };
	r = conf_read(path, &conf_system, &ret->model, &ret->diag);
	if (r == 0)
		r = give_numbers(ret);
	if (r == 0) {
		pretend_addresses(ret);
		pretend_cgroups(ret);
		r = plan_build(&ret->model, ret->numbers, &ret->facts, &ret->plan, &ret->diag);
	}
	diag_sort(&ret->diag);
	return r;
}

const char *offline_cgroup_path(void *context, uint64_t id)
{
	const struct model *model = context;

	if (id == 0 || id > model->cgroups.n || model->cgroups.at[id - 1].is_unit)
		return NULL;
	return model->cgroups.at[id - 1].name;
}
