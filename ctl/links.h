/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's links, listened to all at once with libpcap: what the kernel hands to a driver, after
 * every rewrite that there is on this host, and what a driver hands to the kernel.
 */
#pragma once

#include "ctl.h"
#include "wire.h"

enum { LINKS_MAX = 1024, LINK_NAME = 16 };

struct links;
struct pollfd;

struct sighting {				/* one captured packet */
	size_t link;				/* index, for links_name() */
	uint64_t when_us;			/* wall clock */
	enum wire_link kind;
	const uint8_t *bytes;			/* borrowed for the call */
	size_t len;
};

typedef void links_see(void *context, const struct sighting *sighting);

/*
 * links_open - listen on every link that is up, but for loopback
 * @filter: of pcap-filter(7)
 *
 * Returns CTL_DONE, or the exit code of a failure that was reported: CTL_DENIED without CAP_NET_RAW.
 * A link whose packets cannot be read is left out, with a word. To be freed with links_free().
 */
MUST_CHECK int links_open(const struct ctl *ctl, const char *filter, struct links **ret);
void links_free(struct links *links);

const char *links_name(const struct links *links, size_t link);

/* Wait at most @wait_ms for packets, or for something on @others (poll(2), @n of them; their revents
 * are set), and hand over what has come. */
void links_wait(struct links *links, int wait_ms, struct pollfd *others, size_t n,
		links_see *see, void *context);

/* Packets that the kernel had no room for. */
unsigned long long links_lost(const struct links *links);
