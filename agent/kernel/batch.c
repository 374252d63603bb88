/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See batch.h. Limits of the kernel that shape this: an attribute's length is 16 bits, so at most
 * ROWS_MAX rows go into one message; the whole transaction is one datagram; only its last message
 * is acknowledged, refusals come for each message that caused one.
 */
#include "kernel/batch.h"

#include "base/mem.h"
#include "kernel/attributes.h"

#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* The largest row, an IPv6 interval with data, takes 76 octets as two elements, a rate 80,
 * a quota 160. */
enum { ROWS_MAX = 400, HEADER_ROOM = 256 };

static uint8_t *reserve(struct batch *batch, size_t len)
{
	ptrdiff_t open = batch->open ? (uint8_t *)batch->open - batch->at : 0;

	batch->at = mem_grow(batch->at, &batch->room, batch->n + len, 1);
	if (batch->open)
		batch->open = (struct nlmsghdr *)(void *)(batch->at + open);
	return batch->at + batch->n;
}

static void write_attribute(uint8_t *at, uint16_t type, const void *value, size_t len)
{
	struct nlattr head = { .nla_len = (uint16_t)(ATTRIBUTE_HEAD + len), .nla_type = type };

	memcpy(at, &head, sizeof head);
	memset(at + ATTRIBUTE_HEAD + len, 0, attributes_align(len) - len);
	if (len)
		memcpy(at + ATTRIBUTE_HEAD, value, len);
}

static void message(struct batch *batch, uint16_t type, uint16_t flags, uint16_t resource,
		    uint8_t family)
{
	struct nlmsghdr *head;
	struct nfgenmsg *generation;

	batch->open = NULL;
	head = mnl_nlmsg_put_header(reserve(batch, HEADER_ROOM));
	head->nlmsg_type = type;
	head->nlmsg_flags = NLM_F_REQUEST | flags;
	head->nlmsg_seq = ++batch->channel->seq;
	generation = mnl_nlmsg_put_extra_header(head, sizeof *generation);
	generation->nfgen_family = family;
	generation->version = NFNETLINK_V0;
	generation->res_id = htons(resource);
	batch->n += head->nlmsg_len;
	batch->open = head;
}

void batch_begin(struct batch *batch, struct channel *channel, const char *table,
		 uint32_t generation)
{
	*batch = (struct batch){ .channel = channel, .table = table };
	message(batch, NFNL_MSG_BATCH_BEGIN, 0, NFNL_SUBSYS_NFTABLES, AF_UNSPEC);
	if (generation)
		batch_put_be32(batch, NFNL_BATCH_GENID, generation);
}

void batch_drop(struct batch *batch)
{
	free(batch->at);
	free(batch->parts.at);
	*batch = (struct batch){ 0 };
}

void batch_message(struct batch *batch, uint16_t type, uint16_t flags)
{
	message(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, 0, NFPROTO_INET);
}

void batch_put(struct batch *batch, uint16_t type, const void *value, size_t len)
{
	size_t total = ATTRIBUTE_HEAD + attributes_align(len);

	write_attribute(reserve(batch, total), type, value, len);
	batch->n += total;
	batch->open->nlmsg_len += (uint32_t)total;
}

void batch_put_text(struct batch *batch, uint16_t type, const char *text)
{
	batch_put(batch, type, text, strlen(text) + 1);
}

void batch_put_be32(struct batch *batch, uint16_t type, uint32_t host)
{
	uint32_t value = htonl(host);

	batch_put(batch, type, &value, sizeof value);
}

/* Open a nest; its length is written by nest_end(). Positions, not pointers: the buffer may move. */
static size_t nest_start(struct batch *batch, uint16_t type)
{
	size_t start = batch->n;

	batch_put(batch, type | NLA_F_NESTED, NULL, 0);
	return start;
}

static void nest_end(struct batch *batch, size_t start)
{
	uint16_t len = (uint16_t)(batch->n - start);

	memcpy(batch->at + start, &len, sizeof len);
}

static void put_value(struct batch *batch, uint16_t type, const uint8_t *value, size_t len)
{
	size_t nest = nest_start(batch, type);

	batch_put(batch, NFTA_DATA_VALUE, value, len);
	nest_end(batch, nest);
}

static void put_be64(struct batch *batch, uint16_t type, uint64_t host)
{
	uint64_t value = htobe64(host);

	batch_put(batch, type, &value, sizeof value);
}

static uint32_t number_at(const uint8_t *at)
{
	uint32_t number;

	memcpy(&number, at, sizeof number);
	return number;
}

/* `ct count over N`: net/netfilter/nft_connlimit.c */
static void put_count_over(struct batch *batch, const uint8_t *value)
{
	batch_put_be32(batch, NFTA_CONNLIMIT_COUNT, number_at(value));
	batch_put_be32(batch, NFTA_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
}

/* `limit rate over N/UNIT burst B packets`: net/netfilter/nft_limit.c */
static void put_rate_over(struct batch *batch, const uint8_t *value)
{
	put_be64(batch, NFTA_LIMIT_RATE, number_at(value));
	put_be64(batch, NFTA_LIMIT_UNIT, number_at(value + 4));
	batch_put_be32(batch, NFTA_LIMIT_BURST, number_at(value + 8));
	batch_put_be32(batch, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
	batch_put_be32(batch, NFTA_LIMIT_FLAGS, NFT_LIMIT_F_INV);
}

uint32_t batch_quota_unit(uint32_t n)
{
	static const uint32_t units[] = { 604800, 86400, 3600, 60 };
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && (uint64_t)n > INT64_MAX / 1000000000 / units[i])
		i++;
	return units[i];
}

/* A bucket of that many tokens which fills by one in a unit. The kernel counts tokens in nanoseconds
 * of 64 bits, so the unit is the longest for which they fit; see nft_limit_init(). */
static void put_quota_over(struct batch *batch, const uint8_t *value)
{
	uint32_t n = number_at(value);

	put_be64(batch, NFTA_LIMIT_RATE, 1);
	put_be64(batch, NFTA_LIMIT_UNIT, batch_quota_unit(n));
	batch_put_be32(batch, NFTA_LIMIT_BURST, n);
	batch_put_be32(batch, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
	batch_put_be32(batch, NFTA_LIMIT_FLAGS, NFT_LIMIT_F_INV);
}

static void put_counter(struct batch *batch, const uint8_t *value)
{
	(void)value;
	put_be64(batch, NFTA_COUNTER_BYTES, 0);
	put_be64(batch, NFTA_COUNTER_PACKETS, 0);
}

static void put_expression(struct batch *batch, uint16_t type, const char *name,
			   void (*put)(struct batch *batch, const uint8_t *value),
			   const uint8_t *value)
{
	size_t nest = nest_start(batch, type), body;

	batch_put_text(batch, NFTA_EXPR_NAME, name);
	body = nest_start(batch, NFTA_EXPR_DATA);
	put(batch, value);
	nest_end(batch, body);
	nest_end(batch, nest);
}

/* Statements of an element, with state of their own from now on. */
static void put_statement(struct batch *batch, enum field_kind kind, const uint8_t *value)
{
	size_t nest;

	if (kind == FIELD_COUNT_OVER) {
		put_expression(batch, NFTA_SET_ELEM_EXPR, "connlimit", put_count_over, value);
		return;
	}
	if (kind == FIELD_RATE_OVER) {
		put_expression(batch, NFTA_SET_ELEM_EXPR, "limit", put_rate_over, value);
		return;
	}
	nest = nest_start(batch, NFTA_SET_ELEM_EXPRESSIONS);
	put_expression(batch, NFTA_LIST_ELEM, "counter", put_counter, value);
	put_expression(batch, NFTA_LIST_ELEM, "limit", put_quota_over, value);
	nest_end(batch, nest);
}

/* One element. @end: key end of a concatenated interval, or NULL. @result: what a map gives, or NULL. */
static void put_element(struct batch *batch, const struct set_shape *shape, const uint8_t *key,
			const uint8_t *end, const uint8_t *result, uint32_t flags)
{
	size_t nest = nest_start(batch, NFTA_LIST_ELEM);

	put_value(batch, NFTA_SET_ELEM_KEY, key, shape->key_len);
	if (end)
		put_value(batch, NFTA_SET_ELEM_KEY_END, end, shape->key_len);
	if (result && plan_is_statement(shape->value))
		put_statement(batch, shape->value, result);
	else if (result)
		put_value(batch, NFTA_SET_ELEM_DATA, result, shape->data_len);
	if (flags)
		batch_put_be32(batch, NFTA_SET_ELEM_FLAGS, flags);
	nest_end(batch, nest);
}

/* @key + 1 in network order; false if there is no such key. */
static bool successor(const uint8_t *key, size_t len, uint8_t *ret)
{
	memcpy(ret, key, len);
	for (size_t i = len; i-- > 0;)
		if (++ret[i] != 0)
			return true;
	return false;
}

/*
 * A row as elements. An interval of one field is two of them, its start and the first key after it
 * (nft_set_rbtree.c); of several fields it is one with a key end (nft_set_pipapo.c).
 */
static void put_row(struct batch *batch, const struct set_shape *shape, const uint8_t *row,
		    bool with_result)
{
	const uint8_t *result = with_result && shape->data_len ? row_value(shape, row) : NULL;
	const uint8_t *end = row_end(shape, row);
	uint8_t after[KEY_MAX];

	if (!end || shape->key[1] != FIELD_NONE) {
		put_element(batch, shape, row, end, result, 0);
		return;
	}
	put_element(batch, shape, row, NULL, result, 0);
	if (successor(end, shape->key_len, after))
		put_element(batch, shape, after, NULL, NULL, NFT_SET_ELEM_INTERVAL_END);
}

/* One message of elements; returns the position of the list that nest_end() closes. */
static size_t start_elements(struct batch *batch, enum op_verb verb, const char *set)
{
	if (verb == OP_ADD)
		batch_message(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL);
	else
		batch_message(batch, NFT_MSG_DELSETELEM, 0);
	batch_put_text(batch, NFTA_SET_ELEM_LIST_TABLE, batch->table);
	batch_put_text(batch, NFTA_SET_ELEM_LIST_SET, set);
	return nest_start(batch, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static void put_part(struct batch *batch, enum op_verb verb, struct batch_part part)
{
	const struct set_shape *shape = &plan_shapes[part.set];
	size_t list;

	part.start = batch->n;
	list = start_elements(batch, verb, shape->name);
	part.seq = batch->open->nlmsg_seq;
	for (size_t i = 0; i < part.n; i++)
		put_row(batch, shape, part.rows ? part.rows + i * shape->row_len : part.ops[i].row,
			verb == OP_ADD);
	nest_end(batch, list);
	PUSH(&batch->parts, part);
}

void batch_rows(struct batch *batch, enum set_id set, const uint8_t *rows, size_t n)
{
	for (size_t i = 0; i < n; i += ROWS_MAX)
		put_part(batch, OP_ADD, (struct batch_part){
			.set = set,
			.rows = rows + i * plan_shapes[set].row_len,
			.n = n - i < ROWS_MAX ? n - i : ROWS_MAX,
		});
}

void batch_ops(struct batch *batch, const struct op *ops, size_t n)
{
	for (size_t i = 0, same; i < n; i += same) {
		same = 1;
		while (same < ROWS_MAX && i + same < n && ops[i + same].verb == ops[i].verb &&
		       ops[i + same].set == ops[i].set)
			same++;
		put_part(batch, ops[i].verb,
			 (struct batch_part){ .set = ops[i].set, .ops = ops + i, .n = same });
	}
}

void batch_row(struct batch *batch, enum op_verb verb, const struct set_shape *shape,
	       const uint8_t *row)
{
	size_t list = start_elements(batch, verb, shape->name);

	put_row(batch, shape, row, verb == OP_ADD);
	nest_end(batch, list);
}

void batch_element(struct batch *batch, const char *set, const void *key, size_t len)
{
	size_t list = start_elements(batch, OP_ADD, set);
	size_t nest = nest_start(batch, NFTA_LIST_ELEM);

	put_value(batch, NFTA_SET_ELEM_KEY, key, len);
	nest_end(batch, nest);
	nest_end(batch, list);
}

void batch_about(struct batch *batch, const char *comment, bool had_one)
{
	static const uint8_t key[4] = { 0 };
	struct nftnl_udata_buf *words = nftnl_udata_buf_alloc(256);
	size_t list, nest;

	if (!words || !nftnl_udata_put_strz(words, NFTNL_UDATA_SET_ELEM_COMMENT, comment))
		abort();
	for (enum op_verb verb = had_one ? OP_DELETE : OP_ADD; verb <= OP_ADD; verb++) {
		list = start_elements(batch, verb, "about");
		nest = nest_start(batch, NFTA_LIST_ELEM);
		put_value(batch, NFTA_SET_ELEM_KEY, key, sizeof key);
		if (verb == OP_ADD)
			batch_put(batch, NFTA_SET_ELEM_USERDATA, nftnl_udata_buf_data(words),
				  nftnl_udata_buf_len(words));
		nest_end(batch, nest);
		nest_end(batch, list);
	}
	nftnl_udata_buf_free(words);
}

/* Which row of @part holds the attribute at @offset of its message. */
static const uint8_t *row_at(const struct batch *batch, const struct batch_part *part,
			     uint32_t offset)
{
	const struct set_shape *shape = &plan_shapes[part->set];
	const struct nlmsghdr *head = (const void *)(batch->at + part->start);
	const struct nlattr *list = attributes_find(attributes_of(head, sizeof(struct nfgenmsg)),
						    NFTA_SET_ELEM_LIST_ELEMENTS);
	struct attributes elements = attributes_nested(list);
	bool pairs = shape->interval && shape->key[1] == FIELD_NONE;
	const struct nlattr *element;
	size_t i = 0;

	while ((element = attributes_next(&elements)) &&
	       (const uint8_t *)elements.at <= (const uint8_t *)head + offset)
		i++;
	i /= pairs ? 2 : 1;
	if (!element || offset == 0 || i >= part->n)
		return NULL;
	return part->rows ? part->rows + i * shape->row_len : part->ops[i].row;
}

static void tell(const struct batch *batch, int error, const struct channel_error *refusal,
		 struct kernel_error *reterr)
{
	*reterr = (struct kernel_error){ 0 };
	snprintf(reterr->text, sizeof reterr->text, "%s%s%s", strerror(-error),
		 refusal->text[0] ? ": " : "", refusal->text);
	for (size_t i = 0; i < batch->parts.n; i++) {
		const struct batch_part *part = &batch->parts.at[i];

		if (part->seq != refusal->seq)
			continue;
		reterr->set = part->set;
		reterr->row = part->n == 1 ? part->rows ? part->rows : part->ops->row
					   : row_at(batch, part, refusal->offset);
	}
}

int batch_commit(struct batch *batch, struct kernel_error *reterr)
{
	struct channel_error refusal;
	uint32_t last_seq = batch->open->nlmsg_seq;
	int r;

	batch->open->nlmsg_flags |= NLM_F_ACK;
	message(batch, NFNL_MSG_BATCH_END, 0, NFNL_SUBSYS_NFTABLES, AF_UNSPEC);
	r = channel_commit(batch->channel, batch->at, batch->n, last_seq, &refusal);
	if (r < 0)
		tell(batch, r, &refusal, reterr);
	return r;
}
