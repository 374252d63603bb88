/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of x_tables by the socket options that iptables-legacy uses. A table is one block of entries;
 * a chain is a stretch of it: a base chain begins where a hook enters, another one behind an ERROR
 * target that has its name. Only tables that exist are asked for, since asking makes one (and loads its
 * module). Offsets and lengths are the kernel's, and checked all the same.
 */
#include "kernel/ruleset.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { TABLES = 8, TABLE_BYTES_MAX = 16 << 20, HOOK_NUMBERS = NF_INET_NUMHOOKS };

struct block {					/* one table */
	struct foreign *foreign;
	bool ipv6;
	uint32_t table;				/* index */
	const char *bytes;
	size_t len;
	struct ipt_getinfo about;		/* ip6t_getinfo is the same */
	struct { struct start { size_t offset; uint32_t chain; } *at; size_t n, room; } starts;
};

struct entry {					/* one rule */
	size_t offset, next;
	const char *matches, *target, *end;	/* heads of x_tables, one after the other */
};

_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "the same head");

/* The entry at @offset, if all of it is within the block. */
static bool entry_at(const struct block *block, size_t offset, struct entry *ret)
{
	size_t head = block->ipv6 ? sizeof(struct ip6t_entry) : sizeof(struct ipt_entry);
	uint16_t to_target, to_next;

	if (block->len < head || offset > block->len - head)
		return false;
	memcpy(&to_target, block->bytes + offset +
	       (block->ipv6 ? offsetof(struct ip6t_entry, target_offset)
			    : offsetof(struct ipt_entry, target_offset)), sizeof to_target);
	memcpy(&to_next, block->bytes + offset +
	       (block->ipv6 ? offsetof(struct ip6t_entry, next_offset)
			    : offsetof(struct ipt_entry, next_offset)), sizeof to_next);
	if (to_target < head || to_next < to_target + sizeof(struct xt_entry_target) ||
	    to_next > block->len - offset)
		return false;
	*ret = (struct entry){ .offset = offset, .next = offset + to_next,
			       .matches = block->bytes + offset + head,
			       .target = block->bytes + offset + to_target,
			       .end = block->bytes + offset + to_next };
	return true;
}

/* Name and revision of a match or target, whose heads are the same; its size, 0 if it does not fit. */
static size_t head_of(const char *at, const char *end,
		      char ret_name[static XT_EXTENSION_MAXNAMELEN], unsigned *ret_revision)
{
	struct xt_entry_target head;

	if ((size_t)(end - at) < sizeof head)
		return 0;
	memcpy(&head, at, sizeof head);
	memcpy(ret_name, head.u.user.name, XT_EXTENSION_MAXNAMELEN);
	ret_name[XT_EXTENSION_MAXNAMELEN - 1] = '\0';
	*ret_revision = head.u.user.revision;
	return head.u.target_size >= sizeof head && head.u.target_size <= (size_t)(end - at)
		       ? head.u.target_size : 0;
}

static int32_t priority_of(const char *table, enum foreign_hook hook)
{
	if (strcmp(table, "raw") == 0)
		return -300;
	if (strcmp(table, "mangle") == 0)
		return -150;
	if (strcmp(table, "nat") == 0)
		return hook == FOREIGN_POSTROUTING || hook == FOREIGN_INPUT ? 100 : -100;
	return strcmp(table, "security") == 0 ? 50 : 0;
}

static void start_chain(struct block *block, size_t offset, const char *name,
			enum foreign_hook hook)
{
	struct foreign *foreign = block->foreign;
	struct foreign_chain chain = { .table = block->table, .hook = hook,
				       .name = arena_text(&foreign->arena, name, strlen(name)) };

	chain.priority = hook ? priority_of(foreign->tables.at[block->table].name, hook) : 0;
	PUSH(&block->starts, ((struct start){ offset, (uint32_t)foreign->chains.n }));
	PUSH(&foreign->chains, chain);
}

static const struct start *start_at(const struct block *block, size_t offset)
{
	for (size_t i = 0; i < block->starts.n; i++)
		if (block->starts.at[i].offset == offset)
			return &block->starts.at[i];
	return NULL;
}

/* All chains, before jumps to them are read. */
static void find_chains(struct block *block)
{
	static const struct { const char *name; enum foreign_hook hook; } hooks[HOOK_NUMBERS] = {
		{ "PREROUTING", FOREIGN_PREROUTING }, { "INPUT", FOREIGN_INPUT },
		{ "FORWARD", FOREIGN_FORWARD }, { "OUTPUT", FOREIGN_OUTPUT },
		{ "POSTROUTING", FOREIGN_POSTROUTING },
	};
	struct entry entry = { 0 };

	for (size_t i = 0; i < HOOK_NUMBERS; i++)
		if (block->about.valid_hooks & 1u << i)
			start_chain(block, block->about.hook_entry[i], hooks[i].name,
				    hooks[i].hook);
	for (; entry_at(block, entry.next, &entry);) {
		struct xt_error_target error = { 0 };
		char name[XT_EXTENSION_MAXNAMELEN];
		unsigned revision;

		if (head_of(entry.target, entry.end, name, &revision) < sizeof error ||
		    strcmp(name, XT_ERROR_TARGET) != 0)
			continue;
		memcpy(&error, entry.target, sizeof error);
		error.errorname[sizeof error.errorname - 1] = '\0';
		if (entry.next < block->len)	/* the last one ends the table */
			start_chain(block, entry.next, error.errorname, FOREIGN_NO_HOOK);
	}
}

/* Addresses and interfaces, as far as the rule names any. */
static void say_head(const struct block *block, const struct entry *entry,
		     struct ruleset_rule *rule)
{
	static const uint8_t none[16];
	struct ipt_ip ip4;
	struct ip6t_ip6 ip6;
	const char *in, *out;
	char text[INET6_ADDRSTRLEN];

	memcpy(&ip4, block->bytes + entry->offset, sizeof ip4);
	if (block->ipv6)
		memcpy(&ip6, block->bytes + entry->offset, sizeof ip6);
	in = block->ipv6 ? ip6.iniface : ip4.iniface;
	out = block->ipv6 ? ip6.outiface : ip4.outiface;
	if (block->ipv6 ? memcmp(&ip6.smsk, none, 16) != 0 : ip4.smsk.s_addr != 0) {
		rule->narrow = true;
		ruleset_say(rule, "-s %s",
			    block->ipv6 ? inet_ntop(AF_INET6, &ip6.src, text, sizeof text)
					: inet_ntop(AF_INET, &ip4.src, text, sizeof text));
	}
	rule->narrow |= *in != '\0';
	if (*in)
		ruleset_say(rule, "-i %.*s", IFNAMSIZ - 1, in);
	if (*out)
		ruleset_say(rule, "-o %.*s", IFNAMSIZ - 1, out);
}

static void take_standard(const struct block *block, const struct entry *entry,
			  const struct ruleset_rule *rule)
{
	struct xt_standard_target target;
	const struct start *to;

	if ((size_t)(entry->end - entry->target) < sizeof target)
		return;
	memcpy(&target, entry->target, sizeof target);
	if (target.verdict < 0)
		return;
	to = start_at(block, (size_t)target.verdict);
	if (to)
		ruleset_jump(rule, to->chain);
}

static void take_entry(struct block *block, const struct entry *entry, uint32_t chain,
		       uint64_t number)
{
	struct ruleset_rule rule = { .foreign = block->foreign, .chain = chain, .number = number,
				     .ipv4_only = !block->ipv6, .ipv6_only = block->ipv6 };
	char name[XT_EXTENSION_MAXNAMELEN];
	unsigned revision;
	size_t size;

	say_head(block, entry, &rule);
	for (const char *at = entry->matches; at < entry->target; at += size) {
		size = head_of(at, entry->target, name, &revision);
		if (size == 0)
			break;
		ruleset_match(&rule, name, revision, at + sizeof(struct xt_entry_match),
			      size - sizeof(struct xt_entry_match));
	}
	size = head_of(entry->target, entry->end, name, &revision);
	if (size == 0)
		return;
	if (*name == '\0')
		take_standard(block, entry, &rule);
	else
		ruleset_target(&rule, name, revision,
			       entry->target + sizeof(struct xt_entry_target),
			       size - sizeof(struct xt_entry_target));
	ruleset_end(&rule);
}

static void take_block(struct block *block)
{
	const struct start *start = NULL;
	struct entry entry = { 0 };
	uint64_t number = 0;

	find_chains(block);
	while (entry_at(block, entry.next, &entry)) {
		const struct start *here = start_at(block, entry.offset);

		if (here) {
			start = here;
			number = 0;
		}
		if (block->foreign->rules == FOREIGN_RULES_MAX) {
			block->foreign->cut = true;
			return;
		}
		block->foreign->rules++;
		if (start)
			take_entry(block, &entry, start->chain, ++number);
	}
}

/* @reading: struct ipt_get_entries or ip6t_get_entries: name, size, and the block at an offset of 8. */
static int read_table(struct foreign *foreign, const struct fd *fd, bool ipv6, const char *name)
{
	struct block block = { .foreign = foreign, .ipv6 = ipv6 };
	int level = ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
	size_t head = ipv6 ? offsetof(struct ip6t_get_entries, entrytable)
			   : offsetof(struct ipt_get_entries, entrytable);
	socklen_t size = sizeof block.about;
	char *AUTO(mem_drop) room = NULL;
	struct ipt_get_entries *reading;

	snprintf(block.about.name, sizeof block.about.name, "%.31s", name);
	if (getsockopt(fd->n, level, ipv6 ? IP6T_SO_GET_INFO : IPT_SO_GET_INFO, &block.about,
		       &size) < 0)
		return -errno;
	if (block.about.size > TABLE_BYTES_MAX)
		return -E2BIG;
	room = mem_zero(1, head + block.about.size);
	reading = (struct ipt_get_entries *)(void *)room;
	snprintf(reading->name, sizeof reading->name, "%.31s", name);
	reading->size = block.about.size;
	size = (socklen_t)(head + block.about.size);
	/* -EAGAIN: it was replaced in between. */
	if (getsockopt(fd->n, level, ipv6 ? IP6T_SO_GET_ENTRIES : IPT_SO_GET_ENTRIES, room, &size) <
	    0)
		return -errno;
	block.bytes = room + head;
	block.len = block.about.size;
	block.table = (uint32_t)foreign->tables.n;
	PUSH(&foreign->tables,
	     ((struct foreign_table){ .family = ipv6 ? "ip6" : "ip",
				      .legacy = true,
				      .name = arena_text(&foreign->arena, name, strlen(name)) }));
	take_block(&block);
	free(block.starts.at);
	return 0;
}

static int read_family(struct foreign *foreign, bool ipv6)
{
	FILE *names =
		fopen(ipv6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names", "re");
	char name[XT_TABLE_MAXNAMELEN + 2];
	struct fd fd;
	int r = 0;

	if (!names)
		return errno == ENOENT ? 0 : -errno;
	fd = (struct fd){ socket(ipv6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW) };
	for (int i = 0; i < TABLES && fgets(name, sizeof name, names) && r == 0; i++) {
		name[strcspn(name, "\n")] = '\0';
		r = fd.n < 0 ? -errno : -EAGAIN;
		for (int tries = 0; tries < 4 && r == -EAGAIN; tries++)
			r = read_table(foreign, &fd, ipv6, name);
	}
	fclose(names);
	fd_drop(&fd);
	return r;
}

int ruleset_read_legacy(struct foreign *foreign)
{
	int r = read_family(foreign, false);

	return r == 0 ? read_family(foreign, true) : r;
}
