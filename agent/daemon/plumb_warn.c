/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with an uplink, each with the command that mends it: nothing of the host's settings
 * is changed by outbind itself. Logged when it begins and when it ends, and shown by status.
 */
#include "daemon/plumb_parts.h"

#include "base/mem.h"
#include "daemon/log.h"

#include <string.h>

static const char *const words[FINDINGS] = { "no-interface", "down", "off-link", "rp-filter",
					     "mtu", "gateway-silent" };

static const struct ip *a_gateway(const struct uplink *uplink, const bool *which)
{
	for (int f = 0; f < FAMILIES; f++)
		if (uplink->gateways[f].len && which[f])
			return &uplink->gateways[f];
	return NULL;
}

static void add(const struct uplink *uplink, const struct plumb_uplink *plumbed,
		enum plumb_finding finding, struct findings *findings)
{
	const char *name = uplink->name, *interface = uplink->interface;
	const struct ip *gateway = a_gateway(uplink, finding == FINDING_SILENT ? plumbed->silent
									       : plumbed->off_link);
	char ip[IP_TEXT] = "-";

	if (gateway)
		ip_print(gateway, ip);
	switch (finding) {
	case FINDING_NO_LINK:
		finding_add(findings, SEVERITY_ERROR, "uplink",
			    "uplink %s: there is no interface %s", name, interface);
		finding_remedy(findings, "ip link");
		break;
	case FINDING_DOWN:
		finding_add(findings, SEVERITY_ERROR, "uplink",
			    "uplink %s: %s is down or has no carrier", name, interface);
		finding_remedy(findings, "ip link set %s up", interface);
		break;
	case FINDING_OFF_LINK:
		finding_add(findings, SEVERITY_ERROR, "uplink",
			    "uplink %s: the kernel refuses a default route by gateway %s, which is on no "
			    "network of %s: correct the gateway, or",
			    name, ip, interface);
		finding_remedy(findings, "ip route add %s dev %s", ip, interface);
		break;
	case FINDING_STRICT:
		finding_add(findings, SEVERITY_ERROR, "rp-filter",
			    "uplink %s: rp_filter of %s is strict, so IPv4 answers that come in by it are "
			    "dropped", name, interface);
		finding_evidence(findings,
				 "net.ipv4.conf.%s.rp_filter or net.ipv4.conf.all.rp_filter "
				 "is 1",
				 interface);
		finding_remedy(findings, "sysctl -w net.ipv4.conf.%s.rp_filter=2", interface);
		break;
	case FINDING_MTU:
		finding_add(findings, SEVERITY_WARNING, "uplink",
			    "uplink %s: the MTU of %s is smaller than that of the main way out, which "
			    "decides the segment size of TCP, so path MTU discovery must work; where it "
			    "does not, in a postrouting chain of yours", name, interface);
		finding_remedy(findings,
			       "nft add rule inet FILTER POSTROUTING oifname %s tcp flags syn "
			       "tcp option maxseg size set rt mtu",
			       interface);
		break;
	case FINDING_SILENT:
		finding_add(findings, SEVERITY_ERROR, "uplink",
			    "uplink %s: gateway %s does not answer on %s", name, ip, interface);
		finding_remedy(findings, "ip neigh show dev %s", interface);
		break;
	}
}

void plumb_find_faults(struct agent *agent, const struct uplink *uplink,
		       struct plumb_uplink *plumbed, unsigned found)
{
	char text[FINDING_TEXT], quoted[LOG_TEXT];

	(void)agent;
	for (unsigned i = 0; i < FINDINGS; i++) {
		unsigned bit = 1u << i;

		if ((found & bit) == (plumbed->findings & bit))
			continue;
		if (found & bit) {
			AUTO(findings_drop) struct findings one = { 0 };

			add(uplink, plumbed, (enum plumb_finding)bit, &one);
			log_event(EVENT_UPLINK_FAULT, "uplink=%s fault=%s text=%s", uplink->name,
				  words[i], log_quote(finding_print(&one.at[0], text), quoted));
		} else {
			log_event(EVENT_UPLINK_MENDED, "uplink=%s fault=%s", uplink->name,
				  words[i]);
		}
	}
	plumbed->findings = found;
}

static const struct uplink *find_uplink(const struct agent *agent, const char *name)
{
	const struct model *model = &agent->now->model;

	for (size_t i = 0; i < model->uplinks.n; i++)
		if (strcmp(model->uplinks.at[i].name, name) == 0)
			return &model->uplinks.at[i];
	return NULL;
}

void plumb_findings(const struct agent *agent, struct findings *findings)
{
	for (size_t i = 0; agent->plumb && i < agent->plumb->uplinks.n; i++) {
		const struct plumb_uplink *plumbed = &agent->plumb->uplinks.at[i];
		const struct uplink *uplink = find_uplink(agent, plumbed->name);

		for (unsigned bit = 1; uplink && bit < 1u << FINDINGS; bit <<= 1)
			if (plumbed->findings & bit)
				add(uplink, plumbed, (enum plumb_finding)bit, findings);
	}
}
