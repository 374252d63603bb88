/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See elements.h; the attributes are those of nf_tables_api.c, nft_set_elem_policy. */
#include "kernel/elements.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

static struct nlmsghdr *request(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t flags,
				const char *table, const char *set)
{
	struct nlmsghdr *message = channel_request(buffer, NFT_MSG_GETSETELEM, flags);

	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set);
	return message;
}

struct nlmsghdr *elements_request(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t flags,
				  const char *table, const char *set, const uint8_t *key,
				  size_t key_len)
{
	struct nlmsghdr *message = request(buffer, flags, table, set);
	struct nlattr *list, *element, *nest;

	list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
	nest = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
	mnl_attr_put(message, NFTA_DATA_VALUE, key_len, key);
	mnl_attr_nest_end(message, nest);
	mnl_attr_nest_end(message, element);
	mnl_attr_nest_end(message, list);
	return message;
}

struct nlmsghdr *elements_request_all(char buffer[static CHANNEL_REQUEST_ROOM], const char *table,
				      const char *set)
{
	return request(buffer, NLM_F_DUMP, table, set);
}

struct attributes elements_of(const struct nlmsghdr *message)
{
	const struct nlattr *list = attributes_find(
		attributes_of(message, sizeof(struct nfgenmsg)), NFTA_SET_ELEM_LIST_ELEMENTS);

	return list ? attributes_nested(list) : (struct attributes){ NULL, NULL };
}

static const struct nlattr *value_of(const struct nlattr *element, uint16_t part)
{
	const struct nlattr *nest = attributes_find(attributes_nested(element), part);

	return nest ? attributes_find(attributes_nested(nest), NFTA_DATA_VALUE) : NULL;
}

const struct nlattr *elements_key(const struct nlattr *element)
{
	return value_of(element, NFTA_SET_ELEM_KEY);
}

const struct nlattr *elements_data(const struct nlattr *element)
{
	return value_of(element, NFTA_SET_ELEM_DATA);
}

/* What a statement has counted, if it is a counter. */
static bool read_counter(struct attributes parts, struct counted *ret)
{
	const struct nlattr *body = attributes_find(parts, NFTA_EXPR_DATA), *packets, *octets;

	if (!body || strcmp(attributes_text(parts, NFTA_EXPR_NAME), "counter") != 0)
		return false;
	packets = attributes_find(attributes_nested(body), NFTA_COUNTER_PACKETS);
	octets = attributes_find(attributes_nested(body), NFTA_COUNTER_BYTES);
	if (!packets || mnl_attr_validate(packets, MNL_TYPE_U64) < 0 || !octets ||
	    mnl_attr_validate(octets, MNL_TYPE_U64) < 0)
		return false;
	*ret = (struct counted){ be64toh(mnl_attr_get_u64(packets)),
				 be64toh(mnl_attr_get_u64(octets)) };
	return true;
}

/* One statement stands by itself, several in a list: nf_tables_api.c nft_set_elem_expr_dump(). */
bool elements_counted(const struct nlattr *element, struct counted *ret)
{
	struct attributes all = attributes_nested(element);
	const struct nlattr *one = attributes_find(all, NFTA_SET_ELEM_EXPR);
	const struct nlattr *several = attributes_find(all, NFTA_SET_ELEM_EXPRESSIONS);
	struct attributes list;

	if (one)
		return read_counter(attributes_nested(one), ret);
	if (!several)
		return false;
	list = attributes_nested(several);
	while ((one = attributes_next(&list)))
		if (read_counter(attributes_nested(one), ret))
			return true;
	return false;
}
