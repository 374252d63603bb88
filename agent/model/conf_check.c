/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be said only when everything is read: addresses and rules that are there twice, ranges
 * that cut each other, members that are there twice, and whether the mask has room. Names are
 * resolved before (conf_use.c), and chains of them looked at (conf_chain.c). All of it is
 * O(n log n) or better.
 */
#include "model/conf_build.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

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

		if (binding->overflow != NO_INDEX && !binding->limits)
			diag_warning(conf->diag, binding->where_overflow,
				     "%s has no limit that it could exceed: 'overflow' does nothing",
				     SHOW_TEXT(binding->name));
		if (binding->n_addresses == 0 && binding->unusable == UNUSABLE_REJECT &&
		    !binding->group && strcmp(binding->name, DEFAULT_BINDING) != 0)
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

	if (order)
		return order;
	return at[a].bits != at[b].bits ? at[a].bits - at[b].bits : a < b ? -1 : a > b;
}

/*
 * @one and @two have addresses in common: blame the one that comes later in the text, but that of
 * the first layer, which is read first and is the change that somebody makes now.
 */
static void report_twice(struct conf *conf, uint32_t one, uint32_t two)
{
	const struct address *first = &conf->model->addresses.at[one > two ? two : one];
	const struct address *last = &conf->model->addresses.at[one > two ? one : two];
	bool now = conf->layers.n > 0 && first->where.file == 0 && last->where.file != 0;
	const struct address *a = now ? first : last, *b = now ? last : first;
	struct prefix prefix[] = { { a->ip, a->bits }, { b->ip, b->bits } };
	char text[2][PREFIX_TEXT];

	diag_error(conf->diag, a->where, "address %s is given twice: binding %s has %s%s at %s: "
		   "expected it once, as several rules may use one binding",
		   prefix_print(&prefix[0], text[0]),
		   SHOW_TEXT(conf->model->bindings.at[b->binding].name),
		   a->bits == b->bits ? "it" : prefix_print(&prefix[1], text[1]),
		   a->bits == b->bits	? ""
		   : a->bits < b->bits	? ", which is in it,"
					: ", which holds it,",
		   PLACE(conf, b->where));
}

/*
 * In order, what a prefix covers follows it, and prefixes overlap only by one covering the other: so
 * each is compared with the innermost one that is open, and at most as many are as it has bits.
 */
static void check_addresses(struct conf *conf)
{
	const struct model *model = conf->model;
	const struct address *at = model->addresses.at;
	size_t n = model->addresses.n;
	uint32_t *AUTO(mem_drop) order = mem_zero(n, sizeof *order);
	uint32_t open[130], depth = 0;

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof *order, compare_addresses, model->addresses.at);
	for (size_t i = 0; i < n; i++) {
		const struct address *address = &at[order[i]];

		while (depth && !prefix_contains(&(struct prefix){ at[open[depth - 1]].ip,
								   at[open[depth - 1]].bits },
						 &address->ip))
			depth--;
		if (depth)
			report_twice(conf, open[depth - 1], order[i]);
		if (depth == 0 || at[open[depth - 1]].bits < address->bits)
			open[depth++] = order[i];
	}
}

static void check_probes(struct conf *conf)
{
	const struct model *model = conf->model;

	for (uint32_t i = 0; i < model->bindings.n; i++) {
		const struct binding *binding = &model->bindings.at[i];
		const struct probe *probe = binding->probe;
		uint32_t n = 0;

		if (!probe)
			continue;
		while (n < binding->n_addresses &&
		       model->addresses.at[binding->first_address + n].ip.len != probe->to.len)
			n++;
		if (n == binding->n_addresses)
			diag_error(conf->diag, probe->where,
				   "binding %s has no %s address to probe from: expected a target of "
				   "another family, or no probe", SHOW_TEXT(binding->name),
				   probe->to.len == 4 ? "IPv4" : "IPv6");
	}
}

static void check_members(struct conf *conf)
{
	const struct model *model = conf->model;
	/* the group that had it last, plus one, and which member it is there */
	struct { uint32_t group, member; } *AUTO(mem_drop) seen =
		mem_zero(model->bindings.n, sizeof *seen);

	for (uint32_t i = 0; i < model->bindings.n; i++) {
		const struct binding_group *group = model->bindings.at[i].group;

		for (uint32_t k = 0; group && k < group->n_members; k++) {
			const struct member *member = &group->members[k];

			if (member->binding == NO_INDEX)
				continue;
			if (seen[member->binding].group == i + 1)
				diag_error(
					conf->diag, member->where,
					"%s is a member already at %s: expected it once, with a "
					"'weight' if it shall get more",
					SHOW_TEXT(model->bindings.at[member->binding].name),
					PLACE(conf,
					      group->members[seen[member->binding].member].where));
			seen[member->binding].group = i + 1;
			seen[member->binding].member = k;
		}
	}
}

static int compare_tables(const void *left, const void *right, void *context)
{
	const struct uplink *at = context;
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	if (at[a].table != at[b].table)
		return at[a].table < at[b].table ? -1 : 1;
	return a < b ? -1 : a > b;
}

static void check_tables(struct conf *conf)
{
	const struct uplink *at = conf->model->uplinks.at;
	size_t n = conf->model->uplinks.n;
	uint32_t *AUTO(mem_drop) order = mem_zero(n, sizeof *order);

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof *order, compare_tables, conf->model->uplinks.at);
	for (size_t i = 1; i < n; i++) {
		const struct uplink *one = &at[order[i - 1]], *two = &at[order[i]];

		if (two->table && two->table == one->table)
			diag_error(conf->diag, two->where,
				   "uplink %s has routing table %u, as uplink %s at %s has: expected "
				   "a table for each", SHOW_TEXT(two->name), two->table,
				   SHOW_TEXT(one->name), PLACE(conf, one->where));
	}
}

static void check_default(struct conf *conf)
{
	const struct model *model = conf->model;

	if (!model->where_default.line)
		return;
	for (size_t i = 0; i < model->rules.n; i++) {
		const struct rule *rule = &model->rules.at[i];

		if (rule->client.kind == CLIENT_OTHERWISE && !rule->to)
			diag_error(conf->diag, rule->where,
				   "'otherwise' says what nobody else's rule claims, and so does "
				   "'default-binding' at %s: expected one of them only",
				   PLACE(conf, model->where_default));
	}
}

/* What is suspended needs a number, so that it can be refused. */
static void imply_default(struct conf *conf)
{
	struct binding implied = { .name = DEFAULT_BINDING,
				   .implied = true,
				   .where = conf->model->where_default,
				   .unusable_use = NO_INDEX,
				   .uplink = NO_INDEX,
				   .overflow = NO_INDEX };

	implied.first_address = (uint32_t)conf->model->addresses.n;
	if (conf->model->default_binding == DEFAULT_SUSPENDED)
		(void)model_add_binding(conf->model, &implied);
}

struct conf_rule_key conf_rule_key(const struct rule *rule)
{
	struct conf_rule_key key;

	memset(&key, 0, sizeof key);		/* padding is compared too */
	key.to = rule->to;			/* interned: equal means the same pointer */
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
		key.source = rule->client.source;
		break;
	case CLIENT_OTHERWISE:
		break;
	}
	return key;
}

static void check_rules(struct conf *conf)
{
	const struct rule *at = conf->model->rules.at;
	AUTO(index_drop) struct index index = { 0 };

	for (uint32_t i = 0; i < conf->model->rules.n; i++) {
		struct conf_rule_key key = conf_rule_key(&at[i]);
		uint32_t hash = index_hash(&key, sizeof key), other = NO_INDEX;

		for (size_t step = 0; (other = index_next(&index, hash, &step)) != NO_INDEX;) {
			struct conf_rule_key there = conf_rule_key(&at[other]);

			if (memcmp(&there, &key, sizeof key) == 0)
				break;
		}
		if (other == NO_INDEX)
			index_add(&index, hash, i);
		else
			conf_rule_repeated(conf, at[i].where, at[other].where);
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

	size_t n = model->bindings.n;

	if (n > capacity)
		diag_error(conf->diag, model->bindings.at[capacity].where,
			   "mark-mask 0x%x has numbers for %u of the %zu bindings: "
			   "expected a wider mask", model->mask.host, capacity, n);
	else if (n + model->uplinks.n > capacity)
		diag_error(conf->diag, model->uplinks.at[capacity - n].where,
			   "mark-mask 0x%x has numbers for %u of the %zu bindings and uplinks: "
			   "expected a wider mask", model->mask.host, capacity,
			   n + model->uplinks.n);
}

void conf_check(struct conf *conf)
{
	conf_use_resolve(conf);
	imply_default(conf);
	conf_layers_check(conf);
	conf_chain_check(conf);
	check_empty(conf);
	check_addresses(conf);
	check_probes(conf);
	check_members(conf);
	conf_limit_check(conf);
	check_tables(conf);
	check_default(conf);
	check_rules(conf);
	check_ids(conf, CLIENT_USER);
	check_ids(conf, CLIENT_GROUP);
	check_capacity(conf);
	conf_relay_check(conf);
	if (conf->diag->n_errors == 0)
		warn_empty(conf); /* else it may only be what was not understood */
}
