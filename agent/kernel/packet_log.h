/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that nf_tables logs to a netlink group (nfnetlink_log), each counted by the kernel: what is
 * lost is known to the packet. For outbindctl, which does not speak netlink itself.
 */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stdint.h>

struct packet_log;

enum { LOGGED_PREFIX = 64 };

struct logged {					/* one packet */
	uint64_t when_ns;			/* wall clock */
	char prefix[LOGGED_PREFIX];		/* of the rule */
	bool out;				/* logged in postrouting, else in prerouting */
	uint32_t link;				/* index of the interface it leaves or came by; 0: none */
	bool has_uid;
	uint32_t uid;				/* of the socket that it belongs to */
	const uint8_t *bytes;			/* from the IP header on; borrowed for the call */
	size_t len;
};

typedef void packet_log_visit(void *context, const struct logged *logged);

/*
 * packet_log_open - take a netlink group that nobody reads
 * @first:     where to begin to look, from 1; the next 1000 are tried
 * @snap:      bytes of each packet to have, at most 65535
 * @ret_group: the group
 *
 * Returns 0, -EPERM without CAP_NET_ADMIN, -EBUSY if all are taken, or the errno of the socket.
 */
MUST_CHECK int packet_log_open(uint16_t first, uint32_t snap, struct packet_log **ret,
			       uint16_t *ret_group);
void packet_log_close(struct packet_log *log);		/* accepts NULL */

int packet_log_fd(const struct packet_log *log);	/* poll for input, then packet_log_read() */

/* Hand over what is there, a bounded part of it: 0, or -errno of the socket. Never waits. */
MUST_CHECK int packet_log_read(struct packet_log *log, packet_log_visit *visit, void *context);

/* Packets, so far; of those lost last, one until the next that comes tells how many they were. */
uint64_t packet_log_lost(const struct packet_log *log);

/*
 * packet_log_date - give @n records, in the order in which the kernel saw them, times of that order
 * @now:  when they were read
 * @last: time of the record before them, 0 if there is none; then that of the last of them
 *
 * The kernel stamps only what comes in (nfnetlink_log.c: up to NF_INET_FORWARD). The rest has when_ns 0
 * and was seen before the next that has a stamp, or before @now. No time is before the one in front of it,
 * unless the clock was set back by a second or more. Pure.
 */
void packet_log_date(struct logged *logged, size_t n, uint64_t now, uint64_t *last);

/* One message of the kernel's, @len bytes behind its netlink header; false if it is not a packet.
 * *@ret_seq: its number; when_ns is 0 if the kernel does not say. Pure, for tests. */
bool packet_log_parse(const void *bytes, size_t len, struct logged *ret, bool *ret_has_seq,
		      uint32_t *ret_seq);
