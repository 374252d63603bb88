/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of `outbindctl verify` share: one probe, what was seen of it, what that means. */
#pragma once

#include "ctl.h"
#include "links.h"
#include "wire.h"

#include <jansson.h>

enum { PROBES_AT_ONCE = 64, SEEN_MAX = 4, VERIFY_TEXT = 640 };

enum reply { REPLY_NONE, REPLY_SYN_ACK, REPLY_RST, REPLY_ICMP };
enum outcome { OUTCOME_FAIL, OUTCOME_PASS, OUTCOME_REFUSED };

struct seen {					/* the first packet of a probe, on one link */
	char link[LINK_NAME];
	uint64_t when_us;
	struct wire_packet packet;
};

struct prefixes { struct prefix *at; size_t n, room; };

struct evidence {				/* all that is known of one probe */
	struct prefixes expected;		/* sources that the agent names */
	struct prefixes own;			/* of these, the binding's own: not of who stands in */
	const char *uplink, *uplink_link;	/* NULL: none */
	char refusal[256];			/* the agent's words when it did not tag; "" if it did */
	int error;				/* of connect(2): 0 connected, ETIMEDOUT: did not end */
	struct seen seen[SEEN_MAX];		/* one a link */
	size_t n_seen;
	enum reply reply;
	struct wire_packet answer;		/* of REPLY_ICMP: the error's type and code, who sent it */
	uint64_t reply_us;			/* after the first packet */
	int timeout_s;
};

struct circumstances {				/* of the whole run: what the agent's counters grew by */
	long long guard, uplink, limit, unusable;
	unsigned long long lost;		/* packets that the capture had no room for */
};

/*
 * verify_judge - what the evidence comes to, in words
 * The packet that counts is the one on the link nearest the wire: the latest of the first ones. Pure.
 */
enum outcome verify_judge(const struct evidence *evidence, const struct circumstances *around,
			  char text[static VERIFY_TEXT]);

/* The packet that counts, or NULL. */
const struct seen *verify_seen(const struct evidence *evidence);

const char *verify_outcome_name(enum outcome outcome);	/* "pass", "fail", "refused" */
const char *verify_reply_name(enum reply reply);		/* "none", "syn-ack", "rst", "icmp" */

/* "HOST", "HOST:PORT", "[IPv6]:PORT" or an IPv6 address. False if it is none of these. */
bool verify_read_to(const char *text, char host[static 256], uint16_t *ret_port);

struct probe {					/* one binding, one family */
	const char *binding;			/* borrowed */
	enum family family;
	struct evidence evidence;
	enum outcome outcome;
	char text[VERIFY_TEXT];
	/* while it runs */
	struct fd fd;
	uint16_t port;
	uint64_t began_us, ended_us;		/* wall clock; ended: connect(2) did */
};

struct probes { struct probe *at; size_t n, room; };

struct verify {					/* one run */
	struct ctl *ctl;
	struct ip to[FAMILIES];			/* len 0: the destination has none of this family */
	uint16_t port;
	int timeout_s;
	struct links *links;
	const struct tag_line *line;
	struct probes probes;
	struct circumstances around;
};

/* Do all probes, PROBES_AT_ONCE at once. Evidence is complete afterwards. */
void verify_run(struct verify *verify);

/* Text or JSON. */
void verify_print(const struct verify *verify, const char *to);
