/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See collector.h. A round reads everything: counters of all bindings, refusals, conntrack's. A request
 * begins one, unless the last one is fresh, and is answered when it is over or after WAIT_USEC with
 * what there is by then; the round goes on. Where a round takes longer than that, rounds follow each
 * other as long as somebody asks, with pauses that keep them to a twentieth of one processor.
 */
#include "daemon/collector.h"

#include "base/mem.h"
#include "daemon/ledger.h"
#include "kernel/net_settings.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>

enum {
	WAIT_USEC = 50 * 1000,			/* for figures of now, before older ones are told */
	FRESH_USEC = 200 * 1000,		/* a round that is this young needs no other */
	INTEREST_USEC = 120 * 1000 * 1000,	/* after a request; then rounds end */
	KEYS_AT_ONCE = 256,
	SHARE = 20,				/* of a processor, as a fraction */
};

struct collector {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int ready;				/* eventfd */
	char *table;

	/* Under the lock. */
	struct sheet *asked;			/* request that was not taken yet */
	struct fd text;				/* answer that was not taken yet */
	bool stop;

	/* The thread's own. */
	struct meter *meter;
	struct ledger ledger;
	struct sheet *sheet;			/* the last one that was taken */
	bool waiting;				/* ... and is not answered yet */
	uint64_t deadline;			/* of the answer */
	uint64_t asked_at;			/* the last time */
	uint64_t begun, ended;			/* the last round that is complete; 0: none */
};

static uint64_t processor_usec(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static uint32_t read_local_ports(void)
{
	struct net_settings settings = { 0 };

	return net_settings_read(&settings) < 0 ? 0 : settings.n_ports;
}

/* All as text into a memfd that nobody can change any more, or FD_NONE. */
static struct fd write_text(struct collector *c)
{
	AUTO(fd_drop) struct fd fd = { memfd_create("outbind-metrics",
						    MFD_CLOEXEC | MFD_ALLOW_SEALING) };
	struct openmetrics text = c->sheet->text;	/* with what the agent wrote */
	int r;

	text.fd = fd.n;
	c->sheet->text = (struct openmetrics){ .format = text.format, .fd = -1 };
	c->ledger.age_usec = c->begun ? agent_clock() - c->begun : 0;
	ledger_write(&c->ledger, c->sheet, &text);
	r = openmetrics_end(&text);
	openmetrics_drop(&text);
	if (r < 0 || fd.n < 0 ||
	    fcntl(fd.n, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return FD_NONE;
	return fd_take(&fd);
}

static void answer(struct collector *c)
{
	struct fd text = write_text(c);
	uint64_t one = 1;

	c->waiting = false;
	pthread_mutex_lock(&c->lock);
	fd_drop(&c->text);
	c->text = text;
	pthread_mutex_unlock(&c->lock);
	(void)!write(c->ready, &one, sizeof one);
}

/* Take a request that has come. */
static void take_request(struct collector *c)
{
	struct sheet *asked;

	pthread_mutex_lock(&c->lock);
	asked = c->asked;
	c->asked = NULL;
	pthread_mutex_unlock(&c->lock);
	if (!asked)
		return;
	sheet_free(c->sheet);
	c->sheet = asked;
	c->asked_at = agent_clock();
	c->deadline = c->asked_at + WAIT_USEC;
	c->waiting = true;
	if (asked->has_rows)
		ledger_rows(&c->ledger, asked);
	ledger_census(&c->ledger, asked);
}

static bool stopping(struct collector *c)
{
	bool stop;

	pthread_mutex_lock(&c->lock);
	stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	return stop;
}

/* Between two steps of a round: whoever has waited long enough is answered. */
static void look_up(struct collector *c)
{
	take_request(c);
	if (c->waiting && agent_clock() >= c->deadline)
		answer(c);
}

/* Counters of one kind and family, of bindings from the @at-th on; moves @at on, behind the last one
 * at the end. */
static int read_some(struct collector *c, enum set_id set, bool limited, enum ledger_kind kind,
		     enum family family, size_t *at)
{
	struct counted counted[KEYS_AT_ONCE];
	uint32_t marks[KEYS_AT_ONCE] = { 0 };
	size_t places[KEYS_AT_ONCE], n = 0;
	int r;

	for (; *at < c->ledger.entries.n && n < KEYS_AT_ONCE; (*at)++) {
		const struct sheet_row *row = &c->ledger.entries.at[*at].row;

		if (row->group || !row->family[family] ||
		    (kind == LEDGER_CONNECTIONS && row->limited != limited))
			continue;
		marks[n] = row->mark;
		places[n++] = *at;
	}
	r = meter_read(c->meter, set, family, marks, n, counted);
	for (size_t i = 0; i < n && r == 0; i++)
		ledger_note(&c->ledger, &c->ledger.entries.at[places[i]], kind, family,
			    counted[i]);
	return r;
}

/* Of all bindings. A request that comes meanwhile may change which there are: then by number. */
static int read_kind(struct collector *c, enum set_id set, bool limited, enum ledger_kind kind,
		     enum family family)
{
	size_t at = 0;
	int r = 0;

	while (at < c->ledger.entries.n && r == 0) {
		uint32_t last;

		r = read_some(c, set, limited, kind, family, &at);
		last = c->ledger.entries.at[at - 1].row.mark;
		look_up(c);
		at = ledger_after(&c->ledger, last);
		if (stopping(c))
			return -ECANCELED;
	}
	return r;
}

static int read_bindings(struct collector *c)
{
	static const struct {
		enum set_id set;
		bool limited, traffic;
		enum ledger_kind kind;
		enum family family;
	} passes[] = {
		{ SET_USABLE4, false, false, LEDGER_CONNECTIONS, FAMILY_IPV4 },
		{ SET_PASSED4, true, false, LEDGER_CONNECTIONS, FAMILY_IPV4 },
		{ SET_USABLE6, false, false, LEDGER_CONNECTIONS, FAMILY_IPV6 },
		{ SET_PASSED6, true, false, LEDGER_CONNECTIONS, FAMILY_IPV6 },
		{ SET_SENT, false, true, LEDGER_SENT, FAMILY_IPV4 },
		{ SET_SENT, false, true, LEDGER_SENT, FAMILY_IPV6 },
		{ SET_RECEIVED, false, true, LEDGER_RECEIVED, FAMILY_IPV4 },
		{ SET_RECEIVED, false, true, LEDGER_RECEIVED, FAMILY_IPV6 },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(passes) && r == 0; i++)
		if (!passes[i].traffic || c->sheet->settings.traffic)
			r = read_kind(c, passes[i].set, passes[i].limited, passes[i].kind,
				      passes[i].family);
	return r;
}

struct refusing { struct ledger *ledger; enum meter_reason reason; };

static void note_refusal(void *context, struct fwmark mark, enum family family,
			 const struct counted *counted)
{
	const struct refusing *refusing = context;

	PUSH(&refusing->ledger->refusals,
	     ((struct ledger_refusal){ mark, family, refusing->reason, counted->packets }));
}

/* Into a list of its own, which takes the old one's place when it is complete. */
static int read_refusals(struct collector *c)
{
	struct ledger fresh = { 0 };
	int r = 0;

	for (int reason = 0; reason < METER_REASONS && r == 0; reason++) {
		struct refusing refusing = { &fresh, (enum meter_reason)reason };

		r = meter_refusals(c->meter, refusing.reason, note_refusal, &refusing);
	}
	if (r == 0) {
		free(c->ledger.refusals.at);
		memcpy(&c->ledger.refusals, &fresh.refusals, sizeof fresh.refusals);
		return 0;
	}
	ledger_drop(&fresh);
	return r;
}

static int read_conntrack(struct collector *c)
{
	c->ledger.local_ports = read_local_ports();
	return meter_conntrack(c->meter, &c->ledger.conntrack);
}

/* Read everything. A table that is not there, or is made anew just now, is no failure. */
static void round_of(struct collector *c)
{
	uint64_t begun = agent_clock(), cost = processor_usec();
	int r = c->meter ? 0 : meter_open(c->table, &c->meter);

	if (r == 0)
		r = meter_counters(c->meter, &c->ledger.counters);
	if (r == 0)
		r = read_bindings(c);
	if (r == 0)
		r = read_refusals(c);
	if (r == 0)
		r = read_conntrack(c);
	if (r == -ECANCELED)
		return;
	if (r < 0 && r != -ENOENT) {
		c->ledger.failures++;
		meter_close(c->meter);		/* nothing half read is left in its sockets */
		c->meter = NULL;
	}
	c->begun = begun;
	c->ended = agent_clock();
	c->ledger.took_usec = processor_usec() - cost;
}

/* When the next round is due although nobody asks now, or UINT64_MAX. */
static uint64_t next_round(const struct collector *c)
{
	if (!c->sheet || !c->ended || c->ended - c->begun < WAIT_USEC ||
	    c->ended > c->asked_at + INTEREST_USEC)
		return UINT64_MAX;
	return c->ended + (SHARE - 1) * c->ledger.took_usec;
}

/* Until there is a request, a round is due, or the end. */
static void sleep_until(struct collector *c, uint64_t due)
{
	struct timespec until = { .tv_sec = (time_t)(due / 1000000),
				  .tv_nsec = (long)(due % 1000000) * 1000 };
	int r = 0;

	pthread_mutex_lock(&c->lock);
	while (!c->asked && !c->stop && r == 0)
		r = due == UINT64_MAX ? pthread_cond_wait(&c->wake, &c->lock)
				      : pthread_cond_timedwait(&c->wake, &c->lock, &until);
	pthread_mutex_unlock(&c->lock);
}

static void *work(void *context)
{
	struct collector *c = context;

	while (!stopping(c)) {
		uint64_t due = next_round(c);

		sleep_until(c, due);
		take_request(c);
		if (c->waiting ? !c->ended || agent_clock() - c->begun > FRESH_USEC
			       : c->sheet && agent_clock() >= due)
			round_of(c);
		if (c->waiting)
			answer(c);
	}
	meter_close(c->meter);
	ledger_drop(&c->ledger);
	sheet_free(c->sheet);
	return NULL;
}

int collector_open(const char *table, struct collector **ret)
{
	struct collector *c = mem_zero(1, sizeof *c);
	pthread_condattr_t monotonic;
	int r;

	c->table = mem_copy(table);
	c->text = FD_NONE;
	c->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &monotonic);
	r = c->ready < 0 ? -errno : -pthread_create(&c->thread, NULL, work, c);
	if (r < 0) {
		if (c->ready >= 0)
			(void)close(c->ready);
		free(c->table);
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void collector_close(struct collector *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	(void)pthread_join(c->thread, NULL);
	sheet_free(c->asked);
	fd_drop(&c->text);
	(void)close(c->ready);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	free(c->table);
	free(c);
}

int collector_fd(const struct collector *c)
{
	return c->ready;
}

void collector_ask(struct collector *c, struct sheet *sheet)
{
	pthread_mutex_lock(&c->lock);
	sheet_free(c->asked);
	c->asked = sheet;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
}

struct fd collector_take(struct collector *c)
{
	uint64_t ready;
	struct fd text;

	(void)!read(c->ready, &ready, sizeof ready);
	pthread_mutex_lock(&c->lock);
	text = fd_take(&c->text);
	pthread_mutex_unlock(&c->lock);
	return text;
}
