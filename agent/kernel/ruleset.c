/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three dumps: tables, chains, and the rules of each table that is not ours (a dump of all rules would
 * have ours too). On a socket of its own, so that a dump that is given up half way disturbs nobody.
 * The texts are for people; what is not understood is named, not guessed.
 */
#include "kernel/ruleset.h"

#include "base/mem.h"
#include "kernel/attributes.h"
#include "kernel/channel.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TABLES_MAX = 1024, CHAINS_MAX = 65536, JUMPS_MAX = 65536, ACTS_MAX = 4096 };

struct reading {
	struct channel channel;
	const char *own;
	struct foreign *foreign;
	uint32_t table;				/* whose rules are being read */
	bool last;				/* try: what was changed meanwhile is taken as it is */
};

static void reading_drop(struct reading *reading)
{
	channel_drop(&reading->channel);
}

void ruleset_say(struct ruleset_rule *rule, const char *format, ...)
{
	size_t len = strlen(rule->text);
	va_list arguments;

	if (len > 0 && len + 1 < sizeof rule->text)
		rule->text[len++] = ' ';
	va_start(arguments, format);
	(void)vsnprintf(rule->text + len, sizeof rule->text - len, format, arguments);
	va_end(arguments);
}

void ruleset_act(struct ruleset_rule *rule, enum foreign_kind kind, uint32_t bits)
{
	for (size_t i = 0; i < rule->n_acts; i++)
		if (rule->acts[i].kind == kind) {
			rule->acts[i].bits |= bits;
			return;
		}
	if (rule->n_acts < ARRAY_LEN(rule->acts)) {
		rule->acts[rule->n_acts].kind = kind;
		rule->acts[rule->n_acts++].bits = bits;
	}
}

void ruleset_jump(const struct ruleset_rule *rule, uint32_t to)
{
	if (rule->foreign->jumps.n < JUMPS_MAX)
		PUSH(&rule->foreign->jumps, ((struct foreign_jump){ rule->chain, to }));
	else
		rule->foreign->cut = true;
}

void ruleset_end(struct ruleset_rule *rule)
{
	struct foreign *foreign = rule->foreign;
	const char *text = rule->n_acts > 0 ? arena_text(&foreign->arena, rule->text,
							 strlen(rule->text)) : NULL;

	for (size_t i = 0; i < rule->n_acts && foreign->acts.n < ACTS_MAX; i++)
		PUSH(&foreign->acts, ((struct foreign_act){ .kind = rule->acts[i].kind,
							    .chain = rule->chain,
							    .rule = rule->number,
							    .bits = rule->acts[i].bits,
							    .narrow = rule->narrow,
							    .text = text }));
}

static const char *table_family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_NETDEV:
		return "netdev";
	}
	return NULL;				/* arp, bridge: not what we see */
}

static uint8_t family_number(const char *name)
{
	static const uint8_t all[] = { NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET, NFPROTO_NETDEV };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcmp(table_family_name(all[i]), name) == 0)
			return all[i];
	return NFPROTO_UNSPEC;
}

static int take_table(const struct nlmsghdr *message, void *context)
{
	struct reading *reading = context;
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(message);
	struct attributes all = attributes_of(message, sizeof *head);
	const char *name = attributes_text(all, NFTA_TABLE_NAME);
	struct foreign_table table = { .family = table_family_name(head->nfgen_family) };
	struct foreign *foreign = reading->foreign;

	if (!table.family ||
	    (head->nfgen_family == NFPROTO_INET && strcmp(name, reading->own) == 0))
		return 0;
	if (foreign->tables.n == TABLES_MAX) {
		foreign->cut = true;
		return 0;
	}
	table.name = arena_text(&foreign->arena, name, strlen(name));
	table.port = attributes_be32(all, NFTA_TABLE_OWNER);
	PUSH(&foreign->tables, table);
	return 0;
}

static uint32_t find_table(const struct foreign *foreign, uint8_t family, const char *name)
{
	const char *word = table_family_name(family);

	for (uint32_t i = 0; word && i < foreign->tables.n; i++)
		if (strcmp(foreign->tables.at[i].family, word) == 0 &&
		    strcmp(foreign->tables.at[i].name, name) == 0)
			return i;
	return UINT32_MAX;
}

static enum foreign_hook hook_of(uint8_t family, uint32_t number)
{
	static const enum foreign_hook inet[] = { FOREIGN_PREROUTING,  FOREIGN_INPUT,
						  FOREIGN_FORWARD,     FOREIGN_OUTPUT,
						  FOREIGN_POSTROUTING, FOREIGN_INGRESS };
	static const enum foreign_hook netdev[] = { FOREIGN_INGRESS, FOREIGN_EGRESS };

	if (family == NFPROTO_NETDEV)
		return number < ARRAY_LEN(netdev) ? netdev[number] : FOREIGN_NO_HOOK;
	return number < ARRAY_LEN(inet) ? inet[number] : FOREIGN_NO_HOOK;
}

static int take_chain(const struct nlmsghdr *message, void *context)
{
	struct reading *reading = context;
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(message);
	struct attributes all = attributes_of(message, sizeof *head), parts;
	const struct nlattr *hook = attributes_find(all, NFTA_CHAIN_HOOK);
	const char *name = attributes_text(all, NFTA_CHAIN_NAME);
	struct foreign *foreign = reading->foreign;
	struct foreign_chain chain = {
		.table = find_table(foreign, head->nfgen_family,
				    attributes_text(all, NFTA_CHAIN_TABLE)),
	};

	if (chain.table == UINT32_MAX)
		return 0;
	if (foreign->chains.n == CHAINS_MAX) {
		foreign->cut = true;
		return 0;
	}
	if (hook) {
		parts = attributes_nested(hook);
		chain.hook = hook_of(head->nfgen_family, attributes_be32(parts, NFTA_HOOK_HOOKNUM));
		chain.priority = (int32_t)attributes_be32(parts, NFTA_HOOK_PRIORITY);
	}
	chain.name = arena_text(&foreign->arena, name, strlen(name));
	PUSH(&foreign->chains, chain);
	return 0;
}

static int by_name(const void *left, const void *right)
{
	const struct foreign_chain *a = left, *b = right;

	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	return strcmp(a->name, b->name);
}

static uint32_t find_chain(void *context, const char *name)
{
	const struct reading *reading = context;
	const struct foreign *foreign = reading->foreign;
	struct foreign_chain key = { .table = reading->table, .name = name };
	const struct foreign_chain *found =
		foreign->chains.n ? bsearch(&key, foreign->chains.at, foreign->chains.n, sizeof key,
					    by_name) : NULL;

	return found ? (uint32_t)(found - foreign->chains.at) : UINT32_MAX;
}

static uint64_t handle_of(struct attributes all)
{
	const struct nlattr *attr = attributes_find(all, NFTA_RULE_HANDLE);

	return attr && mnl_attr_get_payload_len(attr) == sizeof(uint64_t)
		? be64toh(mnl_attr_get_u64(attr)) : 0;
}

static int take_rule(const struct nlmsghdr *message, void *context)
{
	struct reading *reading = context;
	struct foreign *foreign = reading->foreign;
	struct attributes all = attributes_of(message, sizeof(struct nfgenmsg));
	const struct nlattr *list = attributes_find(all, NFTA_RULE_EXPRESSIONS);
	const char *family = foreign->tables.at[reading->table].family;
	struct ruleset_rule rule = { .foreign = foreign, .number = handle_of(all),
				     .ipv4_only = strcmp(family, "ip") == 0,
				     .ipv6_only = strcmp(family, "ip6") == 0 };

	if (foreign->rules == FOREIGN_RULES_MAX) {
		foreign->cut = true;
		return -E2BIG;
	}
	foreign->rules++;
	rule.chain = find_chain(reading, attributes_text(all, NFTA_RULE_CHAIN));
	if (!list || rule.chain == UINT32_MAX)
		return 0;
	ruleset_expressions(&rule, list, find_chain, reading);
	ruleset_end(&rule);
	return 0;
}

static struct nlmsghdr *dump_request(char *buffer, uint16_t type, uint8_t family)
{
	struct nlmsghdr *request = channel_request(buffer, type, NLM_F_DUMP);
	struct nfgenmsg *head = mnl_nlmsg_get_payload(request);

	head->nfgen_family = family;
	return request;
}

/* The kernel calls a dump interrupted when any table was changed meanwhile, ours too. */
static int ask(struct reading *reading, struct nlmsghdr *request, channel_visit *visit)
{
	int r = channel_ask(&reading->channel, request, visit, reading);

	if (r != -EINTR || !reading->last)
		return r;
	reading->foreign->changed = true;
	return 0;
}

static int read_rules(struct reading *reading)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	int r = 0;

	for (reading->table = 0; reading->table < reading->foreign->tables.n && r == 0;
	     reading->table++) {
		const struct foreign_table *table = &reading->foreign->tables.at[reading->table];
		struct nlmsghdr *request = dump_request(buffer, NFT_MSG_GETRULE,
							family_number(table->family));

		mnl_attr_put_strz(request, NFTA_RULE_TABLE, table->name);
		r = ask(reading, request, take_rule);
	}
	return r == -E2BIG ? 0 : r;
}

static int read_all(struct reading *reading)
{
	struct foreign *foreign = reading->foreign;
	char buffer[CHANNEL_REQUEST_ROOM];
	int r;

	r = ask(reading, dump_request(buffer, NFT_MSG_GETTABLE, NFPROTO_UNSPEC), take_table);
	if (r == 0)
		r = ask(reading, dump_request(buffer, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC),
			take_chain);
	if (r == 0 && foreign->chains.n > 0)
		qsort(foreign->chains.at, foreign->chains.n, sizeof *foreign->chains.at, by_name);
	return r == 0 ? read_rules(reading) : r;
}

enum { READ_TRIES = 4 };			/* others may keep changing the ruleset meanwhile */

void ruleset_read(const char *own, struct foreign *ret)
{
	int r = -EINTR;

	*ret = (struct foreign){ 0 };
	for (int i = 0; i < READ_TRIES && r == -EINTR; i++) {
		AUTO(reading_drop) struct reading reading = { .own = own, .foreign = ret,
							      .last = i == READ_TRIES - 1 };

		foreign_drop(ret);
		r = channel_open(&reading.channel);
		if (r == 0)
			r = read_all(&reading);
	}
	ret->error = r;
	ret->error_legacy = ruleset_read_legacy(ret);
}
