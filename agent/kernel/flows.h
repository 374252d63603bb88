/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections by our bits of their ct mark: struct kernel's count_connections and its neighbours,
 * on the real kernel. Each call opens sockets of its own: what is left of a dump goes with them.
 */
#pragma once

#include "kernel/channel.h"
#include "kernel/kernel.h"


enum { FLOW_TUPLE_MAX = 128 };

struct flow {					/* a conntrack entry, live or not */
	struct connection connection;
	bool unplaced;				/* FLOW_TUPLE_MAX was too small: cannot be deleted */
	bool zoned;				/* the zone is of both directions */
	uint16_t tuple_len;
	uint8_t tuple[FLOW_TUPLE_MAX];		/* CTA_TUPLE_ORIG with its head, as the kernel wrote it */
};

struct flows { struct flow *at; size_t n, room; };

/* Read one IPCTNL_MSG_CT_NEW or _DELETE. False for what is not about IPv4 or IPv6, or is cut short. */
bool flows_parse(const struct nlmsghdr *message, struct flow *ret);

/* Delete the entry, if it is still the same one. 0 also if it is gone. */
MUST_CHECK int flows_delete(struct channel *conntrack, const struct flow *flow);

/* A request to ctnetlink (IPCTNL_MSG_CT_*, NLM_F_* beside REQUEST) for a family; attributes follow. */
struct nlmsghdr *flows_request(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t type,
			       uint16_t flags, uint8_t family);
/* The same for a dump of what has *@mark within @mask, or with @mark NULL of everything. */
struct nlmsghdr *flows_request_dump(char buffer[static CHANNEL_REQUEST_ROOM], struct fwmark mask,
				    const struct fwmark *mark);

/* See kernel.h. */
MUST_CHECK int flows_entries(uint32_t *ret);
MUST_CHECK int flows_count(struct fwmark mask, const struct fwmark *marks, size_t n,
			   uint64_t *ret_counts);
MUST_CHECK int flows_sources(struct fwmark mask, const struct ip *ips, size_t n,
			     uint64_t *ret_counts);
MUST_CHECK int flows_list(struct fwmark mask, struct fwmark mark, size_t max,
			  struct connections *ret);
MUST_CHECK int flows_carried(struct fwmark mask, const struct fwmark *marks, size_t n,
			     bool *ret_carried);
MUST_CHECK int flows_kill(struct fwmark mask, struct fwmark mark, struct killed *ret);
