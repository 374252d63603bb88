/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Explain: what the data path would do with a first packet, from the plan in force, and for every
 * element it would look up whether the kernel has the same. The answer is a proof only if all agree.
 */
#include "daemon/method.h"

#include "base/mem.h"
#include "model/conf.h"
#include "plan/explain.h"
#include "plan/plan_cover.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool take_protocol(struct call *call, struct packet *packet)
{
	const char *name = method_text(call, "protocol");
	uint32_t number;

	packet->protocol = PROTOCOL_TCP;
	if (!name)
		return true;
	if (method_is_id(name, &number) && number <= UINT8_MAX) {
		packet->protocol = (uint8_t)number;
		return true;
	}
	if (conf_protocol_number(name, &packet->protocol) < 0) {
		method_fail_not_found(call, "protocol", name);
		return false;
	}
	if (packet->protocol == PROTOCOL_ICMP && packet->to.len == 16)
		packet->protocol = PROTOCOL_ICMPV6;
	return true;
}

static bool take_destination(struct call *call, struct packet *packet)
{
	const char *source = method_text(call, "source");
	json_int_t mark = 0, port = 0;

	if (ip_parse(method_text(call, "to"), &packet->to) < 0) {
		method_fail_parameter(call, "to");
		return false;
	}
	if (source && (ip_parse(source, &packet->source) < 0 ||
		       packet->source.len != packet->to.len)) {
		method_fail_parameter(call, "source");
		return false;
	}
	if (!method_number_within(call, "mark", 0, UINT32_MAX, &mark) ||
	    !method_number_within(call, "port", 0, UINT16_MAX, &port))
		return false;
	packet->mark.host = (uint32_t)mark;
	packet->port = (uint16_t)port;
	return take_protocol(call, packet);
}

static size_t print_range(const uint8_t *at, uint8_t len, char *out, size_t room)
{
	struct ip first = { .len = len }, last = { .len = len };
	char text[IP_TEXT], end[IP_TEXT];

	memcpy(first.octet, at, len);
	memcpy(last.octet, at + len, len);
	snprintf(out, room, "%s-%s", ip_print(&first, text), ip_print(&last, end));
	return len * 2u;
}

/* One field of a key or a value; returns the bytes it takes. */
static size_t print_field(struct agent *agent, enum field_kind kind, bool interval,
			  const uint8_t *at, char *out, size_t room)
{
	struct ip ip = { .len = kind == FIELD_IPV4 ? 4 : 16 };
	const char *path;
	uint64_t id;
	uint32_t number;
	char text[IP_TEXT];

	switch (kind) {
	case FIELD_NONE:
		return 0;
	case FIELD_HOST32:
		memcpy(&number, at, sizeof number);
		snprintf(out, room, "%u", interval ? be32toh(number) : number);
		return 4;
	case FIELD_CGROUP:
		memcpy(&id, at, sizeof id);
		id = interval ? be64toh(id) : id;
		path = agent_cgroup_path(agent, id);
		snprintf(out, room, path ? "%s" : "cgroup %.0s%" PRIu64, path ? path : "", id);
		return 8;
	case FIELD_IPV4:
	case FIELD_IPV6:
		memcpy(ip.octet, at, ip.len);
		snprintf(out, room, "%s", ip_print(&ip, text));
		return ip.len;
	case FIELD_COUNT_OVER:
	case FIELD_QUOTA_OVER:
	case FIELD_RATE_OVER:
		return 0;			/* state in the kernel: nothing to compare */
	case FIELD_HOST16:
		return 2;			/* a zone: a result, never a key that is looked up */
	case FIELD_PROTOCOL:
		snprintf(out, room, "%u", at[0]);
		return 4;			/* padded */
	case FIELD_PORT:
		snprintf(out, room, "%u", (unsigned)at[0] << 8 | at[1]);
		return 4;
	case FIELD_RANGE4:
	case FIELD_RANGE6:
		return print_range(at, kind == FIELD_RANGE6 ? 16 : 4, out, room);
	case FIELD_INTERFACE:
		snprintf(out, room, "%.16s", (const char *)at);
		return 16;
	}
	return 0;
}

static json_t *json_key(struct agent *agent, const struct set_shape *shape, const uint8_t *key)
{
	char text[OUTCOME_TEXT] = "";
	size_t len = 0;

	for (int i = 0; i < FIELDS_MAX && shape->key[i] != FIELD_NONE; i++) {
		if (i > 0)
			len += (size_t)snprintf(text + len, sizeof text - len, " . ");
		key += print_field(agent, shape->key[i], shape->interval, key, text + len,
				   sizeof text - len);
		len += strlen(text + len);
	}
	return method_json(text);
}

static json_t *json_value(struct agent *agent, const struct set_shape *shape, const uint8_t *value)
{
	char text[OUTCOME_TEXT] = "present";

	if (shape->value != FIELD_NONE)
		print_field(agent, shape->value, false, value, text, sizeof text);
	return method_json(text);
}

static json_t *json_lookup(struct agent *agent, const struct lookup *lookup, bool *agree_all)
{
	const struct set_shape *shape = &plan_shapes[lookup->set];
	const uint8_t *planned = lookup->row ? row_value(shape, lookup->row) : NULL;
	uint8_t value[DATA_MAX] = { 0 };
	bool found = false, agree;
	int r = agent->kernel->read_element(agent->kernel, lookup->set, lookup->key, &found, value);

	agree = r == 0 && found == (planned != NULL) &&
		(!found || memcmp(value, planned, shape->data_len) == 0);
	*agree_all = *agree_all && agree;
	return json_pack("{s:s, s:o, s:o, s:o, s:b}", "set", shape->name, "key",
			 json_key(agent, shape, lookup->key), "plan",
			 planned ? json_value(agent, shape, planned) : json_null(), "kernel",
			 r < 0 ? json_string("unreadable")
			       : found ? json_value(agent, shape, value) : json_null(),
			 "agree", agree);
}

static json_t *json_reason(const struct agent *agent, const struct explanation *told,
			   const struct packet *packet)
{
	if (told->verdict != VERDICT_UNUSABLE || told->binding == NO_INDEX)
		return json_null();
	return method_json(plan_usable_text(&agent->now->plan, told->binding,
					    ip_family(&packet->to)));
}

#define BUILT_IN	"loopback, link-local or multicast"

/* A prefix or a word of the list, where it is written; or what nobody needs to write. */
static json_t *json_bypass(const struct model *model, const struct explanation *told)
{
	char room[PREFIX_TEXT], place[OUTCOME_TEXT];
	const char *entry = room;
	struct where where;

	if (told->verdict != VERDICT_BYPASS)
		return json_null();
	if (told->bypass == BYPASS_CONNECTED) {
		entry = "connected";
		where = model->where_connected;
	} else if (told->bypass == BYPASS_PRIVATE) {
		entry = "private";
		where = model->where_private;
	} else if (told->bypass < model->bypasses.n) {
		prefix_print(&model->bypasses.at[told->bypass].prefix, room);
		where = model->bypasses.at[told->bypass].where;
	} else {
		return json_pack("{s:s, s:s}", "entry", BUILT_IN, "place", "built in");
	}
	return json_pack("{s:s, s:o}", "entry", entry, "place",
			 method_json(model_place(model, where, place, sizeof place)));
}

static void answer(struct call *call, const struct packet *packet, const struct explanation *told)
{
	struct agent *agent = call->agent;
	const struct model *model = &agent->now->model;
	json_t *lookups = json_array();
	char source[PREFIX_TEXT] = "";
	bool agree = true;

	for (size_t i = 0; i < told->n_lookups; i++)
		json_array_append_new(lookups, json_lookup(agent, &told->lookups[i], &agree));
	if (told->within.ip.len > 0)
		prefix_print(&told->within, source);
	else if (told->source.len > 0)
		ip_print(&told->source, source);
	method_reply(call, json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:b}",
		"verdict", explain_verdict_name(told->verdict),
		"text", explain_verdict_text(told->verdict),
		"binding", method_json(told->binding == NO_INDEX ? NULL
				       : model->bindings.at[told->binding].name),
		"group", method_json(told->group == NO_INDEX ? NULL
				     : model->bindings.at[told->group].name),
		"mark", told->mark.host ? json_integer(told->mark.host) : json_null(),
		"source", method_json(source[0] ? source : NULL),
		"rule", told->by_default ? method_json_default(model)
			: told->rule == NO_INDEX ? json_null()
			: method_json_rule(model, &model->rules.at[told->rule]),
		"bypass", json_bypass(model, told),
		"reason", json_reason(agent, told, packet),
		"intercept", method_json(told->intercept == NO_INDEX ? NULL
					 : model->relay.listeners.at[told->intercept].name),
		"limited", (int)told->limited, "lookups", lookups, "agree", agree));
}

void method_explain(struct call *call)
{
	struct packet packet = { 0 };
	struct explanation told = { 0 };

	if (!method_take_sender(call, &packet) || !take_destination(call, &packet))
		return;
	packet.to_local = explain_to_local(&call->agent->facts, &packet.to);
	explain_packet(&call->agent->now->model, &call->agent->now->plan, &packet, &told);
	answer(call, &packet, &told);
}
