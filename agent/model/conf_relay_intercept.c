/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `intercept`: whose connections are turned to the relay, and to which ports. Its listener gets
 * them from the rules of outbindd, on this host or, for clients behind it, from their network.
 */
#include "model/conf_actions.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { INTERCEPT_PORT = 2526, SMTP_PORT = 25 };

void conf_intercept_open(struct conf *conf, const struct word *name, struct where where)
{
	conf_relay_listener_start(conf, where);
	conf->relay.listener.protocol = RELAY_INTERCEPT;
	conf->relay.listener.name = conf_word_keep(conf, name);
	/* Every address: IPv6 is turned to ::1, IPv4 to 127.0.0.1, and forwarded clients' to others.
	 * Who calls it without having been intercepted is turned away. */
	conf->relay.listener.at = (struct relay_endpoint){ .port = INTERCEPT_PORT };
	conf->relay.listener_broken = !conf_form_name(conf, "intercept", name, where);
	conf->rule.lists.prefixes.n = conf->rule.lists.ports.n = conf->rule.lists.protocols.n = 0;
}

void conf_intercept_listen(struct conf *conf, const struct word *word, struct where key,
			   struct where where)
{
	if (!conf_given_twice(conf, "listen", key, &conf->relay.listen_seen[LISTEN_AT]))
		(void)conf_form_endpoint(conf, ENDPOINT_TCP, word, where, &conf->relay.listener.at);
}

void conf_intercept_tls(struct conf *conf, const struct word *word, struct where key,
			struct where where)
{
	static const char *const names[] = { "blind", "strip", "terminate" };
	unsigned which = 0;

	if (!conf_given_twice(conf, "tls", key, &conf->relay.listen_seen[LISTEN_TLS]) &&
	    conf_form_choice(conf, "what to do with TLS", word, where, names, ARRAY_LEN(names),
			     &which))
		conf->relay.listener.intercept.tls = (enum relay_intercept_tls)which;
}

/* The list itself is read as that of a rule. */
void conf_intercept_ports(struct conf *conf, struct where key)
{
	(void)conf_given_twice(conf, "port", key, &conf->relay.listen_seen[LISTEN_PORTS]);
}

void conf_intercept_unit(struct conf *conf, const struct word *word, struct where where)
{
	struct relay_client client = { .kind = RELAY_BY_CGROUP, .where = where };

	conf->relay.has_client = true;
	if (!conf_form_unit(conf, word, where))
		return;
	client.cgroup = conf_rule_cgroup_index(conf, word, true);
	PUSH(&conf->relay.clients, client);
}

void conf_intercept_cgroup(struct conf *conf, const struct word *word, struct where where)
{
	struct relay_client client = { .kind = RELAY_BY_CGROUP, .where = where };

	conf->relay.has_client = true;
	if (!conf_form_cgroup(conf, word, where))
		return;
	client.cgroup = conf_rule_cgroup_index(conf, word, false);
	PUSH(&conf->relay.clients, client);
}

void conf_intercept_ids(struct conf *conf, bool is_user, const struct word *word,
			struct where where)
{
	struct relay_client client = { .kind = is_user ? RELAY_BY_USER : RELAY_BY_GROUP,
				       .where = where };
	struct id_range ids;

	conf->relay.has_client = true;
	if (!conf_form_ids(conf, is_user, word, where, &ids, &client.text))
		return;
	client.ids = ids;
	PUSH(&conf->relay.clients, client);
}

void conf_intercept_source(struct conf *conf, const struct word *word, struct where where)
{
	struct relay_client client = { .kind = RELAY_BY_SOURCE, .where = where };
	struct prefix source;

	conf->relay.has_client = true;
	if (!conf_form_prefix(conf, word, where, "one such as 10.88.0.0/16", &source))
		return;
	client.source = source;
	PUSH(&conf->relay.clients, client);
}

/* Ports in canonical form: sorted and merged. */
static void close_ports(struct conf *conf)
{
	struct relay_intercept *intercept = &conf->relay.listener.intercept;
	const struct port_range smtp = { SMTP_PORT, SMTP_PORT };
	const struct destination *to;

	conf->rule.lists.prefixes.n = conf->rule.lists.protocols.n = 0;
	if (conf->rule.lists.ports.n == 0)
		PUSH(&conf->rule.lists.ports, smtp);
	to = destination_intern(&conf->destinations, &conf->model->arena, &conf->rule.lists);
	intercept->ports = to->ports;
	intercept->n_ports = to->n_ports;
}

static bool is_loopback(const struct ip *ip)
{
	static const struct prefix loopback[] = { { { { 127 }, 4 }, 8 },
						  { { { [15] = 1 }, 16 }, 128 } };

	return prefix_contains(&loopback[0], ip) || prefix_contains(&loopback[1], ip);
}

/* What comes from the network cannot be turned to a loopback address: net/ipv4/route.c. */
static void check_sources(struct conf *conf)
{
	const struct relay_listener *listener = &conf->relay.listener;

	for (size_t i = 0; i < conf->relay.clients.n; i++) {
		const struct relay_client *client = &conf->relay.clients.at[i];

		if (client->kind != RELAY_BY_SOURCE)
			continue;
		if (listener->at.ip.len && is_loopback(&listener->at.ip)) {
			diag_error(conf->diag, client->where,
				   "connections from another host cannot be turned to the loopback "
				   "address that intercept %s listens on: expected 'listen *:%u;'",
				   SHOW_TEXT(listener->name), listener->at.port);
			return;
		}
	}
}

void conf_intercept_close(struct conf *conf)
{
	struct relay_listener *listener = &conf->relay.listener;
	size_t n = conf->relay.clients.n, size = n * sizeof *conf->relay.clients.at;

	close_ports(conf);
	check_sources(conf);
	if (!conf->relay.has_client)
		diag_error(conf->diag, listener->where,
			   "intercept %s has no client: expected 'unit', 'cgroup', 'user', 'group' or "
			   "'source'", SHOW_TEXT(listener->name));
	if (n)
		listener->intercept.clients = memcpy(arena_alloc(&conf->model->arena, size),
						     conf->relay.clients.at, size);
	listener->intercept.n_clients = (uint32_t)n;
}
