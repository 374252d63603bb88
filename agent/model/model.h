/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration as a value: bindings, bypass list and policy, every item with its place in the
 * text. Built by conf_read() in one go, then never changed; one generation is one arena plus flat
 * arrays, so that a million bindings stay small. Pure: no kernel, no clock.
 */
#pragma once

#include "base/arena.h"
#include "base/diag.h"
#include "base/types.h"
#include "model/relay.h"
#include "model/sender.h"

enum { NAME_MAX_BYTES = 63 };			/* of a binding name */
enum { ADDRESSES_MAX = 64 };			/* of one family in one binding: see plan/spread.h */
#define NO_INDEX	UINT32_MAX
#define DEFAULT_BINDING	"default"
#define DEFAULT_MASK	0x1fffu
#define DEFAULT_PORT_WARNING	80

enum unusable_action { UNUSABLE_REJECT, UNUSABLE_USE };	/* "unusable default" is USE of `default` */

/* What traffic that no rule claims gets: `default-binding`. */
enum default_binding { DEFAULT_UNSAID, DEFAULT_NORMAL, DEFAULT_SUSPENDED, DEFAULT_REJECT };

struct address {
	struct ip ip;
	uint8_t bits;				/* prefix length: that of one address, unless routed */
	bool routed;				/* a prefix that is routed here: needs no address of ours */
	uint32_t binding;			/* index of its owner */
	struct where where;
};

struct rate { uint32_t n, per, burst; };	/* @n in @per seconds, @burst at once; n 0: no limit */

/* Seconds in which a whole burst comes back, and different values of a kind `per destination`. */
enum { LIMIT_REFILL_MAX = 30 * 86400, LIMITS_TO_MAX = 32 };

struct limits {					/* of new connections of a binding or group */
	uint32_t connections;			/* alive at once; 0: no limit */
	uint32_t connections_to;		/* the same, to one destination address */
	struct rate new, new_to;		/* `per destination` is _to */
	struct where where;			/* of the first `limit` */
};

enum { WARMUP_DAYS_MAX = 366 };

struct warmup {					/* new connections on day 1, 2, ... */
	const uint32_t *days;
	uint32_t n_days;
	uint32_t overflow;			/* index of a binding or group, or NO_INDEX: refuse */
	struct where where, where_overflow;
};

enum probe_kind { PROBE_TCP, PROBE_ICMP };
enum { PROBE_DOWN = 3, PROBE_UP = 2 };		/* thresholds if none are given */

struct probe {					/* does the other end answer: active health check */
	enum probe_kind kind;
	struct ip to;
	uint16_t port;				/* PROBE_TCP */
	uint32_t every_ms;
	uint32_t down, up;			/* failures, successes in a row until the state changes */
	struct where where;
};

struct uplink {					/* a way out of its own: one routing table, one rule */
	const char *name, *interface;
	struct ip gateways[FAMILIES];		/* len 0: none, on-link */
	uint32_t table;				/* 0: outbind chooses */
	const struct probe *probe;		/* or NULL */
	struct where where;
};

enum pick { PICK_TO, PICK_CLIENT, PICK_TURN, PICK_RANDOM };	/* sticky-destination, ... */

struct member {
	uint32_t binding;			/* never a group */
	uint32_t weight;			/* 1 to MEMBER_WEIGHT_MAX */
	struct where where;
};

enum { MEMBER_WEIGHT_MAX = 1000, MEMBERS_MAX = 128, UPLINKS_MAX = 4096, OVERFLOW_HOPS = 3 };

struct binding_group {
	const struct member *members;
	uint32_t n_members;
	enum pick pick;
};

enum peer_kind { PEER_USER, PEER_GROUP, PEER_CGROUP };

struct allow {					/* who may tag a socket with this binding */
	enum peer_kind kind;
	struct id_range ids;			/* PEER_USER, PEER_GROUP */
	const char *path;			/* PEER_CGROUP: absolute, below the cgroup root */
	const char *text;			/* the name as written, or NULL for a number */
};

/*
 * A binding, or a binding group: a group is a binding without addresses of its own, so that rules,
 * numbers, tags and limits need not know which of the two they are about.
 */
struct binding {
	const char *name;			/* NULL: removed at run time; the slot is to be skipped */
	const char *ehlo;			/* NULL if not given */
	const char *ehlo6;			/* of connections by IPv6, if that is another one; or NULL */
	const char *interface;			/* NULL if not given; else addresses are added there */
	const struct allow *allows;
	uint32_t n_allows;
	uint32_t first_address, n_addresses;	/* in model->addresses, order as written */
	uint32_t unusable_use;			/* index of OTHER, for UNUSABLE_USE */
	enum unusable_action unusable;
	bool implied;				/* `default`, by "default-binding suspended" alone */
	bool dangling;				/* uses a name that is nobody's: the text had an error */
	uint32_t uplink;			/* index into model->uplinks, or NO_INDEX */
	uint32_t overflow;			/* index of who gets what exceeds limits, or NO_INDEX */
	const struct limits *limits;		/* NULL if none */
	const struct warmup *warmup;		/* NULL if none */
	const struct probe *probe;		/* NULL if none */
	const struct sender *sender;		/* NULL if nothing is said */
	const struct binding_group *group;	/* NULL: a binding */
	struct where where, where_unusable, where_overflow;
};

enum protocol_number { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_DCCP = 33,
		       PROTOCOL_ICMPV6 = 58, PROTOCOL_SCTP = 132, PROTOCOL_UDPLITE = 136 };

/*
 * Destination qualifiers: each list narrows, an empty list means any. `port` alone means the
 * protocols that have ports. Canonical: sorted, no duplicates, port ranges merged, prefixes that
 * another one covers dropped, so that two destinations are equal exactly if they match the same.
 */
struct destination {
	struct prefix *prefixes;
	struct port_range *ports;
	uint8_t *protocols;			/* IANA numbers; `protocol icmp` is 1 and 58 */
	uint32_t n_prefixes, n_ports, n_protocols;
};

enum client_kind { CLIENT_CGROUP, CLIENT_USER, CLIENT_GROUP, CLIENT_SOURCE, CLIENT_OTHERWISE };

struct client {
	enum client_kind kind;
	union {
		uint32_t cgroup;		/* CLIENT_CGROUP: index into model->cgroups */
		struct id_range ids;		/* CLIENT_USER, CLIENT_GROUP */
		struct prefix source;		/* CLIENT_SOURCE */
	};
	const char *text;			/* user or group name as written, or NULL */
};

/* A cgroup that rules speak of, once however many rules do: what the agent resolves and watches. */
struct cgroup_client {
	bool is_unit;				/* a unit name, else an absolute path */
	const char *name;			/* "nginx.service", or "/tenants.slice/beta.slice" */
};

enum action { ACTION_USE, ACTION_PASS, ACTION_REJECT };

struct rule {
	struct client client;
	const struct destination *to;		/* NULL if the rule has no qualifier */
	enum action action;
	uint32_t binding;			/* ACTION_USE: index into model->bindings; NO_INDEX:
						 * of a name that is nobody's, the text had an error */
	struct where where;
};

struct bypass {
	struct prefix prefix;
	struct where where;
};

/* What outbindd tells of itself, and where. Zero: as if nothing was said. */
enum metrics_bindings { METRICS_BUSIEST, METRICS_ALL, METRICS_NONE };

struct metrics_settings {
	bool given;
	bool no_socket;				/* not at the Unix socket of the runtime directory */
	bool traffic;				/* packets and octets of bindings are counted */
	enum metrics_bindings bindings;		/* which have figures of their own */
	uint32_t busiest;			/* METRICS_BUSIEST: how many; 0: METRICS_TOP */
	struct relay_endpoint listen;		/* port 0: nowhere */
	struct where where;
};

enum { METRICS_TOP = 1000 };

/* Arrays are owned, strings and what pointers in them lead to live in the arena. */
struct model {
	struct arena arena;
	struct fwmark mask;
	struct where where_mask;
	const char *flow_log;			/* path; NULL: connections that end are not logged */
	struct where where_flow_log;
	uint8_t port_warning;			/* percent of ports that are taken; 0: never */
	struct where where_port_warning;
	bool bypass_connected;			/* also what is directly connected, followed live */
	bool bypass_private;			/* also RFC 1918, RFC 6598 and RFC 4193 */
	struct where where_connected, where_private;	/* of these two words */
	enum default_binding default_binding;
	struct where where_default;
	struct { const char **at; size_t n, room; } files;	/* paths, by where.file */
	uint32_t n_layers;			/* as many of them are names of layers */
	struct { struct binding *at; size_t n, room; } bindings;	/* and groups, in order of the text */
	struct { struct uplink *at; size_t n, room; } uplinks;
	struct { const char **at; size_t n, room; } suspended;	/* names, of `suspend` in a layer */
	struct { struct address *at; size_t n, room; } addresses;
	struct { struct bypass *at; size_t n, room; } bypasses;
	struct { struct cgroup_client *at; size_t n, room; } cgroups;
	struct { struct rule *at; size_t n, room; } rules;
	struct relay relay;
	struct dns_settings dns;
	struct metrics_settings metrics;
	uint32_t *names;			/* hash index of binding names; see model_find */
	size_t names_room;
};

/* Free all of it; accepts an empty model, leaves an empty one. */
void model_drop(struct model *model);

/* Index of the binding or group called @name (case-sensitive), or NO_INDEX. Constant time. */
uint32_t model_find(const struct model *model, const char *name);

/*
 * model_add_binding - append a binding and enter its name into the index
 * Returns its index, or NO_INDEX if the name is taken; the model is then unchanged.
 */
uint32_t model_add_binding(struct model *model, const struct binding *binding);

/* How many bindings and groups there are, without empty slots. */
size_t model_count_bindings(const struct model *model);

/* How many of those are groups. */
size_t model_count_groups(const struct model *model);

/* Take a binding out of the index; its slot stays, with name NULL. */
void model_remove_binding(struct model *model, uint32_t binding);

/* Put @binding, whose name is not there, into a slot that was emptied before. */
void model_reuse_binding(struct model *model, uint32_t slot, const struct binding *binding);

/* Highest number that a mask has room for, less the two kept for `pass` and `reject`. */
uint32_t model_mask_capacity(struct fwmark mask);

/* Two destinations that match the same; NULL is "no qualifier". */
bool destination_equal(const struct destination *a, const struct destination *b);

/* Everything that @inner matches, @outer matches too. NULL contains all. */
bool destination_contains(const struct destination *outer, const struct destination *inner);

/* The cgroup @path is @top, or lies below it. Slashes at the end of @top do not count. */
bool model_cgroup_below(const char *path, const char *top);

/* "ADDRESS:LINE:COLUMN" prefix of a message: "path:line:column" into a caller's buffer. */
const char *model_place(const struct model *model, struct where where, char *out, size_t room);
