/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One routing table and one rule by mark and family for each uplink, made before a plan leads there,
 * and compared with the kernel whenever facts are read: what is missing is made again, what of ours
 * should not be there goes, and what others put into the table stays (plumb_routes.c).
 *
 * What is ours is known by its protocol number, and rules by their mark too; so nothing about it is
 * kept in a file. A rule that is found says which table its uplink had.
 */
#include "daemon/plumb_parts.h"

#include "base/mem.h"
#include "daemon/log.h"

#include <string.h>

enum { ASK_USEC = 5 * 1000000, ASK_SILENT_USEC = 1000000 };

static bool slot_taken(const struct agent *agent, uint32_t slot)
{
	const struct plumb *plumb = agent->plumb;

	for (size_t i = 0; i < plumb->uplinks.n; i++)
		if (plumb->uplinks.at[i].slot == slot)
			return true;
	for (size_t i = 0; i < agent->facts.fwmark_rules.n; i++)
		if (plumb_is_our_rule(&agent->facts.fwmark_rules.at[i]) &&
		    agent->facts.fwmark_rules.at[i].priority == PLUMB_FIRST + slot)
			return true;
	return false;
}

static bool table_taken(const struct plumb *plumb, const struct model *model, uint32_t table)
{
	for (size_t i = 0; i < plumb->uplinks.n; i++)
		if (plumb->uplinks.at[i].table == table)
			return true;
	for (size_t i = 0; i < model->uplinks.n; i++)
		if (model->uplinks.at[i].table == table)
			return true;
	return false;
}

static bool table_used(struct agent *agent, uint32_t table)
{
	struct routes routes = { 0 };
	bool used = agent->kernel->read_routes(agent->kernel, table, &routes) == 0 && routes.n > 0;

	free(routes.at);
	return used;
}

/* As an earlier agent had it, if a rule of ours with this mark is there. */
static bool find_earlier(const struct agent *agent, const struct generation *of, size_t index,
			 struct plumb_uplink *uplink)
{
	uint32_t mark = plumb_uplink_mark(of, index).host;

	for (size_t i = 0; i < agent->facts.fwmark_rules.n; i++) {
		const struct fwmark_rule *rule = &agent->facts.fwmark_rules.at[i];

		if (!plumb_is_our_rule(rule) || rule->mark.host != mark ||
		    rule->mask.host != of->model.mask.host)
			continue;
		uplink->slot = rule->priority - PLUMB_FIRST;
		uplink->table = rule->table;
		return true;
	}
	return false;
}

static void choose(struct agent *agent, const struct generation *of, size_t index,
		   struct plumb_uplink *uplink)
{
	if (find_earlier(agent, of, index, uplink))
		return;
	while (slot_taken(agent, uplink->slot) && uplink->slot < PLUMB_SLOTS - 1)
		uplink->slot++;
	uplink->table = PLUMB_FIRST + uplink->slot;
	for (uint32_t tries = 0; tries < PLUMB_SLOTS; tries++, uplink->table++)
		if (!table_taken(agent->plumb, &of->model, uplink->table) &&
		    !table_used(agent, uplink->table))
			break;
}

static struct plumb_uplink *find_uplink(struct agent *agent, const struct generation *of,
					size_t index)
{
	const struct uplink *uplink = &of->model.uplinks.at[index];
	struct plumb *plumb = agent->plumb;
	struct plumb_uplink fresh = { 0 };

	for (size_t i = 0; i < plumb->uplinks.n; i++)
		if (strcmp(plumb->uplinks.at[i].name, uplink->name) == 0)
			return &plumb->uplinks.at[i];
	choose(agent, of, index, &fresh);
	fresh.name = mem_copy(uplink->name);
	PUSH(&plumb->uplinks, fresh);
	return &plumb->uplinks.at[plumb->uplinks.n - 1];
}

static void drop_unwanted(struct plumb *plumb)
{
	size_t kept = 0;

	for (size_t i = 0; i < plumb->uplinks.n; i++) {
		if (plumb->uplinks.at[i].wanted)
			plumb->uplinks.at[kept++] = plumb->uplinks.at[i];
		else
			free(plumb->uplinks.at[i].name);
	}
	plumb->uplinks.n = kept;
}

/* Ask the kernel whether the gateways answer; while one does not, every second. */
static void look_at_gateways(struct agent *agent, const struct uplink *uplink,
			     struct plumb_uplink *plumbed, const struct link *link)
{
	uint64_t now = agent_clock();
	bool silent = plumbed->silent[0] || plumbed->silent[1];
	bool ask = now - plumbed->asked >= (silent ? ASK_SILENT_USEC : ASK_USEC);

	for (int f = 0; f < FAMILIES; f++) {
		enum neighbour state;

		if (!uplink->gateways[f].len || !link || !link->up) {
			plumbed->silent[f] = false;	/* another reason comes first */
			continue;
		}
		if (agent->kernel->read_neighbour(agent->kernel, &uplink->gateways[f], link->index,
						  ask, &state) < 0 ||
		    state == NEIGHBOUR_ASKED)
			continue;		/* as it was, until there is an answer */
		plumbed->silent[f] = state == NEIGHBOUR_SILENT;
	}
	if (ask)
		plumbed->asked = now;
}

static void log_making(const struct uplink *uplink, struct plumb_uplink *plumbed,
		       const struct plumb_making *making)
{
	int refused = making->refused[0] ? making->refused[0] : making->refused[1];

	if (making->made > 0 && plumbed->complete)
		plumbed->restored += making->made;
	if (making->made > 0)
		log_event(plumbed->complete ? EVENT_UPLINK_RESTORED : EVENT_UPLINK_MADE,
			  "uplink=%s table=%u priority=%u interface=%s entries=%u", plumbed->name,
			  plumbed->table, PLUMB_FIRST + plumbed->slot, uplink->interface,
			  making->made);
	if (making->missing > 0 && plumbed->complete)
		log_event(EVENT_UPLINK_REFUSED, "uplink=%s table=%u error=\"%s\" next=retry",
			  plumbed->name, plumbed->table, strerror(-refused));
}

static void make_uplink(struct agent *agent, const struct generation *of, size_t index,
			struct uplink_state *state)
{
	const struct uplink *uplink = &of->model.uplinks.at[index];
	struct plumb_uplink *plumbed = find_uplink(agent, of, index);
	const struct link *link = facts_link(&agent->facts, uplink->interface);
	const struct facts *facts = &agent->facts;
	struct plumb_making making = { 0 };
	unsigned found = 0;

	plumbed->wanted = true;
	plumbed->index = index;
	if (uplink->table)
		plumbed->table = uplink->table;
	plumb_make_routes(agent, uplink, plumbed->table, &making);
	plumb_make_rules(agent, of, index, plumbed, &making);
	look_at_gateways(agent, uplink, plumbed, link);
	log_making(uplink, plumbed, &making);
	plumbed->complete = making.missing == 0 && link && link->up;
	*state = (struct uplink_state){ .down = !link || !link->up,
					.strict = link && link->strict && !link->answer_marked };
	for (int f = 0; f < FAMILIES; f++) {
		uint32_t first = facts->main_link[f];

		state->no_route[f] = plumbed->no_route[f] = making.no_route[f];
		state->silent[f] = plumbed->silent[f];
		found |= plumbed->silent[f] ? FINDING_SILENT : 0;
		plumbed->off_link[f] = making.refused[f] != 0;
		found |= plumbed->off_link[f] ? FINDING_OFF_LINK : 0;
		for (size_t i = 0; i < facts->links.n && link; i++)
			if (facts->links.at[i].index == first && link->mtu < facts->links.at[i].mtu)
				found |= FINDING_MTU;
	}
	found |= !link ? FINDING_NO_LINK : !link->up ? FINDING_DOWN : 0;
	found |= state->strict ? FINDING_STRICT : 0;
	plumb_find_faults(agent, uplink, plumbed, found);
}

static bool same_uplink(const struct uplink *a, const struct uplink *b)
{
	bool same = strcmp(a->name, b->name) == 0 && strcmp(a->interface, b->interface) == 0 &&
		    a->table == b->table;

	for (int f = 0; f < FAMILIES; f++)
		same = same && a->gateways[f].len == b->gateways[f].len &&
		       memcmp(a->gateways[f].octet, b->gateways[f].octet, a->gateways[f].len) == 0;
	return same;
}

/* What is known of one that is in force just so, or NULL. */
static const struct plumb_uplink *known(const struct agent *agent, const struct uplink *uplink)
{
	const struct plumb *plumb = agent->plumb;

	for (size_t i = 0; agent->now && i < plumb->uplinks.n; i++) {
		const struct plumb_uplink *plumbed = &plumb->uplinks.at[i];

		if (plumbed->index < agent->now->model.uplinks.n &&
		    same_uplink(&agent->now->model.uplinks.at[plumbed->index], uplink))
			return plumbed;
	}
	return NULL;
}

void plumb_uplinks_expect(struct agent *agent, const struct model *model)
{
	agent->facts.uplinks.n = 0;
	for (size_t i = 0; i < model->uplinks.n; i++) {
		const struct uplink *uplink = &model->uplinks.at[i];
		const struct plumb_uplink *plumbed = known(agent, uplink);
		const struct link *link = facts_link(&agent->facts, uplink->interface);
		struct uplink_state state = {
			.down = !link || !link->up,
			.strict = link && link->strict && !link->answer_marked,
		};

		for (int f = 0; f < FAMILIES; f++) {
			state.no_route[f] = plumbed ? plumbed->no_route[f]
						    : !plumb_leads_out(uplink, f);
			state.silent[f] = plumbed && plumbed->silent[f];
		}
		PUSH(&agent->facts.uplinks, state);
	}
}

static bool same_state(const struct uplink_state *a, const struct uplink_state *b)
{
	bool same = a->down == b->down && a->strict == b->strict;

	for (int f = 0; f < FAMILIES; f++)
		same = same && a->no_route[f] == b->no_route[f] && a->silent[f] == b->silent[f];
	return same;
}

void plumb_uplinks(struct agent *agent, const struct generation *of, bool in_force)
{
	struct plumb *plumb = agent->plumb;
	struct { struct uplink_state *at; size_t n, room; } before = { 0 };
	size_t n = of->model.uplinks.n;

	for (size_t i = 0; i < plumb->uplinks.n && in_force; i++)
		plumb->uplinks.at[i].wanted = false;
	for (size_t i = 0; i < agent->facts.uplinks.n; i++)
		PUSH(&before, agent->facts.uplinks.at[i]);
	agent->facts.uplinks.n = 0;
	for (size_t i = 0; i < n; i++) {
		struct uplink_state state = { .down = true };

		make_uplink(agent, of, i, &state);
		if (i >= before.n || !same_state(&before.at[i], &state))
			plumb->changed = true;
		PUSH(&agent->facts.uplinks, state);
	}
	free(before.at);
	if (!in_force)
		return;
	plumb_remove_rules(agent, of);
	drop_unwanted(plumb);
}

uint64_t plumb_uplinks_due(const struct agent *agent)
{
	const struct plumb *plumb = agent->plumb;
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; i < plumb->uplinks.n; i++) {
		const struct plumb_uplink *uplink = &plumb->uplinks.at[i];

		if ((uplink->silent[0] || uplink->silent[1]) &&
		    uplink->asked + ASK_SILENT_USEC < due)
			due = uplink->asked + ASK_SILENT_USEC;
	}
	return due;
}

void plumb_uplinks_run(struct agent *agent)
{
	const struct model *model = &agent->now->model;

	if (plumb_uplinks_due(agent) > agent_clock())
		return;
	for (size_t i = 0; i < model->uplinks.n && i < agent->facts.uplinks.n; i++) {
		struct plumb_uplink *plumbed = find_uplink(agent, agent->now, i);
		bool before[FAMILIES] = { plumbed->silent[0], plumbed->silent[1] };

		look_at_gateways(agent, &model->uplinks.at[i], plumbed,
				 facts_link(&agent->facts, model->uplinks.at[i].interface));
		if (memcmp(before, plumbed->silent, sizeof before) != 0)
			agent->plumb->changed = true;
	}
}

void plumb_uplinks_remove(struct agent *agent)
{
	struct generation none = { 0 };

	for (size_t i = 0; i < agent->plumb->uplinks.n; i++)
		agent->plumb->uplinks.at[i].wanted = false;
	plumb_remove_rules(agent, &none);
	for (size_t i = 0; i < agent->plumb->uplinks.n; i++)
		plumb_give_up_table(agent, agent->plumb->uplinks.at[i].table);
}

void plumb_uplinks_drop(struct plumb *plumb)
{
	for (size_t i = 0; i < plumb->uplinks.n; i++)
		free(plumb->uplinks.at[i].name);
	free(plumb->uplinks.at);
}

size_t plumb_gateways(const struct agent *agent, uint32_t *ret_links, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; agent->plumb && agent->now && i < agent->now->model.uplinks.n; i++) {
		const struct link *link =
			facts_link(&agent->facts, agent->now->model.uplinks.at[i].interface);

		if (link && n < room)
			ret_links[n++] = link->index;
	}
	return n;
}
