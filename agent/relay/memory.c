/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two tables of keys with a time. A key has one set of WAYS slots that it may be in; the oldest
 * of the set makes room. So there is no growth, no list and no sweep.
 */
#include "relay/memory.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

enum { WAYS = 8, KEY = 16 };

struct slot { uint8_t key[KEY]; uint64_t until; };	/* until 0: empty */

struct memory {
	pthread_mutex_t lock;
	uint64_t key;
	struct slot *deliveries, *tls;
};

struct memory *memory_new(void)
{
	struct memory *memory = mem_zero(1, sizeof *memory);

	if (getrandom(&memory->key, sizeof memory->key, 0) != sizeof memory->key)
		abort();		/* it never fails for eight octets: getrandom(2) */
	pthread_mutex_init(&memory->lock, NULL);
	memory->deliveries = mem_zero(MEMORY_DELIVERIES, sizeof *memory->deliveries);
	memory->tls = mem_zero(MEMORY_TLS, sizeof *memory->tls);
	return memory;
}

void memory_free(struct memory *memory)
{
	if (!memory)
		return;
	pthread_mutex_destroy(&memory->lock);
	free(memory->deliveries);
	free(memory->tls);
	free(memory);
}

uint64_t memory_key(const struct memory *memory)
{
	return memory->key;
}

/* The set of a key: fingerprints are random already, addresses are mixed a little. */
static struct slot *set_of(struct slot *table, size_t room, const uint8_t key[static KEY])
{
	uint64_t first, second;

	memcpy(&first, key, sizeof first);
	memcpy(&second, key + sizeof first, sizeof second);
	first = (first ^ second * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
	return table + ((first >> 32) & (room / WAYS - 1)) * WAYS;
}

static void put(struct slot *set, const uint8_t key[static KEY], uint64_t until)
{
	struct slot *oldest = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].until && memcmp(set[i].key, key, KEY) == 0) {
			set[i].until = until;
			return;
		}
		if (set[i].until < oldest->until)
			oldest = &set[i];
	}
	memcpy(oldest->key, key, KEY);
	oldest->until = until;
}

static struct slot *find(struct slot *set, const uint8_t key[static KEY], uint64_t now)
{
	for (size_t i = 0; i < WAYS; i++)
		if (set[i].until > now && memcmp(set[i].key, key, KEY) == 0)
			return &set[i];
	return NULL;
}

void memory_remember(struct memory *memory, const struct fingerprint *fingerprint, uint64_t now)
{
	pthread_mutex_lock(&memory->lock);
	put(set_of(memory->deliveries, MEMORY_DELIVERIES, fingerprint->octet), fingerprint->octet,
	    now + MEMORY_DELIVERY_S);
	pthread_mutex_unlock(&memory->lock);
}

bool memory_take(struct memory *memory, const struct fingerprint *fingerprint, uint64_t now)
{
	struct slot *slot;

	pthread_mutex_lock(&memory->lock);
	slot = find(set_of(memory->deliveries, MEMORY_DELIVERIES, fingerprint->octet),
		    fingerprint->octet, now);
	if (slot)
		slot->until = 0;
	pthread_mutex_unlock(&memory->lock);
	return slot != NULL;
}

void memory_tls_failed(struct memory *memory, const struct ip *ip, uint64_t now)
{
	pthread_mutex_lock(&memory->lock);
	put(set_of(memory->tls, MEMORY_TLS, ip->octet), ip->octet, now + MEMORY_TLS_S);
	pthread_mutex_unlock(&memory->lock);
}

bool memory_tls_is_bad(struct memory *memory, const struct ip *ip, uint64_t now)
{
	bool bad;

	pthread_mutex_lock(&memory->lock);
	bad = find(set_of(memory->tls, MEMORY_TLS, ip->octet), ip->octet, now) != NULL;
	pthread_mutex_unlock(&memory->lock);
	return bad;
}
