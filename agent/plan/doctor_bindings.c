/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Health as findings: the plan says that something is unusable and why; here is what mends it. */
#include "plan/doctor.h"

#include "plan/plan_reason.h"

#include <string.h>

static const char *link_name(const struct facts *facts, uint32_t index)
{
	for (size_t i = 0; index && i < facts->links.n; i++)
		if (facts->links.at[i].index == index)
			return facts->links.at[i].name;
	return NULL;
}

static const char *way_out(const struct facts *facts, enum family family)
{
	const char *name = link_name(facts, facts->main_link[family]);

	return name ? name : "INTERFACE";
}

/* The interface on whose network @ip is, or the way out. */
static const char *network_of(const struct facts *facts, const struct ip *ip)
{
	const char *name = NULL;
	uint8_t bits = 0;

	for (size_t i = 0; i < facts->connected.n; i++) {
		const struct on_link *on = &facts->connected.at[i];

		if (prefix_contains(&on->prefix, ip) && on->prefix.bits >= bits &&
		    link_name(facts, on->link)) {
			name = link_name(facts, on->link);
			bits = on->prefix.bits;
		}
	}
	return name ? name : way_out(facts, ip_family(ip));
}

/* The binding's first address of the family that this host has, or has not; NULL if there is none. */
static const struct ip *find_address(const struct doctor *doctor, const struct binding *binding,
				     enum family family, bool local)
{
	for (uint32_t i = 0; i < binding->n_addresses; i++) {
		const struct address *address =
			&doctor->model->addresses.at[binding->first_address + i];

		if (ip_family(&address->ip) == family && !address->routed &&
		    (facts_interface(doctor->facts, &address->ip) != NULL) == local)
			return &address->ip;
	}
	return NULL;
}

static const char *interface_of(const struct doctor *doctor, const struct binding *binding,
				enum family family)
{
	const struct ip *ip = find_address(doctor, binding, family, true);

	if (binding->uplink < doctor->model->uplinks.n)
		return doctor->model->uplinks.at[binding->uplink].interface;
	if (binding->interface)
		return binding->interface;
	return ip ? facts_interface(doctor->facts, ip) : way_out(doctor->facts, family);
}

static void add_absent(const struct doctor *doctor, const struct binding *binding,
		       enum family family, struct findings *findings)
{
	const struct ip *ip = find_address(doctor, binding, family, false);
	const char *interface;
	char text[IP_TEXT];

	if (!ip)
		return;
	interface = binding->interface ? binding->interface : network_of(doctor->facts, ip);
	ip_print(ip, text);
	if (binding->interface)
		finding_remedy(findings,
			       "outbindd adds it to %s, or says why not: outbindctl status, "
			       "journalctl -u outbindd",
			       interface);
	else if (family == FAMILY_IPV4)
		finding_remedy(findings, "ip addr add %s/32 dev %s scope host", text, interface);
	else
		finding_remedy(findings, "ip addr add %s/128 dev %s nodad preferred_lft 0", text,
			       interface);
}

static void add_remedy(const struct doctor *doctor, const struct binding *binding,
		       enum family family, enum usable_reason reason, struct findings *findings)
{
	const char *interface = interface_of(doctor, binding, family);
	const char *version = family == FAMILY_IPV4 ? "4" : "6";

	if (reason == UNUSABLE_ABSENT)
		add_absent(doctor, binding, family, findings);
	else if (reason == UNUSABLE_LINK &&
		 (doctor->facts->links.n == 0 || facts_link(doctor->facts, interface)))
		finding_remedy(findings, "ip link set %s up", interface);
	else if (reason == UNUSABLE_LINK)
		finding_remedy(findings, "make the interface %s, or correct `interface`; there "
			       "are: ip -brief link", interface);
	else if (reason == UNUSABLE_NO_ROUTE)
		finding_remedy(findings, "ip -%s route add default via GATEWAY dev %s", version,
			       interface);
	else if (reason == UNUSABLE_GATEWAY)
		finding_remedy(findings, "ip -%s neigh show dev %s", version, interface);
	else if (reason == UNUSABLE_INTERFACE)
		finding_remedy(findings, "move the address to %s, or correct `interface`",
			       interface);
	else if (reason == UNUSABLE_DUPLICATE)
		finding_remedy(findings,
			       "take the address off the other host; here: ip -%s addr show "
			       "dev %s",
			       version, interface);
	else if (reason == UNUSABLE_STAND_IN)
		finding_remedy(findings, "outbindctl binding resume NAME, of who stands in");
	else if (reason == UNUSABLE_MEMBERS)
		finding_remedy(findings, "mend one of its members; see outbindctl binding show %s",
			       binding->name);
	else
		finding_remedy(findings, "outbindctl health %s", binding->name);
}

/* Those that pass by themselves. */
static bool passes(enum usable_reason reason)
{
	return reason == UNUSABLE_TENTATIVE || reason == UNUSABLE_CLAIMING;
}

static void judge(const struct doctor *doctor, uint32_t index, enum family family,
		  struct findings *findings)
{
	const struct binding *binding = &doctor->model->bindings.at[index];
	const struct usability *usability = &doctor->plan->usability[index];
	enum usable_reason reason = usability->reason[family];
	enum usable_reason own = reason == USABLE_BY_OTHER ? usability->own[family] : reason;
	char text[PLAN_REASON];

	if (reason == USABLE || reason == UNUSABLE_NO_ADDRESS || !binding->name)
		return;
	plan_reason_say(doctor->model, doctor->facts, doctor->plan, index, family, text);
	finding_add(findings,
		    reason == USABLE_BY_OTHER || passes(reason) ? SEVERITY_WARNING : SEVERITY_ERROR,
		    "health", "%s %s: IPv%s is %s: %s", binding->group ? "group" : "binding",
		    binding->name, family == FAMILY_IPV4 ? "4" : "6",
		    reason == USABLE_BY_OTHER ? "carried by another" : "unusable", text);
	add_remedy(doctor, binding, family, own, findings);
}

static void judge_uplink(const struct doctor *doctor, uint32_t index, enum family family,
			 struct findings *findings)
{
	const struct uplink *uplink = &doctor->model->uplinks.at[index];
	enum usable_reason reason = doctor->plan->uplinks[index].reason[family];
	char text[PLAN_REASON];

	/* What else may ail an uplink, its own findings say. */
	if (reason != UNUSABLE_PROBE && reason != UNUSABLE_NO_ROUTE)
		return;
	plan_reason_say_uplink(doctor->model, doctor->facts, doctor->plan, index, family, text);
	finding_add(findings, SEVERITY_ERROR, "health", "uplink %s: IPv%s is unusable: %s",
		    uplink->name, family == FAMILY_IPV4 ? "4" : "6", text);
	finding_remedy(findings, "outbindctl health %s", uplink->name);
}

/* Answers come in where the address is; strict filtering drops them if the best way back is another. */
static void judge_filter(const struct doctor *doctor, const struct binding *binding,
			 struct findings *findings)
{
	const struct ip *ip = find_address(doctor, binding, FAMILY_IPV4, true);
	const char *interface;
	const struct link *link;
	char text[IP_TEXT];

	if (!ip || binding->uplink < doctor->model->uplinks.n)
		return;
	interface = facts_interface(doctor->facts, ip);
	link = facts_link(doctor->facts, interface);
	if (!link || !link->strict || !doctor->facts->main_link[FAMILY_IPV4] ||
	    link->index == doctor->facts->main_link[FAMILY_IPV4] || strcmp(interface, "lo") == 0)
		return;
	finding_add(findings, SEVERITY_WARNING, "rp-filter",
		    "binding %s: %s is on %s, whose rp_filter is strict, but the way out is %s: answers "
		    "that come in by %s are dropped", binding->name, ip_print(ip, text), interface,
		    way_out(doctor->facts, FAMILY_IPV4), interface);
	finding_evidence(findings, "net.ipv4.conf.%s.rp_filter or net.ipv4.conf.all.rp_filter is 1",
			 interface);
	finding_remedy(findings, "sysctl -w net.ipv4.conf.%s.rp_filter=2", interface);
}

void doctor_bindings(const struct doctor *doctor, struct findings *findings)
{
	for (uint32_t i = 0; i < doctor->plan->n_uplinks; i++)
		for (int family = 0; family < FAMILIES; family++)
			judge_uplink(doctor, i, (enum family)family, findings);
	for (uint32_t i = 0; i < doctor->plan->n_bindings; i++) {
		for (int family = 0; family < FAMILIES; family++)
			judge(doctor, i, (enum family)family, findings);
		if (doctor->model->bindings.at[i].name)
			judge_filter(doctor, &doctor->model->bindings.at[i], findings);
	}
}
