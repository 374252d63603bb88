/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See plan_reason.h. The plan says which kind of reason it is; the facts say about what. */
#include "plan/plan_reason.h"

#include "plan/identities.h"
#include "plan/plan_usable.h"

#include <stdio.h>
#include <string.h>

struct saying {					/* what is being said, about whom */
	const struct model *model;
	const struct facts *facts;
	const struct plan *plan;
	char *out;
};

#define SAY(saying, ...) ((void)snprintf((saying)->out, PLAN_REASON, __VA_ARGS__))

const char *plan_reason_probe(const struct probe *probe, char out[static PROBE_TEXT])
{
	char text[IP_PORT_TEXT];

	if (probe->kind == PROBE_ICMP)
		snprintf(out, PROBE_TEXT, "icmp %s", ip_print(&probe->to, text));
	else
		snprintf(out, PROBE_TEXT, "tcp %s", ip_print_port(&probe->to, probe->port, text));
	return out;
}

static void say_probe(const struct saying *saying, const struct probe *probe)
{
	char text[PROBE_TEXT];

	SAY(saying, "probe %s fails", plan_reason_probe(probe, text));
}

static void say_link(const struct saying *saying, const char *name)
{
	bool there = saying->facts->links.n == 0 || facts_link(saying->facts, name);

	SAY(saying, "link %s is %s", name, there ? "down" : "not there");
}

static void say_uplink(const struct saying *saying, uint32_t index, enum family family)
{
	const struct uplink *uplink = &saying->model->uplinks.at[index];
	enum usable_reason reason = saying->plan->uplinks[index].reason[family];
	char ip[IP_TEXT];

	if (reason == UNUSABLE_LINK)
		say_link(saying, uplink->interface);
	else if (reason == UNUSABLE_NO_ROUTE)
		SAY(saying, "uplink %s has no %s default route", uplink->name,
		    family == FAMILY_IPV4 ? "IPv4" : "IPv6");
	else if (reason == UNUSABLE_GATEWAY && uplink->gateways[family].len > 0)
		SAY(saying, "gateway %s does not answer",
		    ip_print(&uplink->gateways[family], ip));
	else if (reason == UNUSABLE_PROBE)
		say_probe(saying, uplink->probe);
	else
		SAY(saying, "%s", plan_reason_text(reason, family));
}

/* The address that stands for the reason: the first one of the family that is judged so. */
static uint32_t find_address(const struct saying *saying, uint32_t index, enum family family,
			     enum usable_reason reason)
{
	const struct binding *binding = &saying->model->bindings.at[index];
	struct plan_host host = { .facts = saying->facts };

	for (uint32_t i = 0; i < binding->n_addresses; i++) {
		uint32_t at = binding->first_address + i;

		if (ip_family(&saying->model->addresses.at[at].ip) == family &&
		    plan_usable_address(&host, saying->model, at) == reason)
			return at;
	}
	return NO_INDEX;
}

/* Why it does not count: what was found, or that nothing was for too long. */
static void say_identity(const struct saying *saying, const struct ip *ip, const char *text)
{
	const struct identity *identity =
		saying->facts->identities ? identities_find(saying->facts->identities, ip) : NULL;
	const char *words = identity ? identity->words[IDENTITY_FCRDNS] : NULL;

	if (!identity)
		SAY(saying, "DNS was not asked about %s yet (outbindctl check --dns --report)",
		    text);
	else if (identity->agreed > 0)
		SAY(saying, "DNS confirmed %s too long ago%s%.150s", text, words ? "; now " : "",
		    words ? words : "");
	else
		SAY(saying, "DNS does not confirm %s%s%.150s", text, words ? ": " : "",
		    words ? words : "");
}

static void say_address(const struct saying *saying, const struct binding *binding,
			const struct ip *ip, enum family family, enum usable_reason reason)
{
	const char *interface = facts_interface(saying->facts, ip);
	const struct foreign_claim *claim = facts_conflict(saying->facts, ip);
	char text[IP_TEXT];

	ip_print(ip, text);
	if (reason == UNUSABLE_ABSENT)
		SAY(saying, "%s is not on this host", text);
	else if (reason == UNUSABLE_TENTATIVE)
		SAY(saying, "%s is tentative (duplicate address detection)", text);
	else if (reason == UNUSABLE_DUPLICATE && claim)
		SAY(saying, "another host has %s: %s", text, claim->by);
	else if (reason == UNUSABLE_DUPLICATE)
		SAY(saying, "another host has %s (duplicate address detection)", text);
	else if (reason == UNUSABLE_IDENTITY)
		say_identity(saying, ip, text);
	else if (reason == UNUSABLE_CLAIMING)
		SAY(saying, "%s is being claimed", text);
	else if (reason == UNUSABLE_INTERFACE && interface && binding->interface)
		SAY(saying, "%s is on %s, not on %s", text, interface, binding->interface);
	else if (reason == UNUSABLE_LINK && (binding->interface || interface))
		say_link(saying, binding->interface ? binding->interface : interface);
	else
		SAY(saying, "%s", plan_reason_text(reason, family));
}

static void say_own(const struct saying *saying, uint32_t index, enum family family,
		    enum usable_reason reason)
{
	const struct binding *binding = &saying->model->bindings.at[index];
	uint32_t address = find_address(saying, index, family, reason);

	if (address != NO_INDEX && reason != USABLE)
		say_address(saying, binding, &saying->model->addresses.at[address].ip, family,
			    reason);
	else if (binding->uplink < saying->model->uplinks.n &&
		 saying->plan->uplinks[binding->uplink].reason[family] == reason)
		say_uplink(saying, binding->uplink, family);
	else if (reason == UNUSABLE_PROBE && binding->probe)
		say_probe(saying, binding->probe);
	else
		SAY(saying, "%s", plan_reason_text(reason, family));
}

static const char *name_of(const struct model *model, uint32_t index)
{
	return index < model->bindings.n && model->bindings.at[index].name
		       ? model->bindings.at[index].name
		       : "nobody";
}

void plan_reason_say(const struct model *model, const struct facts *facts, const struct plan *plan,
		     uint32_t binding, enum family family, char ret_text[static PLAN_REASON])
{
	const struct usability *usability = &plan->usability[binding];
	const char *by = name_of(model, usability->by[family]);
	char own[PLAN_REASON];
	struct saying saying = { model, facts, plan, own };

	if (usability->reason[family] != USABLE_BY_OTHER &&
	    usability->reason[family] != UNUSABLE_STAND_IN) {
		saying.out = ret_text;
		say_own(&saying, binding, family, usability->reason[family]);
		return;
	}
	say_own(&saying, binding, family, usability->own[family]);
	snprintf(ret_text, PLAN_REASON,
		 usability->reason[family] == USABLE_BY_OTHER ? "%.150s; %s stands in"
							      : "%.150s; %s is suspended",
		 own, by);
}

void plan_reason_say_uplink(const struct model *model, const struct facts *facts,
			    const struct plan *plan, uint32_t uplink, enum family family,
			    char ret_text[static PLAN_REASON])
{
	struct saying saying = { model, facts, plan, ret_text };

	say_uplink(&saying, uplink, family);
}
