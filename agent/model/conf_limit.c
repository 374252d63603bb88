/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a binding or a group may do at most: `limit`, `overflow` and `warmup`. There are four limits
 * (alive or new, in all or to one destination), each of which may be given once.
 */
#include "model/conf_actions.h"

#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

enum { CONNECTIONS_MAX = 1000 * 1000, DAY_CONNECTIONS_MAX = 1000 * 1000 * 1000 };

static bool given_before(struct conf *conf, const char *what, struct where key, struct where *seen)
{
	if (!conf->open.limits.where.line)
		conf->open.limits.where = key;
	return conf_given_twice(conf, what, key, seen);
}

void conf_limit_connections(struct conf *conf, const struct word *word, bool per_destination,
			    struct where key, struct where where)
{
	struct limits *limits = &conf->open.limits;
	bool twice = per_destination ? given_before(conf, "limit connections per destination", key,
						    &conf->open.connections_to)
				     : given_before(conf, "limit connections", key,
						    &conf->open.connections);

	if (!twice)
		(void)conf_form_count(conf, "limit", word, where, 1, CONNECTIONS_MAX,
				      per_destination ? &limits->connections_to
						      : &limits->connections);
}

const char *conf_period_name(uint32_t seconds)
{
	return seconds == 1	 ? "second"
	       : seconds == 60	 ? "minute"
	       : seconds == 3600 ? "hour"
				 : "day";
}

/* "10/second" */
static bool parse_rate(struct conf *conf, const struct word *word, struct where where,
		       struct rate *ret)
{
	static const uint32_t periods[] = { 1, 60, 3600, 86400 };
	const char *slash = word->len ? memchr(word->at, '/', word->len) : NULL;
	struct word number = *word, period;
	uint64_t n = 0;

	if (slash) {
		number.len = (size_t)(slash - word->at);
		period = (struct word){ .at = slash + 1, .len = word->len - number.len - 1 };
		for (size_t i = 0; i < ARRAY_LEN(periods); i++)
			if (conf_word_is(&period, conf_period_name(periods[i])))
				ret->per = periods[i];
	}
	if (ret->per && conf_word_number(&number, CONNECTIONS_MAX, &n) == 0 && n > 0) {
		ret->n = ret->burst = (uint32_t)n;
		return true;
	}
	diag_error(conf->diag, where,
		   "%s is not a rate: expected one such as 10/second, with a number "
		   "from 1 to %d, per second, minute, hour or day",
		   SHOW(word), CONNECTIONS_MAX);
	return false;
}

/* The kernel counts in nanoseconds and would overflow: net/netfilter/nft_limit.c nft_limit_init(). */
static bool parse_burst(struct conf *conf, const struct word *word, struct where where,
			struct rate *rate)
{
	uint64_t most = (uint64_t)rate->n * LIMIT_REFILL_MAX / rate->per;

	if (!conf_form_count(conf, "burst", word, where, 1, CONNECTIONS_MAX, &rate->burst))
		return false;
	if (rate->burst <= most)
		return true;
	diag_error(conf->diag, where,
		   "burst %s takes more than 30 days to come back at %u/%s: expected at most %" PRIu64,
		   SHOW(word), rate->n, conf_period_name(rate->per), most);
	return false;
}

void conf_limit_new(struct conf *conf, const struct word *word, bool per_destination,
		    struct where key, struct where where, const struct word *burst,
		    struct where where_burst)
{
	struct limits *limits = &conf->open.limits;
	bool twice = per_destination ? given_before(conf, "limit new per destination", key,
						    &conf->open.new_to)
				     : given_before(conf, "limit new", key, &conf->open.new);
	struct rate rate = { 0 };

	if (!parse_rate(conf, word, where, &rate) ||
	    (burst && !parse_burst(conf, burst, where_burst, &rate)) || twice)
		return;
	if (per_destination)
		limits->new_to = rate;
	else
		limits->new = rate;
}

void conf_binding_overflow(struct conf *conf, const struct word *other, struct where key,
			   struct where where)
{
	if (!conf_given_twice(conf, "overflow", key, &conf->open.binding.where_overflow))
		conf_use_name(conf, USE_OVERFLOW, other, where, conf->open.index);
}

void conf_warmup_open(struct conf *conf, struct where key)
{
	struct where seen = conf->open.warmup ? conf->open.warmup->where : (struct where){ 0 };

	conf_given_twice(conf, "warmup", key, &seen);
	conf->open.days.n = 0;
	conf->open.day_overflow = (struct where){ 0 };
	conf->open.warmup = arena_alloc(&conf->model->arena, sizeof *conf->open.warmup);
	conf->open.warmup->overflow = NO_INDEX;
	conf->open.warmup->where = key;
}

void conf_warmup_day(struct conf *conf, const struct word *day, struct where where,
		     const struct word *count, struct where where_count)
{
	uint32_t number = 0, connections = 0, next = (uint32_t)conf->open.days.n + 1;

	if (!conf_form_count(conf, "day", day, where, 1, WARMUP_DAYS_MAX, &number))
		return;
	if (number != next)
		diag_error(conf->diag, where,
			   "found day %u, expected day %u: the days of a warm-up go "
			   "up from 1 without a gap",
			   number, next);
	(void)conf_form_count(conf, "number of connections", count, where_count, 1,
			      DAY_CONNECTIONS_MAX, &connections);
	/* day 366 is the last that there is, and what goes back is not counted: so it ends */
	if (number >= next)
		for (; conf->open.days.n < number;)
			PUSH(&conf->open.days, connections);
}

void conf_warmup_overflow(struct conf *conf, const struct word *other, struct where key,
			  struct where where)
{
	if (conf_given_twice(conf, "overflow", key, &conf->open.day_overflow))
		return;
	conf->open.warmup->where_overflow = key;
	conf_use_name(conf, USE_WARMUP, other, where, conf->open.index)->slot =
		&conf->open.warmup->overflow;
}

void conf_warmup_close(struct conf *conf)
{
	struct warmup *warmup = conf->open.warmup;
	size_t n = conf->open.days.n, len = n * sizeof *conf->open.days.at;

	if (n == 0)
		diag_error(conf->diag, warmup->where,
			   "warm-up without a day: expected 'day 1 NUMBER;'");
	else
		warmup->days =
			memcpy(arena_alloc(&conf->model->arena, len), conf->open.days.at, len);
	warmup->n_days = (uint32_t)n;
	conf->open.binding.warmup = warmup;
}

static bool is_new_number(uint32_t number, const uint32_t *seen, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seen[i] == number)
			return false;
	return true;
}

static bool is_new_rate(const struct rate *rate, const struct rate *seen, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(&seen[i], rate, sizeof *rate) == 0)
			return false;
	return true;
}

static void report_different(struct conf *conf, const struct limits *limits, const char *kind)
{
	diag_error(conf->diag, limits->where,
		   "one more value of '%s per destination' than the %d different ones that there may "
		   "be: expected one that another binding or group has", kind, LIMITS_TO_MAX);
}

void conf_limit_check(struct conf *conf)
{
	const struct model *model = conf->model;
	uint32_t connections[LIMITS_TO_MAX];
	struct rate new[LIMITS_TO_MAX];
	size_t n_connections = 0, n_new = 0;

	for (size_t i = 0; i < model->bindings.n; i++) {
		const struct limits *limits = model->bindings.at[i].limits;

		if (!limits)
			continue;
		if (limits->connections_to &&
		    is_new_number(limits->connections_to, connections, n_connections)) {
			if (n_connections == LIMITS_TO_MAX)
				report_different(conf, limits, "limit connections");
			else
				connections[n_connections++] = limits->connections_to;
		}
		if (limits->new_to.n && is_new_rate(&limits->new_to, new, n_new)) {
			if (n_new == LIMITS_TO_MAX)
				report_different(conf, limits, "limit new");
			else
				new[n_new++] = limits->new_to;
		}
	}
}
