/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's tag socket from an event loop: one connection a loop, requests in order. While the agent is not
 * there every request is refused at once: no tag, no connection.
 */
#pragma once

#include "base/types.h"

struct ev_loop;
struct tagging;
struct tagging_query;

enum { TAGGING_ADDRESSES_MAX = 128, TAGGING_WAIT_MS = 5000 };

struct tagging_answer {
	/* 0, -ENOENT unknown binding, -EPERM, -ENETUNREACH unusable, -EHOSTDOWN no agent, -ETIMEDOUT,
	 * -EPROTO, -EINVAL bad socket */
	int error;
	const char *why;			/* for people: the agent's own words where it has some */
	const char *binding;			/* the member, of a group */
	const char *ehlo[FAMILIES];		/* or NULL */
	uint32_t mark;
	struct ip addresses[TAGGING_ADDRESSES_MAX];
	size_t n_addresses;
	bool usable[FAMILIES];			/* an address or a routed prefix */
	bool routed[FAMILIES];
	const char *no[FAMILIES];		/* why not usable, or NULL */
};

typedef void tagging_done(void *context, const struct tagging_answer *answer);

/* @path of the tag socket. @changed: answers may be true no longer; also when the agent went or came. */
struct tagging *tagging_new(struct ev_loop *loop, const char *path, void (*changed)(void *context),
			    void *context);
void tagging_free(struct tagging *tagging);	/* open queries are told so, from within */
bool tagging_connected(const struct tagging *tagging);
void tagging_try(struct tagging *tagging);	/* connect, if it is not */
/* @whom: "name:NAME" or "address:IP"; @fd: to be marked, or -1: only ask. @done once, later, never from
 * within this call. */
struct tagging_query *tagging_ask(struct tagging *tagging, uint32_t hash, const char *whom, int fd,
				  tagging_done *done, void *context);
void tagging_cancel(struct tagging_query *query);
