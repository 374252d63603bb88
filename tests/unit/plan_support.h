/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small models by hand for the tests of plan/: one call a binding or rule, destinations from text.
 * The line of a rule's place is its index plus one, so that a message can be traced back.
 */
#pragma once

#include "base/mem.h"
#include "model/destination.h"
#include "plan/plan.h"

#include <stdio.h>
#include <string.h>

struct world {
	struct model model;
	struct facts facts;
	struct destination_pool pool;
	struct diag diag;
	struct plan plan;
	uint32_t *numbers;
};

static inline struct ip ip_of(const char *text)
{
	struct ip ip = { 0 };

	if (ip_parse(text, &ip) < 0)
		abort();
	return ip;
}

static inline struct prefix prefix_of(const char *text)
{
	struct prefix prefix = { 0 };

	if (prefix_parse(text, &prefix) < 0)
		abort();
	return prefix;
}

static inline void world_init(struct world *world)
{
	*world = (struct world){ 0 };
	world->model.mask.host = DEFAULT_MASK;
	PUSH(&world->model.files, "test.conf");
}

static inline void world_drop(struct world *world)
{
	model_drop(&world->model);
	facts_drop(&world->facts);
	destination_pool_drop(&world->pool);
	diag_drop(&world->diag);
	plan_drop(&world->plan);
	free(world->numbers);
	world->numbers = NULL;
}

/* @addresses: separated by spaces. */
static inline uint32_t world_binding(struct world *world, const char *name, const char *addresses)
{
	struct binding binding = { .name = arena_text(&world->model.arena, name, strlen(name)),
				   .first_address = (uint32_t)world->model.addresses.n,
				   .unusable_use = NO_INDEX,
				   .uplink = NO_INDEX,
				   .overflow = NO_INDEX };
	char text[2048], *rest = text, *one;

	snprintf(text, sizeof text, "%s", addresses);
	while ((one = strsep(&rest, " ")))
		if (*one) {
			struct address address = { .ip = ip_of(one),
						   .binding = (uint32_t)world->model.bindings.n };

			address.bits = address.ip.len * 8;
			PUSH(&world->model.addresses, address);
			binding.n_addresses++;
		}
	return model_add_binding(&world->model, &binding);
}

static inline uint32_t world_uplink(struct world *world, const char *name, const char *interface)
{
	PUSH(&world->model.uplinks, ((struct uplink){ .name = name, .interface = interface }));
	return (uint32_t)world->model.uplinks.n - 1;
}

/* A group of the bindings in @members, an array of "INDEX WEIGHT" pairs of numbers. */
static inline uint32_t world_group(struct world *world, const char *name, enum pick pick,
				   const uint32_t (*members)[2], uint32_t n)
{
	struct member *at = arena_alloc(&world->model.arena, n * sizeof *at);
	struct binding_group *group = arena_alloc(&world->model.arena, sizeof *group);
	struct binding binding = { .name = arena_text(&world->model.arena, name, strlen(name)),
				   .overflow = NO_INDEX, .uplink = NO_INDEX, .group = group };

	for (uint32_t i = 0; i < n; i++)
		at[i] = (struct member){ .binding = members[i][0], .weight = members[i][1] };
	*group = (struct binding_group){ at, n, pick };
	return model_add_binding(&world->model, &binding);
}

/* An address of this host; sorted when the plan is built. */
static inline void world_local(struct world *world, const char *ip, const char *interface)
{
	struct local_address address = { .ip = ip_of(ip) };

	snprintf(address.interface, sizeof address.interface, "%s", interface);
	PUSH(&world->facts.addresses, address);
}

/* Each list is comma-separated or empty: prefixes, ports ("25" or "1-9"), protocol numbers. */
static inline const struct destination *world_to(struct world *world, const char *prefixes,
						 const char *ports, const char *protocols)
{
	struct destination_lists lists = { 0 };
	const struct destination *to;
	char text[2048], *rest = text, *one;

	snprintf(text, sizeof text, "%s", prefixes);
	while ((one = strsep(&rest, ",")))
		if (*one)
			PUSH(&lists.prefixes, prefix_of(one));
	snprintf(text, sizeof text, "%s", ports);
	for (rest = text; (one = strsep(&rest, ","));)
		if (*one) {
			unsigned first, last;
			int n = sscanf(one, "%u-%u", &first, &last);

			PUSH(&lists.ports, ((struct port_range){ (uint16_t)first,
							(uint16_t)(n == 2 ? last : first) }));
		}
	snprintf(text, sizeof text, "%s", protocols);
	for (rest = text; (one = strsep(&rest, ","));)
		if (*one)
			PUSH(&lists.protocols, (uint8_t)atoi(one));
	to = destination_intern(&world->pool, &world->model.arena, &lists);
	destination_lists_drop(&lists);
	return to;
}

static inline uint32_t world_rule(struct world *world, struct client client,
				  const struct destination *to, enum action action,
				  uint32_t binding)
{
	struct rule rule = { .client = client, .to = to, .action = action, .binding = binding };

	rule.where = (struct where){ 0, (uint32_t)world->model.rules.n + 1, 1 };
	PUSH(&world->model.rules, rule);
	return (uint32_t)world->model.rules.n - 1;
}

static inline struct client users(uint32_t first, uint32_t last)
{
	return (struct client){ .kind = CLIENT_USER, .ids = { first, last } };
}

static inline struct client groups(uint32_t first, uint32_t last)
{
	return (struct client){ .kind = CLIENT_GROUP, .ids = { first, last } };
}

static inline struct client source(const char *prefix)
{
	return (struct client){ .kind = CLIENT_SOURCE, .source = prefix_of(prefix) };
}

static inline struct client otherwise(void)
{
	return (struct client){ .kind = CLIENT_OTHERWISE };
}

/* A cgroup that resolves to @id now (0: is not there). */
static inline struct client cgroup(struct world *world, bool is_unit, const char *name, uint64_t id)
{
	struct cgroup_client one = { is_unit, name };
	uint32_t index = (uint32_t)world->model.cgroups.n;

	PUSH(&world->model.cgroups, one);
	world->facts.cgroup_ids = realloc(world->facts.cgroup_ids, (index + 1) * sizeof(uint64_t));
	if (!world->facts.cgroup_ids)
		abort();
	world->facts.cgroup_ids[index] = id;
	return (struct client){ .kind = CLIENT_CGROUP, .cgroup = index };
}

static inline int by_ip(const void *left, const void *right)
{
	return ip_compare(&((const struct local_address *)left)->ip,
			  &((const struct local_address *)right)->ip);
}

/* Build with numbers 1, 2, ... into @ret_plan. */
static inline int world_build(struct world *world, struct plan *ret_plan)
{
	free(world->numbers);
	world->numbers = mem_zero(world->model.bindings.n + world->model.uplinks.n,
				  sizeof *world->numbers);
	for (uint32_t i = 0; i < world->model.bindings.n + world->model.uplinks.n; i++)
		world->numbers[i] = i + 1;
	if (world->facts.addresses.n > 0)
		qsort(world->facts.addresses.at, world->facts.addresses.n,
		      sizeof *world->facts.addresses.at, by_ip);
	return plan_build(&world->model, world->numbers, &world->facts, ret_plan, &world->diag);
}
