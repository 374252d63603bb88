/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Destinations have one form for one meaning, so that "the same destination" is a comparison of
 * bytes: lists are sorted, prefixes that others cover are dropped and halves of a prefix joined,
 * port ranges are merged, and a list that holds everything is no list at all.
 */
#include "model/destination.h"

#include "base/mem.h"

#include <string.h>

static const uint8_t ported[] = { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_DCCP, PROTOCOL_SCTP,
				  PROTOCOL_UDPLITE };

void destination_lists_drop(struct destination_lists *lists)
{
	free(lists->prefixes.at);
	free(lists->ports.at);
	free(lists->protocols.at);
	*lists = (struct destination_lists){ 0 };
}

void destination_pool_drop(struct destination_pool *pool)
{
	index_drop(&pool->index);
	free(pool->list.at);
	pool->list.at = NULL;
	pool->list.n = pool->list.room = 0;
}

bool destination_has_ports(uint8_t protocol)
{
	return memchr(ported, protocol, sizeof ported) != NULL;
}

static int compare_prefixes(const void *left, const void *right)
{
	const struct prefix *a = left, *b = right;
	int order = ip_compare(&a->ip, &b->ip);

	return order ? order : (int)a->bits - (int)b->bits;
}

static int compare_ports(const void *left, const void *right)
{
	const struct port_range *a = left, *b = right;

	return a->first != b->first ? (int)a->first - (int)b->first : (int)a->last - (int)b->last;
}

static int compare_protocols(const void *left, const void *right)
{
	return (int)*(const uint8_t *)left - (int)*(const uint8_t *)right;
}

/* The two halves of one prefix, @a below @b. */
static bool are_halves(const struct prefix *a, const struct prefix *b)
{
	struct prefix both = *a;

	if (a->bits == 0 || a->bits != b->bits || a->ip.len != b->ip.len)
		return false;
	both.bits--;
	return !((a->ip.octet[both.bits / 8] >> (7 - both.bits % 8)) & 1) &&
	       prefix_covers(&both, b);
}

static void shorten_prefixes(struct destination_lists *lists)
{
	struct prefix *at = lists->prefixes.at;
	size_t n = 0;

	if (lists->prefixes.n > 1)
		qsort(at, lists->prefixes.n, sizeof *at, compare_prefixes);
	for (size_t i = 0; i < lists->prefixes.n; i++) {
		if (n && prefix_covers(&at[n - 1], &at[i]))
			continue;
		at[n++] = at[i];
		for (; n > 1 && are_halves(&at[n - 2], &at[n - 1]); n--)
			at[n - 2].bits--;
	}
	lists->prefixes.n = n;
	if (n == 2 && at[0].bits == 0 && at[1].bits == 0)
		lists->prefixes.n = 0;
}

static void shorten_ports(struct destination_lists *lists)
{
	struct port_range *at = lists->ports.at;
	size_t n = 0;

	if (lists->ports.n > 1)
		qsort(at, lists->ports.n, sizeof *at, compare_ports);
	for (size_t i = 0; i < lists->ports.n; i++) {
		if (n == 0 || at[i].first > at[n - 1].last + 1)
			at[n++] = at[i];
		else if (at[i].last > at[n - 1].last)
			at[n - 1].last = at[i].last;
	}
	lists->ports.n = n;
}

static void shorten_protocols(struct destination_lists *lists)
{
	uint8_t *at = lists->protocols.at;
	size_t n = 0;

	if (lists->protocols.n > 1)
		qsort(at, lists->protocols.n, sizeof *at, compare_protocols);
	for (size_t i = 0; i < lists->protocols.n; i++)
		if (n == 0 || at[i] != at[n - 1])
			at[n++] = at[i];
	lists->protocols.n = n;
	if (n == 256 || (lists->ports.n && n == sizeof ported && memcmp(at, ported, n) == 0))
		lists->protocols.n = 0;
}

static int compare_arrays(const void *a, size_t n_a, const void *b, size_t n_b, size_t size,
			  int (*compare)(const void *, const void *))
{
	for (size_t i = 0; i < n_a && i < n_b; i++) {
		int order = compare((const char *)a + i * size, (const char *)b + i * size);

		if (order)
			return order;
	}
	return n_a == n_b ? 0 : n_a < n_b ? -1 : 1;
}

static bool is_any(const struct destination *to)
{
	return !to || (to->n_prefixes == 0 && to->n_ports == 0 && to->n_protocols == 0);
}

int destination_compare(const struct destination *a, const struct destination *b)
{
	int order;

	if (a == b || is_any(a) || is_any(b))
		return is_any(a) - is_any(b);
	order = compare_arrays(a->prefixes, a->n_prefixes, b->prefixes, b->n_prefixes,
			       sizeof *a->prefixes, compare_prefixes);
	if (order == 0)
		order = compare_arrays(a->ports, a->n_ports, b->ports, b->n_ports, sizeof *a->ports,
				       compare_ports);
	if (order == 0)
		order = compare_arrays(a->protocols, a->n_protocols, b->protocols, b->n_protocols,
				       1, compare_protocols);
	return order;
}

bool destination_equal(const struct destination *a, const struct destination *b)
{
	return destination_compare(a, b) == 0;
}

/* Does @to match packets of @protocol, ports and prefixes aside? */
static bool has_protocol(const struct destination *to, uint8_t protocol)
{
	if (to->n_protocols)
		return memchr(to->protocols, protocol, to->n_protocols) != NULL;
	return to->n_ports == 0 || destination_has_ports(protocol);
}

static bool covers_prefix(const struct destination *outer, const struct prefix *prefix)
{
	for (uint32_t i = 0; i < outer->n_prefixes; i++)
		if (prefix_covers(&outer->prefixes[i], prefix))
			return true;
	return false;
}

static bool covers_ports(const struct destination *outer, const struct port_range *ports)
{
	for (uint32_t i = 0; i < outer->n_ports; i++)
		if (outer->ports[i].first <= ports->first && ports->last <= outer->ports[i].last)
			return true;
	return false;
}

bool destination_contains(const struct destination *outer, const struct destination *inner)
{
	if (is_any(outer) || is_any(inner))
		return is_any(outer);
	if ((outer->n_prefixes && !inner->n_prefixes) || (outer->n_ports && !inner->n_ports))
		return false;
	for (uint32_t i = 0; outer->n_prefixes && i < inner->n_prefixes; i++)
		if (!covers_prefix(outer, &inner->prefixes[i]))
			return false;
	for (uint32_t i = 0; outer->n_ports && i < inner->n_ports; i++)
		if (!covers_ports(outer, &inner->ports[i]))
			return false;
	for (unsigned protocol = 0; protocol < 256; protocol++)
		if (has_protocol(inner, (uint8_t)protocol) &&
		    !has_protocol(outer, (uint8_t)protocol))
			return false;
	return true;
}

static void *keep(struct arena *arena, const void *at, size_t len)
{
	return len ? memcpy(arena_alloc(arena, len), at, len) : NULL;
}

static uint32_t hash_lists(const struct destination_lists *lists)
{
	uint32_t part[3] = {
		index_hash(lists->prefixes.at, lists->prefixes.n * sizeof *lists->prefixes.at),
		index_hash(lists->ports.at, lists->ports.n * sizeof *lists->ports.at),
		index_hash(lists->protocols.at, lists->protocols.n),
	};

	return index_hash(part, sizeof part);
}

const struct destination *destination_intern(struct destination_pool *pool, struct arena *arena,
					     struct destination_lists *lists)
{
	struct destination to, *kept;
	uint32_t hash, item;

	shorten_prefixes(lists);
	shorten_ports(lists);
	shorten_protocols(lists);
	to = (struct destination){ lists->prefixes.at,	     lists->ports.at,
				   lists->protocols.at,	     (uint32_t)lists->prefixes.n,
				   (uint32_t)lists->ports.n, (uint32_t)lists->protocols.n };
	if (is_any(&to))
		return NULL;
	hash = hash_lists(lists);
	for (size_t step = 0; (item = index_next(&pool->index, hash, &step)) != UINT32_MAX;)
		if (destination_equal(pool->list.at[item], &to))
			return pool->list.at[item];
	kept = arena_alloc(arena, sizeof *kept);
	*kept = to;
	kept->prefixes = keep(arena, to.prefixes, to.n_prefixes * sizeof *to.prefixes);
	kept->ports = keep(arena, to.ports, to.n_ports * sizeof *to.ports);
	kept->protocols = keep(arena, to.protocols, to.n_protocols);
	index_add(&pool->index, hash, (uint32_t)pool->list.n);
	PUSH(&pool->list, kept);
	return kept;
}
