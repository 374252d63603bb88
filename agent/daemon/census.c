/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See census.h. Forgetting small uses is lossy counting (Manku and Motwani, 2002): what is left is
 * counted too low by at most the sum of the limits below which was forgotten. */
#include "daemon/census.h"

#include "base/mem.h"

#include <netinet/in.h>
#include <string.h>

enum { POOL_KEY = 1 + 16 + 16 + 2 + 1 + 1 + 8 };

static uint32_t hash_pool(const struct census *census, const struct census_pool *pool)
{
	uint8_t key[POOL_KEY] = { pool->source.len };

	memcpy(key + 1, pool->source.octet, pool->source.len);
	memcpy(key + 17, pool->to.octet, pool->to.len);
	memcpy(key + 33, &pool->to_port, sizeof pool->to_port);
	key[35] = pool->protocol;
	key[36] = pool->outside;
	memcpy(key + 37, &census->salt, sizeof census->salt);
	return index_hash(key, sizeof key);
}

bool census_same_pool(const struct census_pool *a, const struct census_pool *b)
{
	return a->to_port == b->to_port && a->protocol == b->protocol &&
	       a->outside == b->outside && ip_equal(&a->source, &b->source) &&
	       ip_equal(&a->to, &b->to);
}

static uint32_t find_pool(const struct census *census, const struct census_pool *like,
			  uint32_t hash)
{
	uint32_t at;

	for (size_t step = 0; (at = index_next(&census->by_pool, hash, &step)) != UINT32_MAX;)
		if (census_same_pool(&census->pools.at[at], like))
			return at;
	return UINT32_MAX;
}

/* The pool like @like, which is added if there is none. */
static uint32_t take_pool(struct census *census, const struct census_pool *like)
{
	uint32_t hash = hash_pool(census, like), at = find_pool(census, like, hash);

	if (at != UINT32_MAX)
		return at;
	at = (uint32_t)census->pools.n;
	PUSH(&census->pools, *like);
	index_add(&census->by_pool, hash, at);
	return at;
}

static uint32_t hash_use(const struct census_use *use)
{
	uint32_t key[3] = { use->mark, use->near, use->far };

	return index_hash(key, sizeof key);
}

static struct census_use *take_use(struct census *census, const struct census_use *like)
{
	uint32_t hash = hash_use(like), at;

	for (size_t step = 0; (at = index_next(&census->by_use, hash, &step)) != UINT32_MAX;) {
		struct census_use *use = &census->uses.at[at];

		if (use->mark == like->mark && use->near == like->near && use->far == like->far)
			return use;
	}
	at = (uint32_t)census->uses.n;
	PUSH(&census->uses, *like);
	index_add(&census->by_use, hash, at);
	return &census->uses.at[at];
}

static struct census_live *find_live(const struct census *census, uint32_t mark)
{
	uint32_t at, hash = index_hash(&mark, sizeof mark);

	for (size_t step = 0; (at = index_next(&census->by_mark, hash, &step)) != UINT32_MAX;)
		if (census->live.at[at].mark == mark)
			return &census->live.at[at];
	return NULL;
}

static void add_live(struct census *census, uint32_t mark, enum family family)
{
	struct census_live *live = find_live(census, mark);

	if (!live) {
		index_add(&census->by_mark, index_hash(&mark, sizeof mark),
			  (uint32_t)census->live.n);
		PUSH(&census->live, ((struct census_live){ .mark = mark }));
		live = &census->live.at[census->live.n - 1];
	}
	live->n[family]++;
}

/* What the pool had is counted on: also by uses that are forgotten. */
static uint32_t keep_pool(struct census *fresh, const struct census *old, uint32_t at)
{
	return take_pool(fresh, &old->pools.at[at]);
}

/* Forget uses of at most @limit ports, and the pools that nobody else uses. */
static void forget(struct census *census, uint32_t limit)
{
	struct census old = *census;

	memset(&census->pools, 0, sizeof census->pools);
	memset(&census->uses, 0, sizeof census->uses);
	census->by_pool = census->by_use = (struct index){ 0 };
	for (size_t i = 0; i < old.uses.n; i++) {
		struct census_use use = old.uses.at[i];

		if (use.live + use.closing <= limit)
			continue;
		use.near = keep_pool(census, &old, use.near);
		use.far = keep_pool(census, &old, use.far);
		*take_use(census, &use) = use;
	}
	census->slack += limit;
	free(old.pools.at);
	free(old.uses.at);
	index_drop(&old.by_pool);
	index_drop(&old.by_use);
}

static void bound(struct census *census)
{
	uint32_t limit = 1;

	if (census->uses.n < CENSUS_USES)
		return;
	for (; census->uses.n > CENSUS_USES / 2; limit *= 2)
		forget(census, limit);
}

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

void census_add(struct census *census, const struct connection *c, struct fwmark mask)
{
	struct census_pool near = { .source = c->from, .to = c->to, .to_port = c->to_port,
				    .protocol = c->protocol };
	struct census_pool far = near;
	struct census_use like = { .mark = c->mark.host & mask.host }, *use;
	bool live = c->alive || c->protocol != IPPROTO_TCP;

	census->entries++;
	if (like.mark && c->alive)
		add_live(census, like.mark, ip_family(&c->from));
	if (!has_ports(c->protocol) || strcmp(c->state, "CLOSE") == 0)
		return;
	bound(census);
	far.source = c->source;
	far.outside = true;
	like.near = take_pool(census, &near);
	like.far = take_pool(census, &far);
	use = take_use(census, &like);
	use->live += live;
	use->closing += !live;
	census->pools.at[like.near].live += live;
	census->pools.at[like.near].closing += !live;
	census->pools.at[like.far].live += live;
	census->pools.at[like.far].closing += !live;
}

void census_drop(struct census *census)
{
	free(census->pools.at);
	free(census->uses.at);
	free(census->live.at);
	index_drop(&census->by_pool);
	index_drop(&census->by_use);
	index_drop(&census->by_mark);
	*census = (struct census){ 0 };
}

const struct census_live *census_of(const struct census *census, struct fwmark mark)
{
	return find_live(census, mark.host);
}

const struct census_pool *census_pool(const struct census *census, const struct census_pool *like)
{
	uint32_t at = find_pool(census, like, hash_pool(census, like));

	return at == UINT32_MAX ? NULL : &census->pools.at[at];
}
