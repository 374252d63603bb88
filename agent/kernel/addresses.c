/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An address of a binding must never become the source of traffic that no binding claims.
 *
 * IPv4: inet_select_addr() (net/ipv4/devinet.c) takes the first address of an interface whose scope
 * is not narrower than the route's. With scope host, ours are out of question for everything that
 * leaves, also when an ordinary address was deleted and added again. Scope link would not do: such
 * addresses stand first in the list (__inet_insert_ifa), so on-link routes without a source of their
 * own, broadcasts and multicasts would take one. ARP requests for an address of scope host are
 * answered unless arp_ignore is 3, which is about just that. What is translated to the address does
 * not ask for a source.
 *
 * IPv6: a preferred lifetime of 0 makes it deprecated, which loses to any address that is not
 * (RFC 6724 section 5 rule 3). No duplicate address detection by the kernel, as it would leave the
 * address tentative for a second; announce.c asks before.
 */
#include "kernel/addresses.h"

#include "plan/plan.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static struct nlmsghdr *request(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t type,
				uint16_t flags, const struct ip *ip, uint32_t link)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(message, sizeof *ifa);
	bool ipv4 = ip_family(ip) == FAMILY_IPV4;

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	*ifa = (struct ifaddrmsg){
		.ifa_family = ipv4 ? AF_INET : AF_INET6,
		.ifa_prefixlen = (uint8_t)(ip->len * 8),
		.ifa_scope = ipv4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
		.ifa_index = link,
	};
	mnl_attr_put(message, IFA_LOCAL, ip->len, ip->octet);
	mnl_attr_put(message, IFA_ADDRESS, ip->len, ip->octet);
	return message;
}

int addresses_add(struct channel *route, const struct ip *ip, uint32_t link)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message =
		request(buffer, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ip, link);
	const struct ifa_cacheinfo lifetimes = { .ifa_prefered = 0, .ifa_valid = UINT32_MAX };
	bool ipv4 = ip_family(ip) == FAMILY_IPV4;

	mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_NOPREFIXROUTE | (ipv4 ? 0 : IFA_F_NODAD));
	if (!ipv4)
		mnl_attr_put(message, IFA_CACHEINFO, sizeof lifetimes, &lifetimes);
	mnl_attr_put_u8(message, IFA_PROTO, PROTOCOL_OUTBIND);	/* skipped before Linux 5.18 */
	return channel_ask(route, message, NULL, NULL);
}

int addresses_remove(struct channel *route, const struct ip *ip, uint32_t link)
{
	char buffer[CHANNEL_REQUEST_ROOM];

	return channel_ask(route, request(buffer, RTM_DELADDR, 0, ip, link), NULL, NULL);
}
