/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question of an active probe: a socket that leaves by the way and from the address it should. */
#pragma once

#include "model/model.h"

struct probe_way {				/* how it leaves */
	struct fwmark mark;			/* of the uplink or the binding: what routing rules see */
	const char *interface;			/* of the uplink, or NULL */
	struct ip from;				/* len 0: the address that the kernel chooses */
	bool routed;				/* @from is of a routed prefix: no address of this host */
};

struct probe_question {
	struct fd fd;
	struct ip from;
	uint64_t nonce;				/* ICMP; its id is the lower half */
};

/*
 * probe_ask - send the question, without waiting
 * Returns 0, or a negative errno. -EADDRNOTAVAIL, -EINVAL, -EPERM, -EMFILE, -ENFILE, -ENOBUFS: it
 * could not be sent, which says nothing about the other end.
 */
MUST_CHECK int probe_ask(const struct probe *probe, const struct probe_way *way,
			 struct probe_question *ret);

/* The socket is ready: 1: it answered; 0: not yet; -errno: it did not. */
MUST_CHECK int probe_hear(const struct probe *probe, struct probe_question *question);

/* What epoll waits for. */
uint32_t probe_events(const struct probe *probe);

/* Does @error say that the question never left. */
bool probe_is_unsent(int error);
