/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plan/ only: writing rows and the bytes of their keys. */
#pragma once

#include "plan/plan.h"

#include <endian.h>
#include <string.h>
#include <sys/socket.h>

/* A place in a space of ids or addresses as a number, so that one sweep serves all of them. */
struct span { unsigned __int128 first, last; };	/* inclusive */

/* Fields, in the byte order that set_shape asks for; each returns where the next one goes. */
static inline uint8_t *put_host32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof value);
	return at + sizeof value;
}

static inline uint8_t *put_host64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof value);
	return at + sizeof value;
}

static inline uint8_t *put_net32(uint8_t *at, uint32_t value)
{
	return put_host32(at, htobe32(value));
}

static inline uint8_t *put_ip(uint8_t *at, const struct ip *ip)
{
	memcpy(at, ip->octet, ip->len);
	return at + ip->len;
}

/* Mark, then the family as nfproto; returns where the next field goes. */
static inline uint8_t *put_mark_family(uint8_t *at, struct fwmark mark, enum family family)
{
	at = put_host32(at, mark.host);
	*at = family == FAMILY_IPV4 ? AF_INET : AF_INET6;
	return at + 4;
}

/* The low @len octets of @value, network order. */
static inline uint8_t *put_place(uint8_t *at, unsigned __int128 value, size_t len)
{
	for (size_t i = len; i-- > 0; value >>= 8)
		at[i] = (uint8_t)value;
	return at + len;
}

static inline uint32_t get_host32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

/* An address as a number, and the addresses of a prefix as a span. */
static inline unsigned __int128 ip_place(const struct ip *ip)
{
	unsigned __int128 place = 0;

	for (uint8_t i = 0; i < ip->len; i++)
		place = place << 8 | ip->octet[i];
	return place;
}

static inline struct span prefix_span(const struct prefix *prefix)
{
	struct ip last = prefix_last(prefix);

	return (struct span){ ip_place(&prefix->ip), ip_place(&last) };
}

/* The set that @binding is in while it may leave. */
static inline enum set_id plan_usable_set(const struct plan *plan, uint32_t binding,
					  enum family family)
{
	if (plan->limited[binding])
		return family == FAMILY_IPV4 ? SET_LIMITED4 : SET_LIMITED6;
	return family == FAMILY_IPV4 ? SET_USABLE4 : SET_USABLE6;
}

/* Append a zeroed row without origin; valid until the next call. Sorting comes at the end. */
uint8_t *plan_rows_add(struct plan *plan, enum set_id set);

/* Write the origin of a row whose shape has one. */
void plan_rows_origin(const struct set_shape *shape, uint8_t *row, uint32_t origin);

/* The conntrack zone of a number, so that conntrack keeps apart what differs only in its client. */
void plan_rows_zone(struct plan *plan, struct fwmark mark);

/* In a finished plan: index of the first row whose first @key_len octets are not below @key. */
size_t plan_rows_place(const struct plan *plan, enum set_id set, const uint8_t *key,
		       size_t key_len);

/* In a finished plan: @fresh, which must be what belongs there, in the place of the @n rows from
 * @first on. The fingerprint follows. */
void plan_rows_splice(struct plan *plan, enum set_id set, size_t first, size_t n,
		      const struct rows *fresh);

/* In a finished plan, a row of a set without data: take it out, put it in where it belongs. The
 * fingerprint follows. */
void plan_rows_take_out(struct plan *plan, enum set_id set, const uint8_t *key);
void plan_rows_put_in(struct plan *plan, enum set_id set, const uint8_t *key);

/* Sort the rows of a set by key and give back what memory they do not need. */
void plan_rows_finish(struct plan *plan, enum set_id set);

/*
 * plan_rows_sort - stable sort of @n records of @len octets by their first @key_len octets
 * Time is linear in @n: one pass an octet that differs anywhere, and none if sorted already.
 */
void plan_rows_sort(uint8_t *at, size_t n, size_t len, size_t key_len);
