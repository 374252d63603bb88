/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which addresses a list of prefixes covers. Two prefixes are nested or apart, so the outermost
 * ones say it all, and each still knows where it came from. Serves the bypass sets, the sources
 * that rules name and the local (AnyIP) prefixes of the host.
 */
#include "plan/plan_cover.h"

#include "base/mem.h"
#include "plan/plan_rows.h"

void plan_cover_drop(struct cover *cover)
{
	free(cover->at);
	*cover = (struct cover){ 0 };
}

void plan_cover_add(struct cover *cover, const struct prefix *prefix, uint32_t origin)
{
	PUSH(cover, ((struct cover_entry){ *prefix, origin }));
}

static int by_place(const void *left, const void *right)
{
	const struct cover_entry *a = left, *b = right;
	int c = ip_compare(&a->prefix.ip, &b->prefix.ip);

	if (c != 0)
		return c;
	if (a->prefix.bits != b->prefix.bits)
		return a->prefix.bits < b->prefix.bits ? -1 : 1;
	return a->origin < b->origin ? -1 : a->origin > b->origin;
}

void plan_cover_finish(struct cover *cover)
{
	size_t n = 0;

	if (cover->n == 0)
		return;
	qsort(cover->at, cover->n, sizeof *cover->at, by_place);
	for (size_t i = 0; i < cover->n; i++)
		if (n == 0 || !prefix_covers(&cover->at[n - 1].prefix, &cover->at[i].prefix))
			cover->at[n++] = cover->at[i];
	cover->n = n;
}

bool plan_cover_has(const struct cover *cover, const struct ip *ip)
{
	size_t low = 0, high = cover->n;

	while (low < high) {			/* the first one that starts after @ip */
		size_t middle = low + (high - low) / 2;

		if (ip_compare(&cover->at[middle].prefix.ip, ip) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && prefix_contains(&cover->at[low - 1].prefix, ip);
}

void plan_cover_emit(const struct cover *cover, struct plan *plan, enum set_id ipv4,
		     enum set_id ipv6)
{
	for (size_t i = 0, next; i < cover->n; i = next) {
		const struct cover_entry *entry = &cover->at[i];
		uint8_t len = entry->prefix.ip.len;
		enum set_id set = len == 4 ? ipv4 : ipv6;
		struct span span = prefix_span(&entry->prefix);

		for (next = i + 1; next < cover->n; next++) {
			struct span more = prefix_span(&cover->at[next].prefix);

			if (cover->at[next].prefix.ip.len != len ||
			    cover->at[next].origin != entry->origin || more.first != span.last + 1)
				break;
			span.last = more.last;
		}
		uint8_t *row = plan_rows_add(plan, set);

		put_place(put_place(row, span.first, len), span.last, len);
		plan_rows_origin(&plan_shapes[set], row, entry->origin);
	}
}

#define IPV4(a, b, n)	{ .ip = { .octet = { a, b }, .len = 4 }, .bits = n }
#define IPV6(a, b, n)	{ .ip = { .octet = { a, b }, .len = 16 }, .bits = n }

static const struct prefix built_in[] = {
	IPV4(127, 0, 8), IPV4(169, 254, 16), IPV4(224, 0, 3),
	IPV6(0xfe, 0x80, 10), IPV6(0xff, 0, 8),
	{ .ip = { .octet = { [15] = 1 }, .len = 16 }, .bits = 128 },
};

static const struct prefix private[] = {	/* RFC 1918, RFC 6598, RFC 4193 */
	IPV4(10, 0, 8), IPV4(172, 16, 12), IPV4(192, 168, 16), IPV4(100, 64, 10),
	IPV6(0xfc, 0, 7),
};

void plan_cover_bypass(const struct model *model, const struct facts *facts, struct plan *plan)
{
	AUTO(plan_cover_drop) struct cover cover = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(built_in); i++)
		plan_cover_add(&cover, &built_in[i], NO_INDEX);
	for (size_t i = 0; model->bypass_private && i < ARRAY_LEN(private); i++)
		plan_cover_add(&cover, &private[i], BYPASS_PRIVATE);
	for (size_t i = 0; model->bypass_connected && i < facts->connected.n; i++)
		plan_cover_add(&cover, &facts->connected.at[i].prefix, BYPASS_CONNECTED);
	for (size_t i = 0; i < model->bypasses.n; i++)
		plan_cover_add(&cover, &model->bypasses.at[i].prefix, (uint32_t)i);
	plan_cover_finish(&cover);
	plan_cover_emit(&cover, plan, SET_BYPASS4, SET_BYPASS6);
}
