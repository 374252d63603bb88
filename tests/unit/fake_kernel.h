/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel in memory, for tests of the agent: remembers the elements it was given, refuses what the
 * real one refuses (an element that exists, one that does not), and every failure mode is a knob.
 */
#pragma once

#include "kernel/kernel.h"

struct fake_kernel {
	struct kernel kernel;			/* first: what the agent holds */

	/* The table. Rows are copies; origins are kept but never compared. */
	enum table_state state;
	uint32_t owner, generation;
	char plan_digest[DIGEST_TEXT], template_digest[DIGEST_TEXT];
	bool damaged;
	struct rows sets[SETS];

	struct facts facts;			/* what read_facts() answers */
	struct routes routes;			/* of all tables */
	struct { struct heard *at; size_t n, room; } heard;	/* what hear() answers, in order */
	struct { struct heard *at; size_t n, room; } neighbours;	/* who answers when asked */
	bool off_link;				/* add_route() refuses gateways */
	enum neighbour gateways;		/* what read_neighbour() answers */

	/* What count, list, kill and carried go by; all within any mask. */
	struct connections flows;
	int follow_fd;				/* of follow_flows(); 0: it is not supported */
	uint32_t sockets;			/* what count_sockets() answers */
	struct strays strays;			/* what read_strays() answers */
	uint64_t dropped_guard;			/* what read_counters() says of it, beyond 4 */
	struct { uint32_t *at; size_t n, room; } tagged;	/* marks of sockets */
	size_t immortal;			/* so many connections that kill leaves */

	/* Knobs. A failure is taken back when it has happened. */
	uint64_t packets;			/* what read_packets() says */
	int fail_commit, fail_replace, fail_adopt, fail_read, fail_facts, fail_flows;	/* -errno */
	unsigned captures;			/* that run */
	struct capture_wanted captured;		/* what the latest was asked for, without its marks */
	int fail_address, fail_route, fail_rule, fail_follow, fail_news;
	unsigned fail_after;			/* commits and replaces that still succeed before */
	bool blame;				/* the failing commit names a row ... */
	enum set_id blame_set;			/* ... the first that it adds or deletes there */
	unsigned races;				/* commits that find the generation moved */

	/* Counts. */
	unsigned n_commits, n_replaces, n_adopts, n_removes, n_ops;
	unsigned n_asked, n_announced, n_ears;
};

void fake_kernel_init(struct fake_kernel *fake);
void fake_kernel_drop(struct fake_kernel *fake);

void fake_kernel_address(struct fake_kernel *fake, const char *address);	/* appear on lo */
void fake_kernel_no_addresses(struct fake_kernel *fake);
void fake_kernel_rule(struct fake_kernel *fake, uint32_t mark, uint32_t mask, uint32_t priority);

/* An interface, up; @asks: with ARP and neighbour discovery. Its index is returned. */
uint32_t fake_kernel_link(struct fake_kernel *fake, const char *name, bool asks);
/* Another host on the interface has that address, and says so when it is asked. */
void fake_kernel_neighbour(struct fake_kernel *fake, const char *address, uint32_t link);
/* From now on no route by a gateway is taken: it is on no network of the interface. */
void fake_kernel_refuse_gateway(struct fake_kernel *fake);
/* Does this host have that address there: NULL if not. */
const struct local_address *fake_kernel_has(const struct fake_kernel *fake, const char *address);
void fake_kernel_lose_address(struct fake_kernel *fake, const char *address);

/* Inside the fake: what is not about the table. */
void fake_plumbing_init(struct fake_kernel *fake);
void fake_plumbing_drop(struct fake_kernel *fake);

/* Somebody else deletes the table. */
void fake_kernel_lose_table(struct fake_kernel *fake);

/* A live connection with this mark, from 127.0.0.1 port @port. */
void fake_kernel_connection(struct fake_kernel *fake, uint32_t mark, uint16_t port);
/* All connections with this mark end. */
void fake_kernel_end(struct fake_kernel *fake, uint32_t mark);

/* Does the table hold exactly the elements of @plan? */
bool fake_kernel_holds(const struct fake_kernel *fake, const struct plan *plan);

/* agent_render of the tests: a text of so many lines, whatever the plan. */
int fake_render(const struct kernel_options *options, const struct plan *plan,
		const char *(*cgroup_path)(void *context, uint64_t id), void *context,
		char **ret_text, struct kernel_error *reterr);
