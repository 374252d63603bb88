/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay stanza as canonical text: settings in one order, what is the default left out; listeners
 * in the order of the text; rules by key and value, a rule with `on` after the same one without.
 */
#include "model/conf.h"

#include "base/mem.h"
#include "model/conf_build.h"

#include <inttypes.h>
#include <string.h>

static void setting(const char *key, const char *value, FILE *out)
{
	if (!value)
		return;
	fprintf(out, "%s ", key);
	conf_print_word(value, out);
	fputs(";\n", out);
}

static void number(const char *key, uint32_t value, uint32_t unless, FILE *out)
{
	if (value != unless)
		fprintf(out, "    %s %u;\n", key, value);
}

const char *conf_relay_protocol_name(enum relay_protocol protocol)
{
	static const char *const names[] = {
		[RELAY_SMTP] = "smtp", [RELAY_LMTP] = "lmtp", [RELAY_SOCKS5] = "socks5",
		[RELAY_PROXY] = "proxy", [RELAY_INTERCEPT] = "intercept",
	};

	return names[protocol];
}

const char *conf_relay_tls_name(enum relay_tls level)
{
	static const char *const names[] = {
		[RELAY_UPSTREAM_UNSAID] = "may", [RELAY_UPSTREAM_NONE] = "none",
		[RELAY_UPSTREAM_MAY] = "may", [RELAY_UPSTREAM_ENCRYPT] = "encrypt",
		[RELAY_UPSTREAM_VERIFY] = "verify", [RELAY_UPSTREAM_DANE] = "dane",
	};

	return names[level];
}

static void print_hop(const struct relay_host *hop, FILE *out)
{
	char text[300];

	fputs(hop->mx ? "mx " : "", out);
	if (strchr(hop->host, ':'))
		snprintf(text, sizeof text, hop->port ? "[%s]:%u" : "[%s]", hop->host, hop->port);
	else
		snprintf(text, sizeof text, hop->port ? "%s:%u" : "%s", hop->host, hop->port);
	/* quoted: a host may be called as a keyword is */
	fprintf(out, "\"%s\"", text);
}

static void print_size(uint64_t size, FILE *out)
{
	static const char units[] = "\0KMG";
	int unit = 0;

	while (unit < 3 && size % 1024 == 0) {
		size /= 1024;
		unit++;
	}
	fprintf(out, "    size %" PRIu64 "%s;\n", size, (char[2]){ units[unit] });
}

static void print_map(const char *key, const struct relay_map *map, FILE *out)
{
	char text[ENDPOINT_TEXT];

	if (!map->name)
		return;
	fprintf(out, "    %s \"socketmap:%s:%s:%s\";\n", key, map->at.path ? "unix" : "inet",
		conf_relay_endpoint(&map->at, text, sizeof text), map->name);
}

static void print_reuse(const struct relay *relay, const struct relay *unless, FILE *out)
{
	if (relay->reuse_messages == 0) {
		fputs("    reuse off;\n", out);
		return;
	}
	if (relay->reuse_messages == unless->reuse_messages &&
	    relay->reuse_age_s == unless->reuse_age_s &&
	    relay->reuse_idle_s == unless->reuse_idle_s)
		return;
	fprintf(out, "    reuse messages %u age %us idle %us;\n", relay->reuse_messages,
		relay->reuse_age_s, relay->reuse_idle_s);
}

static void print_settings(const struct relay *relay, FILE *out)
{
	const struct relay unless = RELAY_DEFAULTS;
	char text[ENDPOINT_TEXT];

	number("workers", relay->workers, unless.workers, out);
	setting("    hostname", relay->hostname, out);
	if (relay->size_max != unless.size_max)
		print_size(relay->size_max, out);
	number("sessions", relay->sessions_max, unless.sessions_max, out);
	number("client-sessions", relay->client_max, unless.client_max, out);
	fputs(relay->prefer_ipv6 ? "    family ipv6-first;\n" : "", out);
	fputs(relay->ignore_8bit ? "    8bit ignore;\n" : "", out);
	if (relay->resolver.ip.len)
		fprintf(out, "    resolver %s;\n",
			conf_relay_endpoint(&relay->resolver, text, sizeof text));
	setting("    access-log", relay->access_log, out);
	print_reuse(relay, &unless, out);
	setting("    tls-ca", relay->tls_ca, out);
	print_map("policy-map", &relay->policy_map, out);
	print_map("sts-map", &relay->sts_map, out);
	if (relay->tls != unless.tls)
		fprintf(out, "    tls %s;\n", conf_relay_tls_name(relay->tls));
}

static int compare_tls(const void *left, const void *right)
{
	const struct relay_tls_rule *a = left, *b = right;

	return strcmp(a->domain, b->domain);
}

static int compare_hops(const void *left, const void *right)
{
	const struct relay_binding_hop *a = left, *b = right;

	return strcmp(a->binding, b->binding);
}

static void print_hops(const struct relay *relay, FILE *out)
{
	size_t n_tls = relay->tls_rules.n, n_hops = relay->hops.n;
	struct relay_tls_rule *AUTO(mem_drop) tls = mem_zero(n_tls, sizeof *tls);
	struct relay_binding_hop *AUTO(mem_drop) hops = mem_zero(n_hops, sizeof *hops);

	if (n_tls) {
		memcpy(tls, relay->tls_rules.at, n_tls * sizeof *tls);
		qsort(tls, n_tls, sizeof *tls, compare_tls);
	}
	if (n_hops) {
		memcpy(hops, relay->hops.at, n_hops * sizeof *hops);
		qsort(hops, n_hops, sizeof *hops, compare_hops);
	}
	for (size_t i = 0; i < n_tls; i++) {
		fprintf(out, "    tls %s to ", conf_relay_tls_name(tls[i].level));
		conf_print_word(tls[i].domain, out);
		fputs(";\n", out);
	}
	if (relay->smarthost.host) {
		fputs("    smarthost ", out);
		print_hop(&relay->smarthost, out);
		fputs(";\n", out);
	}
	for (size_t i = 0; i < n_hops; i++) {
		fputs("    smarthost ", out);
		print_hop(&hops[i].host, out);
		setting(" for", hops[i].binding, out);
	}
}

void conf_print_relay_settings(const struct model *model, FILE *out)
{
	print_settings(&model->relay, out);
	print_hops(&model->relay, out);
}

static void print_front(const struct relay_listener *listener, FILE *out)
{
	static const char *const tls[] = { "none", "offered", "required", "implicit" };
	char place[ENDPOINT_TEXT];

	if (strcmp(listener->name, conf_relay_endpoint(&listener->at, place, sizeof place)) != 0)
		setting("        name", listener->name, out);
	if (listener->protocol != RELAY_SMTP)
		setting("        protocol", conf_relay_protocol_name(listener->protocol), out);
	if (listener->mode)
		fprintf(out, "        mode %04o;\n", listener->mode);
	if (listener->tls != RELAY_TLS_NONE)
		setting("        tls", tls[listener->tls], out);
	setting("        certificate", listener->certificate, out);
	setting("        key", listener->key, out);
	setting("        auth file", listener->auth_file, out);
	setting("        auth socket", listener->auth_socket, out);
	fputs(listener->auth_required ? "        auth required;\n" : "", out);
	fputs(listener->auth_plain_text ? "        auth plain-text;\n" : "", out);
	fputs(listener->trust_parameter ? "        trust parameter;\n" : "", out);
	fputs(listener->trust_header ? "        trust header;\n" : "", out);
	fputs(listener->normalise ? "        bare-newline normalise;\n" : "", out);
	fputs(listener->received ? "" : "        received off;\n", out);
	if (listener->smarthost.host) {
		fputs("        smarthost ", out);
		print_hop(&listener->smarthost, out);
		fputs(";\n", out);
	}
}

static void print_listen(const struct relay_listener *listener, FILE *out)
{
	char *AUTO(mem_drop) settings = NULL;
	size_t len = 0;
	char place[ENDPOINT_TEXT];
	FILE *inner = open_memstream(&settings, &len);

	if (!inner)
		abort();
	print_front(listener, inner);
	if (fclose(inner) != 0)
		abort();
	fputs("    listen ", out);
	conf_print_word(conf_relay_endpoint(&listener->at, place, sizeof place), out);
	if (len)
		fprintf(out, " {\n%s    }\n", settings);
	else
		fputs(";\n", out);
}

static void print_client(const struct model *model, const struct relay_client *client, FILE *out)
{
	char text[PREFIX_TEXT];

	switch (client->kind) {
	case RELAY_BY_CGROUP:
		fputs(model->cgroups.at[client->cgroup].is_unit ? "unit " : "cgroup ", out);
		conf_print_word(model->cgroups.at[client->cgroup].name, out);
		break;
	case RELAY_BY_USER:
		fputs("user ", out);
		conf_print_ids(&client->ids, client->text, out);
		break;
	case RELAY_BY_GROUP:
		fputs("group ", out);
		conf_print_ids(&client->ids, client->text, out);
		break;
	case RELAY_BY_SOURCE:
		fprintf(out, "source %s", prefix_print(&client->source, text));
		break;
	}
}

static void print_intercept(const struct model *model, const struct relay_listener *listener,
			    FILE *out)
{
	static const char *const tls[] = { "blind", "strip", "terminate" };
	const struct relay_intercept *intercept = &listener->intercept;
	char place[ENDPOINT_TEXT];

	fputs("    intercept ", out);
	conf_print_word(listener->name, out);
	fputs(" {\n", out);
	for (uint32_t i = 0; i < intercept->n_clients; i++) {
		fputs("        ", out);
		print_client(model, &intercept->clients[i], out);
		fputs(";\n", out);
	}
	for (uint32_t i = 0; i < intercept->n_ports; i++) {
		const struct port_range *port = &intercept->ports[i];

		fprintf(out, "%s%u", i ? ", " : "        port ", port->first);
		if (port->last != port->first)
			fprintf(out, "-%u", port->last);
	}
	fprintf(out, ";\n        listen %s;\n",
		conf_relay_endpoint(&listener->at, place, sizeof place));
	if (intercept->tls != RELAY_BLIND)
		setting("        tls", tls[intercept->tls], out);
	setting("        certificate", listener->certificate, out);
	setting("        key", listener->key, out);
	fputs(listener->normalise ? "        bare-newline normalise;\n" : "", out);
	fputs("    }\n", out);
}

void conf_print_relay_listener(const struct model *model, uint32_t listener, FILE *out)
{
	const struct relay_listener *one = &model->relay.listeners.at[listener];

	if (one->protocol == RELAY_INTERCEPT)
		print_intercept(model, one, out);
	else
		print_listen(one, out);
}

void conf_print_relay_key(const struct relay_rule *rule, FILE *out)
{
	fputs(conf_relay_key_name(rule->key), out);
	if (rule->key != RELAY_KEY_OTHERWISE) {
		fputc(' ', out);
		conf_print_word(rule->text, out);
	}
	if (rule->listener) {
		fputs(" on ", out);
		conf_print_word(rule->listener, out);
	}
}

void conf_print_relay_rule(const struct relay_rule *rule, FILE *out)
{
	conf_print_relay_key(rule, out);
	if (rule->binding) {
		fputs(" use ", out);
		conf_print_word(rule->binding, out);
	} else {
		fputs(" reject", out);
	}
	if (rule->reject) {
		fputs(" \"", out);
		for (const char *c = rule->reject; *c; c++)
			fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
		fputc('"', out);
	}
	if (rule->smarthost.host) {
		fputs(" smarthost ", out);
		print_hop(&rule->smarthost, out);
	}
	fputc(';', out);
}

static int compare_rules(const void *left, const void *right)
{
	const struct relay_rule *a = *(const struct relay_rule *const *)left;
	const struct relay_rule *b = *(const struct relay_rule *const *)right;
	int order;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	if (a->key == RELAY_KEY_PEER_USER) {
		if (a->ids.first != b->ids.first)
			return a->ids.first < b->ids.first ? -1 : 1;
		if (a->ids.last != b->ids.last)
			return a->ids.last < b->ids.last ? -1 : 1;
	} else if (a->key == RELAY_KEY_CLIENT || a->key == RELAY_KEY_DESTINATION) {
		order = ip_compare(&a->prefix.ip, &b->prefix.ip);
		if (order || a->prefix.bits != b->prefix.bits)
			return order ? order : (int)a->prefix.bits - (int)b->prefix.bits;
	} else {
		order = strcmp(a->text, b->text);
		if (order)
			return order;
	}
	return strcmp(a->listener ? a->listener : "", b->listener ? b->listener : "");
}

void conf_print_relay(const struct model *model, FILE *out)
{
	const struct relay *relay = &model->relay;
	const struct relay_rule **AUTO(mem_drop) order = mem_zero(relay->rules.n, sizeof *order);

	if (!relay->given)
		return;
	fputs("\nrelay {\n", out);
	conf_print_relay_settings(model, out);
	for (uint32_t i = 0; i < relay->listeners.n; i++)
		conf_print_relay_listener(model, i, out);
	for (size_t i = 0; i < relay->rules.n; i++)
		order[i] = &relay->rules.at[i];
	qsort(order, relay->rules.n, sizeof *order, compare_rules);
	for (size_t i = 0; i < relay->rules.n; i++) {
		fputs("    ", out);
		conf_print_relay_rule(order[i], out);
		fputc('\n', out);
	}
	fputs("}\n", out);
}
