/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See metering.h. */
#include "daemon/metering.h"

#include "base/mem.h"
#include "daemon/sources.h"
#include "kernel/meter.h"

enum { KEYS_AT_ONCE = 256 };

struct metered {				/* rows whose counters are looked up */
	struct rank_row **at;
	size_t n;
};

/* Those with the most connections. */
static struct metered choose(struct rank_rows *rows)
{
	struct rank_query query = { .key = RANK_BY_CONNECTIONS, .n = RANK_SHOWN_MAX };
	const struct rank_row **AUTO(mem_drop) found = mem_zero(RANK_SHOWN_MAX, sizeof *found);
	struct metered chosen = { .at = mem_zero(RANK_SHOWN_MAX, sizeof *chosen.at) };
	size_t matching, n = rank_select(rows, &query, found, &matching);

	for (size_t i = 0; i < n; i++)
		if (found[i]->name[0] && !found[i]->group)
			chosen.at[chosen.n++] = &rows->at[found[i] - rows->at];
	return chosen;
}

struct pass {					/* one counter of each binding */
	enum set_id set;
	enum rank_count count;
	enum family family;
	bool octets;				/* else packets */
};

static int read_pass(struct agent *agent, const struct pass *pass, struct rank_row *const *rows,
		     size_t n)
{
	struct counted counted[KEYS_AT_ONCE];
	uint32_t marks[KEYS_AT_ONCE] = { 0 };
	int r;

	for (size_t i = 0; i < n; i++)
		marks[i] = rows[i]->mark;
	r = meter_read(agent->meter, pass->set, pass->family, marks, n, counted);
	for (size_t i = 0; i < n; i++) {
		rows[i]->known[pass->count] = r == 0;
		if (r == 0)
			rows[i]->counted[pass->count] += pass->octets ? counted[i].octets
								      : counted[i].packets;
	}
	return r;
}

/* The first packet of each connection; of a binding with limits, of those that passed them: a binding
 * is in one of the two sets. */
static const struct pass begun[] = {
	{ SET_USABLE4, RANK_BEGUN, FAMILY_IPV4, false },
	{ SET_USABLE6, RANK_BEGUN, FAMILY_IPV6, false },
	{ SET_PASSED4, RANK_BEGUN, FAMILY_IPV4, false },
	{ SET_PASSED6, RANK_BEGUN, FAMILY_IPV6, false },
};

static const struct pass traffic[] = {
	{ SET_SENT, RANK_SENT, FAMILY_IPV4, true },
	{ SET_SENT, RANK_SENT, FAMILY_IPV6, true },
	{ SET_RECEIVED, RANK_RECEIVED, FAMILY_IPV4, true },
	{ SET_RECEIVED, RANK_RECEIVED, FAMILY_IPV6, true },
};

static int read_passes(struct agent *agent, const struct pass *passes, size_t n,
		       const struct metered *chosen)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		for (size_t at = 0; at < chosen->n && r == 0; at += KEYS_AT_ONCE) {
			size_t left = chosen->n - at;

			r = read_pass(agent, &passes[i], chosen->at + at,
				      left < KEYS_AT_ONCE ? left : KEYS_AT_ONCE);
		}
	return r;
}

struct refusals { struct agent *agent; struct rank_rows *rows; };

static void take_refusal(void *context, struct fwmark mark, enum family family,
			 const struct counted *counted)
{
	const struct refusals *refusals = context;
	uint32_t binding = sources_binding(refusals->agent, mark);

	(void)family;
	if (binding < refusals->rows->n)
		refusals->rows->at[binding].counted[RANK_REFUSED] += counted->packets;
}

/* What is sent on elsewhere, or dropped to be sent again, was not refused. */
static int read_refusals(struct agent *agent, struct rank_rows *rows)
{
	static const enum meter_reason reasons[] = { METER_UNUSABLE, METER_LIMIT, METER_REUSED,
						     METER_STRAY, METER_GUARD, METER_UPLINK };
	struct refusals refusals = { agent, rows };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(reasons) && r == 0; i++)
		r = meter_refusals(agent->meter, reasons[i], take_refusal, &refusals);
	for (size_t i = 0; i < rows->n; i++)
		rows->at[i].known[RANK_REFUSED] = r == 0;
	return r;
}

void metering_read(struct agent *agent, struct rank_rows *rows)
{
	struct metered chosen;
	int r;

	if (!agent->meter && (!agent->meter_table ||
			      meter_open(agent->meter_table, &agent->meter) < 0))
		return;
	chosen = choose(rows);
	r = read_passes(agent, begun, ARRAY_LEN(begun), &chosen);
	if (r == 0 && agent->now->model.metrics.traffic)
		r = read_passes(agent, traffic, ARRAY_LEN(traffic), &chosen);
	if (r == 0)
		r = read_refusals(agent, rows);
	if (r < 0 && r != -ENOENT) {		/* nothing half read is left in its sockets */
		meter_close(agent->meter);
		agent->meter = NULL;
	}
	free(chosen.at);
}
