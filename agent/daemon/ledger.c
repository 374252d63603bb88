/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See ledger.h; what is written of it stands in ledger_text.c. */
#include "daemon/ledger.h"

#include "base/mem.h"

#include <string.h>

void ledger_drop(struct ledger *ledger)
{
	free(ledger->entries.at);
	free(ledger->names);
	free(ledger->refusals.at);
	*ledger = (struct ledger){ 0 };
}

static int by_mark(const void *left, const void *right)
{
	const struct ledger_entry *a = left, *b = right;

	return a->row.mark < b->row.mark ? -1 : a->row.mark > b->row.mark;
}

struct ledger_entry *ledger_find(const struct ledger *ledger, uint32_t mark)
{
	struct ledger_entry key = { .row.mark = mark };

	return ledger->entries.n == 0 ? NULL
				      : bsearch(&key, ledger->entries.at, ledger->entries.n,
						sizeof key, by_mark);
}

size_t ledger_after(const struct ledger *ledger, uint32_t mark)
{
	size_t low = 0, high = ledger->entries.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ledger->entries.at[middle].row.mark <= mark)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int by_row_mark(const void *left, const void *right)
{
	const struct sheet_row *a = left, *b = right;

	return a->mark < b->mark ? -1 : a->mark > b->mark;
}

/* Numbers are mostly given in the order of the text. */
static void sort_rows(struct sheet_row *at, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (at[i].mark < at[i - 1].mark) {
			qsort(at, n, sizeof *at, by_row_mark);
			return;
		}
}

void ledger_rows(struct ledger *ledger, struct sheet *sheet)
{
	size_t n = sheet->rows.n, old = 0;
	struct ledger_entry *fresh = mem_zero(n + 1, sizeof *fresh);

	sort_rows(sheet->rows.at, n);
	for (size_t i = 0; i < n; i++) {
		struct ledger_entry *before;

		while (old < ledger->entries.n &&
		       ledger->entries.at[old].row.mark < sheet->rows.at[i].mark)
			old++;
		before = old < ledger->entries.n ? &ledger->entries.at[old] : NULL;
		if (before && before->row.mark == sheet->rows.at[i].mark)
			fresh[i] = *before;
		fresh[i].row = sheet->rows.at[i];
	}
	free(ledger->entries.at);
	ledger->entries.at = fresh;
	ledger->entries.n = n;
	ledger->entries.room = n + 1;
	free(ledger->names);
	ledger->names = sheet->names.at;
	sheet->names.at = NULL;
	free(sheet->rows.at);
	sheet->rows.at = NULL;
	sheet->rows.n = 0;
}

static uint64_t more(uint64_t before, uint64_t now)
{
	return now >= before ? now - before : now;
}

void ledger_note(struct ledger *ledger, struct ledger_entry *entry, enum ledger_kind kind,
		 enum family family, struct counted counted)
{
	struct counted *before = &entry->counted[kind][family];
	struct counted *total = &ledger->totals[kind][family];

	total->packets += more(before->packets, counted.packets);
	total->octets += more(before->octets, counted.octets);
	*before = counted;
}

void ledger_census(struct ledger *ledger, const struct sheet *sheet)
{
	memset(ledger->live, 0, sizeof ledger->live);
	for (size_t i = 0; i < ledger->entries.n; i++)
		memset(ledger->entries.at[i].live, 0, sizeof ledger->entries.at[i].live);
	for (size_t i = 0; i < sheet->live.n; i++) {
		const struct census_live *live = &sheet->live.at[i];
		struct ledger_entry *entry = ledger_find(ledger, live->mark);

		for (int f = 0; f < FAMILIES && entry; f++) {
			entry->live[f] = live->n[f];
			ledger->live[f] += live->n[f];
		}
	}
}

static uint64_t connections_of(const struct ledger_entry *entry)
{
	return entry->counted[LEDGER_CONNECTIONS][FAMILY_IPV4].packets +
	       entry->counted[LEDGER_CONNECTIONS][FAMILY_IPV6].packets;
}

/* Busier first; of equals the lower number, so that the choice stays. */
static bool busier(const struct ledger_entry *a, const struct ledger_entry *b)
{
	uint64_t x = connections_of(a), y = connections_of(b);

	return x != y ? x > y : a->row.mark < b->row.mark;
}

/* Heap whose top is the least busy one. */
static void sink(const struct ledger_entry **heap, size_t n, size_t at)
{
	for (;;) {
		size_t least = at;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++)
			if (busier(heap[least], heap[child]))
				least = child;
		if (least == at)
			return;
		const struct ledger_entry *other = heap[at];

		heap[at] = heap[least];
		heap[least] = other;
		at = least;
	}
}

static int by_place(const void *left, const void *right)
{
	const struct ledger_entry *a = *(const struct ledger_entry *const *)left;
	const struct ledger_entry *b = *(const struct ledger_entry *const *)right;

	return a < b ? -1 : a > b;
}

size_t ledger_busiest(const struct ledger *ledger, size_t n, const struct ledger_entry **ret)
{
	size_t kept = ledger->entries.n < n ? ledger->entries.n : n;

	if (n == 0)
		return 0;
	for (size_t i = 0; i < kept; i++)
		ret[i] = &ledger->entries.at[i];
	for (size_t i = kept; i-- > 0;)
		sink(ret, kept, i);
	for (size_t i = kept; i < ledger->entries.n; i++)
		if (busier(&ledger->entries.at[i], ret[0])) {
			ret[0] = &ledger->entries.at[i];
			sink(ret, kept, 0);
		}
	qsort(ret, kept, sizeof *ret, by_place);
	return kept;
}
