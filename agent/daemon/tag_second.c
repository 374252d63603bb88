/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Version 2 of the tag protocol: for who must know what a connection would leave from before there
 * is one, as the relay. A group is turned into a member here, by the slots that the kernel would
 * use, with the caller's hash in place of the kernel's: so what is sent again with the same hash
 * leaves from the same member while it is usable.
 */
#include "daemon/tag_parts.h"

#include "daemon/listing.h"
#include "plan/plan_groups.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static uint32_t find_address(const struct model *model, const struct ip *ip)
{
	for (size_t i = 0; i < model->addresses.n; i++) {
		const struct address *at = &model->addresses.at[i];
		struct prefix prefix = { .ip = at->ip, .bits = at->bits };

		if (model->bindings.at[at->binding].name &&
		    (at->routed ? prefix_contains(&prefix, ip) : ip_equal(&at->ip, ip)))
			return at->binding;
	}
	return NO_INDEX;
}

static uint32_t by_mark(const struct plan *plan, const struct plan_group *group, uint32_t mark)
{
	for (uint32_t i = 0; i < group->n_members; i++)
		if (plan->marks[group->members[i].binding].host == mark)
			return group->members[i].binding;
	return NO_INDEX;
}

/* The member of a group that the hash leads to: for IPv4 if there is one, else for IPv6. */
static uint32_t pick_member(const struct plan *plan, uint32_t index, uint32_t hash)
{
	uint32_t at = plan_groups_find(plan, index), slot = hash % SHARE_SLOTS, mark;
	const struct plan_group *group = &plan->groups[at];

	for (enum family family = 0; family < FAMILIES; family++) {
		enum set_id set = plan_groups_set(group->pick, family);
		uint8_t key[KEY_MAX] = { 0 };
		const uint8_t *row;

		memcpy(key, &plan->marks[index].host, sizeof(uint32_t));
		memcpy(key + sizeof(uint32_t), &slot, sizeof slot);
		row = plan_find(plan, set, key);
		if (!row)
			continue;
		memcpy(&mark, row_value(&plan_shapes[set], row), sizeof mark);
		return by_mark(plan, group, mark);
	}
	return NO_INDEX;
}

struct line { char *at; size_t n; };		/* a reply that grows */

static void PRINTF(2, 3) add(struct line *line, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(line->at + line->n, TAG_REPLY_MAX - line->n, format, arguments);
	va_end(arguments);
	if (n >= 0 && line->n + (size_t)n < TAG_REPLY_MAX)
		line->n += (size_t)n;
	else
		line->at[line->n] = '\0';	/* what has no room is left out whole */
}

static void add_sources(const struct agent *agent, uint32_t binding, enum family family,
			struct line *line)
{
	const struct model *model = &agent->now->model;
	const struct binding *source =
		&model->bindings.at[tag_source(&agent->now->plan, binding, family)];
	char text[PREFIX_TEXT];
	const struct ip *ip;

	for (uint32_t i = 0; (ip = tag_address(agent, binding, family, &i));)
		add(line, " address=%s", ip_print(ip, text));
	for (uint32_t i = 0; i < source->n_addresses; i++) {
		const struct address *at = &model->addresses.at[source->first_address + i];
		struct prefix prefix = { .ip = at->ip, .bits = at->bits };

		if (at->routed && ip_family(&at->ip) == family)
			add(line, " routed=%s", prefix_print(&prefix, text));
	}
}

/* The reason with '+' for blanks, so that the reply stays a list of words. */
static void add_reason(const struct plan *plan, uint32_t binding, enum family family,
		       struct line *line)
{
	const char *text = plan_usable_text(plan, binding, family);

	add(line, " no%d=", family == FAMILY_IPV4 ? 4 : 6);
	for (; *text; text++)
		add(line, "%c", *text == ' ' ? '+' : *text);
}

static void describe(const struct agent *agent, uint32_t binding, struct line *line)
{
	const struct plan *plan = &agent->now->plan;
	const struct binding *at = &agent->now->model.bindings.at[binding];

	add(line, TAG_REPLY_OK "mark=%u binding=%s", plan->marks[binding].host, at->name);
	if (at->ehlo)
		add(line, " ehlo=%s", at->ehlo);
	if (at->ehlo6)
		add(line, " ehlo6=%s", at->ehlo6);
	for (enum family family = 0; family < FAMILIES; family++)
		if (plan_usable(plan, binding, family))
			add_sources(agent, binding, family, line);
	for (enum family family = 0; family < FAMILIES; family++)
		if (!plan_usable(plan, binding, family))
			add_reason(plan, binding, family, line);
}

static struct refusal mark_socket(struct agent *agent, uint32_t binding, const struct fd *fd,
				  size_t n_fds)
{
	const struct plan *plan = &agent->now->plan;
	bool families[FAMILIES] = { false };
	struct refusal refusal;
	int r;

	if (n_fds != 1)
		return (struct refusal){ TAG_BAD_SOCKET, "expected exactly one descriptor" };
	refusal = tag_check_socket(fd->n, families);
	if (refusal.code)
		return refusal;
	if (!(families[FAMILY_IPV4] && plan_usable(plan, binding, FAMILY_IPV4)) &&
	    !(families[FAMILY_IPV6] && plan_usable(plan, binding, FAMILY_IPV6)))
		return (struct refusal){ TAG_UNUSABLE, plan_usable_text(plan, binding,
			families[FAMILY_IPV4] ? FAMILY_IPV4 : FAMILY_IPV6) };
	r = tag_set_mark(fd->n, plan->mask, plan->marks[binding]);
	return r < 0 ? (struct refusal){ TAG_BAD_SOCKET, strerror(-r) }
		     : (struct refusal){ NULL, NULL };
}

/* The number of `pass`, which the table believes with the priority that goes with it only. */
static int mark_default(const struct plan *plan, const struct fd *fd)
{
	int priority = PASS_PRIORITY;

	if (setsockopt(fd->n, SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority) < 0)
		return -errno;
	return tag_set_mark(fd->n, plan->mask, plan->pass);
}

/*
 * `default` without a definition: the host's own addresses, which nobody is told. Not without a mark: the
 * policy would judge who asked, and might have him turned to himself.
 */
static size_t answer_default(struct agent *agent, const struct tag_request *request,
			     const struct fd *fd, size_t n_fds, char reply[static TAG_REPLY_MAX])
{
	const struct model *model = &agent->now->model;
	bool families[FAMILIES];
	struct refusal refusal = { NULL, NULL };
	int r;

	if (model->default_binding == DEFAULT_REJECT ||
	    model->default_binding == DEFAULT_SUSPENDED)
		return tag_refuse((struct refusal){ TAG_UNUSABLE, "default-binding refuses" },
				  reply);
	if (request->kind == TAG_REQUEST_TAG_SECOND) {
		refusal = n_fds == 1 ? tag_check_socket(fd->n, families)
				     : (struct refusal){ TAG_BAD_SOCKET,
							 "expected exactly one descriptor" };
		r = refusal.code ? 0 : mark_default(&agent->now->plan, fd);
		if (r < 0)
			refusal = (struct refusal){ TAG_BAD_SOCKET, strerror(-r) };
	}
	if (refusal.code)
		return tag_refuse(refusal, reply);
	return (size_t)snprintf(reply, TAG_REPLY_MAX, TAG_REPLY_OK "mark=%u binding=%s "
				"routed=0.0.0.0/0 routed=::/0", agent->now->plan.pass.host,
				DEFAULT_BINDING);
}

static struct refusal find(const struct agent *agent, struct tag_peer *peer,
			   const struct tag_request *request, uint32_t *ret)
{
	const struct model *model = &agent->now->model;
	uint32_t index = request->ip.len > 0 ? find_address(model, &request->ip)
					    : model_find(model, request->name);
	struct refusal refusal;

	if (index == NO_INDEX)
		return (struct refusal){ TAG_UNKNOWN, request->ip.len > 0
			? "no binding has this address" : "no binding has this name" };
	refusal = tag_check_allowed(agent, peer, index);
	if (refusal.code)
		return refusal;
	if (model->bindings.at[index].group) {
		if (agent->now->plan.suspended[index])
			return (struct refusal){ TAG_UNUSABLE, "suspended" };
		index = pick_member(&agent->now->plan, index, request->hash);
		if (index == NO_INDEX)
			return (struct refusal){ TAG_UNUSABLE, "no member of the group is usable" };
	}
	*ret = index;
	return (struct refusal){ NULL, NULL };
}

size_t tag_answer_second(struct agent *agent, struct tag_peer *peer,
			 const struct tag_request *request, const struct fd *fd, size_t n_fds,
			 char reply[static TAG_REPLY_MAX])
{
	struct line line = { reply, 0 };
	struct refusal refusal;
	uint32_t binding = 0;

	if (request->ip.len == 0 && strcmp(request->name, DEFAULT_BINDING) == 0 && peer->trusted &&
	    model_find(&agent->now->model, DEFAULT_BINDING) == NO_INDEX)
		return answer_default(agent, request, fd, n_fds, reply);
	refusal = find(agent, peer, request, &binding);
	if (!refusal.code && request->kind == TAG_REQUEST_TAG_SECOND)
		refusal = mark_socket(agent, binding, fd, n_fds);
	if (refusal.code)
		return tag_refuse(refusal, reply);
	describe(agent, binding, &line);
	return line.n;
}
