/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See skeleton.h. What is copied are whole attributes, so expressions that this program has never
 * heard of pass through unchanged (but see mend_dynset()); what is left out is what the kernel
 * assigns (handles, use counts). A template must not use anonymous sets: their names are the kernel's.
 */
#include "kernel/skeleton.h"

#include "base/mem.h"
#include "kernel/attributes.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>

static void drop_messages(struct messages *messages)
{
	for (size_t i = 0; i < messages->n; i++)
		free(messages->at[i]);
	free(messages->at);
}

void skeleton_drop(struct skeleton *skeleton)
{
	drop_messages(&skeleton->sets);
	drop_messages(&skeleton->counters);
	drop_messages(&skeleton->chains);
	drop_messages(&skeleton->rules);
	*skeleton = (struct skeleton){ 0 };
}

/* Let libnftables run @text; its complaint, on one line, into @reterr. */
static int run_text(const char *text, struct kernel_error *reterr)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int r;

	if (!nft)
		return -ENOMEM;
	nft_ctx_buffer_error(nft);
	nft_ctx_buffer_output(nft);
	r = nft_run_cmd_from_buffer(nft, text) == 0 ? 0 : -EINVAL;
	if (r < 0) {
		snprintf(reterr->text, sizeof reterr->text, "template: %s",
			 nft_ctx_get_error_buffer(nft));
		reterr->text[strcspn(reterr->text, "\n")] = '\0';
	}
	nft_ctx_free(nft);
	return r;
}

static void scratch_delete(const char *scratch, struct channel *channel)
{
	struct batch AUTO(batch_drop) batch;
	struct kernel_error ignored;

	batch_begin(&batch, channel, scratch, 0);
	batch_message(&batch, NFT_MSG_DELTABLE, 0);
	batch_put_text(&batch, NFTA_TABLE_NAME, scratch);
	/* A scratch table that stays is dormant and is replaced by the next compilation. */
	if (batch_commit(&batch, &ignored) < 0)
		return;
}

struct collecting {
	const char *table;
	uint16_t request, table_attribute;
	struct messages *into;
};

static int collect(const struct nlmsghdr *message, void *context)
{
	struct collecting *c = context;
	struct attributes all = attributes_of(message, sizeof(struct nfgenmsg));
	const struct nfgenmsg *generation = mnl_nlmsg_get_payload(message);
	struct nlmsghdr *copy;

	if (generation->nfgen_family != NFPROTO_INET ||
	    strcmp(attributes_text(all, c->table_attribute), c->table) != 0)
		return 0;
	copy = mem_zero(1, message->nlmsg_len);
	memcpy(copy, message, message->nlmsg_len);
	PUSH(c->into, copy);
	return 0;
}

/* Dump all objects of one kind that belong to our table. */
static int read_back(struct channel *channel, struct collecting *c)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *request = channel_request(buffer, c->request, NLM_F_DUMP);

	mnl_attr_put_strz(request, c->table_attribute, c->table);
	return channel_ask(channel, request, collect, c);
}

/*
 * The kernel tells of a timeout of 0 in each dynset expression and refuses to be told so where the
 * set has no timeouts (net/netfilter/nft_dynset.c nft_dynset_init()): it becomes padding.
 */
static void mend_dynset(const struct nlattr *expression)
{
	struct attributes parts = attributes_nested(expression);
	const struct nlattr *body = attributes_find(parts, NFTA_EXPR_DATA);
	struct attributes all;
	const struct nlattr *attr;

	if (!body || strcmp(attributes_text(parts, NFTA_EXPR_NAME), "dynset") != 0)
		return;
	all = attributes_nested(body);
	while ((attr = attributes_next(&all)))
		if (mnl_attr_get_type(attr) == NFTA_DYNSET_TIMEOUT &&
		    mnl_attr_get_payload_len(attr) == sizeof(uint64_t) &&
		    mnl_attr_get_u64(attr) == 0)
			((struct nlattr *)(uintptr_t)attr)->nla_type = NFTA_DYNSET_PAD;
}

static void mend_rules(const struct messages *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		struct attributes all = attributes_of(rules->at[i], sizeof(struct nfgenmsg));
		const struct nlattr *list = attributes_find(all, NFTA_RULE_EXPRESSIONS);
		struct attributes expressions = list ? attributes_nested(list)
						     : (struct attributes){ 0 };
		const struct nlattr *expression;

		while (list && (expression = attributes_next(&expressions)))
			mend_dynset(expression);
	}
}

static int read_all(struct channel *channel, const char *table, struct skeleton *ret)
{
	struct collecting kinds[] = {
		{ table, NFT_MSG_GETSET, NFTA_SET_TABLE, &ret->sets },
		{ table, NFT_MSG_GETOBJ, NFTA_OBJ_TABLE, &ret->counters },
		{ table, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, &ret->chains },
		{ table, NFT_MSG_GETRULE, NFTA_RULE_TABLE, &ret->rules },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds) && r == 0; i++)
		r = read_back(channel, &kinds[i]);
	if (r == 0)
		mend_rules(&ret->rules);
	return r;
}

enum { READ_TRIES = 16 };			/* others may keep changing the ruleset meanwhile */

int skeleton_compile(const char *text, const char *scratch, struct channel *channel,
		     struct skeleton *ret, struct kernel_error *reterr)
{
	struct skeleton AUTO(skeleton_drop) skeleton = { 0 };
	char *AUTO(mem_drop) whole = NULL;
	int r;

	if (asprintf(&whole, "add table inet %s { flags dormant; }\ndelete table inet %s\n%s",
		     scratch, scratch, text) < 0)
		abort();
	r = run_text(whole, reterr);
	if (r < 0)
		return r;
	r = -EINTR;
	for (int i = 0; i < READ_TRIES && r == -EINTR; i++) {
		skeleton_drop(&skeleton);
		r = read_all(channel, scratch, &skeleton);
	}
	scratch_delete(scratch, channel);
	if (r < 0) {
		snprintf(reterr->text, sizeof reterr->text, "reading the compiled template: %s",
			 strerror(-r));
		return r;
	}
	*ret = skeleton;
	skeleton = (struct skeleton){ 0 };
	return 0;
}

/* Copy the attributes of @from whose types are in the 0-terminated list @keep. */
static void copy_attributes(struct batch *batch, const struct nlmsghdr *from, const uint16_t *keep)
{
	struct attributes all = attributes_of(from, sizeof(struct nfgenmsg));
	const struct nlattr *attr;

	while ((attr = attributes_next(&all)))
		for (const uint16_t *type = keep; *type; type++)
			if (mnl_attr_get_type(attr) == *type)
				batch_put(batch, attr->nla_type, mnl_attr_get_payload(attr),
					  mnl_attr_get_payload_len(attr));
}

void skeleton_sets(const struct skeleton *skeleton, struct batch *batch)
{
	static const uint16_t of_set[] = {
		NFTA_SET_NAME, NFTA_SET_FLAGS, NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN,
		NFTA_SET_DATA_TYPE, NFTA_SET_DATA_LEN, NFTA_SET_POLICY, NFTA_SET_DESC,
		NFTA_SET_USERDATA, NFTA_SET_TIMEOUT, NFTA_SET_GC_INTERVAL, NFTA_SET_EXPR,
		NFTA_SET_EXPRESSIONS, 0,
	};
	static const uint16_t of_counter[] = { NFTA_OBJ_NAME, NFTA_OBJ_TYPE, NFTA_OBJ_DATA,
					       NFTA_OBJ_USERDATA, 0 };

	for (size_t i = 0; i < skeleton->counters.n; i++) {
		batch_message(batch, NFT_MSG_NEWOBJ, NLM_F_CREATE | NLM_F_EXCL);
		batch_put_text(batch, NFTA_OBJ_TABLE, batch->table);
		copy_attributes(batch, skeleton->counters.at[i], of_counter);
	}
	for (size_t i = 0; i < skeleton->sets.n; i++) {
		batch_message(batch, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
		batch_put_text(batch, NFTA_SET_TABLE, batch->table);
		batch_put_be32(batch, NFTA_SET_ID, (uint32_t)i + 1);
		copy_attributes(batch, skeleton->sets.at[i], of_set);
	}
}

void skeleton_chains(const struct skeleton *skeleton, struct batch *batch)
{
	static const uint16_t of_chain[] = { NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY,
					     NFTA_CHAIN_TYPE, NFTA_CHAIN_USERDATA, 0 };
	static const uint16_t of_rule[] = { NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS,
					    NFTA_RULE_USERDATA, 0 };

	for (size_t i = 0; i < skeleton->chains.n; i++) {
		batch_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
		batch_put_text(batch, NFTA_CHAIN_TABLE, batch->table);
		copy_attributes(batch, skeleton->chains.at[i], of_chain);
	}
	for (size_t i = 0; i < skeleton->rules.n; i++) {
		batch_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
		batch_put_text(batch, NFTA_RULE_TABLE, batch->table);
		copy_attributes(batch, skeleton->rules.at[i], of_rule);
	}
}
