/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's layer, taken apart by the agent's own parser. */
#include "pending.h"

#include "base/mem.h"

#include <string.h>

void pending_drop(struct pending *pending)
{
	free(pending->text);
	free(pending->sorted.at);
	items_drop(&pending->items);
	*pending = (struct pending){ 0 };
}

static int compare(const struct item *a, const struct item *b)
{
	int order = (int)item_space(a->kind) - (int)item_space(b->kind);

	return order ? order : strcmp(a->key, b->key);
}

static int by_name(const void *left, const void *right)
{
	return compare(*(const struct item *const *)left, *(const struct item *const *)right);
}

int pending_read(const struct ctl *ctl, const char *text, struct pending *ret)
{
	static const char name[] = "run-time changes";
	struct diag diag = { 0 };
	int r = conf_items(name, text, strlen(text), &conf_system, &ret->items, &diag);

	for (size_t i = 0; i < diag.n && r < 0; i++)
		ctl_complain(ctl, "%s:%u:%u: %s", name, diag.at[i].where.line,
			     diag.at[i].where.column, diag.at[i].text);
	diag_drop(&diag);
	if (r < 0)
		return CTL_REFUSED;
	ret->text = mem_copy(text);
	for (size_t i = 0; i < ret->items.n; i++)
		PUSH(&ret->sorted, &ret->items.at[i]);
	if (ret->sorted.n > 0)
		qsort(ret->sorted.at, ret->sorted.n, sizeof *ret->sorted.at, by_name);
	return CTL_DONE;
}

const struct item *pending_same(const struct pending *pending, const struct item *item)
{
	size_t first = 0, last = pending->sorted.n;

	while (first < last) {
		size_t middle = first + (last - first) / 2;
		int order = compare(item, pending->sorted.at[middle]);

		if (order == 0)
			return pending->sorted.at[middle];
		if (order < 0)
			last = middle;
		else
			first = middle + 1;
	}
	return NULL;
}
