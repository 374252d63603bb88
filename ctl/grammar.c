/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keywords are told from values by where they stand: the words that a keyword owes are values even
 * if they look like keywords, so a binding may be called `port`. A word that is neither is left in
 * its statement, where the parser will find it.
 */
#include "grammar.h"

#include <string.h>

#define STARTS	GRAMMAR_STARTS
#define ENDS	GRAMMAR_ENDS
#define LIST	GRAMMAR_LIST
#define NEEDS	GRAMMAR_NEEDS
#define LAST	{ NULL, 0, 0, COMPLETE_NONE, NULL, NULL }
/* A word that takes nothing and after which only a new statement can come. */
#define PLAIN(word)	{ word, 0, 0, COMPLETE_NONE, NULL, NULL }

static const struct grammar warmup[] = {
	{ "day", STARTS, 2, COMPLETE_NONE, NULL, NULL },
	{ "overflow", STARTS | GRAMMAR_LEAVES, 1, COMPLETE_BINDING, NULL, NULL },
	LAST,
};

/* What bindings and groups have in common. */
#define SHARED \
	{ "overflow", STARTS, 1, COMPLETE_BINDING, NULL, NULL }, \
	{ "limit", STARTS | NEEDS, 0, COMPLETE_NONE, "connections new", NULL }, \
	{ "connections", 0, 1, COMPLETE_NONE, "per", NULL }, \
	{ "new", 0, 1, COMPLETE_NONE, "burst per", NULL }, \
	{ "burst", 0, 1, COMPLETE_NONE, "per", NULL }, \
	{ "per", NEEDS, 0, COMPLETE_NONE, "destination", NULL }, \
	PLAIN("destination"), \
	{ "allow", STARTS | NEEDS, 0, COMPLETE_NONE, "user group cgroup", NULL }, \
	{ "user", LIST, 1, COMPLETE_USER, NULL, NULL }, \
	{ "group", LIST, 1, COMPLETE_GROUP, NULL, NULL }, \
	{ "cgroup", LIST, 1, COMPLETE_CGROUP, NULL, NULL }

#define BINDING \
	{ "address", STARTS | LIST, 1, COMPLETE_NONE, "routed", NULL }, \
	{ "routed", LIST, 0, COMPLETE_NONE, NULL, NULL }, \
	{ "ehlo", STARTS, 1, COMPLETE_NONE, "for", NULL }, \
	{ "for", NEEDS, 0, COMPLETE_NONE, "ipv4 ipv6", NULL }, \
	PLAIN("ipv4"), \
	PLAIN("ipv6"), \
	{ "interface", STARTS, 1, COMPLETE_NONE, NULL, NULL }, \
	{ "uplink", STARTS, 1, COMPLETE_NONE, NULL, NULL }, \
	{ "unusable", STARTS | NEEDS, 0, COMPLETE_NONE, "reject default use", NULL }, \
	PLAIN("reject"), \
	PLAIN("default"), \
	{ "use", 0, 1, COMPLETE_BINDING, NULL, NULL }, \
	{ "warmup", STARTS | GRAMMAR_OPENS, 0, COMPLETE_NONE, NULL, warmup }, \
	{ "probe", STARTS | NEEDS, 0, COMPLETE_NONE, "tcp icmp", NULL }, \
	{ "tcp", NEEDS, 1, COMPLETE_NONE, "every", NULL }, \
	{ "icmp", NEEDS, 1, COMPLETE_NONE, "every", NULL }, \
	{ "every", 0, 1, COMPLETE_NONE, "down up", NULL }, \
	{ "down", 0, 1, COMPLETE_NONE, "up", NULL }, \
	{ "up", 0, 1, COMPLETE_NONE, NULL, NULL }, \
	{ "sender-domain", STARTS | LIST, 1, COMPLETE_NONE, NULL, NULL }, \
	{ "require", STARTS | NEEDS, 0, COMPLETE_NONE, "fcrdns", NULL }, \
	{ "fcrdns", 0, 0, COMPLETE_NONE, "reject warn", NULL }, \
	PLAIN("warn"), \
	SHARED

#define GROUP \
	{ "member", STARTS, 1, COMPLETE_MEMBER, "weight", NULL }, \
	{ "weight", 0, 1, COMPLETE_NONE, NULL, NULL }, \
	{ "pick", STARTS | NEEDS, 0, COMPLETE_NONE, \
	  "sticky-destination sticky-client round-robin random", NULL }, \
	PLAIN("sticky-destination"), \
	PLAIN("sticky-client"), \
	PLAIN("round-robin"), \
	PLAIN("random"), \
	SHARED

const struct grammar grammar_binding[] = { BINDING, LAST };

/* A setting that is taken away is named after `remove`, and must not begin a statement there. */
const struct grammar grammar_binding_set[] = {
	BINDING,
	{ "remove", STARTS | GRAMMAR_BARE, 1, COMPLETE_NONE, NULL, NULL },
	LAST,
};

const struct grammar grammar_group[] = { GROUP, LAST };

const struct grammar grammar_group_set[] = {
	GROUP,
	{ "remove", STARTS | GRAMMAR_BARE, 1, COMPLETE_NONE, NULL, NULL },
	LAST,
};

/* @needs: NEEDS if an action must end the rule; @then: what may come after each part. */
#define RULE(needs, then) \
	{ "unit", STARTS | (needs), 1, COMPLETE_UNIT, then, NULL }, \
	{ "cgroup", STARTS | (needs), 1, COMPLETE_CGROUP, then, NULL }, \
	{ "user", STARTS | (needs), 1, COMPLETE_USER, then, NULL }, \
	{ "group", STARTS | (needs), 1, COMPLETE_GROUP, then, NULL }, \
	{ "source", STARTS | (needs), 1, COMPLETE_SOURCE, then, NULL }, \
	{ "otherwise", STARTS | (needs), 0, COMPLETE_NONE, then, NULL }, \
	{ "to", LIST | (needs), 1, COMPLETE_NONE, then, NULL }, \
	{ "port", LIST | (needs), 1, COMPLETE_NONE, then, NULL }, \
	{ "protocol", LIST | (needs), 1, COMPLETE_NONE, then, NULL }

const struct grammar grammar_policy[] = {
	RULE(NEEDS, "to port protocol use pass reject"),
	{ "use", ENDS, 1, COMPLETE_BINDING, NULL, NULL },
	{ "pass", ENDS, 0, COMPLETE_NONE, NULL, NULL },
	{ "reject", ENDS, 0, COMPLETE_NONE, NULL, NULL },
	LAST,
};

const struct grammar grammar_policy_remove[] = { RULE(0, "to port protocol"), LAST };

const struct grammar grammar_default[] = {
	{ "normal", STARTS | ENDS, 0, COMPLETE_NONE, NULL, NULL },
	{ "suspended", STARTS | ENDS, 0, COMPLETE_NONE, NULL, NULL },
	{ "reject", STARTS | ENDS, 0, COMPLETE_NONE, NULL, NULL },
	{ "unset", STARTS | ENDS, 0, COMPLETE_NONE, NULL, NULL },
	LAST,
};

const struct grammar grammar_warmup[] = {
	{ "start", STARTS | ENDS, 0, COMPLETE_NONE, NULL, NULL },
	{ "pause", STARTS | ENDS, 0, COMPLETE_NONE, NULL, NULL },
	{ "resume", STARTS | ENDS, 0, COMPLETE_NONE, NULL, NULL },
	{ "status", STARTS | ENDS, 0, COMPLETE_NONE, NULL, NULL },
	LAST,
};

/* What begins a statement and is no keyword: the parser will say so. */
static const struct grammar unknown = { "", STARTS, 0, COMPLETE_NONE, NULL, NULL };

static const struct grammar *find(const struct grammar *table, const char *word)
{
	for (; table->word; table++)
		if (strcmp(table->word, word) == 0)
			return table;
	return NULL;
}

static enum grammar_role value(struct grammar_walk *walk, const char *word)
{
	const struct grammar *last = walk->last;
	size_t len = strlen(word);

	walk->owed = walk->owed > 0 ? walk->owed - 1 : 0;
	walk->listed = last->flags & GRAMMAR_LIST;
	if (walk->listed && len > 0 && word[len - 1] == ',')
		walk->owed = 1;
	if (walk->owed > 0)
		return walk->listed ? ROLE_LIST : ROLE_WORD;
	walk->ended = last->flags & GRAMMAR_ENDS;
	if (last->flags & GRAMMAR_LEAVES && walk->outer) {
		walk->table = walk->outer;
		walk->outer = NULL;
		walk->ended = true;
	}
	return walk->listed ? ROLE_LIST : ROLE_WORD;
}

static enum grammar_role keyword(struct grammar_walk *walk, const struct grammar *found)
{
	bool starts = found->flags & GRAMMAR_STARTS || walk->ended || !walk->last;

	walk->last = found;
	walk->bare = found->flags & GRAMMAR_BARE || (walk->bare && !starts);
	walk->owed = walk->bare && !starts ? 0 : found->values;
	walk->listed = found->values == 0 && found->flags & GRAMMAR_LIST;
	walk->ended = walk->owed == 0 && found->flags & GRAMMAR_ENDS;
	if (found->flags & GRAMMAR_OPENS && !walk->bare) {
		walk->outer = walk->table;
		walk->table = found->block;
		walk->last = NULL;
	}
	return starts ? ROLE_STARTS : ROLE_WORD;
}

enum grammar_role grammar_step(struct grammar_walk *walk, const char *word)
{
	const struct grammar *found;

	if (walk->owed > 0 || (walk->listed && word[0] == ','))
		return value(walk, word);
	walk->listed = false;
	if (strcmp(word, ";") == 0) {
		walk->last = NULL;
		walk->ended = true;
		return ROLE_END;
	}
	found = find(walk->table, word);
	if (!found && walk->outer) {
		found = find(walk->outer, word);
		if (found) {
			walk->table = walk->outer;
			walk->outer = NULL;
		}
	}
	if (found)
		return keyword(walk, found);
	if (!walk->ended && walk->last && walk->last->flags & GRAMMAR_LIST && strchr(word, ','))
		return value(walk, word);	/* "routed," */
	if (!walk->ended && walk->last)
		return ROLE_WORD;
	walk->ended = walk->bare = false;
	walk->last = &unknown;
	return ROLE_STARTS;
}
