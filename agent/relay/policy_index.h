/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The relay's rules by key and value: which rule is the most specific of one key. */
#pragma once

#include "model/index.h"
#include "relay/policy.h"

struct policy_range {				/* of RELAY_KEY_PEER_USER */
	struct id_range ids;
	uint32_t parent;			/* the innermost that holds it, or UINT32_MAX */
	const struct relay_rule *rule;
};

struct policy_lengths { uint8_t at[129]; unsigned n; };	/* of prefixes, longest first */

struct policy_index {
	const struct relay *relay;
	struct index rules, tls, hops;
	bool has[RELAY_KEYS], has_on[RELAY_KEYS];
	bool has_address;			/* sender rules with a local part */
	uint64_t below[RELAY_KEYS], below_tls;	/* bit N: some ".domain" has N labels */
	struct policy_lengths client[FAMILIES], destination[FAMILIES];
	struct { struct policy_range *at; size_t n, room; } ranges;
};

struct policy_look {				/* one decision's look-ups */
	const struct policy_index *index;
	const char *listener;			/* the model's own pointer, or NULL */
	unsigned n;
};

void policy_index_fill(struct policy_index *index, const struct relay *relay);
void policy_index_drop(struct policy_index *index);
size_t policy_index_memory(const struct policy_index *index);

/* A rule of @key about exactly @text; at the listener first, then everywhere. NULL: none. */
const struct relay_rule *policy_index_exact(struct policy_look *look, enum relay_key key,
					    const char *text, size_t len);
/* @domain (folded), then what it is below, longest first. */
const struct relay_rule *policy_index_domain(struct policy_look *look, enum relay_key key,
					     const char *domain, size_t len);
/* @path, then the directories that it is in. */
const struct relay_rule *policy_index_path(struct policy_look *look, const char *path);
const struct relay_rule *policy_index_prefix(struct policy_look *look, enum relay_key key,
					     const struct ip *ip);
const struct relay_rule *policy_index_uid(struct policy_look *look, uint32_t uid);

const struct relay_tls_rule *policy_index_tls(const struct policy_index *index, const char *domain,
					      size_t len);
const struct relay_host *policy_index_hop(const struct policy_index *index, const char *binding);

/* What rules that may apply somewhere ask for; a bit for each key. */
struct demand {
	uint32_t keys;
	bool by_mx;				/* some rule leads to no smarthost of its own */
	bool group;				/* some rule leads to a group, or to what may be one */
};

struct policy {
	const struct model *model;
	struct policy_index index;
	struct demand everywhere, *at;		/* at: by listener, of rules with `on` and `listener` */
	bool default_normal;
};

/* Index of @listener, of this model or, by name, of another one; as many as there are: not found. */
size_t policy_listener_number(const struct policy *policy, const struct relay_listener *listener);

/* policy_point.c: note what @rule asks for. */
void policy_point_add(struct policy *policy, const struct relay_rule *rule);
