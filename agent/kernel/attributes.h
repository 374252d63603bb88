/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking netlink attributes with every length checked, in the shape the compiler's conversion
 * warnings accept (libmnl's own macro is not). */
#pragma once

#include "base/own.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <stdint.h>

enum { ATTRIBUTE_HEAD = sizeof(struct nlattr) };

static inline size_t attributes_align(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

struct attributes { const char *at, *end; };

static inline struct attributes attributes_of(const struct nlmsghdr *message, size_t head)
{
	const char *start = mnl_nlmsg_get_payload(message);
	size_t len = mnl_nlmsg_get_payload_len(message), skip = attributes_align(head);

	return (struct attributes){ start + (skip < len ? skip : len), start + len };
}

static inline struct attributes attributes_nested(const struct nlattr *attr)
{
	const char *start = mnl_attr_get_payload(attr);

	return (struct attributes){ start, start + mnl_attr_get_payload_len(attr) };
}

/* The next attribute, or NULL at the end or at one that does not fit. */
static inline const struct nlattr *attributes_next(struct attributes *list)
{
	const struct nlattr *attr = (const void *)list->at;

	if (!mnl_attr_ok(attr, (int)(list->end - list->at)))
		return NULL;
	list->at = (const char *)mnl_attr_next(attr);
	return attr;
}

/* First attribute of @type in @list, or NULL. */
static inline const struct nlattr *attributes_find(struct attributes list, uint16_t type)
{
	const struct nlattr *attr;

	while ((attr = attributes_next(&list)))
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

/* Text of a string attribute, or "" if it is absent or not one. */
static inline const char *attributes_text(struct attributes list, uint16_t type)
{
	const struct nlattr *attr = attributes_find(list, type);

	if (!attr || mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
		return "";
	return mnl_attr_get_str(attr);
}

/* A 32-bit attribute in network order, as nf_tables has them; 0 if absent. */
static inline uint32_t attributes_be32(struct attributes list, uint16_t type)
{
	const struct nlattr *attr = attributes_find(list, type);

	return attr && mnl_attr_validate(attr, MNL_TYPE_U32) == 0
		? ntohl(mnl_attr_get_u32(attr)) : 0;
}
