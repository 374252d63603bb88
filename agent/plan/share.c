/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See share.h. Everything is counted in integers, so that two agents on two machines agree. */
#include "plan/share.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { NOBODY = 255 };				/* above any index of a member */

static_assert((int)MEMBERS_MAX < (int)SHARE_SLOTS, "share_divide() gives everybody a slot");

struct quotas {
	int64_t total;				/* of all weights */
	uint32_t has[MEMBERS_MAX], wants[MEMBERS_MAX];
};

/* How far @slots are below what @member's weight is worth, times the sum of weights. */
static int64_t missing(const struct quotas *quotas, const struct member *member, uint32_t slots)
{
	return (int64_t)member->weight * SHARE_SLOTS - (int64_t)slots * quotas->total;
}

/* Give one slot more to who lacks most, or one less to who has most too many. */
static void adjust(struct quotas *quotas, const struct member *members, size_t n, bool more)
{
	size_t best = n;
	int64_t most = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t lacks = missing(quotas, &members[i], quotas->wants[i]);

		if (!more && quotas->wants[i] == 1)
			continue;
		if (best == n || (more ? lacks > most : lacks < most)) {
			best = i;
			most = lacks;
		}
	}
	quotas->wants[best] += more ? 1 : -1u;
}

/* What each member is to have: what it has, within its quota rounded down and rounded up. */
static void settle(struct quotas *quotas, const struct member *members, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		quotas->total += members[i].weight;
	for (size_t i = 0; i < n; i++) {
		uint32_t exact = (uint32_t)(members[i].weight * (int64_t)SHARE_SLOTS /
					    quotas->total);
		uint32_t low = exact ? exact : 1;
		uint32_t high = missing(quotas, &members[i], low) > 0 ? low + 1 : low;
		uint32_t has = quotas->has[i];

		quotas->wants[i] = has < low ? low : has > high ? high : has;
		sum += quotas->wants[i];
	}
	for (; sum < SHARE_SLOTS; sum++)
		adjust(quotas, members, n, true);
	for (; sum > SHARE_SLOTS; sum--)
		adjust(quotas, members, n, false);
}

void share_divide(const struct member *members, size_t n, uint8_t slots[static SHARE_SLOTS])
{
	struct quotas quotas = { 0 };
	size_t next = 0;

	for (size_t s = 0; s < SHARE_SLOTS; s++)
		if (slots[s] < n)
			quotas.has[slots[s]]++;
	settle(&quotas, members, n);
	for (size_t s = SHARE_SLOTS; s-- > 0;) {
		if (slots[s] >= n)
			continue;
		if (quotas.has[slots[s]] <= quotas.wants[slots[s]])
			continue;
		quotas.has[slots[s]]--;
		slots[s] = NOBODY;
	}
	for (size_t s = 0; s < SHARE_SLOTS; s++) {
		if (slots[s] < n)
			continue;
		while (quotas.has[next % n] >= quotas.wants[next % n])
			next++;
		slots[s] = (uint8_t)(next % n);
		quotas.has[next++ % n]++;
	}
}

/* -log2(@hash / 2^64) in units of 2^-32: the fraction bit by bit, by squaring. */
static uint64_t surprise(uint64_t hash)
{
	unsigned zeros = (unsigned)__builtin_clzll(hash | 1);
	uint64_t x = (hash | 1) << zeros >> 32, fraction = 0;	/* 1 <= x / 2^31 < 2 */

	for (int bit = 0; bit < 32; bit++) {
		x = x * x >> 31;
		fraction <<= 1;
		if (x >> 32) {
			fraction |= 1;
			x >>= 1;
		}
	}
	return ((uint64_t)(zeros + 1) << 32) - fraction;
}

size_t share_fall_back(const struct member *members, const char *const *names, const bool *usable,
		       size_t n, uint32_t slot)
{
	size_t best = n;
	uint64_t best_surprise = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t own;

		if (!usable[i])
			continue;
		own = surprise(XXH3_64bits_withSeed(names[i], strlen(names[i]), slot));
		/* own / weight < best / best's weight */
		if (best == n || (unsigned __int128)own * members[best].weight <
				 (unsigned __int128)best_surprise * members[i].weight) {
			best = i;
			best_surprise = own;
		}
	}
	return best;
}

void share_turn(const struct member *members, const bool *usable, size_t n,
		uint8_t ret_slots[static SHARE_SLOTS])
{
	int64_t credit[MEMBERS_MAX] = { 0 }, total = 0;

	for (size_t i = 0; i < n; i++)
		total += usable[i] ? members[i].weight : 0;
	for (size_t s = 0; s < SHARE_SLOTS; s++) {
		size_t best = n;

		for (size_t i = 0; i < n; i++) {
			if (!usable[i])
				continue;
			credit[i] += members[i].weight;
			if (best == n || credit[i] > credit[best])
				best = i;
		}
		credit[best] -= total;
		ret_slots[s] = (uint8_t)best;
	}
}

static void share_drop(struct share *share)
{
	for (size_t i = 0; i < share->n_members; i++)
		free(share->members[i]);
	free(share->members);
	free(share->name);
}

void shares_drop(struct shares *shares)
{
	for (size_t i = 0; i < shares->n; i++)
		share_drop(&shares->at[i]);
	free(shares->at);
	*shares = (struct shares){ 0 };
}

void shares_copy(const struct shares *from, struct shares *ret)
{
	struct shares copy = { .n = from->n, .room = from->n };

	copy.at = mem_zero(from->n, sizeof *copy.at);
	for (size_t i = 0; i < from->n; i++) {
		const struct share *share = &from->at[i];

		copy.at[i] = *share;
		copy.at[i].name = mem_copy(share->name);
		copy.at[i].members = mem_zero(share->n_members, sizeof *share->members);
		for (size_t m = 0; m < share->n_members; m++)
			copy.at[i].members[m] = mem_copy(share->members[m]);
	}
	*ret = copy;
}

static int by_name(const void *left, const void *right)
{
	const struct share *a = left, *b = right;

	return strcmp(a->name, b->name);
}

const struct share *shares_find(const struct shares *shares, const char *name)
{
	struct share key = { .name = (char *)(uintptr_t)name };

	return shares->n ? bsearch(&key, shares->at, shares->n, sizeof key, by_name) : NULL;
}

static size_t find_member(const struct share *share, const char *name)
{
	size_t i = 0;

	while (i < share->n_members && strcmp(share->members[i], name) != 0)
		i++;
	return i;
}

/* What @binding's group has now, from what it @had (NULL: nothing). */
static struct share assign(const struct model *model, const struct binding *binding,
			   const struct share *had)
{
	const struct binding_group *group = binding->group;
	struct share share = { .name = mem_copy(binding->name),
			       .n_members = group->n_members };
	uint8_t now[NOBODY + 1];

	memset(now, NOBODY, sizeof now);
	memset(share.slots, NOBODY, sizeof share.slots);
	share.members = mem_zero(group->n_members, sizeof *share.members);
	for (uint32_t i = 0; i < group->n_members; i++) {
		const char *name = model->bindings.at[group->members[i].binding].name;
		size_t before = had ? find_member(had, name) : 0;

		share.members[i] = mem_copy(name);
		if (had && before < had->n_members)
			now[before] = (uint8_t)i;
	}
	for (size_t s = 0; s < SHARE_SLOTS && had; s++)
		share.slots[s] = now[had->slots[s]];
	share_divide(group->members, group->n_members, share.slots);
	return share;
}

static bool same(const struct share *a, const struct share *b)
{
	if (!b || a->n_members != b->n_members)
		return false;
	for (size_t i = 0; i < a->n_members; i++)
		if (strcmp(a->members[i], b->members[i]) != 0)
			return false;
	return memcmp(a->slots, b->slots, sizeof a->slots) == 0;
}

void shares_assign(struct shares *shares, const struct model *model, bool *ret_changed)
{
	struct shares fresh = { 0 };
	bool changed = false;

	for (size_t i = 0; i < model->bindings.n; i++) {
		const struct binding *binding = &model->bindings.at[i];
		const struct share *had;
		struct share share;

		if (!binding->name || !binding->group || !share_is_sticky(binding->group->pick))
			continue;
		had = shares_find(shares, binding->name);
		share = assign(model, binding, had);
		changed |= !same(&share, had);
		PUSH(&fresh, share);
	}
	if (fresh.n)
		qsort(fresh.at, fresh.n, sizeof *fresh.at, by_name);
	*ret_changed = changed || fresh.n != shares->n;
	shares_drop(shares);
	*shares = fresh;
}
