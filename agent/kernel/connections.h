/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections as conntrack has them, and the sockets that they belong to: what flow_reader.c and
 * flows.c read, without a header of a netlink library. */
#pragma once

#include "base/types.h"

struct connection {
	struct ip from, to;			/* as its client sends it */
	struct ip source;			/* what the far end sees: where its answers go */
	uint16_t from_port, to_port, source_port;	/* host order; 0 if the protocol has none */
	uint8_t protocol;			/* IANA number */
	const char *state;			/* static: TCP's in conntrack's words, else "" */
	struct fwmark mark;			/* all 32 bits */
	uint32_t id;
	uint16_t zone;				/* 0: the default one */
	bool alive;				/* see count_connections() of kernel.h */
	bool counted;				/* the two below are known: nf_conntrack_acct */
	uint64_t packets[2], bytes[2];		/* sent by the client, answered */
	uint64_t began, ended;			/* nsec since 1970; 0 is unknown: nf_conntrack_timestamp */
};

struct connections {
	struct connection *at;
	size_t n, room;
	uint64_t n_all;				/* that there are; n may be fewer */
};

static inline void connections_drop(struct connections *connections)
{
	free(connections->at);
	*connections = (struct connections){ 0 };
}

enum flow_news {
	FLOW_IS,				/* of a dump: it is there */
	FLOW_BEGINS,
	FLOW_ENDS,				/* its entry goes: of TCP some time after the last packet */
};

/* Called for each connection. @connection is valid during the call. */
typedef void flow_visit(void *context, enum flow_news news, const struct connection *connection);

/*
 * Connections read piece by piece: a dump, or what begins and ends from now on. Never blocks. The
 * kernel makes the next piece of a dump when the one before it is read, so who reads slowly is
 * waited for; of a subscription he loses what does not fit into the socket.
 */
struct flow_reader {
	int fd;					/* readable when there is something to read */
	uint64_t lost;				/* messages so far that the kernel could not hand over */
	/*
	 * Read at most @pieces of the kernel's datagrams; of a subscription each is one connection,
	 * of a dump some hundred. 1: there may be more at once; 0: a dump is over, or nothing more
	 * has happened so far; -errno: no more will come.
	 */
	int (*read)(struct flow_reader *reader, unsigned pieces, flow_visit *visit, void *context);
	void (*close)(struct flow_reader *reader);	/* frees it */
};

struct socket_owner {
	uint32_t uid;				/* of who made the socket */
	uint32_t inode;				/* as in /proc/PID/fd, "socket:[N]"; 0: nobody has it open */
	uint64_t cgroup;			/* id, of where it was made; 0: the kernel does not say */
	struct fwmark mark;			/* SO_MARK, all bits */
};

struct net_settings {				/* of the kernel, for this network namespace */
	struct port_range ports;		/* what connect(2) chooses from ... */
	uint32_t n_ports;			/* ... and how many of them are not reserved */
	bool counts, times;			/* nf_conntrack_acct, nf_conntrack_timestamp */
};

/* A source that the guard refused, within the last minute. */
struct stray { struct fwmark mark; struct ip source; };	/* our bits of the ct mark */
struct strays { struct stray *at; size_t n, room; };
