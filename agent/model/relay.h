/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay stanza as a value: listeners, what is intercepted, rules that choose a binding by what the SMTP
 * dialogue says, next hops and their TLS. Part of the model, in its arena, but for the arrays, which it owns.
 * A rule names its binding by text: bindings come and go at run time, and the agent has the last
 * word; an unknown one is an error where all bindings are known (agent, check), else a warning.
 */
#pragma once

#include "base/diag.h"
#include "base/types.h"

enum relay_protocol { RELAY_SMTP, RELAY_LMTP, RELAY_SOCKS5, RELAY_PROXY, RELAY_INTERCEPT };
enum relay_front_tls { RELAY_TLS_NONE, RELAY_TLS_OFFERED, RELAY_TLS_REQUIRED,
		       RELAY_TLS_IMPLICIT };
enum relay_intercept_tls { RELAY_BLIND, RELAY_STRIP, RELAY_TERMINATE };
/* Upstream: never; if offered, unverified; always, unverified; always and verified; as DNSSEC says. */
enum relay_tls { RELAY_UPSTREAM_UNSAID, RELAY_UPSTREAM_NONE, RELAY_UPSTREAM_MAY,
		 RELAY_UPSTREAM_ENCRYPT, RELAY_UPSTREAM_VERIFY, RELAY_UPSTREAM_DANE };

struct relay_host {				/* a next hop: smarthost */
	const char *host;			/* name or address; NULL: by MX */
	uint16_t port;				/* 0: 25 */
	bool mx;				/* "mx NAME": look up the MX of host */
};

struct relay_endpoint {
	const char *path;			/* Unix socket, or NULL: */
	struct ip ip;				/* len 0: every address of both families */
	uint16_t port;
};

/* A table in another program, by Postfix's socketmap protocol, socketmap_table(5). */
struct relay_map {
	struct relay_endpoint at;
	const char *name;			/* of the table */
};

enum relay_by { RELAY_BY_CGROUP, RELAY_BY_USER, RELAY_BY_GROUP, RELAY_BY_SOURCE };

struct relay_client {				/* whose connections are turned to us */
	enum relay_by kind;
	union {
		uint32_t cgroup;		/* index into model->cgroups */
		struct id_range ids;
		struct prefix source;
	};
	const char *text;			/* of ids, as written, or NULL */
	struct where where;
};

struct relay_intercept {			/* RELAY_INTERCEPT */
	struct relay_client *clients;
	uint32_t n_clients;
	const struct port_range *ports;
	uint32_t n_ports;			/* at least one; default 25 */
	enum relay_intercept_tls tls;
};

struct relay_listener {
	const char *name;			/* what rules call it; by default the address, canonical */
	struct relay_endpoint at;
	enum relay_protocol protocol;
	struct relay_intercept intercept;	/* RELAY_INTERCEPT */
	bool trust_parameter, trust_header;
	bool normalise;
	bool received;
	bool auth_required, auth_plain_text;
	const char *auth_file, *auth_socket;	/* NULL: none */
	enum relay_front_tls tls;
	const char *certificate, *key;		/* files, or NULL */
	uint32_t mode;				/* of a Unix socket; 0: 0660; bits of 0777 */
	struct relay_host smarthost;		/* host NULL: the relay's */
	struct where where;
};

enum relay_key {				/* in order of specificity: the first that has a rule decides */
	RELAY_KEY_PARAMETER, RELAY_KEY_HEADER, RELAY_KEY_MAP,	/* their value is the binding: no rules */
	RELAY_KEY_SENDER,			/* user@domain, then domain, then .domain, longest first */
	RELAY_KEY_RECIPIENT,			/* of the first recipient: domain, .domain */
	RELAY_KEY_USER,				/* AUTH */
	RELAY_KEY_HELO,
	RELAY_KEY_PEER_CGROUP, RELAY_KEY_PEER_USER,	/* of a Unix socket's client */
	RELAY_KEY_CLIENT,			/* prefix, longest first */
	RELAY_KEY_DESTINATION,			/* of an intercepted or proxied connection: prefix */
	RELAY_KEY_LISTENER,
	RELAY_KEY_OTHERWISE,
	RELAY_KEYS
};

struct relay_rule {
	enum relay_key key;
	const char *text;			/* canonical: domains in lower case; "" for OTHERWISE */
	union {
		struct prefix prefix;		/* CLIENT, DESTINATION */
		struct id_range ids;		/* PEER_USER */
	};
	const char *listener;			/* `on NAME`: only there, and before a rule without; or NULL */
	const char *binding;			/* NULL: reject */
	const char *reject;			/* text of `reject "..."`, or NULL */
	struct relay_host smarthost;		/* host NULL: the binding's, the listener's, the relay's */
	struct where where;
};

struct relay_binding_hop { const char *binding; struct relay_host host; struct where where; };
struct relay_tls_rule {
	const char *domain;			/* folded; ".domain" too */
	enum relay_tls level;
	struct where where;
};

struct relay {					/* zero but for defaults: no relay stanza */
	bool given;
	uint32_t workers;			/* 0: one a processor */
	const char *hostname;			/* NULL: the host's own, by gethostname */
	uint64_t size_max;			/* default 100 MiB */
	uint32_t sessions_max;			/* at once, default 20000 */
	uint32_t client_max;			/* of one address at once; 0: no limit */
	bool ignore_8bit;
	enum relay_tls tls;			/* default MAY */
	const char *tls_ca;			/* file of CAs for `verify`; NULL: the system's */
	struct relay_host smarthost;
	uint32_t reuse_messages;		/* default 100; 0 or 1: no reuse */
	uint32_t reuse_age_s, reuse_idle_s;	/* default 300, 15 */
	struct relay_endpoint resolver;		/* ip.len 0: as resolv.conf says */
	struct relay_map policy_map, sts_map;	/* at.path NULL and port 0: none */
	bool prefer_ipv6;			/* `family ipv6-first`; default ipv4-first */
	const char *access_log;			/* NULL: standard error */
	struct { struct relay_listener *at; size_t n, room; } listeners;	/* intercept blocks too */
	struct { struct relay_rule *at; size_t n, room; } rules;
	struct { struct relay_binding_hop *at; size_t n, room; } hops;
	struct { struct relay_tls_rule *at; size_t n, room; } tls_rules;
	struct where where;
};

/* What a stanza that says nothing means. */
#define RELAY_DEFAULTS ((struct relay){ .size_max = UINT64_C(100) << 20, .sessions_max = 20000, \
					 .tls = RELAY_UPSTREAM_MAY, .reuse_messages = 100, \
					 .reuse_age_s = 300, .reuse_idle_s = 15 })
