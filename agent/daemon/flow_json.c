/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See flow_json.h. The rule that led to a binding is what `explain` says of the client, if that leads
 * to the binding which the connection has; where the client is not known, or only by a group or a
 * cgroup that no rule names, it is the binding's rule if it has but one.
 */
#include "daemon/flow_json.h"

#include "daemon/listing.h"
#include "plan/explain.h"

#include <stdio.h>
#include <time.h>

const char *flow_protocol(uint8_t protocol, char out[static 8])
{
	static const char *const names[UINT8_MAX + 1] = {
		[PROTOCOL_ICMP] = "icmp", [PROTOCOL_TCP] = "tcp", [PROTOCOL_UDP] = "udp",
		[PROTOCOL_DCCP] = "dccp", [PROTOCOL_ICMPV6] = "icmpv6",
		[PROTOCOL_SCTP] = "sctp", [PROTOCOL_UDPLITE] = "udplite",
	};

	if (names[protocol])
		return names[protocol];
	snprintf(out, 8, "%u", protocol);
	return out;
}

static const char *news_word(enum flow_news news)
{
	static const char *const words[] = { [FLOW_IS] = "live", [FLOW_BEGINS] = "new",
					     [FLOW_ENDS] = "ended" };

	return words[news];
}

/* What explain may know of the client. False if that is nothing. */
static bool describe(struct agent *agent, const struct follow_event *event, struct packet *packet)
{
	const struct connection *c = &event->connection;
	const char *cgroup;

	*packet = (struct packet){ .to = c->to, .protocol = c->protocol, .port = c->to_port };
	if (!event->owned) {
		packet->source = c->from;
		return !explain_to_local(&agent->facts, &c->from);
	}
	packet->has_uid = true;
	packet->uid = event->owner.uid;
	packet->mark.host = event->owner.mark.host & agent->now->model.mask.host;
	cgroup = agent_cgroup_path(agent, event->owner.cgroup);
	if (cgroup && cgroups_chain(agent->cgroups, cgroup, packet->cgroups) < 0)
		packet->cgroups[0] = 0;
	return packet->mark.host == 0;		/* tagged: no rule was asked */
}

/* The only rule of a binding, or NO_INDEX. */
static uint32_t only_rule(struct agent *agent, uint32_t binding)
{
	const struct model *model = &agent->now->model;

	if (method_listing(agent)->rule_counts[binding] != 1)
		return NO_INDEX;
	for (uint32_t i = 0; i < model->rules.n; i++)
		if (model->rules.at[i].action == ACTION_USE &&
		    model->rules.at[i].binding == binding)
			return i;
	return NO_INDEX;
}

static json_t *json_rule(struct agent *agent, const struct follow_event *event, uint32_t binding)
{
	const struct model *model = &agent->now->model;
	struct explanation told = { .rule = NO_INDEX };
	struct packet packet;
	uint32_t rule = NO_INDEX;
	bool by_client = describe(agent, event, &packet);

	if (binding == NO_INDEX)
		return json_null();
	if (by_client) {
		explain_packet(model, &agent->now->plan, &packet, &told);
		if (told.binding == binding ||
		    (told.group != NO_INDEX && told.verdict == VERDICT_MEMBER))
			rule = told.rule;
	}
	if (rule == NO_INDEX && told.by_default && told.binding == binding)
		return method_json_default(model);
	if (rule == NO_INDEX && !(event->owned && packet.mark.host))
		rule = model->rules.n <= 64 ? only_rule(agent, binding) : NO_INDEX;
	return rule == NO_INDEX ? json_null() : method_json_rule(model, &model->rules.at[rule]);
}

static json_t *json_intended(const struct agent *agent, const struct connection *c)
{
	struct prefix prefixes[SOURCES_SHOWN];
	size_t n = sources_intended(&agent->now->plan, c->mark, ip_family(&c->from), prefixes,
				    SOURCES_SHOWN);
	char text[PREFIX_TEXT];
	json_t *list = json_array();

	for (size_t i = 0; i < n && i < SOURCES_SHOWN; i++)
		json_array_append_new(list, json_string(prefix_print(&prefixes[i], text)));
	return list;
}

static json_t *json_ip(const struct ip *ip)
{
	char text[IP_TEXT];

	return json_string(ip_print(ip, text));
}

static void set_client(struct agent *agent, const struct follow_event *event, json_t *flow)
{
	const struct socket_owner *owner = &event->owner;
	uint32_t mask = agent->now->model.mask.host;

	if (!event->owned)
		return;
	json_object_set_new(flow, "uid", json_integer(owner->uid));
	json_object_set_new(flow, "inode", json_integer(owner->inode));
	json_object_set_new(flow, "tagged", json_boolean(owner->mark.host & mask));
	if (owner->cgroup)
		json_object_set_new(flow, "cgroup_id", json_integer((json_int_t)owner->cgroup));
	json_object_set_new(flow, "cgroup",
			    method_json(agent_cgroup_path(agent, owner->cgroup)));
}

static void set_counts(const struct follow_event *event, json_t *flow)
{
	const struct connection *c = &event->connection;
	struct timespec now;
	uint64_t until = c->ended;

	if (c->counted) {
		json_object_set_new(flow, "sent", json_pack("{s:I, s:I}", "packets",
							    (json_int_t)c->packets[0], "bytes",
							    (json_int_t)c->bytes[0]));
		json_object_set_new(flow, "answered",
				    json_pack("{s:I, s:I}", "packets", (json_int_t)c->packets[1],
					      "bytes", (json_int_t)c->bytes[1]));
	}
	if (c->began == 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	if (until == 0)
		until = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	json_object_set_new(flow, "age_ms", json_integer(until > c->began
			    ? (json_int_t)((until - c->began) / 1000000) : 0));
}

json_t *flow_json(struct agent *agent, const struct follow_event *event)
{
	const struct connection *c = &event->connection;
	char protocol[8];
	json_t *flow = json_pack(
		"{s:s, s:I, s:o, s:I, s:s, s:o, s:i, s:o, s:o, s:i, s:s, s:o, s:i, s:s, s:b, s:o}",
		"what", news_word(event->news), "id", (json_int_t)c->id,
		"binding", method_json(sources_name(agent, c->mark)),
		"mark", (json_int_t)(c->mark.host & agent->now->model.mask.host),
		"protocol", flow_protocol(c->protocol, protocol),
		"from", json_ip(&c->from), "from_port", c->from_port,
		"intended", json_intended(agent, c),
		"source", json_ip(&c->source), "source_port", c->source_port,
		"verdict", sources_word(event->verdict),
		"to", json_ip(&c->to), "to_port", c->to_port, "state", c->state,
		"local", explain_to_local(&agent->facts, &c->from),
		"rule", json_rule(agent, event, sources_binding(agent, c->mark)));

	if (!flow)
		abort();			/* no memory, or a bug in a format of ours */
	set_client(agent, event, flow);
	set_counts(event, flow);
	return flow;
}
