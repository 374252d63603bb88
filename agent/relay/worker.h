/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker is a thread with an event loop: it accepts, and owns its sessions, upstream
 * connections, resolver and connection to the agent. Between threads there are only the
 * generation (never changed once made, counted), counters, and what memory.h guards.
 */
#pragma once

#include "relay/generation.h"
#include "relay/metrics.h"
#include "relay/resolve.h"
#include "relay/tagging.h"
#include "smtp/session.h"

#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>

struct conn;
struct raw;
struct upstream;
struct worker;
struct clients;
struct memory;
struct access_log;
struct sts;

enum { SCRATCH = 64 * 1024 };

struct accepting { struct worker *worker; ev_io io; uint32_t listener; int fd; };

struct worker {
	unsigned index;
	pthread_t thread;
	struct ev_loop *loop;
	ev_async wake;
	ev_timer accept_again;			/* after descriptors ran out */
	struct generation *now;			/* counted */
	struct accepting *accepting;		/* one for each listener of it */
	struct tagging *tagging;
	struct dns_resolver *resolver;
	struct socketmap *policy_map;		/* or NULL */
	struct sts *sts;			/* or NULL */
	struct clients *clients;		/* shared */
	struct memory *memory;			/* shared */
	struct access_log *log;			/* shared */
	struct metrics metrics;
	void *routes;				/* tsearch(3) by key */
	uint64_t epoch;				/* moves when answers of the agent may be true no longer */
	struct { struct conn *first; } conns;
	struct raw *raws;			/* clients of SOCKS5 and PROXY fronts */
	struct { struct upstream *first; unsigned n; } idle;	/* of all routes, oldest last */
	uint64_t ids;
	bool stopping;
	_Atomic(unsigned) n_conns;
	uint8_t scratch[SCRATCH];
	struct buffer line;			/* of the access log, being made */

	/* Orders of the main thread, under the lock. */
	pthread_mutex_t lock;
	struct generation *next;
	bool stop, ended;			/* ended: there is no loop any more */

	const char *agent_dir;
	/* Called by the thread: worker_switch() was obeyed, it has ended. */
	void (*on_switched)(void), (*on_ended)(void);
};

/* 0 or a negative errno. The worker takes up @generation and runs until worker_stop(). */
MUST_CHECK int worker_start(struct worker *worker, struct generation *generation);
/* Orders; they return at once. No switch after a stop. A second stop ends at once what the first lets end. */
void worker_switch(struct worker *worker, struct generation *generation);
void worker_stop(struct worker *worker);
bool worker_has_ended(struct worker *worker);
/* The agent's answers may have changed. */
void worker_changed(void *worker);
/* One more client at @front; false: that is too many, and was counted as refused. See clients_leave(). */
MUST_CHECK bool worker_admit(struct worker *worker, const struct generation *generation,
			     const struct front_kind *front, const struct ip *client);
/* Nobody is left and it was told to stop: ends the loop. */
void worker_check_end(struct worker *worker);
/* Hand `line` to the access log, and empty it. */
void worker_log_line(struct worker *worker);
uint64_t worker_now(const struct worker *worker);	/* monotonic, microseconds */
