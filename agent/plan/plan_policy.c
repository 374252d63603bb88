/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules to rows. Rules are grouped by client; within a client each class of destinations goes to
 * the rule with the narrowest destination, and two that claim the same without being nested are an
 * error that names both, never decided by the order of the text. Exact clients give rows at once,
 * ranges and prefixes go through plan_overlay.c.
 */
#include "plan/plan_policy.h"

#include "base/mem.h"
#include "plan/plan_cover.h"

struct fwmark plan_policy_mark(const struct policy *policy, uint32_t index)
{
	const struct rule *rule = &policy->model->rules.at[index];

	switch (rule->action) {
	case ACTION_USE:
		return policy->plan->marks[rule->binding];
	case ACTION_PASS:
		return policy->plan->pass;
	case ACTION_REJECT:
		break;
	}
	return policy->plan->reject;
}

/* A rule and whose it is, sorted so that the rules of one client stand together. */
struct owned { uint8_t client[20]; uint32_t rule; };

static struct owned owned_by(const struct rule *rule, uint32_t index)
{
	const struct client *client = &rule->client;
	struct owned owned = { .client = { (uint8_t)client->kind }, .rule = index };
	uint8_t *at = owned.client + 1;

	switch (client->kind) {
	case CLIENT_CGROUP:
		put_net32(at, client->cgroup);
		break;
	case CLIENT_USER:
	case CLIENT_GROUP:
		put_net32(put_net32(at, client->ids.first), client->ids.last);
		break;
	case CLIENT_SOURCE:
		at[0] = client->source.ip.len;
		at[1] = client->source.bits;
		put_ip(at + 2, &client->source.ip);
		break;
	case CLIENT_OTHERWISE:
		break;
	}
	return owned;
}

struct winner { uint32_t class, rule; size_t breadth; };

struct winners {				/* what one client has, class by class */
	struct winner *at;			/* ascending by class, each once */
	size_t n, room;
	uint32_t plain;				/* the rule without qualifier, or NO_INDEX */
};

static int by_class(const void *left, const void *right)
{
	const struct winner *a = left, *b = right;

	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	if (a->breadth != b->breadth)
		return a->breadth < b->breadth ? -1 : 1;
	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

/*
 * Reduce the rules that claim one class, by breadth ascending, to the narrowest. Containment is
 * transitive, so if each is contained in the next they all are.
 */
static struct winner settle(struct policy *policy, const struct winner *at, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (!plan_conflict_narrower(policy, at[i - 1].rule, at[i].rule))
			plan_conflict_add(policy, at[i - 1].rule, at[i].rule);
	return at[0];
}

static void settle_all(struct policy *policy, struct winners *winners)
{
	size_t n = 0;

	qsort(winners->at, winners->n, sizeof *winners->at, by_class);
	for (size_t i = 0, next; i < winners->n; i = next) {
		for (next = i + 1; next < winners->n; next++)
			if (winners->at[next].class != winners->at[i].class)
				break;
		winners->at[n++] = settle(policy, winners->at + i, next - i);
	}
	winners->n = n;
}

/* Families in which a client can be met: bits by enum family. */
static uint8_t client_families(const struct client *client)
{
	if (client->kind != CLIENT_SOURCE)
		return 1u << FAMILY_IPV4 | 1u << FAMILY_IPV6;
	return (uint8_t)(1u << ip_family(&client->source.ip));
}

/* What a client's @n rules at @owned win. Returns 0 or -E2BIG. */
static int win(struct policy *policy, const struct owned *owned, size_t n, struct winners *ret)
{
	const struct classes *classes = &policy->classes;
	uint8_t families = client_families(&policy->model->rules.at[owned->rule].client);
	size_t qualified = 0;

	ret->n = 0;
	ret->plain = NO_INDEX;
	for (size_t i = 0; i < n; i++) {
		uint32_t id = classes->of_rule[owned[i].rule];

		if (id == NO_INDEX && ret->plain != NO_INDEX)
			plan_conflict_add(policy, ret->plain, owned[i].rule);
		if (id == NO_INDEX) {
			ret->plain = ret->plain == NO_INDEX ? owned[i].rule : ret->plain;
			continue;
		}
		if (policy->rows + ret->n + plan_classes_breadth(classes, id) > PLAN_ROWS_MAX)
			return -E2BIG;
		qualified++;
		for (size_t c = classes->first[id]; c < classes->first[id + 1]; c++)
			if (classes->families[classes->in[c]] & families)
				PUSH(ret, ((struct winner){ classes->in[c], owned[i].rule,
							    plan_classes_breadth(classes, id) }));
	}
	if (qualified > 1 && ret->n > 1)
		settle_all(policy, ret);
	return 0;
}

/* A row of a hash map of exact clients: the client's octets, the class if @class is not 0. */
static void add_row(struct policy *policy, enum set_id set, const uint8_t *client, size_t len,
		    uint32_t class, uint32_t rule)
{
	uint8_t *row = plan_rows_add(policy->plan, set);

	memcpy(row, client, len);
	if (class != 0)
		put_host32(row + len, class);
	put_host32(row + plan_shapes[set].key_len, plan_policy_mark(policy, rule).host);
	plan_rows_origin(&plan_shapes[set], row, rule);
	policy->rows++;
}

static void add_exact(struct policy *policy, enum set_id plain, const uint8_t *client, size_t len,
		      const struct winners *winners)
{
	if (winners->plain != NO_INDEX)
		add_row(policy, plain, client, len, 0, winners->plain);
	for (size_t i = 0; i < winners->n; i++)		/* the _to map follows its plain one */
		add_row(policy, plain + 1, client, len, winners->at[i].class, winners->at[i].rule);
}

static void add_claims(struct policy *policy, struct claims *claims, struct span span,
		       const struct winners *winners)
{
	if (winners->plain != NO_INDEX)
		PUSH(claims, ((struct claim){ span, 0, winners->plain }));
	for (size_t i = 0; i < winners->n; i++)
		PUSH(claims, ((struct claim){ span, winners->at[i].class, winners->at[i].rule }));
	policy->rows += winners->n;
}

static void add_otherwise(struct policy *policy, const struct winners *winners)
{
	static const uint8_t no_class[4];

	if (winners->plain != NO_INDEX)
		add_row(policy, SET_OTHERWISE, no_class, sizeof no_class, 0, winners->plain);
	for (size_t i = 0; i < winners->n; i++)
		add_row(policy, SET_OTHERWISE, no_class, 0, winners->at[i].class,
			winners->at[i].rule);
}

struct ranges { struct claims users, groups, source4, source6; };

/* The one that is there, and those that were: their sockets may live on. */
static void add_cgroup(struct policy *policy, const struct facts *facts, uint32_t cgroup,
		       const struct winners *winners)
{
	const struct former_cgroup *formers;
	size_t n = facts_formers(facts, cgroup, &formers);
	uint8_t key[8];

	for (size_t i = 0; i < n; i++) {
		put_host64(key, formers[i].id);
		add_exact(policy, SET_BY_CGROUP, key, sizeof key, winners);
	}
	if (!facts->cgroup_ids || facts->cgroup_ids[cgroup] == 0)
		return;
	put_host64(key, facts->cgroup_ids[cgroup]);
	add_exact(policy, SET_BY_CGROUP, key, sizeof key, winners);
}

static void add_client(struct policy *policy, const struct facts *facts, struct ranges *ranges,
		       const struct winners *winners, const struct client *client)
{
	bool users = client->kind == CLIENT_USER;
	uint8_t key[4];

	switch (client->kind) {
	case CLIENT_CGROUP:
		add_cgroup(policy, facts, client->cgroup, winners);
		return;
	case CLIENT_USER:
	case CLIENT_GROUP:
		put_host32(key, client->ids.first);
		if (client->ids.first == client->ids.last)
			add_exact(policy, users ? SET_BY_USER : SET_BY_GROUP, key, 4, winners);
		else
			add_claims(policy, users ? &ranges->users : &ranges->groups,
				   (struct span){ client->ids.first, client->ids.last }, winners);
		return;
	case CLIENT_SOURCE:
		add_claims(policy, client->source.ip.len == 4 ? &ranges->source4 : &ranges->source6,
			   prefix_span(&client->source), winners);
		return;
	case CLIENT_OTHERWISE:
		add_otherwise(policy, winners);
		return;
	}
}

/* Group the rules by client and add what each client wins. */
static int add_clients(struct policy *policy, const struct facts *facts, struct ranges *ranges,
		       struct owned *owned)
{
	const struct model *model = policy->model;
	struct winners winners = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < model->rules.n; i++)
		owned[i] = owned_by(&model->rules.at[i], i);
	plan_rows_sort((uint8_t *)owned, model->rules.n, sizeof *owned, sizeof owned->client);
	for (size_t i = 0, next; i < model->rules.n && r == 0; i = next) {
		for (next = i + 1; next < model->rules.n; next++)
			if (memcmp(owned[i].client, owned[next].client, sizeof owned->client) != 0)
				break;
		r = win(policy, owned + i, next - i, &winners);
		if (r == 0)
			add_client(policy, facts, ranges, &winners,
				   &model->rules.at[owned[i].rule].client);
	}
	free(winners.at);
	return r;
}

static int add_ranges(struct policy *policy, struct ranges *ranges)
{
	int r = plan_overlay_resolve(policy, &ranges->users, SET_BY_USERS, SET_BY_USERS_TO);

	if (r == 0)
		r = plan_overlay_resolve(policy, &ranges->groups, SET_BY_GROUPS, SET_BY_GROUPS_TO);
	if (r == 0)
		r = plan_overlay_resolve(policy, &ranges->source4, SET_BY_SOURCE4,
					 SET_BY_SOURCE4_TO);
	if (r == 0)
		r = plan_overlay_resolve(policy, &ranges->source6, SET_BY_SOURCE6,
					 SET_BY_SOURCE6_TO);
	return r;
}

static void add_sources(struct policy *policy)
{
	AUTO(plan_cover_drop) struct cover cover = { 0 };

	for (size_t i = 0; i < policy->model->rules.n; i++)
		if (policy->model->rules.at[i].client.kind == CLIENT_SOURCE)
			plan_cover_add(&cover, &policy->model->rules.at[i].client.source, NO_INDEX);
	plan_cover_finish(&cover);
	plan_cover_emit(&cover, policy->plan, SET_SOURCES4, SET_SOURCES6);
}

/* Whether rule @a has the cgroup rather than @b, when a unit and a path turn out to be the same
 * one: the narrower destination, else the path, else the one written first. */
static bool has_cgroup(struct policy *policy, uint32_t a, uint32_t b)
{
	const struct model *model = policy->model;
	bool unit_a, unit_b;

	if (a == NO_INDEX || b == NO_INDEX)
		return b == NO_INDEX;
	if (plan_conflict_narrower(policy, a, b) || plan_conflict_narrower(policy, b, a))
		return plan_conflict_narrower(policy, a, b);
	unit_a = model->cgroups.at[model->rules.at[a].client.cgroup].is_unit;
	unit_b = model->cgroups.at[model->rules.at[b].client.cgroup].is_unit;
	return unit_a != unit_b ? unit_b : a < b;
}

static void merge_cgroups(struct policy *policy, enum set_id set)
{
	const struct set_shape *shape = &plan_shapes[set];
	struct rows *rows = &policy->plan->sets[set];
	size_t n = 0;

	plan_rows_sort(rows->at, rows->n, shape->row_len, shape->key_len);
	for (size_t i = 0; i < rows->n; i++) {
		uint8_t *row = rows->at + i * shape->row_len;
		uint8_t *kept = n > 0 ? rows->at + (n - 1) * shape->row_len : NULL;

		if (!kept || memcmp(kept, row, shape->key_len) != 0)
			memmove(rows->at + n++ * shape->row_len, row, shape->row_len);
		else if (has_cgroup(policy, row_origin(shape, row), row_origin(shape, kept)))
			memcpy(kept, row, shape->row_len);
	}
	rows->n = n;
}

/* Cgroups of `outbindctl exec`: a binding each, unless a rule says otherwise. */
static void add_execs(struct policy *policy, const struct facts *facts)
{
	for (size_t i = 0; i < facts->n_execs; i++) {
		uint32_t binding = facts->execs[i].binding;
		uint8_t *row;

		if (binding >= policy->plan->n_bindings || facts->execs[i].id == 0)
			continue;
		row = plan_rows_add(policy->plan, SET_BY_CGROUP);
		put_host32(put_host64(row, facts->execs[i].id), policy->plan->marks[binding].host);
	}
}

/* What `default-binding` gives to local senders whom no rule claims: an `otherwise` of its own. */
static void add_default(struct policy *policy)
{
	const struct model *model = policy->model;
	struct fwmark mark = policy->plan->reject;
	uint32_t binding = model_find(model, DEFAULT_BINDING);

	if (model->default_binding == DEFAULT_UNSAID)
		return;
	if (model->default_binding != DEFAULT_REJECT) {
		if (binding == NO_INDEX || (model->default_binding == DEFAULT_NORMAL &&
					    model->bindings.at[binding].n_addresses == 0))
			return;
		mark = policy->plan->marks[binding];
	}
	put_host32(put_host32(plan_rows_add(policy->plan, SET_OTHERWISE), 0), mark.host);
}

static void report_too_many(const struct model *model, struct diag *diag)
{
	struct where where = { 0 };

	for (size_t i = 0; i < model->rules.n && where.line == 0; i++)
		if (model->rules.at[i].to)
			where = model->rules.at[i].where;
	diag_error(diag, where, "from here on, clients and destinations multiply to more than %d "
		   "elements: use fewer different destinations", PLAN_ROWS_MAX);
}

static int compile(struct policy *policy, const struct facts *facts)
{
	struct owned *AUTO(mem_drop) owned = mem_zero(policy->model->rules.n, sizeof *owned);
	struct ranges ranges = { 0 };
	int r = plan_classes_build(policy->model, policy->plan, &policy->classes);

	for (int set = SET_TO4; r == 0 && set <= SET_WHERE_PROTOCOL; set++)
		policy->rows += policy->plan->sets[set].n;
	if (r == 0)
		r = add_clients(policy, facts, &ranges, owned);
	if (r == 0)
		r = add_ranges(policy, &ranges);
	free(ranges.users.at);
	free(ranges.groups.at);
	free(ranges.source4.at);
	free(ranges.source6.at);
	if (r < 0)
		return r;
	add_sources(policy);
	add_execs(policy, facts);
	add_default(policy);
	merge_cgroups(policy, SET_BY_CGROUP);
	merge_cgroups(policy, SET_BY_CGROUP_TO);
	return policy->rows > PLAN_ROWS_MAX ? -E2BIG : 0;
}

int plan_policy_build(const struct model *model, const struct facts *facts, struct plan *plan,
		      struct diag *diag)
{
	struct policy *AUTO(mem_drop) policy = mem_zero(1, sizeof *policy);
	int r;

	policy->model = model;
	policy->plan = plan;
	r = compile(policy, facts);
	if (r == -E2BIG)
		report_too_many(model, diag);
	plan_conflict_report(policy, diag);
	free(policy->conflicts.at);
	plan_classes_drop(&policy->classes);
	if (r == 0 && diag->n_errors > 0)
		return -EINVAL;
	return r;
}
