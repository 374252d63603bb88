/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The desired state of our table: for every set that nft-templates/ declares, its elements, as the
 * kernel wants their bytes. A plan is a function of the model, the marks' numbers and the facts,
 * and of nothing else; diff.h says what turns one plan into another.
 *
 * A row is key, for an interval the inclusive end of the key, data, then origin. Rows of a set are
 * sorted by key bytes and have no key twice (no two intervals overlap), so a plan is searched,
 * compared and hashed without an index: a million bindings cost three arrays.
 */
#pragma once

#include "plan/share.h"
#include "plan/warmup.h"

enum set_id {
	SET_BYPASS4, SET_BYPASS6,		/* destinations that are never rewritten */
	SET_TO4, SET_TO6,			/* destination address -> label */
	SET_WHERE_PORT, SET_WHERE_PROTOCOL,	/* label . protocol [. port] -> class of destinations */
	SET_QUALIFIED,				/* protocols that where_* has anything for */
	SET_BY_CGROUP_ASKED,			/* families (nfproto), if by_cgroup has anything */
	SET_ASKED,				/* families (nfproto), if any rule is about senders */
	SET_ASKED_FORWARDED,			/* the same, about forwarded sources */
	SET_ZONE,				/* mark -> conntrack zone */
	SET_BY_CGROUP, SET_BY_CGROUP_TO,	/* client [. class] -> mark */
	SET_BY_USER, SET_BY_USER_TO,		/* one uid */
	SET_BY_USERS, SET_BY_USERS_TO,		/* ranges of uids */
	SET_BY_GROUP, SET_BY_GROUP_TO,
	SET_BY_GROUPS, SET_BY_GROUPS_TO,
	SET_SOURCES4, SET_SOURCES6,		/* every source prefix that some rule names */
	SET_BY_SOURCE4, SET_BY_SOURCE4_TO,
	SET_BY_SOURCE6, SET_BY_SOURCE6_TO,
	SET_OTHERWISE,				/* class (0: none) -> mark */
	SET_USABLE4, SET_USABLE6,		/* marks that may leave, by family */
	SET_SNAT4, SET_SNAT6,			/* mark -> address */
	SET_SPREAD4, SET_SPREAD6,		/* mark . slot of the destination -> address */
	SET_OWN4, SET_OWN6,			/* mark . address that it may leave from */
	SET_RANGE4, SET_RANGE6,			/* mark -> routed prefix, of which the kernel picks */
	SET_OWN_RANGE4, SET_OWN_RANGE6,		/* mark . routed prefix that it may leave from */
	SET_GROUPS,				/* marks of groups */
	SET_PICK_TO4, SET_PICK_TO6,		/* group's mark . slot -> member's mark; see plan_groups.h */
	SET_PICK_CLIENT4, SET_PICK_CLIENT6,
	SET_PICK_TURN4, SET_PICK_TURN6,
	SET_PICK_RANDOM4, SET_PICK_RANDOM6,
	SET_LIMITED4, SET_LIMITED6,		/* marks that may leave, but within limits; see plan_limits.h */
	SET_PASSED4, SET_PASSED6,		/* marks that have limits: counts what none of them refused */
	SET_SENT, SET_RECEIVED,			/* mark . family: counts all packets, if that is asked for */
	SET_LIMIT_CONNECTIONS,			/* mark, with what it may not exceed */
	SET_LIMIT_NEW,
	SET_CONNECTIONS_TO,			/* mark . number: `per destination`, one of plan->limits_to */
	SET_NEW_TO,				/* mark . index of a rate there */
	SET_WARMUP,				/* mark, with what is left of this day, if not nothing: */
	SET_WARMUP_SPENT,
	SET_WARMUP_OVERFLOW, SET_WARMUP_OVERFLOWS,	/* as the two below */
	SET_OVERFLOW,				/* mark -> mark that gets what exceeds */
	SET_OVERFLOWS,				/* marks of SET_OVERFLOW */
	SET_MEMBERS,				/* mark that was asked for . mark that it can lead to */
	SET_STEER,				/* mark . family: whose packets carry a number */
	SET_HAS_UPLINK,				/* mark . family, if it is an uplink's number */
	SET_STEER_TO,				/* mark . family -> uplink's mark */
	SET_STEER_BIT,				/* mark . family . bit of the uplink's mark */
	SET_VIA,				/* mark . family . interface that it may leave by */
	SET_UPLINKS,				/* marks of uplinks */
	SET_KEPT4, SET_KEPT6,			/* mark . address that what is alive may leave from */
	SET_ELSEWHERE,				/* mark . family: later packets from own addresses only */
	SET_ANSWER,				/* marks whose replies carry the uplink's, for rp_filter */
	SET_INTERCEPT_PORTS,			/* at which some client's TCP is turned to the relay */
	SET_TURNED_CGROUP, SET_INTERCEPT_CGROUP,	/* client . port; [-> port of the relay] */
	SET_TURNED_USER, SET_INTERCEPT_USER,
	SET_TURNED_GROUP, SET_INTERCEPT_GROUP,
	SET_TURNED_SOURCE4, SET_INTERCEPT_SOURCE4,
	SET_TURNED_SOURCE6, SET_INTERCEPT_SOURCE6,
	SET_UNOWNED,				/* protocols whose socketless packets must not leave */
	SET_WHOLE,				/* family . protocol: all, always; last, see the template */
	SETS
};

enum field_kind {
	FIELD_NONE,
	FIELD_HOST16,				/* conntrack zone, host order */
	FIELD_HOST32,				/* mark, uid, gid, class, slot: host order in the kernel */
	FIELD_CGROUP,				/* u64, host order */
	FIELD_IPV4, FIELD_IPV6,
	FIELD_PROTOCOL,				/* one octet */
	FIELD_PORT,				/* two octets, network order */
	FIELD_COUNT_OVER,			/* value: `ct count over` HOST32, a statement of the element */
	FIELD_QUOTA_OVER,			/* HOST32 in all, counted; HOST32 day, so that days differ */
	FIELD_RATE_OVER,			/* `limit rate over` HOST32 in HOST32 seconds, burst HOST32 */
	FIELD_INTERFACE,			/* name, 16 octets, zeros at the end */
	FIELD_RANGE4, FIELD_RANGE6,		/* first and last address; only as what a map gives */
};

/* Values that are no data but a statement of the element, which keeps state in the kernel. */
static inline bool plan_is_statement(enum field_kind kind)
{
	return kind == FIELD_COUNT_OVER || kind == FIELD_QUOTA_OVER || kind == FIELD_RATE_OVER;
}

enum origin_kind { ORIGIN_NONE, ORIGIN_RULE, ORIGIN_ADDRESS, ORIGIN_BYPASS, ORIGIN_LISTENER };

/* SO_PRIORITY of the agent's active probes; of sockets that were tagged to leave from the host's own
 * address. Setting one takes the capability that setting a mark does. */
enum { PROBE_PRIORITY = 0x6f757470, PASS_PRIORITY };

enum { FIELDS_MAX = 3, KEY_MAX = 24, DATA_MAX = 32 };

/*
 * Bytes of a key: the fields in order, each padded with zero octets to a multiple of four when
 * there is more than one (NFT_REG32 registers). In an interval set every field is in network
 * order, because the kernel compares octets there (nft's byteorder expression converts).
 */
struct set_shape {
	const char *name;			/* as in nft-templates/ */
	enum field_kind key[FIELDS_MAX], value;	/* value FIELD_NONE: a set, else a map */
	bool interval;
	enum origin_kind origin;
	uint8_t key_len, data_len, row_len;	/* row_len: with the end of an interval and origin */
};

extern const struct set_shape plan_shapes[SETS];

struct rows {
	uint8_t *at;
	size_t n, room;				/* in rows */
};

/* Why a binding cannot carry a family now; the texts are in plan_reason_text(). */
enum usable_reason {
	USABLE, USABLE_BY_OTHER,		/* by `unusable use OTHER` */
	UNUSABLE_NO_ADDRESS,			/* neither it nor a member has one of this family */
	UNUSABLE_ABSENT,			/* none of its addresses is on this host */
	UNUSABLE_TENTATIVE, UNUSABLE_DUPLICATE,	/* IPv6 duplicate address detection */
	UNUSABLE_INTERFACE,			/* present, but on another interface than it says */
	UNUSABLE_STAND_IN,			/* `unusable use` leads to a suspended binding */
	UNUSABLE_CLAIMING,			/* the agent is asking whether another host has it */
	UNUSABLE_LINK,				/* the interface of address or uplink is down or absent */
	UNUSABLE_NO_ROUTE,			/* this family has no way out */
	UNUSABLE_GATEWAY,			/* the uplink's gateway does not answer */
	UNUSABLE_PROBE,				/* the active probe fails */
	UNUSABLE_MEMBERS,			/* no member of the group is usable */
	UNUSABLE_IDENTITY,			/* `require fcrdns`, and DNS does not confirm it */
};

struct usability {
	enum usable_reason reason[FAMILIES];
	enum usable_reason own[FAMILIES];	/* the same before anybody stands in */
	uint32_t by[FAMILIES];			/* whose addresses it leaves from, or NO_INDEX */
};

struct uplink_usability { enum usable_reason reason[FAMILIES]; };

struct local_address {				/* one address of this host */
	struct ip ip;
	char interface[16];
	bool tentative, duplicate;		/* IFA_F_TENTATIVE, IFA_F_DADFAILED */
	uint8_t protocol;			/* IFA_PROTO: who added it; 0 before Linux 5.18 */
};

struct link {					/* one interface of this host */
	char name[16];
	uint32_t index, mtu;
	uint8_t mac[6];
	bool up;				/* administratively, and with a carrier */
	bool asks;				/* Ethernet with ARP and NDP: others may have an address */
	bool strict;				/* IPv4 rp_filter: answers only by the best way back */
	bool answer_marked;			/* ... which it looks for by their mark: src_valid_mark */
};

struct on_link {				/* a prefix that is directly connected */
	struct prefix prefix;
	uint32_t link;				/* index of the interface */
};

struct foreign_claim {			/* another host has an address that we should have */
	struct ip ip;
	char by[18];				/* its MAC as text, "02:42:0a:00:00:07" */
};

struct uplink_state {				/* all false: it carries */
	bool down;				/* its interface is absent, down or without carrier */
	bool no_route[FAMILIES];		/* its table has no default route, or nothing leads there */
	bool silent[FAMILIES];			/* its gateway does not answer */
	bool strict;				/* rp_filter would drop the answers that come in by it */
};

struct fwmark_rule {				/* one `ip rule` that looks at the packet mark */
	struct fwmark mark, mask;
	uint32_t priority, table;
	enum family family;
	uint32_t protocol;			/* FRA_PROTOCOL: PROTOCOL_OUTBIND is ours */
};

enum { PROTOCOL_OUTBIND = 111 };		/* IFA_PROTO, rtm_protocol, FRA_PROTOCOL of all we add */

/* What the kernel said of itself: everything a plan depends on beyond the configuration. */
struct facts {
	struct { struct local_address *at; size_t n, room; } addresses;	/* sorted by ip */
	struct { struct prefix *at; size_t n, room; } local;	/* AnyIP: `ip route add local` */
	struct { struct on_link *at; size_t n, room; } connected;	/* sorted by prefix */
	struct { struct fwmark_rule *at; size_t n, room; } fwmark_rules;
	struct { struct link *at; size_t n, room; } links;	/* sorted by name; none: not known */
	bool no_way_out[FAMILIES];		/* no unicast route but link-local ones, no routing rule */
	uint32_t main_link[FAMILIES];		/* interface index of the main default route; 0: none */

	/* Set by daemon/plumb.c; read_facts() leaves the rest as it is. */
	struct { struct ip *at; size_t n, room; } claiming;	/* sorted: asked for, not added yet */
	struct { struct foreign_claim *at; size_t n, room; } conflicts;	/* sorted by ip */
	struct { struct uplink_state *at; size_t n, room; } uplinks;	/* by model->uplinks */
	/* Set by daemon/probe.c: whose active probe fails, by index; beyond the end nobody's does. */
	struct probe_failures { bool *at; size_t n, room; } binding_probes, uplink_probes;
	uint64_t *cgroup_ids;			/* by index into model->cgroups; 0 = not there now */
	/* Removed cgroups whose sockets may live on, sorted by index into model->cgroups, then id. */
	struct former_cgroup { uint64_t id; uint32_t cgroup; } *formers;
	size_t n_formers;
	struct { uint64_t id; uint32_t binding; } *execs;	/* cgroups of `outbindctl exec` */
	size_t n_execs;
	bool *suspended;			/* by binding: what the operator said; NULL: none is */
	const struct shares *shares;		/* borrowed: slots of groups; NULL: as if all were new */
	const struct warmups *warmups;		/* borrowed: how far they are; NULL: none was started */
	const struct identities *identities;	/* borrowed: what DNS said; NULL: it agrees with all */
};

void facts_drop(struct facts *facts);

/* Those of @formers that stood for one of the model's cgroups; their number. Borrowed. */
size_t facts_formers(const struct facts *facts, uint32_t cgroup, const struct former_cgroup **ret);

/* The interface called @name, or NULL. */
const struct link *facts_link(const struct facts *facts, const char *name);
const struct foreign_claim *facts_conflict(const struct facts *facts, const struct ip *ip);	/* or NULL */
bool facts_claiming(const struct facts *facts, const struct ip *ip);

/* Index of the first local address that is not below @ip; looks at @near and behind it first, which
 * helps who asks for one after the other. The host may have the same address on several links. */
size_t facts_address(const struct facts *facts, const struct ip *ip, size_t near);

/* Name of the first link that has the address @ip of this host, or NULL. */
const char *facts_interface(const struct facts *facts, const struct ip *ip);

struct plan_group {				/* what is needed to pick anew: see plan_groups.h */
	uint32_t binding;			/* the group's own index */
	enum pick pick;
	uint32_t n_members;
	const struct member *members;		/* borrowed from the model */
	const char **names;			/* by member, borrowed from the model */
	uint8_t slots[SHARE_SLOTS];		/* sticky kinds: member that a slot belongs to */
};

/* Values of limits `per destination`: each is a rule and two sets of its own, so another value is
 * another table. Sorted, each once. */
struct limits_to {
	uint32_t connections[LIMITS_TO_MAX];
	struct rate new[LIMITS_TO_MAX];
	uint32_t n_connections, n_new;
};

struct membership { uint32_t member, group; };	/* binding, index into plan->groups */

struct plan {
	struct rows sets[SETS];
	struct usability *usability;		/* by binding, as if none were suspended but stand-ins */
	struct uplink_usability *uplinks;	/* by uplink */
	bool *suspended;			/* by binding: has its rows, but is not usable */
	uint32_t default_suspended;		/* by `default-binding suspended`: `default`, or NO_INDEX */
	bool *limited;				/* by binding: its rows are in SET_LIMITED*, not SET_USABLE* */
	struct fwmark *marks;			/* by binding, within the mask */
	struct fwmark *uplink_marks;		/* by uplink: what its `ip rule` looks at */
	size_t n_bindings, n_uplinks;
	struct { size_t marks, usability, suspended, limited; } room_bindings;	/* 0: exact; plan_change.c */
	struct plan_group *groups;		/* by binding, ascending */
	struct membership *memberships;		/* sorted by member */
	size_t n_groups, n_memberships;
	struct limits_to limits_to;
	bool stand_ins;				/* some binding has `unusable use` */
	bool traffic;				/* packets are counted: rules of their own */
	struct fwmark mask, pass, reject;	/* the two reserved numbers, as marks */
	unsigned __int128 fingerprint;		/* of mask and rows; see plan_fingerprint() */
};

/*
 * plan_build - compile a model
 * @numbers: number of each binding, then of each uplink, from 1; see number.h
 * @facts:   what the kernel has now
 * @diag:    receives "two rules claim the same client and destination", both lines named
 *
 * Returns 0, -EINVAL if @diag has errors, or -E2BIG if qualifiers multiply beyond PLAN_ROWS_MAX
 * rows (said in @diag too). The caller drops *@ret_plan, which is written on success only.
 */
MUST_CHECK int plan_build(const struct model *model, const uint32_t *numbers,
			  const struct facts *facts, struct plan *ret_plan, struct diag *diag);
enum { PLAN_ROWS_MAX = 16 * 1000 * 1000 };	/* in all sets that policy fills */

void plan_drop(struct plan *plan);

/* The fingerprint as 32 hex digits and a NUL, whatever the size of the plan. */
void plan_digest(const struct plan *plan, char ret_text[static 33]);

/*
 * plan_fingerprint - sum of a hash of the mask and of each row, modulo 2^128; origins do not count
 * A sum, so that a row more or less costs one hash: plan_row_hash(). plan_build() has set it.
 */
unsigned __int128 plan_fingerprint(const struct plan *plan);
unsigned __int128 plan_row_hash(enum set_id set, const uint8_t *row);

/* Do two plans need the same rules, so that a change of elements turns one into the other? */
bool plan_same_rules(const struct plan *a, const struct plan *b);

/* "usable", "no IPv4 address in the binding", ...: one line, lower case, no full stop. */
const char *plan_reason_text(enum usable_reason reason, enum family family);

/* Can a new connection leave by this binding, and if not why: "suspended", or as above. */
bool plan_usable(const struct plan *plan, uint32_t binding, enum family family);
const char *plan_usable_text(const struct plan *plan, uint32_t binding, enum family family);

/* The first address of the binding and family that counts now, by index into the model, or NO_INDEX. */
uint32_t plan_usable_source(const struct model *model, const struct facts *facts,
			    uint32_t binding, enum family family);

/* The row of @set whose key is (or whose interval holds) @key, or NULL. */
const uint8_t *plan_find(const struct plan *plan, enum set_id set, const uint8_t *key);

/* Parts of a row. */
static inline const uint8_t *row_end(const struct set_shape *shape, const uint8_t *row)
{
	return shape->interval ? row + shape->key_len : NULL;
}

static inline const uint8_t *row_value(const struct set_shape *shape, const uint8_t *row)
{
	return row + shape->key_len * (shape->interval ? 2 : 1);
}

uint32_t row_origin(const struct set_shape *shape, const uint8_t *row);	/* index, or NO_INDEX */
