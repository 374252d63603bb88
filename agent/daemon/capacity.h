/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports of a binding towards its destinations: how many are taken of those that there are, how soon
 * there are none left, and what would help. Judged from two censuses; the warning goes with each.
 */
#pragma once

#include "daemon/agent.h"
#include "daemon/census.h"

enum { CAPACITY_SHORT_MAX = 256, CAPACITY_LOOKS = 4 };

enum capacity_help {
	HELP_NONE,				/* there are enough */
	HELP_RANGE,				/* a wider net.ipv4.ip_local_port_range */
	HELP_BIND,				/* senders that bind to their binding's address, or the relay */
	HELP_ADDRESS,				/* another address for the binding */
};

struct port_use {				/* one binding, one destination */
	uint32_t mark;
	struct census_pool pool;		/* the one that is tighter */
	uint32_t mine;				/* of the ports taken, this binding's */
	uint32_t taken, available;		/* taken: by all who use the pool */
	double per_second;			/* more taken ports a second; NAN: not known yet */
	double exhausted_in;			/* seconds; INFINITY: never at this rate; NAN as above */
	enum capacity_help help;
};

/* What capacity_judge() goes by beside the censuses. */
struct port_supply {
	const struct net_settings *settings;
	const struct facts *facts;
	unsigned warning;			/* percent; 0: never */
};

/* One use of @now, whose mark is a binding's; how fast it grows is not known yet. Pure. */
struct port_use capacity_judge(const struct census *now, const struct census_use *use,
			       const struct port_supply *supply);

/* How fast, by two censuses, and until when: @before is the census before @now, or NULL. What is left goes
 * by use->taken, which capacity_recount() may have counted otherwise. Pure. */
void capacity_rate(struct port_use *use, const struct census *now, const struct census *before);

/* Order: how much of it is taken, the most first. */
int capacity_compare(const struct port_use *a, const struct port_use *b);

/* A local sender's port is free as soon as its socket is, where conntrack keeps the entry for two minutes:
 * have the kernel count sockets. False if it could not. */
bool capacity_recount(struct agent *agent, struct port_use *use);

struct capacity {				/* destinations that are short of ports */
	struct { struct census_pool pool; uint32_t mark; bool exhausted, seen; }
		at[CAPACITY_SHORT_MAX];
	size_t n;
	uint64_t warnings, exhaustions;		/* events so far */
};

/* After a census: tell which destinations became short of ports, have none left, or have enough again. */
void capacity_watch(struct agent *agent);
