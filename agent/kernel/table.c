/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See table.h. A table is ours if its set `about` has one element whose comment table_print_about()
 * wrote; the comment also says how many chains and rules there must be, so that a restarted agent
 * sees damage without knowing the template that made it.
 */
#include "kernel/table.h"

#include "base/mem.h"
#include "kernel/elements.h"
#include "kernel/epoch.h"

#include <inttypes.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

void table_print_about(char out[static TABLE_COMMENT], const char *template_digest,
		       const char *plan_digest, struct table_size size, unsigned epoch)
{
	snprintf(out, TABLE_COMMENT, "outbind %d template=%s plan=%s chains=%zu rules=%zu epoch=%u",
		 TABLE_FORMAT, template_digest, plan_digest, size.n_chains, size.n_rules, epoch);
}

static int visit_head(const struct nlmsghdr *message, void *context)
{
	struct table_head *head = context;
	struct attributes all = attributes_of(message, sizeof(struct nfgenmsg));

	*head = (struct table_head){
		.exists = true,
		.flags = attributes_be32(all, NFTA_TABLE_FLAGS),
		.owner = attributes_be32(all, NFTA_TABLE_OWNER),
	};
	return 0;
}

int table_read_head(struct channel *channel, const char *table, struct table_head *ret)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message = channel_request(buffer, NFT_MSG_GETTABLE, NLM_F_ACK);
	struct table_head head = { 0 };
	int r;

	mnl_attr_put_strz(message, NFTA_TABLE_NAME, table);
	r = channel_ask(channel, message, visit_head, &head);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = head;
	return 0;
}

static int visit_generation(const struct nlmsghdr *message, void *context)
{
	*(uint32_t *)context = attributes_be32(attributes_of(message, sizeof(struct nfgenmsg)),
					       NFTA_GEN_ID);
	return 0;
}

struct counting { const char *table; uint16_t attribute; size_t n; };

static int visit_counted(const struct nlmsghdr *message, void *context)
{
	struct counting *c = context;
	const struct nfgenmsg *generation = mnl_nlmsg_get_payload(message);
	struct attributes all = attributes_of(message, sizeof *generation);

	c->n += generation->nfgen_family == NFPROTO_INET &&
		strcmp(attributes_text(all, c->attribute), c->table) == 0;
	return 0;
}

static void forget_counted(void *context)
{
	((struct counting *)context)->n = 0;
}

/* How many objects of kind @type the table has. */
static int count(struct channel *channel, const char *table, uint16_t type, uint16_t attribute,
		 size_t *ret)
{
	struct counting c = { .table = table, .attribute = attribute };
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message = channel_request(buffer, type, NLM_F_DUMP);
	int r;

	mnl_attr_put_strz(message, attribute, table);
	r = channel_dump(channel, message, forget_counted, visit_counted, &c);
	*ret = c.n;
	return r;
}

struct element {
	bool found;
	struct counted counted;
	char comment[TABLE_COMMENT];
	uint8_t value[DATA_MAX];
};

static int visit_comment(const struct nftnl_udata *udata, void *context)
{
	struct element *element = context;

	if (nftnl_udata_type(udata) == NFTNL_UDATA_SET_ELEM_COMMENT)
		snprintf(element->comment, sizeof element->comment, "%.*s",
			 nftnl_udata_len(udata), (const char *)nftnl_udata_get(udata));
	return 0;
}

static int visit_element(const struct nlmsghdr *message, void *context)
{
	struct element *out = context;
	const struct nlattr *element = attributes_find(elements_of(message), NFTA_LIST_ELEM);
	const struct nlattr *part, *value;

	if (!element)
		return 0;
	out->found = true;
	part = attributes_find(attributes_nested(element), NFTA_SET_ELEM_USERDATA);
	if (part)
		(void)nftnl_udata_parse(mnl_attr_get_payload(part), mnl_attr_get_payload_len(part),
					visit_comment, out);
	(void)elements_counted(element, &out->counted);
	value = elements_data(element);
	if (value && mnl_attr_get_payload_len(value) <= sizeof out->value)
		memcpy(out->value, mnl_attr_get_payload(value), mnl_attr_get_payload_len(value));
	return 0;
}

static int read_element(struct channel *channel, const char *table, const char *set,
			const uint8_t *key, size_t key_len, struct element *ret)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	int r;

	*ret = (struct element){ 0 };
	r = channel_ask(channel,
			elements_request(buffer, NLM_F_ACK, table, set, key, key_len),
			visit_element, ret);
	return r == -ENOENT ? 0 : r;
}

/* Who wrote @comment; if it was us, its digests, and how large the table was made, and its epoch: tables
 * of templates without one do not say it. */
static enum table_state read_comment(const char *comment, struct table_about *about,
				     struct table_size *ret, unsigned *ret_epoch)
{
	int n = sscanf(comment,
		       "outbind %u template=%32[0-9a-f] plan=%32[0-9a-f] chains=%zu rules=%zu epoch=%u",
		       &about->format, about->template_digest, about->plan_digest, &ret->n_chains,
		       &ret->n_rules, ret_epoch);

	if (n >= 1 && about->format > TABLE_FORMAT)
		return TABLE_NEWER;
	return n >= 5 ? TABLE_OURS : TABLE_STRANGE;
}

/* The part of an answer that looks inside a table that exists. */
static int look_inside(struct channel *channel, const char *table, struct table_about *about,
		       struct table_size *ret_size, unsigned *ret_epoch)
{
	static const uint8_t key[4] = { 0 };
	struct table_size made = { 0 }, now = { 0 };
	struct element element;
	unsigned epoch = 1;
	int r = read_element(channel, table, "about", key, sizeof key, &element);

	if (r == 0)
		r = count(channel, table, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, &now.n_chains);
	if (r == 0)
		r = count(channel, table, NFT_MSG_GETRULE, NFTA_RULE_TABLE, &now.n_rules);
	if (r < 0)
		return r;
	about->state = element.found ? read_comment(element.comment, about, &made, &epoch)
				     : TABLE_STRANGE;
	if (about->state != TABLE_OURS)
		return 0;
	about->damaged = made.n_chains != now.n_chains || made.n_rules != now.n_rules;
	*ret_size = made;
	*ret_epoch = epoch >= 1 && epoch <= EPOCHS ? epoch : 1;
	return 0;
}

int table_read_generation(struct channel *channel, uint32_t *ret)
{
	char buffer[CHANNEL_REQUEST_ROOM];

	return channel_ask(channel, channel_request(buffer, NFT_MSG_GETGEN, NLM_F_ACK),
			   visit_generation, ret);
}

int table_read_about(struct channel *channel, const char *table, struct table_about *ret,
		     struct table_size *ret_size, unsigned *ret_epoch)
{
	struct table_about about = { .state = TABLE_ABSENT };
	struct table_head head;
	int r = table_read_generation(channel, &about.generation);

	if (r == 0)
		r = table_read_head(channel, table, &head);
	if (r == 0 && head.exists)
		r = look_inside(channel, table, &about, ret_size, ret_epoch);
	if (r < 0)
		return r;
	if (head.exists && head.owner && head.owner != channel->port) {
		about.state = TABLE_OWNED;
		about.owner = head.owner;
	}
	*ret = about;
	return 0;
}

int table_read_element(struct channel *channel, const char *table, enum set_id set,
		       const uint8_t *key, bool *ret_found, uint8_t ret_value[static DATA_MAX])
{
	struct element element;
	int r = read_element(channel, table, plan_shapes[set].name, key, plan_shapes[set].key_len,
			     &element);

	if (r < 0)
		return r;
	*ret_found = element.found;
	memcpy(ret_value, element.value, DATA_MAX);
	return 0;
}

int table_read_packets(struct channel *channel, const char *table, enum set_id set,
		       const uint8_t *key, bool *ret_found, uint64_t *ret_packets)
{
	struct element element;
	int r = read_element(channel, table, plan_shapes[set].name, key, plan_shapes[set].key_len,
			     &element);

	if (r < 0)
		return r;
	*ret_found = element.found;
	*ret_packets = element.counted.packets;
	return 0;
}

static int visit_counter(const struct nlmsghdr *message, void *context)
{
	struct kernel_counters *counters = context;
	const struct { const char *name; uint64_t *packets; } known[] = {
		{ "refused_rule", &counters->refused_rule },
		{ "refused_unusable", &counters->refused_unusable },
		{ "refused_reused", &counters->refused_reused },
		{ "refused_limit", &counters->refused_limit },
		{ "overflowed", &counters->overflowed },
		{ "delayed_limit", &counters->delayed_limit },
		{ "delayed_change", &counters->delayed_change },
		{ "dropped_stray", &counters->dropped_stray },
		{ "dropped_guard", &counters->dropped_guard },
		{ "dropped_uplink", &counters->dropped_uplink },
	};
	struct attributes all = attributes_of(message, sizeof(struct nfgenmsg));
	const struct nlattr *body = attributes_find(all, NFTA_OBJ_DATA);
	const struct nlattr *packets = body ? attributes_find(attributes_nested(body),
							      NFTA_COUNTER_PACKETS) : NULL;

	for (size_t i = 0; packets && i < ARRAY_LEN(known); i++)
		if (strcmp(attributes_text(all, NFTA_OBJ_NAME), known[i].name) == 0 &&
		    mnl_attr_validate(packets, MNL_TYPE_U64) == 0)
			*known[i].packets = be64toh(mnl_attr_get_u64(packets));
	return 0;
}

static void forget_counters(void *context)
{
	*(struct kernel_counters *)context = (struct kernel_counters){ 0 };
}

int table_read_counters(struct channel *channel, const char *table, struct kernel_counters *ret)
{
	struct kernel_counters counters = { 0 };
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message = channel_request(buffer, NFT_MSG_GETOBJ, NLM_F_DUMP);
	int r;

	mnl_attr_put_strz(message, NFTA_OBJ_TABLE, table);
	r = channel_dump(channel, message, forget_counters, visit_counter, &counters);
	if (r == 0)
		*ret = counters;
	return r;
}

struct straying { struct strays *strays; size_t before; };	/* before: of sets read so far */

static void forget_strays(void *context)
{
	const struct straying *straying = context;

	straying->strays->n = straying->before;
}

/* The key of one element, number . address. */
static void add_stray(const struct nlattr *element, struct strays *strays)
{
	const struct nlattr *value = elements_key(element);
	size_t len = value ? mnl_attr_get_payload_len(value) : 0;
	struct stray stray = { 0 };
	const uint8_t *octets;

	if (len != sizeof stray.mark.host + 4 && len != sizeof stray.mark.host + 16)
		return;
	octets = mnl_attr_get_payload(value);
	memcpy(&stray.mark.host, octets, sizeof stray.mark.host);
	stray.source.len = (uint8_t)(len - sizeof stray.mark.host);
	memcpy(stray.source.octet, octets + sizeof stray.mark.host, stray.source.len);
	PUSH(strays, stray);
}

static int visit_strays(const struct nlmsghdr *message, void *context)
{
	const struct straying *straying = context;
	struct attributes elements = elements_of(message);
	const struct nlattr *element;

	while ((element = attributes_next(&elements)))
		add_stray(element, straying->strays);
	return 0;
}

int table_read_strays(struct channel *channel, const char *table, struct strays *ret)
{
	static const char *const sets[] = { "stray4", "stray6" };
	int r = 0;

	ret->n = 0;
	for (size_t i = 0; i < ARRAY_LEN(sets) && r == 0; i++) {
		struct straying straying = { .strays = ret, .before = ret->n };
		char buffer[CHANNEL_REQUEST_ROOM];

		r = channel_dump(channel, elements_request_all(buffer, table, sets[i]),
				 forget_strays, visit_strays, &straying);
	}
	return r;
}
