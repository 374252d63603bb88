/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See warmup.h. */
#include "plan/warmup.h"

#include "base/mem.h"
#include "plan/text_lines.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_LINE	"outbind-warmup 1\n"

void warmups_drop(struct warmups *warmups)
{
	for (size_t i = 0; i < warmups->n; i++)
		free(warmups->at[i].name);
	free(warmups->at);
	*warmups = (struct warmups){ 0 };
}

/* Index of the first one that is not below @name. */
static size_t place_of(const struct warmups *warmups, const char *name)
{
	size_t low = 0, high = warmups->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(warmups->at[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct warmup_state *warmups_find(const struct warmups *warmups, const char *name)
{
	size_t i = place_of(warmups, name);

	return i < warmups->n && strcmp(warmups->at[i].name, name) == 0 ? &warmups->at[i] : NULL;
}

struct warmup_state *warmups_start(struct warmups *warmups, const char *name, int64_t now)
{
	struct warmup_state *there = warmups_find(warmups, name);
	struct warmup_state fresh = { .day = 1, .since = now };
	size_t i = place_of(warmups, name);

	if (there)
		return there;
	fresh.name = mem_copy(name);
	PUSH(warmups, fresh);
	memmove(warmups->at + i + 1, warmups->at + i,
		(warmups->n - 1 - i) * sizeof *warmups->at);
	warmups->at[i] = fresh;
	return &warmups->at[i];
}

void warmups_write(const struct warmups *warmups, FILE *out)
{
	fputs(VERSION_LINE, out);
	for (size_t i = 0; i < warmups->n; i++) {
		const struct warmup_state *state = &warmups->at[i];

		fprintf(out, "%s %u %s %" PRId64 " %" PRIu64 " %" PRIu64 "\n", state->name,
			state->day, state->paused ? "paused" : "running", state->since,
			state->used, state->counted);
	}
}

/* All digits, and not above @max. */
static bool read_number(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0 && *ret <= max;
}

static bool read_line(void *context, char *line)
{
	struct warmups *warmups = context;
	const char *name = strsep(&line, " "), *day = strsep(&line, " ");
	const char *word = strsep(&line, " "), *since = strsep(&line, " ");
	const char *used = strsep(&line, " "), *counted = line;
	size_t len = strlen(name);
	struct warmup_state *state;
	uint64_t n, begun, had, last;

	if (len == 0 || len > NAME_MAX_BYTES || warmups_find(warmups, name) ||
	    !read_number(day, WARMUP_DAYS_MAX + 1, &n) || n == 0 ||
	    !read_number(since, INT64_MAX, &begun) || !read_number(used, UINT32_MAX, &had) ||
	    !read_number(counted, UINT32_MAX, &last))
		return false;
	if (strcmp(word, "paused") != 0 && strcmp(word, "running") != 0)
		return false;
	state = warmups_start(warmups, name, (int64_t)begun);
	state->day = (uint32_t)n;
	state->paused = word[0] == 'p';
	state->used = had;
	state->counted = last;
	return true;
}

int warmups_read(const char *text, size_t len, struct warmups *ret, uint32_t *ret_line)
{
	AUTO(warmups_drop) struct warmups warmups = { 0 };
	int r = text_lines_read(text, len, VERSION_LINE, read_line, &warmups, ret_line);

	if (r < 0)
		return r;
	*ret = warmups;
	warmups = (struct warmups){ 0 };
	return 0;
}

bool warmup_limits(const struct warmup_state *state, const struct warmup *warmup)
{
	return state && warmup && state->day <= warmup->n_days;
}

uint32_t warmup_quota(const struct warmup_state *state, const struct warmup *warmup)
{
	return warmup->days[state->day - 1];
}

uint32_t warmup_left(const struct warmup_state *state, const struct warmup *warmup)
{
	uint32_t quota = warmup_quota(state, warmup);

	return state->used < quota ? quota - (uint32_t)state->used : 0;
}

bool warmup_advance(struct warmup_state *state, const struct warmup *warmup, int64_t now)
{
	if (state->paused || !warmup_limits(state, warmup))
		return false;
	if (state->since > now) {
		state->since = now;
		return true;
	}
	if (now - state->since < WARMUP_DAY)
		return false;
	state->since = now - state->since < 2 * WARMUP_DAY ? state->since + WARMUP_DAY : now;
	state->day++;
	state->used = state->counted = 0;
	return true;
}

/* An element counts what it refuses, too. */
static uint64_t within(const struct warmup_state *state, const struct warmup *warmup, uint64_t n)
{
	uint32_t most = warmup_left(state, warmup);

	return n > most ? most : n;
}

void warmup_note(struct warmup_state *state, const struct warmup *warmup, uint64_t counted)
{
	counted = within(state, warmup, counted);
	if (counted > state->counted)
		state->counted = counted;
}

bool warmup_count(struct warmup_state *state, const struct warmup *warmup, uint64_t counted)
{
	counted = within(state, warmup, counted);
	if (counted >= state->counted) {
		state->counted = counted;
		return false;
	}
	state->used += state->counted + counted;
	state->counted = 0;
	return true;
}

uint64_t warmup_used(const struct warmup_state *state)
{
	return state->used + state->counted;
}

void warmup_pause(struct warmup_state *state, int64_t now)
{
	int64_t over = now - state->since;

	if (state->paused)
		return;
	state->since = over < 0 ? 0 : over < WARMUP_DAY ? over : WARMUP_DAY - 1;
	state->paused = true;
}

void warmup_resume(struct warmup_state *state, int64_t now)
{
	if (!state->paused)
		return;
	state->since = now - state->since;
	state->paused = false;
}
