/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One netlink socket: requests, dumps and nf_tables' transactions, and the kernel's answers.
 * A dump's receive buffer is bounded; the kernel waits with the rest of it until we have read.
 */
#pragma once

#include "base/own.h"

#include <stdint.h>

struct nlmsghdr;

struct channel {
	struct mnl_socket *socket;
	uint32_t port;				/* our netlink port: who owns the table */
	uint32_t seq;				/* last used */
};

struct channel_error {				/* the first message of a transaction that was refused */
	uint32_t seq;
	uint32_t offset;			/* into the message, of the attribute at fault; 0 unknown */
	char text[200];				/* the kernel's own words, or "" */
};

/* 0 or -errno. The socket reports extended acknowledgements, without echoing requests. */
MUST_CHECK int channel_open(struct channel *ret);
/*
 * channel_take - go on with a socket that was opened by channel_open(), in an earlier process
 * @fd: taken, also on failure. What it holds of answers is dropped.
 * Returns 0, -EPROTONOSUPPORT (not a socket to nf_tables) or -errno.
 */
MUST_CHECK int channel_take(int fd, struct channel *ret);
MUST_CHECK int channel_open_bus(int bus, struct channel *ret);	/* NETLINK_* beside NETFILTER */
/* The same to rtnetlink, with strict checking of dump requests where the kernel has it. */
MUST_CHECK int channel_open_route(struct channel *ret);
void channel_drop(struct channel *channel);

enum { CHANNEL_REQUEST_ROOM = 1024 };

/* Start a request for inet objects (NFT_MSG_*, NLM_F_* beside REQUEST) in @buffer; attributes follow. */
struct nlmsghdr *channel_request(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t type,
				 uint16_t flags);

/* Called for each message of an answer; after a negative return no more, and it is handed on. */
typedef int channel_visit(const struct nlmsghdr *message, void *context);

/* Called before a dump begins, and each time that it begins anew: what was visited is void. */
typedef void channel_forget(void *context);

/*
 * channel_ask - send one request (its seq is filled in) and visit every message of the answer
 * A dump that other changes interrupted (NLM_F_DUMP_INTR) gives -EINTR: ask again. 0 or -errno of
 * the request: -ENOENT if there is no such object.
 */
MUST_CHECK int channel_ask(struct channel *channel, struct nlmsghdr *request, channel_visit *visit,
			   void *context);

/*
 * channel_ask_one - the same where the answer is one message of at most CHANNEL_ANSWER_ROOM bytes
 * For what is asked very often: no memory is taken. -EMSGSIZE: the answer is longer.
 */
MUST_CHECK int channel_ask_one(struct channel *channel, struct nlmsghdr *request,
			       channel_visit *visit, void *context);
enum { CHANNEL_ANSWER_ROOM = 2048 };

/*
 * channel_dump - channel_ask() for a dump, begun anew while other changes interrupt it
 * Returns 0, -EINTR if it was interrupted every time, or -errno of the request.
 */
MUST_CHECK int channel_dump(struct channel *channel, struct nlmsghdr *request,
			    channel_forget *forget, channel_visit *visit, void *context);

/*
 * channel_commit - send a whole transaction in one sendmsg(2) and read what became of it
 * @last_seq: of its last message, which asks for the acknowledgement
 *
 * The kernel works inside sendmsg, so every answer is there when it returns. Returns 0 if all was
 * applied, else the errno of the first refusal, with *@reterr telling which message.
 */
MUST_CHECK int channel_commit(struct channel *channel, const void *bytes, size_t len,
			      uint32_t last_seq, struct channel_error *reterr);
