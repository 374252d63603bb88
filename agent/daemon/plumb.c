/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of bindings that name an interface: what should be there against what is.
 *
 * An address that is missing is asked for on its link (plumb_ask.c) and added when nobody has it;
 * one that we had added and that somebody deleted is added again at once. One that was there before
 * us is used, and never removed. That an address is ours is written down before it is added, so
 * that one of ours is never taken for somebody else's; written down but not added is told by the
 * kernel, which says who added an address (IFA_PROTO, Linux 5.18), and before that by its absence.
 *
 * What is wanted is kept in a list of its own (plumb_list.c), apart from the model: where no binding
 * names an interface there is nothing in it, and a change costs nothing.
 */
#include "daemon/plumb.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/plumb_parts.h"

#include <stdio.h>
#include <string.h>

enum { ASKING_MAX = 1000 };			/* at once: three packets each in 0.6 seconds */

/* The host's address @ip on @interface, or NULL; *@ret_elsewhere: it has it on another one. */
static const struct local_address *find_local(const struct facts *facts, const struct ip *ip,
					      const char *interface, bool *ret_elsewhere)
{
	const struct local_address *at = facts->addresses.at;

	*ret_elsewhere = false;
	for (size_t i = facts_address(facts, ip, 0);
	     i < facts->addresses.n && ip_equal(&at[i].ip, ip); i++) {
		if (strcmp(at[i].interface, interface) == 0)
			return &at[i];
		*ret_elsewhere = true;
	}
	return NULL;
}

static void look_at_present(struct plumb *plumb, struct plumb_address *address,
			    const struct local_address *local, bool came_up)
{
	if (plumb->knows_protocol && local->protocol != PROTOCOL_OUTBIND)
		plumb_disown(plumb, address);
	if (plumb_is_claim(address->phase) || address->phase == PLUMB_ADDING ||
	    (address->phase == PLUMB_WAITING && !address->by[0]))
		plumb_activate(plumb, address, PLUMB_IDLE, 0);
	/* A switch may have learnt something else meanwhile: RFC 5227 section 2.3. */
	if (address->owned && came_up && address->phase == PLUMB_IDLE)
		plumb_activate(plumb, address, PLUMB_ANNOUNCING, agent_clock());
}

static void ask_or_add(struct plumb *plumb, struct plumb_address *address, const struct link *link)
{
	uint64_t now = agent_clock();

	if (address->owned || !link->asks || plumb->deaf) {
		plumb_activate(plumb, address, PLUMB_ADDING, now);
	} else if (plumb->n_asking < ASKING_MAX) {
		plumb_activate(plumb, address, PLUMB_ASKING, now);
	} else {
		plumb_activate(plumb, address, PLUMB_QUEUED, UINT64_MAX);
		plumb->queued = true;
	}
}

void plumb_look(struct agent *agent, struct plumb_address *address)
{
	struct plumb *plumb = agent->plumb;
	const struct link *link = facts_link(&agent->facts, address->interface);
	bool up = link && link->up, came_up = up && !address->link_up && !address->loaded,
	     elsewhere;
	const struct local_address *local =
		find_local(&agent->facts, &address->ip, address->interface, &elsewhere);

	if (address->loaded && !local)		/* gone while no agent lived: ask before adding */
		plumb_disown(plumb, address);
	address->loaded = false;
	address->link_up = up;
	address->there = local != NULL;
	if (local) {
		look_at_present(plumb, address, local, came_up);
	} else if (!up) {			/* continues when it is */
		if (address->phase != PLUMB_WAITING)
			plumb_activate(plumb, address, PLUMB_IDLE, 0);
	} else if (!elsewhere && (address->phase == PLUMB_IDLE ||
				  address->phase == PLUMB_ANNOUNCING ||
				  address->phase == PLUMB_CHECKING ||
				  (address->phase == PLUMB_QUEUED && !plumb->queued))) {
		ask_or_add(plumb, address, link);
	}
}

/* One of ours that nobody wants any more; false if it could not be removed. */
static bool take_away(struct agent *agent, struct plumb_address *address)
{
	const struct link *link = facts_link(&agent->facts, address->interface);
	char text[IP_TEXT];
	bool elsewhere;
	const struct local_address *local =
		find_local(&agent->facts, &address->ip, address->interface, &elsewhere);
	int r;

	if (!address->owned || !link ||
	    (local && agent->plumb->knows_protocol && local->protocol != PROTOCOL_OUTBIND))
		return true;
	r = agent->kernel->remove_address(agent->kernel, &address->ip, link->index);
	if (r < 0 && r != -EADDRNOTAVAIL && r != -ENODEV) {
		log_event(EVENT_ADDRESS_REFUSED, "address=%s interface=%s error=\"%s\" next=retry",
			  ip_print(&address->ip, text), address->interface, strerror(-r));
		return false;
	}
	if (r == 0)
		log_event(EVENT_ADDRESS_REMOVED, "address=%s interface=%s",
			  ip_print(&address->ip, text), address->interface);
	return true;
}

/* @linger: but what connections leave from. */
static void drop_unwanted(struct agent *agent, bool linger)
{
	struct plumb *plumb = agent->plumb;
	size_t kept = 0;

	if (linger)
		plumb_linger(agent);
	for (size_t i = 0; i < plumb->addresses.n; i++) {
		struct plumb_address *address = plumb->addresses.at[i];

		if (address->binding == NO_INDEX && !(linger && address->lingering) &&
		    take_away(agent, address))
			plumb_forget(plumb, address);
		else
			plumb->addresses.at[kept++] = address;
	}
	plumb->addresses.n = plumb->n_sorted = kept;
}

/* Have the addresses of a binding wanted; true if some are new, and are to be sorted in. */
static bool want(struct agent *agent, uint32_t index)
{
	const struct model *model = &agent->now->model;
	const struct binding *binding = &model->bindings.at[index];
	struct plumb *plumb = agent->plumb;
	size_t before = plumb->addresses.n;

	for (uint32_t i = 0; binding->name && binding->interface && i < binding->n_addresses; i++) {
		const struct address *given = &model->addresses.at[binding->first_address + i];
		struct plumb_address *address =
			given->routed ? NULL : plumb_find(plumb, &given->ip);

		if (given->routed)
			continue;
		if (address && strcmp(address->interface, binding->interface) != 0) {
			(void)!take_away(agent, address);
			plumb_disown(plumb, address);
			plumb_activate(plumb, address, PLUMB_IDLE, 0);
			snprintf(address->interface, sizeof address->interface, "%s",
				 binding->interface);
		}
		if (!address)
			address = plumb_new(plumb, &given->ip, binding->interface);
		address->binding = index;
	}
	return plumb->addresses.n > before;
}

static void tell_protocol(struct agent *agent)
{
	for (size_t i = 0; i < agent->facts.addresses.n && !agent->plumb->knows_protocol; i++)
		agent->plumb->knows_protocol = agent->facts.addresses.at[i].protocol != 0;
}

static void look_at_all(struct agent *agent)
{
	struct plumb *plumb = agent->plumb;

	tell_protocol(agent);
	for (size_t i = 0; i < plumb->addresses.n; i++)
		if (plumb->addresses.at[i]->binding != NO_INDEX)
			plumb_look(agent, plumb->addresses.at[i]);
}

/* New ones are found by plumb_find() only when sorted in: a binding's own come once each. */
static void finish(struct agent *agent)
{
	drop_unwanted(agent, true);
	plumb_listen(agent);
	plumb_add_due(agent);
	plumb_publish(agent);
	if (agent->plumb->unsaved)
		(void)!plumb_save(agent);
}

void plumb_all(struct agent *agent)
{
	struct plumb *plumb = agent->plumb;
	bool fresh = false;

	if (!plumb || !agent->now)
		return;
	plumb_uplinks(agent, agent->now, true);
	for (size_t i = 0; i < plumb->addresses.n; i++)
		plumb->addresses.at[i]->binding = NO_INDEX;
	for (uint32_t i = 0; i < agent->now->model.bindings.n; i++)
		fresh |= want(agent, i);
	if (fresh)
		plumb_sort(plumb);
	look_at_all(agent);
	finish(agent);
}

void plumb_facts(struct agent *agent)
{
	if (!agent->plumb || !agent->now)
		return;
	plumb_uplinks(agent, agent->now, true);
	if (agent->plumb->addresses.n > 0) {
		look_at_all(agent);
		finish(agent);
	}
	agent->plumb->changed = false;		/* they are judged next */
}

uint64_t plumb_due(const struct agent *agent)
{
	const struct plumb *plumb = agent->plumb;
	uint64_t due = UINT64_MAX, uplinks;

	if (!plumb || !agent->now)
		return due;
	if (plumb->changed)
		return 0;
	for (size_t i = 0; i < plumb->active.n; i++)
		if (plumb->active.at[i]->due < due)
			due = plumb->active.at[i]->due;
	if (plumb->linger_due < due)
		due = plumb->linger_due;
	uplinks = plumb_uplinks_due(agent);
	return uplinks < due ? uplinks : due;
}

/* Those that have nothing to do any more leave the list. */
static void sweep(struct plumb *plumb)
{
	size_t kept = 0;

	for (size_t i = 0; i < plumb->active.n; i++) {
		struct plumb_address *address = plumb->active.at[i];

		address->active = address->phase != PLUMB_IDLE;
		if (address->active)
			plumb->active.at[kept++] = address;
	}
	plumb->active.n = kept;
}

bool plumb_run(struct agent *agent)
{
	struct plumb *plumb = agent->plumb;
	uint64_t now = agent_clock();
	bool changed;

	if (!plumb || !agent->now)
		return false;
	plumb_hear(agent);
	for (size_t i = 0; i < plumb->active.n; i++)
		if (plumb->active.at[i]->due <= now)
			plumb_step(agent, plumb->active.at[i]);
	plumb_add_due(agent);
	sweep(plumb);
	if (plumb->queued && plumb->n_asking < ASKING_MAX / 2) {
		plumb->queued = false;
		look_at_all(agent);
	}
	if (plumb->linger_due <= now) {
		drop_unwanted(agent, true);
		if (plumb->unsaved)
			(void)!plumb_save(agent);
	}
	plumb_uplinks_run(agent);
	plumb_publish(agent);
	changed = plumb->changed;
	plumb->changed = false;
	return changed;
}

void plumb_open(struct agent *agent)
{
	agent->plumb = mem_zero(1, sizeof *agent->plumb);
	agent->plumb->linger_due = UINT64_MAX;
	plumb_load(agent);
}

void plumb_close(struct agent *agent)
{
	struct plumb *plumb = agent->plumb;

	if (!plumb)
		return;
	for (size_t i = 0; i < plumb->addresses.n; i++)
		free(plumb->addresses.at[i]);
	free(plumb->addresses.at);
	free(plumb->active.at);
	free(plumb->ears.at);
	plumb_uplinks_drop(plumb);
	free(plumb);
	agent->plumb = NULL;
}

void plumb_expect(struct agent *agent, const struct generation *fresh)
{
	if (agent->plumb)
		plumb_uplinks_expect(agent, &fresh->model);
}

void plumb_prepare(struct agent *agent, const struct generation *fresh)
{
	if (agent->plumb)
		plumb_uplinks(agent, fresh, false);
}

void plumb_remove(struct agent *agent)
{
	struct plumb *plumb = agent->plumb;

	if (!plumb)
		return;
	plumb_uplinks_remove(agent);
	for (size_t i = 0; i < plumb->addresses.n; i++)
		plumb->addresses.at[i]->binding = NO_INDEX;
	drop_unwanted(agent, false);
	(void)!plumb_save(agent);
}
