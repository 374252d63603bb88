/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside kernel/ only: asking who has an address, saying that we have it, and hearing what others
 * say. Contracts in kernel.h. Packets go through packet sockets, since the kernel neither asks for
 * IPv4 addresses nor announces any by itself, and since a firewall of this host must not hide the
 * answer.
 */
#pragma once

#include "kernel/kernel.h"

struct announce_ear {				/* one interface, listened on */
	struct ear ear;
	struct fd fd[FAMILIES];
};

struct announcer {
	struct fd out, poll;			/* @poll: readable when an ear is */
	struct { struct announce_ear *at; size_t n, room; } ears;
};

/* 0 or the errno of epoll; packet sockets are opened when they are needed. */
MUST_CHECK int announce_open(struct announcer *ret);
void announce_drop(struct announcer *announcer);

MUST_CHECK int announce_ask(struct announcer *announcer, const struct ip *ip,
			    const struct link *link);
MUST_CHECK int announce_have(struct announcer *announcer, const struct ip *ip,
			     const struct link *link);
MUST_CHECK int announce_listen(struct announcer *announcer, const struct ear *ears, size_t n);
MUST_CHECK int announce_hear(struct announcer *announcer, struct heard *ret);
