/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements of our sets: the messages that ask the kernel for them, and what its answers hold. */
#pragma once

#include "kernel/attributes.h"
#include "kernel/channel.h"
#include "kernel/kernel.h"

/* A request for the element of @set with this key (NLM_F_* beside REQUEST): a look-up, not a dump. */
struct nlmsghdr *elements_request(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t flags,
				  const char *table, const char *set, const uint8_t *key,
				  size_t key_len);

/* A request for a dump of @set, whose cost in the kernel is quadratic in its size. */
struct nlmsghdr *elements_request_all(char buffer[static CHANNEL_REQUEST_ROOM], const char *table,
				      const char *set);

/* The elements (NFTA_LIST_ELEM) of one message of an answer; none if it has none. */
struct attributes elements_of(const struct nlmsghdr *message);

/* Key of an element, and what it maps to, as NFTA_DATA_VALUE; NULL if it has none. */
const struct nlattr *elements_key(const struct nlattr *element);
const struct nlattr *elements_data(const struct nlattr *element);

/* What the counter among the statements of an element has counted; false if there is none. */
bool elements_counted(const struct nlattr *element, struct counted *ret);
