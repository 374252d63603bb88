/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with an uplink, each with the command that mends it: nothing of the host's settings
 * is changed by outbind itself. Logged when it begins and when it ends, and shown by status.
 */
#include "daemon/plumb_parts.h"

#include "base/mem.h"
#include "daemon/log.h"

#include <stdio.h>
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

static void say(const struct uplink *uplink, const struct plumb_uplink *plumbed,
		enum plumb_finding finding, char ret_text[static OUTCOME_TEXT])
{
	const char *name = uplink->name, *interface = uplink->interface;
	const struct ip *gateway = a_gateway(uplink, finding == FINDING_SILENT ? plumbed->silent
									       : plumbed->off_link);
	char ip[IP_TEXT] = "-";

	if (gateway)
		ip_print(gateway, ip);
	switch (finding) {
	case FINDING_NO_LINK:
		snprintf(ret_text, OUTCOME_TEXT,
			 "uplink %s: there is no interface %s; `ip link` shows those there are",
			 name, interface);
		break;
	case FINDING_DOWN:
		snprintf(ret_text, OUTCOME_TEXT,
			 "uplink %s: %s is down or has no carrier: `ip link set %s up`, or the cable",
			 name, interface, interface);
		break;
	case FINDING_OFF_LINK:
		snprintf(ret_text, OUTCOME_TEXT,
			 "uplink %s: the kernel refuses a default route by gateway %s, which is on no "
			 "network of %s: `ip route add %s dev %s`, or correct the gateway",
			 name, ip, interface, ip, interface);
		break;
	case FINDING_STRICT:
		snprintf(ret_text, OUTCOME_TEXT,
			 "uplink %s: rp_filter of %s is strict, so IPv4 answers that come in by it are "
			 "dropped: `sysctl -w net.ipv4.conf.%s.rp_filter=2`",
			 name, interface, interface);
		break;
	case FINDING_MTU:
		snprintf(ret_text, OUTCOME_TEXT,
			 "uplink %s: the MTU of %s is smaller than that of the main way out, which "
			 "decides the segment size of TCP, so path MTU discovery must work; where it "
			 "does not: `nft add rule inet FILTER POSTROUTING oifname %s tcp flags syn tcp "
			 "option maxseg size set rt mtu` in a postrouting chain of yours",
			 name, interface, interface);
		break;
	case FINDING_SILENT:
		snprintf(ret_text, OUTCOME_TEXT,
			 "uplink %s: gateway %s does not answer on %s: `ip neigh show dev %s`", name,
			 ip, interface, interface);
		break;
	}
}

void plumb_find_faults(struct agent *agent, const struct uplink *uplink,
		       struct plumb_uplink *plumbed, unsigned found)
{
	char text[OUTCOME_TEXT], quoted[LOG_TEXT];

	(void)agent;
	for (unsigned i = 0; i < FINDINGS; i++) {
		unsigned bit = 1u << i;

		if ((found & bit) == (plumbed->findings & bit))
			continue;
		if (found & bit) {
			say(uplink, plumbed, (enum plumb_finding)bit, text);
			log_event(EVENT_UPLINK_FAULT, "uplink=%s fault=%s text=%s", uplink->name,
				  words[i], log_quote(text, quoted));
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

bool plumb_warning(const struct agent *agent, size_t index, char ret_text[static OUTCOME_TEXT])
{
	for (size_t i = 0; agent->plumb && i < agent->plumb->uplinks.n; i++) {
		const struct plumb_uplink *plumbed = &agent->plumb->uplinks.at[i];
		const struct uplink *uplink = find_uplink(agent, plumbed->name);

		for (unsigned bit = 1; uplink && bit < 1u << FINDINGS; bit <<= 1) {
			if (!(plumbed->findings & bit) || index-- > 0)
				continue;
			say(uplink, plumbed, (enum plumb_finding)bit, ret_text);
			return true;
		}
	}
	return false;
}
