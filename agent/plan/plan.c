/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan as a whole: building in order, searching, digest. The parts are plan_shapes.c (sets),
 * plan_usable.c (who can leave), plan_emit.c (from what), plan_groups.c (who of several),
 * plan_limits.c (how many), plan_steer.c (which way), plan_cover.c (bypass), plan_classes.c
 * (destinations), plan_policy.c (rules) and plan_intercept.c (what is turned to the relay). Pure:
 * the same model, numbers and facts give the same octets.
 */
#include "plan/plan.h"

#include "base/mem.h"
#include "plan/plan_cover.h"
#include "plan/plan_emit.h"
#include "plan/plan_gates.h"
#include "plan/plan_groups.h"
#include "plan/plan_intercept.h"
#include "plan/plan_limits.h"
#include "plan/plan_policy.h"
#include "plan/plan_rows.h"

#include <assert.h>
#include <stdio.h>
#include <xxhash.h>

void facts_drop(struct facts *facts)
{
	free(facts->addresses.at);
	free(facts->local.at);
	free(facts->connected.at);
	free(facts->fwmark_rules.at);
	free(facts->links.at);
	free(facts->claiming.at);
	free(facts->conflicts.at);
	free(facts->uplinks.at);
	free(facts->binding_probes.at);
	free(facts->uplink_probes.at);
	free(facts->cgroup_ids);
	free(facts->formers);
	free(facts->execs);
	free(facts->suspended);
	*facts = (struct facts){ 0 };
}

size_t facts_formers(const struct facts *facts, uint32_t cgroup, const struct former_cgroup **ret)
{
	size_t first = 0, end = facts->n_formers, n = 0;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (facts->formers[middle].cgroup < cgroup)
			first = middle + 1;
		else
			end = middle;
	}
	*ret = first < facts->n_formers ? facts->formers + first : NULL;
	while (first + n < facts->n_formers && facts->formers[first + n].cgroup == cgroup)
		n++;
	return n;
}

static int link_by_name(const void *key, const void *element)
{
	return strcmp(key, ((const struct link *)element)->name);
}

const struct link *facts_link(const struct facts *facts, const char *name)
{
	return facts->links.n ? bsearch(name, facts->links.at, facts->links.n,
					sizeof *facts->links.at, link_by_name)
			      : NULL;
}

size_t facts_address(const struct facts *facts, const struct ip *ip, size_t near)
{
	const struct local_address *at = facts->addresses.at;
	size_t n = facts->addresses.n, low = 0, high = n;

	if (near < n && ip_compare(&at[near].ip, ip) < 0) {
		low = near + 1;
		if (low < n && ip_compare(&at[low].ip, ip) >= 0)
			high = low;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ip_compare(&at[middle].ip, ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *facts_interface(const struct facts *facts, const struct ip *ip)
{
	size_t i = facts_address(facts, ip, 0);
	bool has = i < facts->addresses.n && ip_equal(&facts->addresses.at[i].ip, ip);

	return has ? facts->addresses.at[i].interface : NULL;
}

static int claim_by_ip(const void *key, const void *element)
{
	return ip_compare(key, &((const struct foreign_claim *)element)->ip);
}

const struct foreign_claim *facts_conflict(const struct facts *facts, const struct ip *ip)
{
	return facts->conflicts.n ? bsearch(ip, facts->conflicts.at, facts->conflicts.n,
					    sizeof *facts->conflicts.at, claim_by_ip)
				  : NULL;
}

static int ip_by_ip(const void *key, const void *element)
{
	return ip_compare(key, element);
}

bool facts_claiming(const struct facts *facts, const struct ip *ip)
{
	return facts->claiming.n && bsearch(ip, facts->claiming.at, facts->claiming.n,
					    sizeof *facts->claiming.at, ip_by_ip);
}

void plan_drop(struct plan *plan)
{
	for (int i = 0; i < SETS; i++)
		free(plan->sets[i].at);
	free(plan->usability);
	free(plan->uplinks);
	free(plan->suspended);
	free(plan->limited);
	free(plan->marks);
	free(plan->uplink_marks);
	plan_groups_drop(plan);
	*plan = (struct plan){ 0 };
}

static void build_bindings(const struct model *model, const uint32_t *numbers,
			   const struct facts *facts, struct plan *plan)
{
	int shift = __builtin_ctz(model->mask.host);

	plan->mask = plan->pass = model->mask;
	plan->reject.host = plan->pass.host - (1u << shift);
	plan->n_bindings = model->bindings.n;
	plan->n_uplinks = model->uplinks.n;
	plan->uplink_marks = mem_zero(plan->n_uplinks, sizeof *plan->uplink_marks);
	for (size_t i = 0; i < plan->n_uplinks; i++)
		plan->uplink_marks[i].host = numbers[plan->n_bindings + i] << shift;
	plan->marks = mem_zero(plan->n_bindings, sizeof *plan->marks);
	plan->usability = mem_zero(plan->n_bindings, sizeof *plan->usability);
	plan->suspended = mem_zero(plan->n_bindings, sizeof *plan->suspended);
	plan->limited = mem_zero(plan->n_bindings, sizeof *plan->limited);
	plan->default_suspended = model->default_binding == DEFAULT_SUSPENDED ?
					  model_find(model, DEFAULT_BINDING) : NO_INDEX;
	for (size_t i = 0; i < plan->n_bindings; i++) {
		plan->marks[i].host = numbers[i] << shift;
		plan->suspended[i] = (facts->suspended && facts->suspended[i]) ||
				     i == plan->default_suspended;
		plan->limited[i] = plan_limits_any(&model->bindings.at[i]);
		plan->stand_ins |= model->bindings.at[i].unusable == UNUSABLE_USE;
	}
}

static void emit_bindings(const struct model *model, const struct facts *facts, struct plan *plan)
{
	AUTO(plan_host_drop) struct plan_host host;

	plan_host_open(facts, plan->mask, &host);
	plan_usable_build(&host, model, plan);
	plan_groups_build(model, facts, plan);
	for (uint32_t i = 0; i < plan->n_bindings; i++)
		if (model->bindings.at[i].name)
			plan_emit_binding(&host, model, plan, i);
	for (size_t i = 0; i < plan->n_uplinks; i++)
		put_host32(plan_rows_add(plan, SET_UPLINKS), plan->uplink_marks[i].host);
}

int plan_build(const struct model *model, const uint32_t *numbers, const struct facts *facts,
	       struct plan *ret_plan, struct diag *diag)
{
	AUTO(plan_drop) struct plan plan = { 0 };
	int r;

	assert(model->mask.host != 0);
	build_bindings(model, numbers, facts, &plan);
	plan_limits_collect(model, &plan);
	plan.traffic = model->metrics.traffic;
	emit_bindings(model, facts, &plan);
	plan_cover_bypass(model, facts, &plan);
	r = plan_policy_build(model, facts, &plan, diag);
	if (r < 0)
		return r;
	if (diag->n_errors > 0)
		return -EINVAL;
	plan_intercept_build(model, facts, &plan);
	plan_gates_build(model, facts, &plan);
	for (int i = 0; i < SETS; i++)
		plan_rows_finish(&plan, (enum set_id)i);
	plan.fingerprint = plan_fingerprint(&plan);
	*ret_plan = plan;
	plan = (struct plan){ 0 };
	return 0;
}

static unsigned __int128 hash_of(const void *at, size_t len, uint64_t seed)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(at, len, seed);

	return (unsigned __int128)hash.high64 << 64 | hash.low64;
}

unsigned __int128 plan_row_hash(enum set_id set, const uint8_t *row)
{
	const struct set_shape *shape = &plan_shapes[set];

	return hash_of(row, shape->row_len - (shape->origin == ORIGIN_NONE ? 0u : 4u), set);
}

unsigned __int128 plan_fingerprint(const struct plan *plan)
{
	const struct limits_to *to = &plan->limits_to;
	unsigned __int128 sum = hash_of(&plan->mask.host, sizeof plan->mask.host, SETS);

	sum += hash_of(to->connections, to->n_connections * sizeof *to->connections, SETS + 1);
	sum += hash_of(to->new, to->n_new * sizeof *to->new, SETS + 2);
	sum += hash_of(&plan->traffic, sizeof plan->traffic, SETS + 3);
	for (int i = 0; i < SETS; i++) {
		const struct rows *rows = &plan->sets[i];

		for (size_t row = 0; row < rows->n; row++)
			sum += plan_row_hash((enum set_id)i,
					     rows->at + row * plan_shapes[i].row_len);
	}
	return sum;
}

bool plan_same_rules(const struct plan *a, const struct plan *b)
{
	const struct limits_to *x = &a->limits_to, *y = &b->limits_to;

	return a->mask.host == b->mask.host && a->traffic == b->traffic &&
	       x->n_connections == y->n_connections && x->n_new == y->n_new &&
	       memcmp(x->connections, y->connections,
		      x->n_connections * sizeof *x->connections) == 0 &&
	       memcmp(x->new, y->new, x->n_new * sizeof *x->new) == 0;
}

void plan_digest(const struct plan *plan, char ret_text[static 33])
{
	snprintf(ret_text, 33, "%016llx%016llx", (unsigned long long)(plan->fingerprint >> 64),
		 (unsigned long long)plan->fingerprint);
}

const char *plan_reason_text(enum usable_reason reason, enum family family)
{
	static const char *const texts[][FAMILIES] = {
		[USABLE] = { "usable", "usable" },
		[USABLE_BY_OTHER] = { "usable by another binding's IPv4 address",
				      "usable by another binding's IPv6 address" },
		[UNUSABLE_NO_ADDRESS] = { "no IPv4 address in the binding",
					  "no IPv6 address in the binding" },
		[UNUSABLE_ABSENT] = { "no IPv4 address of the binding is on this host",
				      "no IPv6 address of the binding is on this host" },
		[UNUSABLE_TENTATIVE] = { "IPv4 address is tentative",
					 "IPv6 address is tentative (duplicate address detection)" },
		[UNUSABLE_DUPLICATE] = { "another host has the IPv4 address",
					 "another host has the IPv6 address" },
		[UNUSABLE_INTERFACE] = { "IPv4 address is on another interface",
					 "IPv6 address is on another interface" },
		[UNUSABLE_STAND_IN] = { "the binding that stands in is suspended",
					"the binding that stands in is suspended" },
		[UNUSABLE_CLAIMING] = { "IPv4 address is being claimed",
					"IPv6 address is being claimed" },
		[UNUSABLE_LINK] = { "the link of the IPv4 address is down",
				    "the link of the IPv6 address is down" },
		[UNUSABLE_NO_ROUTE] = { "no IPv4 route leads out", "no IPv6 route leads out" },
		[UNUSABLE_GATEWAY] = { "the uplink's IPv4 gateway does not answer",
				       "the uplink's IPv6 gateway does not answer" },
		[UNUSABLE_PROBE] = { "the probe of the binding fails over IPv4",
				     "the probe of the binding fails over IPv6" },
		[UNUSABLE_MEMBERS] = { "no member of the group is usable over IPv4",
				       "no member of the group is usable over IPv6" },
		[UNUSABLE_IDENTITY] = { "DNS does not confirm the IPv4 address",
					"DNS does not confirm the IPv6 address" },
	};

	return texts[reason][family];
}

bool plan_usable(const struct plan *plan, uint32_t binding, enum family family)
{
	enum usable_reason reason = plan->usability[binding].reason[family];

	return !plan->suspended[binding] && (reason == USABLE || reason == USABLE_BY_OTHER);
}

const char *plan_usable_text(const struct plan *plan, uint32_t binding, enum family family)
{
	if (plan->suspended[binding])
		return "suspended";
	return plan_reason_text(plan->usability[binding].reason[family], family);
}

/* Number of rows whose key is not above @key. */
static size_t rows_up_to(const struct set_shape *shape, const struct rows *rows, const uint8_t *key)
{
	size_t low = 0, high = rows->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(rows->at + middle * shape->row_len, key, shape->key_len) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Ranges of clients with a class behind them: rows of different classes overlap in the first field,
 * so the row before the key is not always the one. Walks back; only `explain` asks.
 */
static const uint8_t *find_with_class(const struct set_shape *shape, const struct rows *rows,
				      const uint8_t *key, size_t up_to)
{
	size_t len = shape->key_len - 4u;

	while (up_to-- > 0) {
		const uint8_t *row = rows->at + up_to * shape->row_len;

		if (memcmp(row + len, key + len, 4) == 0)
			return memcmp(row_end(shape, row), key, len) >= 0 ? row : NULL;
	}
	return NULL;
}

/* Ranges of clients with a range of ports behind them: as above. */
static const uint8_t *find_with_port(const struct set_shape *shape, const struct rows *rows,
				     const uint8_t *key, size_t up_to)
{
	size_t len = shape->key_len - 4u;

	while (up_to-- > 0) {
		const uint8_t *row = rows->at + up_to * shape->row_len, *end = row_end(shape, row);

		if (memcmp(end, key, len) >= 0 && memcmp(row + len, key + len, 2) <= 0 &&
		    memcmp(end + len, key + len, 2) >= 0)
			return row;
	}
	return NULL;
}

const uint8_t *plan_find(const struct plan *plan, enum set_id set, const uint8_t *key)
{
	const struct set_shape *shape = &plan_shapes[set];
	const struct rows *rows = &plan->sets[set];
	size_t up_to = rows_up_to(shape, rows, key);
	const uint8_t *row;

	if (up_to == 0)
		return NULL;
	if (shape->interval && shape->key[1] == FIELD_HOST32)
		return find_with_class(shape, rows, key, up_to);
	if (shape->interval && shape->key[1] == FIELD_PORT)
		return find_with_port(shape, rows, key, up_to);
	row = rows->at + (up_to - 1) * shape->row_len;
	if (shape->interval)
		return memcmp(row_end(shape, row), key, shape->key_len) >= 0 ? row : NULL;
	return memcmp(row, key, shape->key_len) == 0 ? row : NULL;
}

uint32_t row_origin(const struct set_shape *shape, const uint8_t *row)
{
	return shape->origin == ORIGIN_NONE ? NO_INDEX : get_host32(row + shape->row_len - 4);
}
