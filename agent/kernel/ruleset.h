/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other tables' rules do to sources, marks and connection tracking: see plan/foreign.h. Sets are
 * never dumped, and rules only as far as FOREIGN_RULES_MAX.
 */
#pragma once

#include "base/types.h"
#include "plan/foreign.h"

#include <linux/netlink.h>
#include <stddef.h>

/*
 * ruleset_read - all tables of the caller's network namespace but inet @own
 * @ret: always written, with what could be read and the errors of what could not; foreign_drop()
 */
void ruleset_read(const char *own, struct foreign *ret);

/* The same of x_tables (iptables-legacy), into what was read before. 0 or -errno. */
MUST_CHECK int ruleset_read_legacy(struct foreign *foreign);

enum { RULESET_TEXT = 240 };

/* One rule while it is taken apart. */
struct ruleset_rule {
	struct foreign *foreign;
	uint32_t chain;				/* index */
	uint64_t number;
	char text[RULESET_TEXT];		/* as far as it was read */
	bool narrow;
	bool ipv6_only, ipv4_only;		/* the family of its table */
	struct { enum foreign_kind kind; uint32_t bits; } acts[8];
	size_t n_acts;
};

/* Append words, with a space before them. */
void ruleset_say(struct ruleset_rule *rule, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void ruleset_act(struct ruleset_rule *rule, enum foreign_kind kind, uint32_t bits);
void ruleset_jump(const struct ruleset_rule *rule, uint32_t to);
/* All of it was read: enter its acts. */
void ruleset_end(struct ruleset_rule *rule);

/* nf_tables: the list of expressions of a rule. @find: index of the chain of that name in its table,
 * or UINT32_MAX. */
void ruleset_expressions(struct ruleset_rule *rule, const struct nlattr *list,
			 uint32_t (*find)(void *context, const char *name), void *context);

/* x_tables, in either: a target or match by name and revision with what follows its head. */
void ruleset_target(struct ruleset_rule *rule, const char *name, unsigned revision,
		    const void *body, size_t len);
void ruleset_match(struct ruleset_rule *rule, const char *name, unsigned revision,
		   const void *body, size_t len);
