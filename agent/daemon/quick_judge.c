/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which edits can be done in place: what quick.h says of the binding, asked of the model in force without
 * looking at all of it. For that each generation has an index, made when first asked for and kept current.
 */
#include "daemon/quick_parts.h"

#include "base/mem.h"

#include <string.h>

enum { FEW = 64, WASTE_MIN = 4096 };

enum role { ROLE_RULE = 1 << 0, ROLE_OTHER = 1 << 1 };	/* who leads to a binding */

struct quick {					/* of a generation, made when first asked for */
	uint8_t *roles;				/* by binding, as it was then; others have none */
	size_t n_roles;
	struct index addresses;			/* of model->addresses, by ip; also of those that went */
	struct { uint32_t *at; size_t n, room; } empty;	/* slots */
	bool routed;				/* some address is a prefix */
	size_t waste, waste_max;		/* addresses that went */
};

void quick_free(struct quick *quick)
{
	if (!quick)
		return;
	free(quick->roles);
	index_drop(&quick->addresses);
	free(quick->empty.at);
	free(quick);
}

static void give_role(struct quick *quick, uint32_t binding, enum role role)
{
	if (binding < quick->n_roles)
		quick->roles[binding] |= (uint8_t)role;
}

/* The relay's rules name bindings by text; those of this generation all exist. */
static void find_relay_roles(const struct model *model, struct quick *quick)
{
	const struct relay *relay = &model->relay;

	for (size_t i = 0; i < relay->rules.n; i++)
		if (relay->rules.at[i].binding)
			give_role(quick, model_find(model, relay->rules.at[i].binding), ROLE_RULE);
	for (size_t i = 0; i < relay->hops.n; i++)
		give_role(quick, model_find(model, relay->hops.at[i].binding), ROLE_RULE);
}

static void find_roles(const struct model *model, struct quick *quick)
{
	for (size_t i = 0; i < model->rules.n; i++)
		if (model->rules.at[i].action == ACTION_USE)
			give_role(quick, model->rules.at[i].binding, ROLE_RULE);
	find_relay_roles(model, quick);
	for (size_t i = 0; i < model->bindings.n; i++) {
		const struct binding *binding = &model->bindings.at[i];

		if (binding->unusable == UNUSABLE_USE)
			give_role(quick, binding->unusable_use, ROLE_OTHER);
		give_role(quick, binding->overflow, ROLE_OTHER);
		if (binding->warmup)
			give_role(quick, binding->warmup->overflow, ROLE_OTHER);
		for (uint32_t m = 0; binding->group && m < binding->group->n_members; m++)
			give_role(quick, binding->group->members[m].binding, ROLE_OTHER);
	}
}

static uint32_t hash_of(const struct ip *ip)
{
	return index_hash(ip->octet, ip->len);
}

static void index_addresses(const struct model *model, struct quick *quick)
{
	for (size_t i = 0; i < model->addresses.n; i++) {
		index_add(&quick->addresses, hash_of(&model->addresses.at[i].ip), (uint32_t)i);
		quick->routed |= model->addresses.at[i].routed;
	}
}

static struct quick *quick_of(struct generation *generation)
{
	const struct model *model = &generation->model;
	struct quick *quick = generation->quick;

	if (quick)
		return quick;
	quick = generation->quick = mem_zero(1, sizeof *quick);
	quick->n_roles = model->bindings.n;
	quick->roles = mem_zero(quick->n_roles, sizeof *quick->roles);
	quick->waste_max = WASTE_MIN + model->addresses.n / 2;
	find_roles(model, quick);
	index_addresses(model, quick);
	for (uint32_t i = 0; i < model->bindings.n; i++)
		if (!model->bindings.at[i].name)
			PUSH(&quick->empty, i);
	return quick;
}

static bool is_plain(const struct binding *binding)
{
	return !binding->group && !binding->sender && !binding->limits && !binding->warmup &&
	       !binding->probe && !binding->interface && !binding->implied &&
	       binding->uplink == NO_INDEX && binding->overflow == NO_INDEX &&
	       binding->unusable == UNUSABLE_REJECT && binding->n_addresses > 0;
}

/* Does another binding have @ip now? */
static bool is_taken(const struct model *model, const struct quick *quick, const struct ip *ip,
		     uint32_t slot)
{
	uint32_t found;

	for (size_t step = 0;
	     (found = index_next(&quick->addresses, hash_of(ip), &step)) != NO_INDEX;) {
		const struct address *address;
		const struct binding *binding;

		if (found >= model->addresses.n)
			continue;		/* of an edit that was taken back */
		address = &model->addresses.at[found];
		binding = &model->bindings.at[address->binding];
		if (ip_equal(&address->ip, ip) && address->binding != slot && binding->name &&
		    found >= binding->first_address &&
		    found < binding->first_address + binding->n_addresses)
			return true;
	}
	return false;
}

/* Is the world of the kind that one binding alone can be changed in? */
static bool may_try(const struct agent *agent, const struct quick *quick)
{
	const struct facts *facts = &agent->facts;

	return !quick->routed && facts->n_execs == 0 && facts->local.n <= FEW &&
	       facts->fwmark_rules.n <= FEW && quick->waste < quick->waste_max && !agent->stale &&
	       !agent->suspect && !agent->numbers.torn;
}

/* How many bindings there are, as far as it matters. */
static bool others_left(const struct model *model, uint32_t slot)
{
	for (uint32_t i = 0; i < model->bindings.n; i++)
		if (i != slot && model->bindings.at[i].name)
			return true;
	return false;
}

static bool may_remove(const struct one *one, const struct quick *quick)
{
	const struct model *model = &one->agent->now->model;

	return !one->is_new && (one->slot >= quick->n_roles || quick->roles[one->slot] == 0) &&
	       others_left(model, one->slot);
}

/* The statement alone, read as in the file of the overlay. */
static bool read_one(struct one *one)
{
	AUTO(diag_drop) struct diag diag = { 0 };
	struct conf_layer layer = { "", one->item->text, strlen(one->item->text) };

	return conf_read_layers(NULL, texts_world(one->agent->texts), &layer, 1, &one->fresh,
				&diag) == 0 && diag.n == 0 && one->fresh.bindings.n == 1 &&
	       is_plain(&one->fresh.bindings.at[0]);
}

static bool may_put(struct one *one, const struct quick *quick)
{
	const struct model *model = &one->agent->now->model;

	if (!read_one(one) || !others_left(model, one->slot))
		return false;
	for (size_t i = 0; i < one->fresh.addresses.n; i++) {
		const struct address *address = &one->fresh.addresses.at[i];

		if (address->routed || is_taken(model, quick, &address->ip, one->slot))
			return false;
	}
	return true;
}

bool quick_may_edit(struct one *one)
{
	struct agent *agent = one->agent;
	struct generation *now = agent->now;
	struct quick *quick = quick_of(now);

	if (!may_try(agent, quick) || strcmp(one->item->key, DEFAULT_BINDING) == 0)
		return false;
	one->slot = model_find(&now->model, one->item->key);
	one->is_new = one->slot == NO_INDEX;
	if (!one->is_new && (!is_plain(&now->model.bindings.at[one->slot]) ||
			     (one->slot < quick->n_roles &&
			      quick->roles[one->slot] & ROLE_OTHER)))
		return false;
	if (one->is_new)
		one->slot = quick->empty.n > 0 ? quick->empty.at[quick->empty.n - 1]
					       : (uint32_t)now->model.bindings.n;
	return one->item->remove ? may_remove(one, quick) : may_put(one, quick);
}

void quick_note(const struct one *one)
{
	struct generation *now = one->agent->now;
	struct quick *quick = now->quick;

	for (size_t i = one->edit.n_addresses; i < now->model.addresses.n; i++)
		index_add(&quick->addresses, hash_of(&now->model.addresses.at[i].ip), (uint32_t)i);
	quick->waste += one->edit.before.n_addresses;
	if (one->is_new && quick->empty.n > 0 &&
	    quick->empty.at[quick->empty.n - 1] == one->slot)
		quick->empty.n--;
	if (one->item->remove)
		PUSH(&quick->empty, one->slot);
}
