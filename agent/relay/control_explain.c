/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Explain: what a message would meet, by the same rules, agent and DNS that a worker asks,
 * without sending one. In the main loop, with a connection to the agent and a resolver of its
 * own.
 */
#include "relay/control_parts.h"

#include "base/mem.h"
#include "dns/dns_resolver.h"
#include "model/conf.h"
#include "relay/socketmap.h"
#include "smtp/address.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

struct explain {
	struct control_peer *peer;
	struct generation *generation;		/* counted */
	json_t *in;				/* the call, whose texts are borrowed */
	const struct front_kind *front;
	struct policy_verdict verdict;
	struct socketmap_query *map;
	char *mapped;				/* what policy-map answered, or NULL */
	char domain[DOMAIN_MAX_BYTES + 1];
	struct ip destination;
	struct tagging_query *tag;
	struct resolve_query *query;
	char *member, *ehlo;
	json_t *addresses, *destinations;
	char refused[512];
};

static void explain_free(struct explain *explain)
{
	if (explain->map)
		socketmap_cancel(explain->map);
	if (explain->tag)
		tagging_cancel(explain->tag);
	if (explain->query)
		resolve_cancel(explain->query);
	explain->peer->explain = NULL;
	json_decref(explain->in);
	json_decref(explain->addresses);
	json_decref(explain->destinations);
	free(explain->member);
	free(explain->ehlo);
	free(explain->mapped);
	generation_unref(explain->generation);
	free(explain);
}

void control_explain_cancel(struct control_peer *peer)
{
	if (peer->explain)
		explain_free(peer->explain);
}

static json_t *text_or_null(const char *text)
{
	return text && text[0] ? json_string(text) : json_null();
}

static char *rule_text(const struct explain *explain)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	if (!explain->verdict.rule)
		return mem_text("", 0);
	out = open_memstream(&text, &len);
	if (!out)
		abort();
	conf_print_relay_rule(explain->verdict.rule, out);
	if (fclose(out) != 0)
		abort();
	return text;
}

static const char *hop_name(const struct explain *explain)
{
	return explain->verdict.hop.host ? explain->verdict.hop.host : explain->domain;
}

static bool goes_to_address(const struct explain *explain)
{
	return !explain->verdict.hop.host && explain->destination.len > 0;
}

/* What rules about TLS go by; in @ip if that is an address. */
static const char *next_hop(const struct explain *explain, char ip[static IP_TEXT])
{
	return goes_to_address(explain) ? ip_print(&explain->destination, ip) : hop_name(explain);
}

/* All is known: the answer. */
static void finish(struct explain *explain)
{
	AUTO(mem_drop) char *rule = rule_text(explain);
	struct control_peer *peer = explain->peer;
	char place[4200] = "", ip[IP_TEXT];
	json_t *out;

	if (explain->verdict.rule)
		model_place(&explain->generation->model, explain->verdict.rule->where, place,
			    sizeof place);
	out = json_pack("{s:o, s:o, s:o, s:O, s:O, s:s, s:o, s:o, s:s, s:o}", "binding",
			text_or_null(explain->verdict.binding), "member",
			text_or_null(explain->member), "ehlo", text_or_null(explain->ehlo),
			"addresses", explain->addresses, "destinations", explain->destinations,
			"connect_point", policy_point_name(explain->front->session.point), "rule",
			text_or_null(rule), "place", text_or_null(place), "tls",
			conf_relay_tls_name(policy_tls(explain->generation->policy,
						       next_hop(explain, ip))),
			"refused", text_or_null(explain->refused));
	explain_free(explain);
	control_reply(peer, out);
	control_go_on(peer);
}

static void add_destination(struct explain *explain, const struct resolved_address *at)
{
	uint16_t port = explain->verdict.hop.port ? explain->verdict.hop.port : 25;
	char ip[IP_TEXT], text[400];

	(void)snprintf(text, sizeof text, "%s [%s]:%u", at->host, ip_print(&at->ip, ip), port);
	json_array_append_new(explain->destinations, json_string(text));
}

static void on_resolved(void *context, const struct resolved *resolved)
{
	struct explain *explain = context;
	char first[400];

	explain->query = NULL;
	if (resolved->refusal.code)
		(void)snprintf(explain->refused, sizeof explain->refused, "%d %s",
			       resolved->refusal.code,
			       reply_first(&resolved->refusal, first, sizeof first));
	for (size_t i = 0; i < resolved->n; i++)
		add_destination(explain, &resolved->at[i]);
	finish(explain);
}

static void resolve(struct explain *explain, const bool usable[static FAMILIES])
{
	const struct relay *relay = &explain->generation->model.relay;
	struct resolve_how how = { .domain = hop_name(explain), .mx = !explain->verdict.hop.host ||
								       explain->verdict.hop.mx,
				   .prefer_ipv6 = relay->prefer_ipv6,
				   .own_name = explain->generation->hostname,
				   .hash = explain->verdict.hash };

	if (goes_to_address(explain)) {
		char ip[IP_TEXT];
		struct resolved_address at = { .ip = explain->destination,
					       .host = ip_print(&explain->destination, ip) };

		add_destination(explain, &at);
		finish(explain);
		return;
	}
	if (!how.domain[0]) {			/* nobody was named yet to whom it would go */
		finish(explain);
		return;
	}
	memcpy(how.want, usable, sizeof how.want);
	explain->query =
		resolve_start(explain->peer->control->resolver, &how, on_resolved, explain);
}

static void on_tag(void *context, const struct tagging_answer *answer)
{
	struct explain *explain = context;
	char ip[IP_TEXT];

	explain->tag = NULL;
	if (answer->error) {
		(void)snprintf(explain->refused, sizeof explain->refused, "451 %s %s",
			       answer->error == -EHOSTDOWN	   ? "4.3.0"
			       : answer->error == -ENETUNREACH ? "4.4.4"
								   : "4.7.1",
			       answer->why);
		finish(explain);
		return;
	}
	explain->member = mem_copy(answer->binding);
	explain->ehlo = mem_copy(
		answer->ehlo[answer->usable[FAMILY_IPV4] ? FAMILY_IPV4 : FAMILY_IPV6]);
	for (size_t i = 0; i < answer->n_addresses; i++)
		json_array_append_new(explain->addresses,
				      json_string(ip_print(&answer->addresses[i], ip)));
	if (!answer->usable[FAMILY_IPV4] && !answer->usable[FAMILY_IPV6]) {
		(void)snprintf(explain->refused, sizeof explain->refused,
			       "451 4.4.4 binding %s: %s", answer->binding,
			       answer->no[FAMILY_IPV4] ? answer->no[FAMILY_IPV4] : "unusable");
		finish(explain);
		return;
	}
	resolve(explain, answer->usable);
}

static const char *text_of(const json_t *in, const char *name)
{
	return json_string_value(json_object_get(in, name));
}

static const struct front_kind *find_front(const struct generation *generation, const char *name)
{
	for (size_t i = 0; i < generation->n_fronts; i++)
		if (!name || strcmp(generation->fronts[i].conf->name, name) == 0)
			return &generation->fronts[i];
	return NULL;
}

/* What the rules may look at; of what only passes through, no word of a message is known. */
static void read_facts(struct explain *explain, struct policy_facts *facts)
{
	enum relay_protocol protocol = explain->front->conf->protocol;
	const json_t *in = explain->in;
	const char *client = text_of(in, "client"), *destination = text_of(in, "destination");
	const char *at;

	*facts = (struct policy_facts){
		.listener = explain->front->conf, .helo = text_of(in, "helo"),
		.user = text_of(in, "auth"), .sender = text_of(in, "sender"),
		.rcpt = text_of(in, "rcpt"), .parameter = text_of(in, "parameter"),
		.header = text_of(in, "header"),
	};
	if (protocol == RELAY_SOCKS5 || protocol == RELAY_PROXY)
		facts->helo = facts->user = facts->sender = facts->rcpt = facts->header = NULL;
	if (client && ip_parse(client, &facts->client) < 0)
		facts->client.len = 0;
	if (destination && ip_parse(destination, &facts->destination) < 0)
		facts->destination.len = 0;
	explain->destination = facts->destination;
	at = facts->rcpt ? strrchr(facts->rcpt, '@') : NULL;
	if (at && !path_domain_fold((struct text){ at + 1, strlen(at + 1) }, explain->domain))
		explain->domain[0] = '\0';
}

static void refuse(struct explain *explain, const char *code, const char *reason)
{
	(void)snprintf(explain->refused, sizeof explain->refused, "%s %s", code, reason);
	finish(explain);
}

static void decide(struct explain *explain)
{
	struct control *control = explain->peer->control;
	struct policy_facts facts;
	char whom[160];

	read_facts(explain, &facts);
	facts.map = explain->mapped;
	policy_decide(explain->generation->policy, &facts, &explain->verdict);
	if (!explain->verdict.binding) {
		refuse(explain, explain->verdict.permanent ? "550 5.7.1" : "451 4.7.1",
		       explain->verdict.reason);
		return;
	}
	(void)snprintf(whom, sizeof whom, "name:%s", explain->verdict.binding);
	explain->tag = tagging_ask(control->tagging, explain->verdict.hash, whom, -1, on_tag,
				   explain);
}

static void on_map(void *context, enum socketmap_result result, const char *text)
{
	struct explain *explain = context;
	char reason[300];

	explain->map = NULL;
	if (result == SOCKETMAP_OK)
		explain->mapped = mem_copy(text);
	if (result == SOCKETMAP_OK || result == SOCKETMAP_NOTFOUND) {
		decide(explain);
		return;
	}
	(void)snprintf(reason, sizeof reason, "the policy map cannot say: %s", text);
	refuse(explain, "451 4.3.0", reason);
}

/* The map first, as a worker does. */
static void begin(struct explain *explain)
{
	AUTO(buffer_drop) struct buffer key = { 0 };
	struct policy_facts facts;

	read_facts(explain, &facts);
	if (!policy_asks_map(explain->generation->policy, &facts)) {
		decide(explain);
		return;
	}
	policy_map_key(&facts, &key);
	explain->map = socketmap_ask(explain->peer->control->policy_map,
				     (const char *)buffer_bytes(&key), on_map, explain);
}

static void close_sources(struct control *control)
{
	struct dns_resolver *resolver = control->resolver;
	struct socketmap *policy_map = control->policy_map;

	control->resolver = NULL;
	control->policy_map = NULL;
	socketmap_free(policy_map);
	dns_resolver_free(resolver);
}

/* Whom explanations ask, as the configuration of now says; those that are open are told 451. */
static void open_sources(struct control *control, const struct generation *generation)
{
	const struct relay *relay = &generation->model.relay;

	if (control->sources_of == generation->number)
		return;
	close_sources(control);
	if (resolve_open(control->program->loop, relay, &control->resolver) < 0)
		abort();
	if (relay->policy_map.name)
		control->policy_map = socketmap_new(control->program->loop, &relay->policy_map);
	control->sources_of = generation->number;
}

void control_explain(struct control_peer *peer, json_t *in)
{
	struct control *control = peer->control;
	struct generation *generation = control->program->now;
	const struct front_kind *front = find_front(generation, text_of(in, "listener"));
	struct explain *explain;

	if (!front) {
		control_error(peer, "org.outbind.relay.NotFound",
			      json_pack("{s:s, s:s}", "what", "listener", "name",
					text_of(in, "listener") ? text_of(in, "listener") : ""));
		return;
	}
	open_sources(control, generation);
	explain = mem_zero(1, sizeof *explain);
	explain->peer = peer;
	explain->generation = generation_ref(generation);
	explain->in = json_incref(in);
	explain->front = front;
	explain->addresses = json_array();
	explain->destinations = json_array();
	peer->explain = explain;
	begin(explain);
}

static void on_changed(void *context)
{
	(void)context;				/* it is asked anew for each explanation */
}

void control_explain_start(struct control *control)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/tag", control->program->agent_dir);
	control->tagging = tagging_new(control->program->loop, path, on_changed, control);
}

void control_explain_stop(struct control *control)
{
	tagging_free(control->tagging);
	close_sources(control);
}
