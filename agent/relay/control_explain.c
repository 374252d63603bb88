/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Explain: what a message would meet, by the same rules, agent and DNS that a worker asks,
 * without sending one. In the main loop, with a connection to the agent and a resolver of its
 * own.
 */
#include "relay/control_explain_parts.h"

#include "base/mem.h"
#include "dns/dns_resolver.h"
#include "smtp/address.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

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
	free(explain->ehlo[FAMILY_IPV4]);
	free(explain->ehlo[FAMILY_IPV6]);
	free(explain->mapped);
	generation_unref(explain->generation);
	free(explain);
}

void control_explain_cancel(struct control_peer *peer)
{
	if (peer->explain)
		explain_free(peer->explain);
}

/* All is known: the answer. */
static void finish(struct explain *explain)
{
	struct control_peer *peer = explain->peer;
	json_t *out = control_explain_answer(explain);

	explain_free(explain);
	control_reply(peer, out);
	control_go_on(peer);
}

static uint16_t port_of(const struct explain *explain)
{
	if (control_explain_passes(explain))
		return explain->port;
	if (explain->verdict.hop.port)
		return explain->verdict.hop.port;
	return control_explain_to_address(explain) && explain->port ? explain->port : 25;
}

static void add_destination(struct explain *explain, const struct resolved_address *at)
{
	uint16_t port = port_of(explain);
	char ip[IP_TEXT], text[400];

	if (json_array_size(explain->destinations) == 0)
		explain->family = ip_family(&at->ip);
	(void)snprintf(text, sizeof text, port ? "%s [%s]:%u" : "%s [%s]", at->host,
		       ip_print(&at->ip, ip), port);
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
	struct resolve_how how = { .domain = control_explain_hop(explain),
				   .mx = !explain->verdict.hop.host ||
								       explain->verdict.hop.mx,
				   .prefer_ipv6 = relay->prefer_ipv6,
				   .own_name = explain->generation->hostname,
				   .hash = explain->verdict.hash };

	if (control_explain_to_address(explain)) {
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
	explain->family = answer->usable[FAMILY_IPV4] ? FAMILY_IPV4 : FAMILY_IPV6;
	for (enum family family = 0; family < FAMILIES; family++)
		explain->ehlo[family] = mem_copy(answer->ehlo[family]);
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
	const json_t *in = explain->in;
	const char *client = text_of(in, "client"), *destination = text_of(in, "destination");
	const char *at;

	*facts = (struct policy_facts){
		.listener = explain->front->conf, .helo = text_of(in, "helo"),
		.user = text_of(in, "auth"), .sender = text_of(in, "sender"),
		.rcpt = text_of(in, "rcpt"), .parameter = text_of(in, "parameter"),
		.header = text_of(in, "header"),
	};
	if (control_explain_passes(explain))
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
	json_int_t port = json_integer_value(json_object_get(in, "port"));
	struct explain *explain;

	if (port < 0 || port > UINT16_MAX) {
		control_error(peer, "org.varlink.service.InvalidParameter",
			      json_pack("{s:s}", "parameter", "port"));
		return;
	}
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
	explain->port = (uint16_t)port;
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
