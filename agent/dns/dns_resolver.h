/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * c-ares on an event loop: raw questions, raw answers. Each loop has its own, unmarked; nothing is
 * shared between threads.
 */
#pragma once

#include "dns/dns_message.h"

struct ev_loop;
struct dns_resolver;
struct dns_question;

enum { DNS_NXDOMAIN = 3 };

struct dns_how {				/* zeroed: as resolv.conf says, 3 s, twice */
	struct ip server;			/* len 0: those of resolv.conf */
	uint16_t port;				/* 0: 53 */
	unsigned timeout_ms, tries;		/* of one question; each try takes twice as long */
	bool first_word;			/* no other server is asked if one says that it failed */
};

struct dns_reply {
	int rcode;				/* of the header; -1: none came (time-out, refused) */
	bool secure;				/* the AD bit, if it is to be believed */
	const char *failure;			/* why none came; static words */
	bool silence;				/* ... because nobody said anything */
	const uint8_t *octets;			/* whole message; NULL if none came */
	int len;
};

/* 0 or a negative errno. */
MUST_CHECK int dns_resolver_new(struct ev_loop *loop, const struct dns_how *how,
				struct dns_resolver **ret);
/* Open questions are told now, from within, that no answer came; it must not be asked then. Accepts NULL. */
void dns_resolver_free(struct dns_resolver *resolver);
struct ev_loop *dns_resolver_loop(const struct dns_resolver *resolver);

/* "192.0.2.53:53, [2001:db8::53]:53": who is asked. */
enum { DNS_SERVERS = 256 };
void dns_resolver_servers(const struct dns_resolver *resolver, char ret[static DNS_SERVERS]);

/*
 * dns_resolver_ask - one question of class IN, with EDNS0
 * @done: once, with @context, never from within the call
 *
 * NULL: @name is no name of DNS, and @done is not called. The question is gone when @done is called.
 */
typedef void dns_done(void *context, const struct dns_reply *reply);
struct dns_question *dns_resolver_ask(struct dns_resolver *resolver, const char *name,
				      enum dns_type type, dns_done *done, void *context);
void dns_resolver_give_up(struct dns_question *question);	/* no callback any more */
