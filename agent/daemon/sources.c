/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sources.h. Limits: of former sources SOURCES_FORMER_MAX are remembered, and when there are
 * more all are forgotten; a change of so many addresses at once can then be taken for wrong sources.
 */
#include "daemon/sources.h"

#include "base/mem.h"

#include <endian.h>
#include <string.h>

struct former { uint32_t mark; struct ip_range range; };

struct sources {
	uint64_t changes;			/* of the agent, when by_number was made; 0: not yet */
	uint32_t *by_number;			/* binding, or NO_INDEX */
	size_t n;
	unsigned shift;				/* a mark is a number shifted so far */
	struct { struct former *at; size_t n, room; } former;	/* sorted by mark */
	struct { uint32_t *at; size_t n; } known;
};

static struct sources *of(struct agent *agent)
{
	if (!agent->sources)
		agent->sources = mem_zero(1, sizeof *agent->sources);
	return agent->sources;
}

const char *sources_word(enum source_verdict verdict)
{
	static const char *const words[] = {
		[SOURCE_OWN] = "own", [SOURCE_FORMER] = "former", [SOURCE_WRONG] = "wrong",
		[SOURCE_NOBODYS] = "nobodys", [SOURCE_UNBOUND] = "unbound",
	};

	return words[verdict];
}

/* Numbers are given from 1 up, so that an array by number has few holes. */
static void index_numbers(struct sources *sources, const struct agent *agent)
{
	const struct plan *plan = &agent->now->plan;
	uint32_t highest = 0;

	sources->shift = (unsigned)__builtin_ctz(plan->mask.host);
	for (size_t i = 0; i < plan->n_bindings; i++)
		if (plan->marks[i].host >> sources->shift > highest)
			highest = plan->marks[i].host >> sources->shift;
	free(sources->by_number);
	sources->n = (size_t)highest + 1;
	sources->by_number = mem_zero(sources->n, sizeof *sources->by_number);
	memset(sources->by_number, 0xff, sources->n * sizeof *sources->by_number);
	for (uint32_t i = 0; i < plan->n_bindings; i++)
		sources->by_number[plan->marks[i].host >> sources->shift] = i;
	sources->by_number[0] = NO_INDEX;
	sources->changes = agent->changes;
}

uint32_t sources_binding(struct agent *agent, struct fwmark mark)
{
	struct sources *sources = of(agent);
	uint32_t number;

	if (sources->changes != agent->changes)
		index_numbers(sources, agent);
	number = (mark.host & agent->now->plan.mask.host) >> sources->shift;
	return number < sources->n ? sources->by_number[number] : NO_INDEX;
}

const char *sources_name(struct agent *agent, struct fwmark mark)
{
	uint32_t binding = sources_binding(agent, mark);

	return binding == NO_INDEX ? NULL : agent->now->model.bindings.at[binding].name;
}

static bool has_row(const struct plan *plan, enum set_id set, uint32_t mark, const struct ip *ip)
{
	uint8_t key[KEY_MAX] = { 0 };

	if (plan_shapes[set].interval)
		mark = htobe32(mark);
	memcpy(key, &mark, sizeof mark);
	memcpy(key + sizeof mark, ip->octet, ip->len);
	return plan_find(plan, set, key) != NULL;
}

static bool is_former(const struct sources *sources, uint32_t mark, const struct ip *ip)
{
	size_t low = 0, high = sources->former.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sources->former.at[middle].mark < mark)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < sources->former.n && sources->former.at[low].mark == mark; low++) {
		const struct ip_range *range = &sources->former.at[low].range;

		if (range->first.len == ip->len && ip_compare(ip, &range->first) >= 0 &&
		    ip_compare(ip, &range->last) <= 0)
			return true;
	}
	return false;
}

static int by_id(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

enum source_verdict sources_judge(struct agent *agent, const struct connection *c)
{
	const struct plan *plan = &agent->now->plan;
	struct sources *sources = of(agent);
	uint32_t mark = c->mark.host & plan->mask.host;
	bool four = c->source.len == 4;

	if (mark == 0 || mark == plan->pass.host || mark == plan->reject.host)
		return SOURCE_UNBOUND;
	if (has_row(plan, four ? SET_OWN4 : SET_OWN6, mark, &c->source) ||
	    has_row(plan, four ? SET_OWN_RANGE4 : SET_OWN_RANGE6, mark, &c->source))
		return SOURCE_OWN;
	if (has_row(plan, four ? SET_KEPT4 : SET_KEPT6, mark, &c->source) ||
	    is_former(sources, mark, &c->source) ||
	    (sources->known.n > 0 &&
	     bsearch(&c->id, sources->known.at, sources->known.n, sizeof c->id, by_id)))
		return SOURCE_FORMER;
	return sources_binding(agent, c->mark) == NO_INDEX ? SOURCE_NOBODYS : SOURCE_WRONG;
}

/* The range that a row of SET_OWN* or SET_OWN_RANGE* stands for. */
static struct ip_range range_of(enum set_id set, const uint8_t *row)
{
	const struct set_shape *shape = &plan_shapes[set];
	uint8_t len = set == SET_OWN4 || set == SET_OWN_RANGE4 ? 4 : 16;
	const uint8_t *last = shape->interval ? row_end(shape, row) : row;
	struct ip_range range = { { .len = len }, { .len = len } };

	memcpy(range.first.octet, row + sizeof(uint32_t), len);
	memcpy(range.last.octet, last + sizeof(uint32_t), len);
	return range;
}

static struct prefix prefix_of(const struct ip_range *range)
{
	struct prefix prefix = { .ip = range->first };

	while (prefix.bits < range->first.len * 8 &&
	       ((range->first.octet[prefix.bits / 8] ^ range->last.octet[prefix.bits / 8]) >>
		(7 - prefix.bits % 8)) == 0)
		prefix.bits++;
	return prefix;
}

static size_t add_intended(const struct plan *plan, enum set_id set, uint32_t mark,
			   struct prefix *ret, size_t n, size_t max)
{
	const struct rows *rows = &plan->sets[set];
	size_t len = plan_shapes[set].row_len, low = 0, high = rows->n;

	if (plan_shapes[set].interval)
		mark = htobe32(mark);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(rows->at + middle * len, &mark, sizeof mark) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < rows->n && memcmp(rows->at + low * len, &mark, sizeof mark) == 0; low++, n++) {
		struct ip_range range = range_of(set, rows->at + low * len);

		if (n < max)
			ret[n] = prefix_of(&range);
	}
	return n;
}

size_t sources_intended(const struct plan *plan, struct fwmark mark, enum family family,
			struct prefix *ret, size_t max)
{
	bool four = family == FAMILY_IPV4;
	uint32_t number = mark.host & plan->mask.host;
	size_t n = add_intended(plan, four ? SET_OWN4 : SET_OWN6, number, ret, 0, max);

	return add_intended(plan, four ? SET_OWN_RANGE4 : SET_OWN_RANGE6, number, ret, n, max);
}

static int by_mark(const void *left, const void *right)
{
	const struct former *a = left, *b = right;
	int c = a->mark < b->mark ? -1 : a->mark > b->mark;

	return c ? c : ip_compare(&a->range.first, &b->range.first);
}

/* The same address may be taken away, given back and taken away many times. */
static void sort_former(struct sources *sources)
{
	size_t n = 0;

	qsort(sources->former.at, sources->former.n, sizeof *sources->former.at, by_mark);
	for (size_t i = 0; i < sources->former.n; i++)
		if (n == 0 || by_mark(&sources->former.at[n - 1], &sources->former.at[i]) != 0)
			sources->former.at[n++] = sources->former.at[i];
	sources->former.n = n;
}

void sources_note(struct agent *agent, const struct ops *ops)
{
	struct sources *sources = of(agent);
	size_t before = sources->former.n;

	for (size_t i = 0; i < ops->n; i++) {
		const struct op *op = &ops->at[i];
		struct former former;

		if (op->verb != OP_DELETE || (op->set != SET_OWN4 && op->set != SET_OWN6 &&
					      op->set != SET_OWN_RANGE4 &&
					      op->set != SET_OWN_RANGE6))
			continue;
		memcpy(&former.mark, op->row, sizeof former.mark);
		if (plan_shapes[op->set].interval)
			former.mark = be32toh(former.mark);
		former.range = range_of(op->set, op->row);
		PUSH(&sources->former, former);
	}
	if (sources->former.n > SOURCES_FORMER_MAX)
		sources->former.n = 0;
	else if (sources->former.n > before)
		sort_former(sources);
}

void sources_know(struct agent *agent, const uint32_t *ids, size_t n)
{
	struct sources *sources = of(agent);

	free(sources->known.at);
	sources->known.at = mem_zero(n, sizeof *ids);
	sources->known.n = n;
	if (n == 0)
		return;
	memcpy(sources->known.at, ids, n * sizeof *ids);
	qsort(sources->known.at, n, sizeof *ids, by_id);
}

void sources_free(struct sources *sources)
{
	if (!sources)
		return;
	free(sources->by_number);
	free(sources->former.at);
	free(sources->known.at);
	free(sources);
}
