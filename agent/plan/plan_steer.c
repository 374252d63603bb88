/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which way out: an uplink has a number of its own, and one `ip rule` of the host looks at it. The
 * packets of a binding with an uplink carry the uplink's number, those of a binding that somebody
 * else's rule looks at carry its own; where both hold, the uplink wins. An address belongs to one
 * way out, so who leaves by another binding's addresses takes that one's uplink.
 *
 * None of this depends on whether the binding is usable: what is alive keeps its way.
 */
#include "plan/plan_steer.h"

#include "plan/plan_rows.h"

/*
 * A routing rule matches as net/core/fib_rules.c fib_rule_match() does: bits outside its mask do
 * not count. Bits outside ours are somebody else's, so what they say is left open here.
 */
static bool is_asked(const struct plan_host *host, struct fwmark mark)
{
	const struct fwmark_rule *at = host->steering.at;
	size_t n = host->steering.n;

	for (size_t i = 0, end; i < n; i = end) {	/* one search a mask: they are sorted */
		uint32_t mask = at[i].mask.host, want = mark.host & mask;
		size_t low = i, high;

		for (end = i; end < n && at[end].mask.host == mask;)
			end++;
		for (high = end; low < high;) {
			size_t middle = low + (high - low) / 2;

			if (at[middle].mark.host < want)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < end && at[low].mark.host == want)
			return true;
	}
	return false;
}

/* A row of @set: mark, then the family; returns where the next field goes. */
static uint8_t *add_row(struct plan *plan, enum set_id set, struct fwmark mark, enum family family)
{
	return put_mark_family(plan_rows_add(plan, set), mark, family);
}

void plan_steer(const struct plan_host *host, const struct model *model, struct plan *plan,
		uint32_t binding, enum family family)
{
	uint32_t by = plan->usability[binding].by[family];
	struct fwmark mark = plan->marks[binding], to;
	const struct uplink *uplink;

	by = by == NO_INDEX ? binding : by;
	if (!plan_has_uplink(model, by)) {
		if (is_asked(host, mark))
			(void)add_row(plan, SET_STEER, mark, family);
		return;
	}
	uplink = &model->uplinks.at[model->bindings.at[by].uplink];
	to = plan->uplink_marks[model->bindings.at[by].uplink];
	(void)add_row(plan, SET_STEER, mark, family);
	(void)add_row(plan, SET_HAS_UPLINK, mark, family);
	put_host32(add_row(plan, SET_STEER_TO, mark, family), to.host);
	for (uint32_t bits = to.host; bits; bits &= bits - 1)
		put_host32(add_row(plan, SET_STEER_BIT, mark, family), bits & -bits);
	/* the row is zeroed, and names are shorter than IFNAMSIZ */
	memcpy(add_row(plan, SET_VIA, mark, family), uplink->interface, strlen(uplink->interface));
}

void plan_steer_answers(const struct plan_host *host, const struct model *model, struct plan *plan,
			uint32_t binding)
{
	uint32_t by = plan->usability[binding].by[FAMILY_IPV4];
	const struct link *link;

	by = by == NO_INDEX ? binding : by;
	if (!plan_has_uplink(model, by))
		return;
	link = facts_link(host->facts, model->uplinks.at[model->bindings.at[by].uplink].interface);
	if (link && link->answer_marked)
		put_host32(plan_rows_add(plan, SET_ANSWER), plan->marks[binding].host);
}
