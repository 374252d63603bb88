/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be said of the relay only when everything is read: things that are there twice, names
 * of listeners and bindings, rules that can never match. From now on rules name listeners by the
 * same pointer as the listener itself. Linear but for what is sorted.
 */
#include "model/conf_build.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { WARNINGS_MAX = 20 };

/* Can a session at @listener ever have what rules of @key look at? */
static bool is_known_at(const struct relay_listener *listener, enum relay_key key)
{
	enum relay_protocol protocol = listener->protocol;
	bool passes = protocol == RELAY_SOCKS5;

	if (protocol == RELAY_PROXY)
		return false;			/* its header names the binding */
	switch (key) {
	case RELAY_KEY_SENDER:
	case RELAY_KEY_RECIPIENT:
	case RELAY_KEY_HELO:
		return !passes;
	case RELAY_KEY_USER:
		return listener->auth_file || listener->auth_socket;
	case RELAY_KEY_PEER_CGROUP:
	case RELAY_KEY_PEER_USER:
		return listener->at.path;
	case RELAY_KEY_CLIENT:
		return !listener->at.path;
	case RELAY_KEY_DESTINATION:
		return passes || protocol == RELAY_INTERCEPT;
	case RELAY_KEY_PARAMETER:
	case RELAY_KEY_HEADER:
	case RELAY_KEY_MAP:
	case RELAY_KEY_LISTENER:
	case RELAY_KEY_OTHERWISE:
	case RELAY_KEYS:
		break;
	}
	return true;
}

static void resolve_listeners(struct conf *conf, const struct relay_names *names,
			      struct relay_rule *rule)
{
	bool by_listener = rule->key == RELAY_KEY_LISTENER;
	const struct relay_listener *on = NULL, *named = NULL;

	if (rule->listener)
		on = conf_relay_listener(conf, names, rule->listener);
	if (by_listener)
		named = conf_relay_listener(conf, names, rule->text);
	if (rule->listener && !on)
		conf_relay_unknown_listener(conf, rule->listener, rule->where);
	if (by_listener && !named)
		conf_relay_unknown_listener(conf, rule->text, rule->where);
	if (by_listener && rule->listener)
		diag_error(conf->diag, rule->where,
			   "'on' in a rule of a listener: expected it without, since it names the "
			   "listener already");
	if (on && !is_known_at(on, rule->key))
		diag_error(conf->diag, rule->where,
			   "a rule by '%s' can never match at listener %s: expected one without 'on', "
			   "or another key", conf_relay_key_name(rule->key), SHOW_TEXT(on->name));
	if (named && named->protocol == RELAY_PROXY)
		diag_error(conf->diag, rule->where,
			   "a rule by 'listener' can never match at listener %s: expected another "
			   "listener, since a PROXY header names the binding itself",
			   SHOW_TEXT(named->name));
	if (on)
		rule->listener = on->name;
	if (named)
		rule->text = named->name;
}

static bool is_same_key(const struct relay_rule *a, const struct relay_rule *b)
{
	if (a->key != b->key || a->listener != b->listener)
		return false;
	if (a->key == RELAY_KEY_PEER_USER)
		return a->ids.first == b->ids.first && a->ids.last == b->ids.last;
	return strcmp(a->text, b->text) == 0;
}

static uint32_t key_hash(const struct relay_rule *rule)
{
	uint32_t value = rule->key == RELAY_KEY_PEER_USER
				 ? index_hash(&rule->ids, sizeof rule->ids)
				 : index_hash(rule->text, strlen(rule->text));

	return value + (uint32_t)rule->key * 0x9e3779b1u +
	       (rule->listener ? index_hash(rule->listener, strlen(rule->listener)) : 0);
}

static void check_twice(struct conf *conf)
{
	const struct relay_rule *at = conf->model->relay.rules.at;
	AUTO(index_drop) struct index index = { 0 };

	for (uint32_t i = 0; i < conf->model->relay.rules.n; i++) {
		uint32_t hash = key_hash(&at[i]), other;

		for (size_t step = 0; (other = index_next(&index, hash, &step)) != UINT32_MAX;)
			if (is_same_key(&at[other], &at[i]))
				break;
		if (other == UINT32_MAX)
			index_add(&index, hash, i);
		else
			diag_error(conf->diag, at[i].where,
				   "this rule is about the same as the rule at %s: expected one of "
				   "them only", PLACE(conf, at[other].where));
	}
}

/* A binding that nobody knows: an error, or one of the first few warnings. */
static void missing(struct conf *conf, const char *name, struct where where, size_t *n_missing)
{
	if (!conf->world->files_only)
		conf_use_missing(conf, USE_RULE, name, where);
	else if (++*n_missing <= WARNINGS_MAX)
		diag_warning(conf->diag, where,
			     "binding %s is not in the files: what is for it is refused unless it was "
			     "added at run time%s", SHOW_TEXT(name),
			     *n_missing == WARNINGS_MAX ? " (more like this are not listed)" : "");
}

static void check_bindings(struct conf *conf)
{
	struct relay *relay = &conf->model->relay;
	size_t n_missing = 0;

	for (size_t i = 0; i < relay->rules.n; i++)
		if (relay->rules.at[i].binding &&
		    model_find(conf->model, relay->rules.at[i].binding) == NO_INDEX)
			missing(conf, relay->rules.at[i].binding, relay->rules.at[i].where,
				&n_missing);
	for (size_t i = 0; i < relay->hops.n; i++)
		if (model_find(conf->model, relay->hops.at[i].binding) == NO_INDEX)
			missing(conf, relay->hops.at[i].binding, relay->hops.at[i].where,
				&n_missing);
}

static int compare_hops(const void *left, const void *right)
{
	const struct relay_binding_hop *const *a = left, *const *b = right;
	int order = strcmp((*a)->binding, (*b)->binding);

	return order ? order : *a < *b ? -1 : *a > *b;
}

static int compare_tls(const void *left, const void *right)
{
	const struct relay_tls_rule *const *a = left, *const *b = right;
	int order = strcmp((*a)->domain, (*b)->domain);

	return order ? order : *a < *b ? -1 : *a > *b;
}

static void check_hops(struct conf *conf)
{
	const struct relay *relay = &conf->model->relay;
	size_t n = relay->hops.n;
	const struct relay_binding_hop **AUTO(mem_drop) order = mem_zero(n, sizeof *order);

	for (size_t i = 0; i < n; i++)
		order[i] = &relay->hops.at[i];
	qsort(order, n, sizeof *order, compare_hops);
	for (size_t i = 1; i < n; i++)
		if (strcmp(order[i - 1]->binding, order[i]->binding) == 0)
			diag_error(conf->diag, order[i]->where,
				   "binding %s has a smarthost already at %s: expected one of them "
				   "only", SHOW_TEXT(order[i]->binding),
				   PLACE(conf, order[i - 1]->where));
}

static void check_tls_rules(struct conf *conf)
{
	const struct relay *relay = &conf->model->relay;
	size_t n = relay->tls_rules.n;
	const struct relay_tls_rule **AUTO(mem_drop) order = mem_zero(n, sizeof *order);

	for (size_t i = 0; i < n; i++)
		order[i] = &relay->tls_rules.at[i];
	qsort(order, n, sizeof *order, compare_tls);
	for (size_t i = 1; i < n; i++)
		if (strcmp(order[i - 1]->domain, order[i]->domain) == 0)
			diag_error(conf->diag, order[i]->where,
				   "TLS to %s is said already at %s: expected one of them only",
				   SHOW_TEXT(order[i]->domain), PLACE(conf, order[i - 1]->where));
}

static int compare_ranges(const void *left, const void *right)
{
	const struct relay_rule *const *a = left, *const *b = right;

	if ((*a)->ids.first != (*b)->ids.first)
		return (*a)->ids.first < (*b)->ids.first ? -1 : 1;
	if ((*a)->ids.last != (*b)->ids.last)
		return (*a)->ids.last > (*b)->ids.last ? -1 : 1;
	return *a < *b ? -1 : *a > *b;
}

/* By first number, wider ranges first, each must end within the innermost that is open. */
static void check_peers(struct conf *conf)
{
	const struct relay *relay = &conf->model->relay;
	struct { const struct relay_rule **at; size_t n, room; } order = { 0 }, open = { 0 };

	for (size_t i = 0; i < relay->rules.n; i++)
		if (relay->rules.at[i].key == RELAY_KEY_PEER_USER)
			PUSH(&order, &relay->rules.at[i]);
	if (order.n)
		qsort(order.at, order.n, sizeof *order.at, compare_ranges);
	for (size_t i = 0; i < order.n; i++) {
		const struct relay_rule *rule = order.at[i];

		while (open.n && open.at[open.n - 1]->ids.last < rule->ids.first)
			open.n--;
		if (open.n && open.at[open.n - 1]->ids.last < rule->ids.last)
			diag_error(conf->diag, rule->where,
				   "range %s overlaps range %s of the rule at %s: expected ranges of "
				   "which one holds the other, or that have nothing in common",
				   rule->text, open.at[open.n - 1]->text,
				   PLACE(conf, open.at[open.n - 1]->where));
		else
			PUSH(&open, rule);
	}
	free(order.at);
	free(open.at);
}

/* Keys of rules for everywhere that nobody can ever have; one warning a key. */
static void warn_useless(struct conf *conf)
{
	const struct relay *relay = &conf->model->relay;
	bool known[RELAY_KEYS] = { 0 };

	for (size_t i = 0; i < relay->listeners.n; i++)
		for (enum relay_key key = 0; key < RELAY_KEYS; key++)
			known[key] = known[key] || is_known_at(&relay->listeners.at[i], key);
	for (size_t i = 0; i < relay->rules.n; i++) {
		const struct relay_rule *rule = &relay->rules.at[i];

		if (!known[rule->key])
			diag_warning(conf->diag, rule->where,
				     "a rule by '%s' can match at no listener that there is",
				     conf_relay_key_name(rule->key));
		known[rule->key] = true;
	}
}

static void warn_dane(struct conf *conf)
{
	const struct relay *relay = &conf->model->relay;
	const struct ip *ip = &relay->resolver.ip;
	bool local = ip->len == 0 || (ip->len == 4 && ip->octet[0] == 127) ||
		     ip_equal(ip, &(struct ip){ { [15] = 1 }, 16 });
	bool dane = relay->tls == RELAY_UPSTREAM_DANE;

	for (size_t i = 0; i < relay->tls_rules.n; i++)
		dane = dane || relay->tls_rules.at[i].level == RELAY_UPSTREAM_DANE;
	if (dane && !local)
		diag_warning(conf->diag, relay->where,
			     "'tls dane' with a resolver on another host: its answers can be forged on "
			     "the way, expected a validating one on this host");
}

void conf_relay_check(struct conf *conf)
{
	struct relay *relay = &conf->model->relay;
	AUTO(conf_relay_names_drop) struct relay_names names = { 0 };

	if (!relay->given)
		return;
	conf_relay_listeners_check(conf, &names);
	for (size_t i = 0; i < relay->rules.n; i++)
		resolve_listeners(conf, &names, &relay->rules.at[i]);
	check_twice(conf);
	check_bindings(conf);
	check_hops(conf);
	check_tls_rules(conf);
	check_peers(conf);
	if (conf->diag->n_errors)
		return;			/* the rest may only be what was not understood */
	if (relay->listeners.n == 0)
		diag_warning(conf->diag, relay->where,
			     "the relay has no listener: expected 'listen' or 'intercept'");
	else
		warn_useless(conf);
	warn_dane(conf);
}
