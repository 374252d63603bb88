/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several addresses of one family in a binding: the destination chooses, always the same one.
 * The kernel hashes the destination address into SPREAD_SLOTS slots (nft's jhash); each slot names
 * an address, chosen by highest random weight, so that adding or removing one of n addresses moves
 * about one destination in n and no other.
 */
#pragma once

#include "base/types.h"

enum { SPREAD_SLOTS = 64 };
#define SPREAD_SEED	0x6f757462u

/* Slot of a destination: reciprocal_scale(jhash(octets, SPREAD_SEED), SPREAD_SLOTS), as
 * net/netfilter/nft_hash.c and include/linux/jhash.h compute it. */
uint32_t spread_slot(const struct ip *to);

/* The same for any octets and number of slots: what `jhash X mod N seed SPREAD_SEED` gives for a
 * field of 4 or 16 octets. */
uint32_t spread_hash(const uint8_t *octets, uint32_t len, uint32_t slots);

/* Index of the address, among @n at @addresses, that @slot stands for. @n > 0. */
size_t spread_choose(const struct ip *addresses, size_t n, uint32_t slot);
