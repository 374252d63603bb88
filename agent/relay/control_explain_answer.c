/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an explanation says, when all that it asks for is known. */
#include "relay/control_explain_parts.h"

#include "base/mem.h"
#include "model/conf.h"

#include <stdio.h>

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

bool control_explain_passes(const struct explain *explain)
{
	enum relay_protocol protocol = explain->front->conf->protocol;

	return protocol == RELAY_SOCKS5 || protocol == RELAY_PROXY;
}

const char *control_explain_hop(const struct explain *explain)
{
	if (control_explain_passes(explain))
		return "";
	return explain->verdict.hop.host ? explain->verdict.hop.host : explain->domain;
}

bool control_explain_to_address(const struct explain *explain)
{
	return explain->destination.len > 0 &&
	       (control_explain_passes(explain) || !explain->verdict.hop.host);
}

/* What rules about TLS go by; in @ip if that is an address. */
static const char *next_hop(const struct explain *explain, char ip[static IP_TEXT])
{
	return control_explain_to_address(explain) ? ip_print(&explain->destination, ip)
						   : control_explain_hop(explain);
}

/* The name in EHLO, and whose it is; as dial_connect.c chooses it. */
static const char *ehlo_name(const struct explain *explain, const char **ret_whose)
{
	const char *name = explain->ehlo[explain->family];

	*ret_whose = NULL;
	if (!explain->member)
		return NULL;
	if (control_explain_passes(explain)) {
		*ret_whose = "client";
		return NULL;
	}
	*ret_whose = name ? "binding" : "relay";
	return name ? name : explain->generation->hostname;
}

static enum relay_tls tls_of(const struct explain *explain)
{
	char ip[IP_TEXT];

	return control_explain_passes(explain) ? RELAY_UPSTREAM_NONE
			       : policy_tls(explain->generation->policy, next_hop(explain, ip));
}

json_t *control_explain_answer(const struct explain *explain)
{
	AUTO(mem_drop) char *rule = rule_text(explain);
	const char *whose, *ehlo = ehlo_name(explain, &whose);
	char place[4200] = "";

	if (explain->verdict.rule)
		model_place(&explain->generation->model, explain->verdict.rule->where, place,
			    sizeof place);
	return json_pack("{s:o, s:o, s:o, s:o, s:O, s:O, s:s, s:o, s:o, s:s, s:o}", "binding",
			 text_or_null(explain->verdict.binding), "member",
			 text_or_null(explain->member), "ehlo", text_or_null(ehlo), "ehlo_of",
			 text_or_null(whose), "addresses", explain->addresses, "destinations",
			 explain->destinations, "connect_point",
			 policy_point_name(explain->front->session.point), "rule",
			 text_or_null(rule), "place", text_or_null(place), "tls",
			 conf_relay_tls_name(tls_of(explain)), "refused",
			 text_or_null(explain->refused));
}
