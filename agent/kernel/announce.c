/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See announce.h. Two sockets for each interface that is listened on, bound to ARP and to IPv6, each
 * with a filter: ARP about addresses in the range of interest, and neighbour solicitations and
 * advertisements. Nothing else of the traffic is ever queued. Datagram packet sockets: frames begin
 * with the network header, and the kernel writes and strips the Ethernet one.
 */
#include "kernel/announce.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { HEAR_BYTES = 256, EARS_READY_MAX = 16, FRAMES_MAX = 1000, HOP_LIMIT = 255 };

struct arp {					/* RFC 826, Ethernet and IPv4 */
	uint16_t hardware, protocol;
	uint8_t hardware_len, protocol_len;
	uint16_t operation;
	uint8_t sender_mac[6], sender_ip[4], target_mac[6], target_ip[4];
};

struct discovery {				/* RFC 4861 sections 4.3 and 4.4: both begin like this */
	struct ip6_hdr head;
	uint8_t type, code;
	uint16_t checksum;
	uint32_t flags;
	uint8_t target[16];
	uint8_t option, option_len;		/* in units of eight octets */
	uint8_t option_mac[6];
};

_Static_assert(sizeof(struct arp) == 28 && sizeof(struct discovery) == 72, "packet formats");

int announce_open(struct announcer *ret)
{
	struct fd poll = { .n = epoll_create1(EPOLL_CLOEXEC) };

	if (poll.n < 0)
		return -errno;
	*ret = (struct announcer){ .out = FD_NONE, .poll = poll };
	return 0;
}

static void ear_drop(struct announce_ear *ear)
{
	for (int f = 0; f < FAMILIES; f++)
		fd_drop(&ear->fd[f]);
}

void announce_drop(struct announcer *announcer)
{
	for (size_t i = 0; i < announcer->ears.n; i++)
		ear_drop(&announcer->ears.at[i]);
	free(announcer->ears.at);
	fd_drop(&announcer->out);
	fd_drop(&announcer->poll);
	*announcer = (struct announcer){ .out = FD_NONE, .poll = FD_NONE };
}

static int send_frame(struct announcer *announcer, const struct link *link, uint16_t protocol,
		      const uint8_t mac[static 6], const void *frame, size_t len)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol),
				  .sll_ifindex = (int)link->index, .sll_halen = 6 };

	memcpy(to.sll_addr, mac, 6);
	if (announcer->out.n < 0) {		/* protocol 0: receives nothing */
		announcer->out.n = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (announcer->out.n < 0)
			return -errno;
	}
	return sendto(announcer->out.n, frame, len, 0, (struct sockaddr *)&to, sizeof to) < 0
		       ? -errno
		       : 0;
}

/* A request both times: RFC 5227 sections 2.1.1 and 2.3. */
static int send_arp(struct announcer *announcer, const struct ip *ip, const struct link *link,
		    bool have)
{
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct arp arp = { .hardware = htons(ARPHRD_ETHER), .protocol = htons(ETH_P_IP),
			   .hardware_len = 6, .protocol_len = 4,
			   .operation = htons(ARPOP_REQUEST) };

	memcpy(arp.sender_mac, link->mac, 6);
	memcpy(arp.target_ip, ip->octet, 4);
	if (have)
		memcpy(arp.sender_ip, ip->octet, 4);
	return send_frame(announcer, link, ETH_P_ARP, everybody, &arp, sizeof arp);
}

/* RFC 4443 section 2.3, over the pseudo-header of RFC 8200 section 8.1. */
static uint16_t checksum(const struct discovery *frame, size_t len)
{
	const uint8_t *at = (const uint8_t *)&frame->type;
	uint32_t sum = (uint32_t)len + IPPROTO_ICMPV6;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	at = (const uint8_t *)&frame->head.ip6_src;
	for (size_t i = 0; i < 2 * sizeof frame->head.ip6_src; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static int send_discovery(struct announcer *announcer, const struct link *link,
			  struct discovery *frame, size_t body)
{
	uint8_t mac[6] = { 0x33, 0x33 };	/* RFC 2464 section 7 */

	frame->head.ip6_flow = htonl(6u << 28);
	frame->head.ip6_plen = htons((uint16_t)body);
	frame->head.ip6_nxt = IPPROTO_ICMPV6;
	frame->head.ip6_hlim = HOP_LIMIT;
	frame->checksum = checksum(frame, body);
	memcpy(mac + 2, frame->head.ip6_dst.s6_addr + 12, 4);
	return send_frame(announcer, link, ETH_P_IPV6, mac, frame, sizeof frame->head + body);
}

/* From the unspecified address, so without our own link-layer address: RFC 4862 section 5.4.2. */
static int solicit(struct announcer *announcer, const struct ip *ip, const struct link *link)
{
	static const uint8_t group[13] = { 0xff, 0x02, [11] = 0x01, [12] = 0xff };
	struct discovery frame = { .type = ND_NEIGHBOR_SOLICIT };

	memcpy(frame.head.ip6_dst.s6_addr, group, sizeof group);
	memcpy(frame.head.ip6_dst.s6_addr + 13, ip->octet + 13, 3);
	memcpy(frame.target, ip->octet, 16);
	return send_discovery(announcer, link, &frame,
			      offsetof(struct discovery, option) - sizeof frame.head);
}

/* Unsolicited, override: RFC 4861 section 7.2.6. */
static int advertise(struct announcer *announcer, const struct ip *ip, const struct link *link)
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 0x01 };
	struct discovery frame = { .type = ND_NEIGHBOR_ADVERT, .flags = ND_NA_FLAG_OVERRIDE,
				   .option = ND_OPT_TARGET_LINKADDR, .option_len = 1 };

	memcpy(frame.head.ip6_src.s6_addr, ip->octet, 16);
	memcpy(frame.head.ip6_dst.s6_addr, all_nodes, 16);
	memcpy(frame.target, ip->octet, 16);
	memcpy(frame.option_mac, link->mac, 6);
	return send_discovery(announcer, link, &frame, sizeof frame - sizeof frame.head);
}

int announce_ask(struct announcer *announcer, const struct ip *ip, const struct link *link)
{
	return ip->len == 4 ? send_arp(announcer, ip, link, false) : solicit(announcer, ip, link);
}

int announce_have(struct announcer *announcer, const struct ip *ip, const struct link *link)
{
	return ip->len == 4 ? send_arp(announcer, ip, link, true) : advertise(announcer, ip, link);
}

static int set_filter(const struct fd *fd, struct sock_filter *lines, size_t n)
{
	struct sock_fprog program = { .len = (unsigned short)n, .filter = lines };

	return setsockopt(fd->n, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0
		       ? -errno
		       : 0;
}

static uint32_t ipv4_of(const struct ip *ip)
{
	return (uint32_t)ip->octet[0] << 24 | (uint32_t)ip->octet[1] << 16 |
	       (uint32_t)ip->octet[2] << 8 | ip->octet[3];
}

/* Sender's address in the range, or that which a sender without address asks for. The last two
 * columns are how many lines to skip if so, if not. */
static int filter_arp(const struct fd *fd, const struct ip_range *range)
{
	struct sock_filter lines[] = {
		/* 0 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct arp, sender_ip)),
		/* 1 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		/* 2 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct arp, target_ip)),
		/* 3 */ BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ipv4_of(&range->first), 0, 1),
		/* 4 */ BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, ipv4_of(&range->last), 0, 1),
		/* 5 */ BPF_STMT(BPF_RET | BPF_K, 0),
		/* 6 */ BPF_STMT(BPF_RET | BPF_K, HEAR_BYTES),
	};

	return set_filter(fd, lines, ARRAY_LEN(lines));
}

static int filter_discovery(const struct fd *fd)
{
	struct sock_filter lines[] = {
		/* 0 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct ip6_hdr, ip6_nxt)),
		/* 1 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
		/* 2 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct discovery, type)),
		/* 3 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_SOLICIT, 2, 0),
		/* 4 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 1, 0),
		/* 5 */ BPF_STMT(BPF_RET | BPF_K, 0),
		/* 6 */ BPF_STMT(BPF_RET | BPF_K, HEAR_BYTES),
	};

	return set_filter(fd, lines, ARRAY_LEN(lines));
}

static int open_ear(struct announcer *announcer, const struct ear *ear, int family,
		    struct fd *ret_fd)
{
	uint16_t protocol = htons(family == FAMILY_IPV4 ? ETH_P_ARP : ETH_P_IPV6);
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = protocol,
				       .sll_ifindex = (int)ear->link };
	AUTO(fd_drop) struct fd fd = FD_NONE;
	struct epoll_event event = { .events = EPOLLIN };
	int r;

	/* The filter is there before the socket is bound, so nothing else is ever in its queue. */
	fd.n = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd.n < 0)
		return -errno;
	r = family == FAMILY_IPV4 ? filter_arp(&fd, &ear->range4) : filter_discovery(&fd);
	if (r < 0)
		return r;
	if (bind(fd.n, (struct sockaddr *)&address, sizeof address) < 0)
		return -errno;
	event.data.fd = fd.n;
	if (epoll_ctl(announcer->poll.n, EPOLL_CTL_ADD, fd.n, &event) < 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

static bool same_range(const struct ip_range *a, const struct ip_range *b)
{
	return ip_equal(&a->first, &b->first) && ip_equal(&a->last, &b->last);
}

/* Take what can be kept of an ear that is there, open the rest. */
static int fit_ear(struct announcer *announcer, struct announce_ear *have, const struct ear *want)
{
	int r = 0;

	for (int f = 0; f < FAMILIES && r == 0; f++) {
		if (!want->family[f])
			fd_drop(&have->fd[f]);
		else if (have->fd[f].n < 0)
			r = open_ear(announcer, want, f, &have->fd[f]);
		else if (f == FAMILY_IPV4 && !same_range(&have->ear.range4, &want->range4))
			r = filter_arp(&have->fd[f], &want->range4);
	}
	if (r == 0)
		have->ear = *want;
	return r;
}

static struct announce_ear take_ear(struct announcer *announcer, uint32_t link)
{
	struct announce_ear taken = { .ear = { .link = link }, .fd = { FD_NONE, FD_NONE } };

	for (size_t i = 0; i < announcer->ears.n; i++) {
		if (announcer->ears.at[i].ear.link != link)
			continue;
		taken = announcer->ears.at[i];
		announcer->ears.at[i] = announcer->ears.at[--announcer->ears.n];
		break;
	}
	return taken;
}

int announce_listen(struct announcer *announcer, const struct ear *ears, size_t n)
{
	struct announcer fresh = { 0 };
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		struct announce_ear ear = take_ear(announcer, ears[i].link);
		int one = fit_ear(announcer, &ear, &ears[i]);

		if (one < 0)
			ear_drop(&ear);
		else
			PUSH(&fresh.ears, ear);
		r = r < 0 ? r : one;
	}
	for (size_t i = 0; i < announcer->ears.n; i++)
		ear_drop(&announcer->ears.at[i]);
	free(announcer->ears.at);
	announcer->ears.at = fresh.ears.at;
	announcer->ears.n = fresh.ears.n;
	announcer->ears.room = fresh.ears.room;
	return r;
}

static bool read_arp(const uint8_t *bytes, size_t len, struct heard *heard)
{
	static const uint8_t nobody[4];
	struct arp arp;

	if (len < sizeof arp)
		return false;
	memcpy(&arp, bytes, sizeof arp);
	if (arp.hardware_len != 6 || arp.protocol_len != 4)
		return false;
	heard->wants = memcmp(arp.sender_ip, nobody, 4) == 0;
	heard->ip = (struct ip){ .len = 4 };
	memcpy(heard->ip.octet, heard->wants ? arp.target_ip : arp.sender_ip, 4);
	memcpy(heard->mac, arp.sender_mac, 6);
	return true;
}

/* A solicitation with a source asks for the way to its target, which is nobody's claim. */
static bool read_discovery(const uint8_t *bytes, size_t len, const struct sockaddr_ll *from,
			   struct heard *heard)
{
	struct discovery frame = { 0 };
	size_t least = offsetof(struct discovery, option);

	if (len < least || from->sll_halen != 6)
		return false;
	memcpy(&frame, bytes, least);
	if (frame.head.ip6_hlim != HOP_LIMIT || frame.code != 0)
		return false;			/* came from beyond the link */
	heard->wants = frame.type == ND_NEIGHBOR_SOLICIT;
	if (heard->wants && !IN6_IS_ADDR_UNSPECIFIED(&frame.head.ip6_src))
		return false;
	heard->ip = (struct ip){ .len = 16 };
	memcpy(heard->ip.octet, frame.target, 16);
	memcpy(heard->mac, from->sll_addr, 6);
	return true;
}

/* One frame of one socket; false if it says nothing of an address. -EAGAIN: there is none. */
static int read_frame(int fd, struct heard *heard, bool *ret_said)
{
	struct sockaddr_ll from = { 0 };
	socklen_t from_len = sizeof from;
	uint8_t bytes[HEAR_BYTES];
	ssize_t n = recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from,
			     &from_len);

	if (n < 0)
		return -errno;			/* -ENETDOWN once, when the interface goes down */
	heard->link = (uint32_t)from.sll_ifindex;
	*ret_said = from.sll_pkttype != PACKET_OUTGOING &&
		    (from.sll_protocol == htons(ETH_P_ARP)
			     ? read_arp(bytes, (size_t)n, heard)
			     : read_discovery(bytes, (size_t)n, &from, heard));
	return 0;
}

int announce_hear(struct announcer *announcer, struct heard *ret)
{
	struct epoll_event events[EARS_READY_MAX];
	int n = epoll_wait(announcer->poll.n, events, EARS_READY_MAX, 0);

	for (int i = 0; i < n; i++) {
		struct heard heard = { 0 };
		bool said = false;

		for (int k = 0; k < FRAMES_MAX && !said; k++)
			if (read_frame(events[i].data.fd, &heard, &said) < 0)
				break;
		if (said) {
			*ret = heard;
			return 0;
		}
	}
	return -EAGAIN;
}
