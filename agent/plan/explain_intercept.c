/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chains `turn_first` and `turn_forwarded_first`: is a connection turned to the relay, and to
 * which of its listeners? Bypassed destinations and packets with a mark are the caller's.
 */
#include "plan/explain_parts.h"

#include "plan/plan_rows.h"

/* Is the client in a set `turned`, and so in the one behind it? @key: it, in network order, @len octets. */
static bool is_turned(struct asking *asking, enum set_id turned, uint8_t *key, size_t len)
{
	enum set_id intercept = turned + 1;
	const uint8_t *row;

	put_place(key + len, asking->packet->port, 2);
	if (!explain_ask(asking, turned, key))
		return false;
	row = explain_ask(asking, intercept, key);
	asking->out->intercept = row ? row_origin(&plan_shapes[intercept], row) : NO_INDEX;
	asking->out->verdict = VERDICT_INTERCEPTED;
	return true;
}

static bool is_turned_local(struct asking *asking)
{
	const struct packet *packet = asking->packet;
	size_t n = explain_depth(packet);
	uint8_t key[KEY_MAX] = { 0 };

	for (size_t i = n > CGROUP_LEVELS ? n - CGROUP_LEVELS : 0; i < n; i++) {
		put_place(key, packet->cgroups[i], 8);
		if (is_turned(asking, SET_TURNED_CGROUP, key, 8))
			return true;
	}
	memset(key, 0, sizeof key);
	put_net32(key, packet->uid);
	if (packet->has_uid && is_turned(asking, SET_TURNED_USER, key, 4))
		return true;
	put_net32(key, packet->gid);
	return packet->has_gid && is_turned(asking, SET_TURNED_GROUP, key, 4);
}

bool explain_intercept(struct asking *asking)
{
	const struct packet *packet = asking->packet;
	uint8_t key[KEY_MAX] = { 0 };

	put_place(key, packet->port, 2);
	if (packet->protocol != PROTOCOL_TCP || !explain_ask(asking, SET_INTERCEPT_PORTS, key))
		return false;
	if (packet->source.len == 0)
		return is_turned_local(asking);
	memset(key, 0, sizeof key);
	put_ip(key, &packet->source);
	return is_turned(asking, asking->ipv4 ? SET_TURNED_SOURCE4 : SET_TURNED_SOURCE6, key,
			 packet->source.len);
}
