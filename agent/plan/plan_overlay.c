/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges of users and groups and prefixes of sources may be nested, but the rows of an interval map
 * may not: who wins where is decided here. One sweep a class with a heap of the ranges that are
 * open, so n claims cost n log n; then what a narrower range claims without qualifier is cut out.
 */
#include "plan/plan_policy.h"

#include "base/mem.h"

struct segment {
	struct span span;
	unsigned __int128 width;		/* of the client whose rule it is */
	uint32_t rule;
};

struct segments { struct segment *at; size_t n, room; };

struct heap { const struct claim **at; size_t n, room; };	/* the winner first */

struct overlay {
	struct policy *policy;
	enum set_id plain, qualified;
	struct segments base;			/* who claims what is left, everywhere */
};

static unsigned __int128 width(const struct claim *claim)
{
	return claim->span.last - claim->span.first;
}

static bool wins(const struct policy *policy, const struct claim *a, const struct claim *b)
{
	const uint32_t *of_rule = policy->classes.of_rule;

	if (width(a) != width(b))
		return width(a) < width(b);
	if (a->class != 0) {
		size_t left = plan_classes_breadth(&policy->classes, of_rule[a->rule]);
		size_t right = plan_classes_breadth(&policy->classes, of_rule[b->rule]);

		if (left != right)
			return left < right;
	}
	return a->rule < b->rule;
}

static void heap_push(const struct policy *policy, struct heap *heap, const struct claim *claim)
{
	size_t at = heap->n;

	PUSH(heap, claim);
	for (; at > 0 && wins(policy, claim, heap->at[(at - 1) / 2]); at = (at - 1) / 2)
		heap->at[at] = heap->at[(at - 1) / 2];
	heap->at[at] = claim;
}

static void heap_pop(const struct policy *policy, struct heap *heap)
{
	const struct claim *last = heap->at[--heap->n];
	size_t at = 0, child;

	while ((child = at * 2 + 1) < heap->n) {
		if (child + 1 < heap->n && wins(policy, heap->at[child + 1], heap->at[child]))
			child++;
		if (wins(policy, last, heap->at[child]))
			break;
		heap->at[at] = heap->at[child];
		at = child;
	}
	heap->at[at] = last;
}

static void add_segment(struct segments *out, struct span span, const struct claim *winner)
{
	struct segment *last = out->n > 0 ? &out->at[out->n - 1] : NULL;

	if (last && last->rule == winner->rule && last->span.last + 1 == span.first)
		last->span.last = span.last;
	else
		PUSH(out, ((struct segment){ span, width(winner), winner->rule }));
}

/* Who wins where, among the @n claims of one class, ascending by where they begin. */
static void sweep(const struct policy *policy, const struct claim *claims, size_t n,
		  struct heap *heap, struct segments *ret)
{
	unsigned __int128 at = 0;
	size_t i = 0;

	ret->n = heap->n = 0;
	while (i < n || heap->n > 0) {
		if (heap->n == 0)
			at = claims[i].span.first;
		for (; i < n && claims[i].span.first == at; i++)
			heap_push(policy, heap, &claims[i]);
		while (heap->n > 0 && heap->at[0]->span.last < at)
			heap_pop(policy, heap);
		if (heap->n == 0)
			continue;
		struct span span = { at, heap->at[0]->span.last };

		if (i < n && claims[i].span.first <= span.last)
			span.last = claims[i].span.first - 1;
		add_segment(ret, span, heap->at[0]);
		at = span.last + 1;
		if (at == 0)			/* the last of all addresses: nothing is behind it */
			break;
	}
}

static void add_row(struct overlay *overlay, enum set_id set, uint32_t class, struct span span,
		    uint32_t rule)
{
	const struct set_shape *shape = &plan_shapes[set];
	uint8_t *row = plan_rows_add(overlay->policy->plan, set), *end = row + shape->key_len;
	size_t len = shape->key_len - (set == overlay->qualified ? 4u : 0u);

	put_place(row, span.first, len);
	put_place(end, span.last, len);
	if (set == overlay->qualified) {
		put_net32(row + len, class);
		put_net32(end + len, class);
	}
	put_host32(end + shape->key_len, plan_policy_mark(overlay->policy, rule).host);
	plan_rows_origin(shape, row, rule);
	overlay->policy->rows++;
}

/* Index of the first base segment that does not end before @place. */
static size_t base_from(const struct segments *base, unsigned __int128 place)
{
	size_t low = 0, high = base->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (base->at[middle].span.last < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Rows of one segment of @class, less what narrower clients claim without qualifier. */
static void cut(struct overlay *overlay, uint32_t class, const struct segment *segment,
		size_t *next)
{
	const struct segments *base = &overlay->base;
	struct span left = segment->span;

	while (*next < base->n && base->at[*next].span.last < left.first)
		++*next;
	for (size_t i = *next; i < base->n && base->at[i].span.first <= left.last; i++) {
		const struct segment *other = &base->at[i];

		if (other->width >= segment->width)
			continue;
		if (other->span.first > left.first)
			add_row(overlay, overlay->qualified, class,
				(struct span){ left.first, other->span.first - 1 }, segment->rule);
		if (other->span.last >= left.last)
			return;
		left.first = other->span.last + 1;
	}
	add_row(overlay, overlay->qualified, class, left, segment->rule);
}

static int by_class(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;

	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	if (a->span.first != b->span.first)
		return a->span.first < b->span.first ? -1 : 1;
	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

static int by_width(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;

	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	if (width(a) != width(b))
		return width(a) < width(b) ? -1 : 1;
	return by_class(left, right);
}

/* Ranges of equal width that overlap without being equal: no client is the narrower one. */
static void check_ties(struct policy *policy, const struct claims *claims)
{
	for (size_t i = 0; i < claims->n; i++) {
		const struct claim *claim = &claims->at[i];

		for (size_t j = i + 1; j < claims->n; j++) {
			const struct claim *other = &claims->at[j];

			if (other->class != claim->class || width(other) != width(claim) ||
			    other->span.first > claim->span.last)
				break;
			if (plan_conflict_narrower(policy, claim->rule, other->rule) ||
			    plan_conflict_narrower(policy, other->rule, claim->rule))
				continue;
			plan_conflict_add(policy, claim->rule, other->rule);
			break;
		}
	}
}

int plan_overlay_resolve(struct policy *policy, struct claims *claims, enum set_id plain,
			 enum set_id qualified)
{
	struct overlay overlay = { .policy = policy, .plain = plain, .qualified = qualified };
	struct segments segments = { 0 };
	struct heap heap = { 0 };

	if (claims->n == 0)
		return 0;
	qsort(claims->at, claims->n, sizeof *claims->at, by_width);
	check_ties(policy, claims);
	qsort(claims->at, claims->n, sizeof *claims->at, by_class);
	for (size_t i = 0, next; i < claims->n && policy->rows <= PLAN_ROWS_MAX; i = next) {
		uint32_t class = claims->at[i].class;
		size_t base;

		for (next = i + 1; next < claims->n && claims->at[next].class == class;)
			next++;
		sweep(policy, claims->at + i, next - i, &heap,
		      class == 0 ? &overlay.base : &segments);
		if (class == 0) {
			for (size_t s = 0; s < overlay.base.n; s++)
				add_row(&overlay, plain, 0, overlay.base.at[s].span,
					overlay.base.at[s].rule);
			continue;
		}
		base = base_from(&overlay.base, segments.at[0].span.first);
		for (size_t s = 0; s < segments.n && policy->rows <= PLAN_ROWS_MAX; s++)
			cut(&overlay, class, &segments.at[s], &base);
	}
	free(overlay.base.at);
	free(segments.at);
	free(heap.at);
	return policy->rows > PLAN_ROWS_MAX ? -E2BIG : 0;
}
