/* SPDX-License-Identifier: GPL-2.0-or-later */
/* c-ares on an event loop: raw questions, raw answers. Only the files of resolve use this. */
#pragma once

#include "relay/resolve.h"

#include <ares.h>
#include <ev.h>

enum dns_type { DNS_A = 1, DNS_MX = 15, DNS_AAAA = 28, DNS_TLSA = 52 };
enum { DNS_SOCKETS = 32, DNS_NXDOMAIN = 3 };

struct dns_watch { ev_io io; int fd; bool used; };

struct resolver {
	struct ev_loop *loop;
	ares_channel channel;
	struct dns_watch watches[DNS_SOCKETS];
	ev_timer timer;
	bool trusts_ad;				/* all name servers are on this host */
	unsigned n_refs;			/* open questions and the owner: answers may come late */
	bool closing;
};

struct dns_answer {
	int rcode;				/* of the header; -1: none came (time-out, refused) */
	bool secure;				/* the AD bit, if it is to be believed */
	const uint8_t *octets;			/* whole message; NULL if none came */
	int len;
};

typedef void dns_done(void *context, const struct dns_answer *answer);

/* @done once, never from within the call. With @context NULL later: it has been given up. */
struct dns_question { struct resolver *resolver; dns_done *done; void *context; };
struct dns_question *resolve_ares_ask(struct resolver *resolver, const char *name,
				      enum dns_type type, dns_done *done, void *context);
void resolve_ares_give_up(struct dns_question *question);
