/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses that plumb.c looks after: sorted, found by address, and those with something due in
 * a list of their own. */
#include "daemon/plumb_parts.h"

#include "base/mem.h"

#include <stdio.h>

static int by_ip(const void *left, const void *right)
{
	struct plumb_address *const *a = left, *const *b = right;

	return ip_compare(&(*a)->ip, &(*b)->ip);
}

static int ip_to_address(const void *key, const void *element)
{
	struct plumb_address *const *address = element;

	return ip_compare(key, &(*address)->ip);
}

struct plumb_address *plumb_find(const struct plumb *plumb, const struct ip *ip)
{
	struct plumb_address **found =
		plumb->n_sorted ? bsearch(ip, plumb->addresses.at, plumb->n_sorted,
					  sizeof *plumb->addresses.at, ip_to_address)
				: NULL;

	return found ? *found : NULL;
}

struct plumb_address *plumb_new(struct plumb *plumb, const struct ip *ip, const char *interface)
{
	struct plumb_address *address = mem_zero(1, sizeof *address);

	address->ip = *ip;
	address->binding = NO_INDEX;
	snprintf(address->interface, sizeof address->interface, "%s", interface);
	PUSH(&plumb->addresses, address);
	return address;
}

void plumb_sort(struct plumb *plumb)
{
	if (plumb->addresses.n)
		qsort(plumb->addresses.at, plumb->addresses.n, sizeof *plumb->addresses.at, by_ip);
	plumb->n_sorted = plumb->addresses.n;
}

const char *plumb_name(const struct agent *agent, const struct plumb_address *address)
{
	const struct model *model = agent->now ? &agent->now->model : NULL;

	return model && address->binding < model->bindings.n &&
			       model->bindings.at[address->binding].name
		       ? model->bindings.at[address->binding].name
		       : "-";
}

bool plumb_is_claim(enum plumb_phase phase)
{
	return phase == PLUMB_QUEUED || phase == PLUMB_ASKING;
}

void plumb_activate(struct plumb *plumb, struct plumb_address *address, enum plumb_phase phase,
		    uint64_t due)
{
	if (address->phase == PLUMB_ASKING)
		plumb->n_asking--;
	if (phase == PLUMB_ASKING)
		plumb->n_asking++;
	if (plumb_is_claim(phase) != plumb_is_claim(address->phase))
		plumb->unpublished = true;
	address->phase = phase;
	address->due = due;
	address->sent = 0;
	if (phase != PLUMB_IDLE && !address->active) {
		address->active = true;
		PUSH(&plumb->active, address);
	}
}

void plumb_disown(struct plumb *plumb, struct plumb_address *address)
{
	plumb->unsaved |= address->owned;
	address->owned = false;
}

void plumb_forget(struct plumb *plumb, struct plumb_address *address)
{
	plumb_activate(plumb, address, PLUMB_IDLE, 0);
	plumb->unsaved |= address->owned;
	plumb->unpublished |= address->by[0] != '\0';
	for (size_t i = 0; address->active && i < plumb->active.n; i++) {
		if (plumb->active.at[i] != address)
			continue;
		plumb->active.at[i] = plumb->active.at[--plumb->active.n];
		break;
	}
	free(address);
}
