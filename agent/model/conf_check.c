/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be said only when everything is read: names that were used before they were defined,
 * addresses and rules that are there twice, ranges that cut each other, loops of `unusable use`,
 * and whether the mask has room. All of it is O(n log n) or better.
 */
#include "model/conf_build.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void report_unknown(struct conf *conf, const struct conf_use *use)
{
	const char *near;

	if (strcmp(use->name, DEFAULT_BINDING) == 0) {
		diag_error(conf->diag, use->where,
			   "binding 'default' is not configured: expected "
			   "'binding default { address ...; }'");
		return;
	}
	near = conf_near_binding(conf, use->name);
	if (near)
		diag_error(conf->diag, use->where, "unknown binding %s: did you mean %s?",
			   SHOW_TEXT(use->name), SHOW_TEXT(near));
	else
		diag_error(conf->diag, use->where,
			   "unknown binding %s: expected one that is defined",
			   SHOW_TEXT(use->name));
}

static void resolve_uses(struct conf *conf)
{
	struct model *model = conf->model;

	for (size_t i = 0; i < conf->uses.n; i++) {
		const struct conf_use *use = &conf->uses.at[i];
		uint32_t found = model_find(model, use->name);

		if (found == NO_INDEX)
			report_unknown(conf, use);
		else if (use->rule < model->rules.n)
			model->rules.at[use->rule].binding = found;
		else if (use->binding < model->bindings.n)
			model->bindings.at[use->binding].unusable_use = found;
	}
}

/* The bindings of a loop by name; a long one is cut. */
static void report_loop(struct conf *conf, uint32_t first)
{
	enum { LOOP_SHOWN = 8 };
	const struct binding *bindings = conf->model->bindings.at;
	char text[(LOOP_SHOWN + 2) * (NAME_MAX_BYTES + 20)];
	size_t used = 0;
	uint32_t i = first;

	if (bindings[first].unusable_use == first) {
		diag_error(conf->diag, bindings[first].where_unusable,
			   "binding %s would use itself "
			   "when it is unusable: expected another binding",
			   SHOW_TEXT(bindings[first].name));
		return;
	}
	for (unsigned n = 0; n == 0 || (i != first && n < LOOP_SHOWN); n++) {
		used += (size_t)snprintf(text + used, sizeof text - used, "%s -> ",
					 SHOW_TEXT(bindings[i].name));
		i = bindings[i].unusable_use;
	}
	if (i != first)
		used += (size_t)snprintf(text + used, sizeof text - used, "... -> ");
	snprintf(text + used, sizeof text - used, "%s", SHOW_TEXT(bindings[first].name));
	diag_error(conf->diag, bindings[first].where_unusable, "loop of 'unusable use': %s", text);
}

/* Each binding leads to at most one other: walk, and a walk that meets itself has found a loop. */
static void check_unusable(struct conf *conf)
{
	const struct model *model = conf->model;
	uint32_t *AUTO(mem_drop) seen = mem_zero(model->bindings.n, sizeof *seen);

	for (uint32_t start = 0; start < model->bindings.n; start++) {
		uint32_t i = start;

		while (i != NO_INDEX && !seen[i]) {
			seen[i] = start + 1;
			i = model->bindings.at[i].unusable_use;
		}
		if (i == NO_INDEX || seen[i] != start + 1)
			continue;
		/* name the loop by its binding that comes first in the text */
		for (uint32_t at = model->bindings.at[i].unusable_use, low = i;;) {
			low = at < low ? at : low;
			if (at == i) {
				report_loop(conf, low);
				break;
			}
			at = model->bindings.at[at].unusable_use;
		}
	}
}

static void check_empty(struct conf *conf)
{
	const struct model *model = conf->model;
	uint32_t fallback = model_find(model, DEFAULT_BINDING);

	if (fallback == NO_INDEX || model->bindings.at[fallback].n_addresses)
		return;
	for (size_t i = 0; i < model->rules.n; i++)
		if (model->rules.at[i].action == ACTION_USE &&
		    model->rules.at[i].binding == fallback)
			diag_error(conf->diag, model->rules.at[i].where,
				   "binding 'default' has no "
				   "address: expected one at %s before a rule can use it",
				   PLACE(conf, model->bindings.at[fallback].where));
}

/* No error: the name may be wanted for later, and refusing is what was asked for. But say it. */
static void warn_empty(struct conf *conf)
{
	const struct model *model = conf->model;

	for (size_t i = 0; i < model->bindings.n; i++) {
		const struct binding *binding = &model->bindings.at[i];

		if (binding->n_addresses == 0 && binding->unusable == UNUSABLE_REJECT &&
		    strcmp(binding->name, DEFAULT_BINDING) != 0)
			diag_warning(conf->diag, binding->where,
				     "binding %s has no address: what is "
				     "assigned to it will be refused",
				     SHOW_TEXT(binding->name));
	}
}

static int compare_addresses(const void *left, const void *right, void *context)
{
	const struct address *at = context;
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	int order = ip_compare(&at[a].ip, &at[b].ip);

	return order ? order : a < b ? -1 : a > b;
}

static void check_addresses(struct conf *conf)
{
	const struct model *model = conf->model;
	const struct address *at = model->addresses.at;
	size_t n = model->addresses.n;
	uint32_t *AUTO(mem_drop) order = mem_zero(n, sizeof *order);
	uint32_t first = 0;

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof *order, compare_addresses, model->addresses.at);
	for (size_t i = 0; i < n; i++) {
		const struct address *address = &at[order[i]];
		char text[IP_TEXT];

		if (i == 0 || !ip_equal(&at[first].ip, &address->ip)) {
			first = order[i];
			continue;
		}
		diag_error(conf->diag, address->where,
			   "address %s is given twice: binding %s has it "
			   "at %s",
			   ip_print(&address->ip, text),
			   SHOW_TEXT(model->bindings.at[at[first].binding].name),
			   PLACE(conf, at[first].where));
	}
}

static bool same_client(const struct client *a, const struct client *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case CLIENT_CGROUP:
		return a->cgroup == b->cgroup;
	case CLIENT_USER:
	case CLIENT_GROUP:
		return a->ids.first == b->ids.first && a->ids.last == b->ids.last;
	case CLIENT_SOURCE:
		return a->source.bits == b->source.bits && ip_equal(&a->source.ip, &b->source.ip);
	case CLIENT_OTHERWISE:
		break;
	}
	return true;
}

static uint32_t hash_rule(const struct rule *rule)
{
	struct {
		uint64_t to;
		uint32_t kind;
		uint32_t first, last;
		struct prefix source;
	} key;

	memset(&key, 0, sizeof key);  /* padding is hashed too */
	key.to = (uintptr_t)rule->to; /* interned: equal means the same pointer */
	key.kind = rule->client.kind;
	switch (rule->client.kind) {
	case CLIENT_CGROUP:
		key.first = rule->client.cgroup;
		break;
	case CLIENT_USER:
	case CLIENT_GROUP:
		key.first = rule->client.ids.first;
		key.last = rule->client.ids.last;
		break;
	case CLIENT_SOURCE:
		memcpy(&key.source, &rule->client.source, sizeof key.source);
		break;
	case CLIENT_OTHERWISE:
		break;
	}
	return index_hash(&key, sizeof key);
}

static void check_rules(struct conf *conf)
{
	const struct rule *at = conf->model->rules.at;
	AUTO(index_drop) struct index index = { 0 };

	for (uint32_t i = 0; i < conf->model->rules.n; i++) {
		uint32_t hash = hash_rule(&at[i]), other = NO_INDEX;

		for (size_t step = 0; (other = index_next(&index, hash, &step)) != NO_INDEX;)
			if (at[other].to == at[i].to &&
			    same_client(&at[other].client, &at[i].client))
				break;
		if (other == NO_INDEX)
			index_add(&index, hash, i);
		else
			diag_error(conf->diag, at[i].where,
				   "this rule has the same client and the same "
				   "destination as the rule at %s: expected one of them only",
				   PLACE(conf, at[other].where));
	}
}

static int compare_ids(const void *left, const void *right, void *context)
{
	const struct rule *at = context;
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	const struct id_range *x = &at[a].client.ids, *y = &at[b].client.ids;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->last != y->last)
		return x->last > y->last ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* Rules are in the order of the text: blame the later one. */
static void report_overlap(struct conf *conf, uint32_t one, uint32_t two)
{
	const struct rule *a = &conf->model->rules.at[one > two ? one : two];
	const struct rule *b = &conf->model->rules.at[one > two ? two : one];
	const struct id_range *x = &a->client.ids, *y = &b->client.ids;

	diag_error(conf->diag, a->where,
		   "range %u-%u overlaps range %u-%u of the rule at %s: expected "
		   "ranges of which one holds the other, or that have nothing in common",
		   x->first, x->last, y->first, y->last, PLACE(conf, b->where));
}

/* By first number, wider ranges first, each range must end within the innermost that is open. */
static void check_ids(struct conf *conf, enum client_kind kind)
{
	const struct model *model = conf->model;
	const struct rule *at = model->rules.at;
	uint32_t *AUTO(mem_drop) order = NULL;
	uint32_t *AUTO(mem_drop) nested = NULL;
	size_t n = 0, depth = 0, room = 0;

	for (uint32_t i = 0; i < model->rules.n; i++) {
		if (at[i].client.kind != kind || at[i].client.ids.first == at[i].client.ids.last)
			continue;
		order = mem_grow(order, &room, n + 1, sizeof *order);
		order[n++] = i;
	}
	if (n == 0)
		return;
	nested = mem_zero(n, sizeof *nested);
	qsort_r(order, n, sizeof *order, compare_ids, model->rules.at);
	for (size_t i = 0; i < n; i++) {
		const struct id_range *range = &at[order[i]].client.ids;

		while (depth && at[nested[depth - 1]].client.ids.last < range->first)
			depth--;
		if (depth && at[nested[depth - 1]].client.ids.last < range->last)
			report_overlap(conf, order[i], nested[depth - 1]);
		else
			nested[depth++] = order[i];
	}
}

static void check_capacity(struct conf *conf)
{
	const struct model *model = conf->model;
	uint32_t capacity = model_mask_capacity(model->mask);

	if (model->bindings.n > capacity)
		diag_error(conf->diag, model->bindings.at[capacity].where,
			   "mark-mask 0x%x has numbers for %u of the %zu bindings: "
			   "expected a wider mask", model->mask.host, capacity, model->bindings.n);
}

void conf_check(struct conf *conf)
{
	resolve_uses(conf);
	check_unusable(conf);
	check_empty(conf);
	check_addresses(conf);
	check_rules(conf);
	check_ids(conf, CLIENT_USER);
	check_ids(conf, CLIENT_GROUP);
	check_capacity(conf);
	if (conf->diag->n_errors == 0)
		warn_empty(conf); /* else it may only be what was not understood */
}
