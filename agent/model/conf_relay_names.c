/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What listeners of the relay demand of each other when everything is read: an endpoint and a name for
 * each, and no client that two blocks intercept. The index of names serves the rules as well.
 */
#include "model/conf_build.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

void conf_relay_names_drop(struct relay_names *names)
{
	index_drop(&names->by_name);
	index_drop(&names->by_place);
}

const struct relay_listener *conf_relay_listener(const struct conf *conf,
						 const struct relay_names *names,
						 const char *name)
{
	const struct relay_listener *at = conf->model->relay.listeners.at;
	uint32_t hash = index_hash(name, strlen(name)), item;

	for (size_t step = 0; (item = index_next(&names->by_name, hash, &step)) != UINT32_MAX;)
		if (strcmp(at[item].name, name) == 0)
			return &at[item];
	return NULL;
}

/* Would two sockets want the same connections? `*` stands for every address. */
static bool is_same_place(const struct relay_endpoint *a, const struct relay_endpoint *b)
{
	static const struct ip any[FAMILIES] = { { .len = 4 }, { .len = 16 } };

	if (a->path || b->path)
		return a->path && b->path && strcmp(a->path, b->path) == 0;
	if (a->port != b->port)
		return false;
	if (a->ip.len == 0 || b->ip.len == 0 || ip_equal(&a->ip, &b->ip))
		return true;
	return a->ip.len == b->ip.len && (ip_equal(&a->ip, &any[ip_family(&a->ip)]) ||
					  ip_equal(&b->ip, &any[ip_family(&a->ip)]));
}

static uint32_t place_hash(const struct relay_endpoint *at)
{
	return at->path ? index_hash(at->path, strlen(at->path)) : at->port;
}

static bool check_place(struct conf *conf, struct relay_names *names, uint32_t index)
{
	const struct relay_listener *at = conf->model->relay.listeners.at, *listener = &at[index];
	uint32_t hash = place_hash(&listener->at), item;
	char text[2][ENDPOINT_TEXT];

	for (size_t step = 0; (item = index_next(&names->by_place, hash, &step)) != UINT32_MAX;) {
		if (!is_same_place(&at[item].at, &listener->at))
			continue;
		diag_error(conf->diag, listener->where,
			   "%s takes the same connections as %s at %s: expected an endpoint for "
			   "each", conf_relay_endpoint(&listener->at, text[0], sizeof text[0]),
			   conf_relay_endpoint(&at[item].at, text[1], sizeof text[1]),
			   PLACE(conf, at[item].where));
		return false;
	}
	index_add(&names->by_place, hash, index);
	return true;
}

static void check_names(struct conf *conf, struct relay_names *names)
{
	struct relay *relay = &conf->model->relay;

	for (uint32_t i = 0; i < relay->listeners.n; i++) {
		const struct relay_listener *listener = &relay->listeners.at[i], *other;
		bool alone = check_place(conf, names, i);

		other = conf_relay_listener(conf, names, listener->name);
		if (other && alone)
			diag_error(conf->diag, listener->where,
				   "listener %s is defined twice: expected a name other than that at "
				   "%s", SHOW_TEXT(listener->name), PLACE(conf, other->where));
		if (!other)
			index_add(&names->by_name,
				  index_hash(listener->name, strlen(listener->name)), i);
	}
}

static bool is_same_client(const struct relay_client *a, const struct relay_client *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case RELAY_BY_CGROUP:
		return a->cgroup == b->cgroup;
	case RELAY_BY_USER:
	case RELAY_BY_GROUP:
		return a->ids.first == b->ids.first && a->ids.last == b->ids.last;
	case RELAY_BY_SOURCE:
		break;
	}
	return a->source.bits == b->source.bits && ip_equal(&a->source.ip, &b->source.ip);
}

static uint32_t client_hash(const struct relay_client *client)
{
	switch (client->kind) {
	case RELAY_BY_CGROUP:
		return client->cgroup;
	case RELAY_BY_USER:
	case RELAY_BY_GROUP:
		return index_hash(&client->ids, sizeof client->ids);
	case RELAY_BY_SOURCE:
		break;
	}
	return index_hash(client->source.ip.octet, client->source.ip.len);
}

static bool share_a_port(const struct relay_intercept *a, const struct relay_intercept *b)
{
	for (uint32_t i = 0; i < a->n_ports; i++)
		for (uint32_t k = 0; k < b->n_ports; k++)
			if (a->ports[i].first <= b->ports[k].last &&
			    b->ports[k].first <= a->ports[i].last)
				return true;
	return false;
}

struct taken {					/* clients of the intercepts so far */
	struct { const struct relay_client *client; const struct relay_listener *by; } *at;
	size_t n, room;
	struct index index;
};

static void taken_drop(struct taken *taken)
{
	free(taken->at);
	index_drop(&taken->index);
}

/* One client's connections to one port can be turned to one place only. */
static void check_client(struct conf *conf, struct taken *taken,
			 const struct relay_listener *listener, const struct relay_client *client)
{
	uint32_t hash = client_hash(client), item;

	for (size_t step = 0; (item = index_next(&taken->index, hash, &step)) != UINT32_MAX;) {
		if (!is_same_client(taken->at[item].client, client) ||
		    !share_a_port(&taken->at[item].by->intercept, &listener->intercept))
			continue;
		diag_error(conf->diag, client->where,
			   "this client's connections are intercepted already at %s: expected it "
			   "once, or with other ports", PLACE(conf, taken->at[item].client->where));
		return;
	}
	index_add(&taken->index, hash, (uint32_t)taken->n);
	taken->at = mem_grow(taken->at, &taken->room, taken->n + 1, sizeof *taken->at);
	taken->at[taken->n].client = client;
	taken->at[taken->n++].by = listener;
}

static void check_clients(struct conf *conf)
{
	const struct relay *relay = &conf->model->relay;
	AUTO(taken_drop) struct taken taken = { 0 };

	for (size_t i = 0; i < relay->listeners.n; i++) {
		const struct relay_listener *listener = &relay->listeners.at[i];

		for (uint32_t k = 0; k < listener->intercept.n_clients; k++)
			check_client(conf, &taken, listener, &listener->intercept.clients[k]);
	}
}

void conf_relay_unknown_listener(struct conf *conf, const char *name, struct where where)
{
	const struct relay *relay = &conf->model->relay;
	const struct word word = { .at = name, .len = strlen(name) };
	enum { FEW = 256 };
	const char *known[FEW], *near;
	size_t n = 0;

	for (; n < relay->listeners.n && n < FEW; n++)
		known[n] = relay->listeners.at[n].name;
	near = conf_near(&word, known, n);
	if (near)
		diag_error(conf->diag, where, "unknown listener %s: did you mean %s?",
			   SHOW_TEXT(name), SHOW_TEXT(near));
	else
		diag_error(conf->diag, where,
			   "unknown listener %s: expected the name of a 'listen' or 'intercept' "
			   "block", SHOW_TEXT(name));
}

void conf_relay_listeners_check(struct conf *conf, struct relay_names *names)
{
	check_names(conf, names);
	check_clients(conf);
}
