/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See flow_filter.h. */
#include "daemon/flow_filter.h"

#include "base/mem.h"
#include "model/conf.h"

static int by_value(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

/* A group's connections carry the numbers of its members. */
static bool read_binding(struct call *call, struct flow_filter *filter)
{
	const struct generation *now = call->agent->now;
	const char *name = method_text(call, "binding");
	const struct binding_group *group;
	uint32_t binding;

	if (!name)
		return true;
	if (method_binding(call, name, &binding) < 0)
		return false;
	filter->by_binding = true;
	if (binding == NO_INDEX)
		return true;			/* `default` without addresses: has none */
	group = now->model.bindings.at[binding].group;
	for (uint32_t i = 0; group && i < group->n_members; i++)
		PUSH(&filter->marks, now->plan.marks[group->members[i].binding].host);
	if (!group)
		PUSH(&filter->marks, now->plan.marks[binding].host);
	if (filter->marks.n > 1)
		qsort(filter->marks.at, filter->marks.n, sizeof *filter->marks.at, by_value);
	return true;
}

static bool read_prefix(struct call *call, const char *key, bool *ret_given, struct prefix *ret)
{
	const char *text = method_text(call, key);

	*ret_given = text != NULL;
	if (!text || prefix_parse(text, ret) == 0)
		return true;
	method_fail_parameter(call, key);
	return false;
}

static bool read_protocol(struct call *call, struct flow_filter *filter)
{
	const char *name = method_text(call, "protocol");

	if (!name || conf_protocol_number(name, &filter->protocol) == 0)
		return true;
	method_fail_parameter(call, "protocol");
	return false;
}

bool flow_filter_read(struct call *call, struct flow_filter *ret)
{
	struct flow_filter filter = { .mask = call->agent->now->model.mask };
	json_int_t port = 0, uid = -1;

	if (!read_binding(call, &filter) ||
	    !read_prefix(call, "to", &filter.by_to, &filter.to) ||
	    !read_prefix(call, "from", &filter.by_from, &filter.from) ||
	    !method_number_within(call, "port", 0, UINT16_MAX, &port) ||
	    !method_number_within(call, "uid", 0, UINT32_MAX, &uid) ||
	    !read_protocol(call, &filter)) {
		flow_filter_drop(&filter);
		return false;
	}
	filter.to_port = (uint16_t)port;
	filter.by_uid = uid >= 0;
	filter.uid = (uint32_t)uid;
	*ret = filter;
	return true;
}

void flow_filter_drop(struct flow_filter *filter)
{
	free(filter->marks.at);
	*filter = (struct flow_filter){ 0 };
}

bool flow_filter_takes(const struct flow_filter *filter, const struct connection *c,
		       const struct socket_owner *owner)
{
	uint32_t mark = c->mark.host & filter->mask.host;

	if (filter->by_binding && (filter->marks.n == 0 ||
				   !bsearch(&mark, filter->marks.at, filter->marks.n,
					    sizeof mark, by_value)))
		return false;
	if (filter->by_to && !prefix_contains(&filter->to, &c->to))
		return false;
	if (filter->by_from && !prefix_contains(&filter->from, &c->from))
		return false;
	if (filter->to_port && filter->to_port != c->to_port)
		return false;
	/* `protocol icmp` means that of both families */
	if (filter->protocol && filter->protocol != c->protocol &&
	    !(filter->protocol == PROTOCOL_ICMP && c->protocol == PROTOCOL_ICMPV6))
		return false;
	return !filter->by_uid || (owner && owner->uid == filter->uid);
}

const struct fwmark *flow_filter_mark(const struct flow_filter *filter, struct fwmark *ret)
{
	if (filter->marks.n != 1)
		return NULL;
	ret->host = filter->marks.at[0];
	return ret;
}
