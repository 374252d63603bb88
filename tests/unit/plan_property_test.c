/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the plan's sets say of a packet is what the rules say. Small random models with fixed seeds;
 * the rules are judged here by brute force, pair by pair and straight from their meaning, without
 * labels, classes or ranges. Numbers are drawn from small pools, so that clients nest, destinations
 * overlap and conflicts happen.
 */
#include "plan_support.h"

#include "plan/explain.h"
#include "roll.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MODELS = 4000, PACKETS = 60 };

static const char *const prefixes[] = {
	"198.51.100.0/24", "198.51.100.0/25", "198.51.100.64/26", "198.51.0.0/16", "0.0.0.0/0",
	"203.0.113.7", "203.0.113.0/29", "128.0.0.0/1", "2001:db8::/32", "2001:db8:1::/48", "::/0",
	"2001:db8:1::7", "ffff:ffff::/32", "8000::/1",
};

static const char *const addresses[] = {
	"198.51.100.1", "198.51.100.65", "198.51.100.200", "198.51.3.4", "203.0.113.7",
	"203.0.113.1", "8.8.8.8", "255.255.255.254", "192.0.2.1", "127.0.0.1", "2001:db8::9",
	"2001:db8:1::7", "2001:db8:1::8", "2606::1", "fe80::1", "9000::1",
};

static const char *const sources[] = {
	"10.88.0.0/16", "10.88.7.0/24", "10.88.7.128/25", "10.88.7.130", "0.0.0.0/0", "fd00::/8",
	"fd00:1::/32", "::/0", "fd00:1::5",
};

static const char *const senders[] = {
	"10.88.7.130", "10.88.7.129", "10.88.7.1", "10.88.1.1", "192.0.2.77", "255.255.255.255",
	"fd00:1::5", "fd00:1::6", "fd12::1", "2001:db8::77",
};

static const uint8_t protocols[] = { 6, 17, 132, 1, 58, 47, 0, 255 };

static const struct destination *random_to(struct world *world)
{
	char to[256] = "", ports[64] = "", kinds[32] = "";

	if (roll(3) == 0)
		return NULL;
	for (uint32_t n = roll(2) ? roll(4) : 0; n > 0; n--)
		sprintf(to + strlen(to), ",%s", prefixes[roll(ARRAY_LEN(prefixes))]);
	for (uint32_t n = roll(2) ? roll(3) : 0; n > 0; n--) {
		uint32_t first = roll(8) ? roll(6) : 65534;

		sprintf(ports + strlen(ports), ",%u-%u", first, first + (first < 9 ? roll(4) : 1));
	}
	for (uint32_t n = roll(4) == 0 ? roll(3) : 0; n > 0; n--)
		sprintf(kinds + strlen(kinds), ",%u",
			*ports ? protocols[roll(3)] : protocols[roll(ARRAY_LEN(protocols))]);
	return world_to(world, to, ports, kinds);
}

static struct client random_client(const struct world *world)
{
	uint32_t first = roll(8), last = first;

	switch (roll(6)) {
	case 0:
		return (struct client){ .kind = CLIENT_CGROUP,
					.cgroup = roll((uint32_t)world->model.cgroups.n) };
	case 1:
		if (roll(2))
			last += roll(8);
		return users(first, last);
	case 2:
		if (roll(2))
			last = UINT32_MAX - roll(2);
		return groups(first, last);
	case 3:
	case 4:
		return source(sources[roll(ARRAY_LEN(sources))]);
	}
	return otherwise();
}

static void random_world(struct world *world, uint64_t seed)
{
	static const char *const owned[] = {
		"192.0.2.1", "192.0.2.2 2001:db8::2", "192.0.2.3 192.0.2.4 192.0.2.5",
		"2001:db8::6 2001:db8::7", "192.0.2.8 2001:db8::8",
	};
	char name[8];
	uint32_t n;

	roll_state = seed;
	world_init(world);
	world->model.bypass_private = roll(2);
	cgroup(world, false, "/a.slice", 11);
	cgroup(world, false, "/a.slice/b.service", 12);
	cgroup(world, true, "b.service", roll(2) ? 12 : 13);
	cgroup(world, true, "gone.service", 0);
	for (uint32_t i = 0; i < ARRAY_LEN(owned); i++) {
		sprintf(name, "b%u", i);
		world_binding(world, name, owned[i]);
		if (i > 0 && roll(2)) {
			world->model.bindings.at[i].unusable = UNUSABLE_USE;
			world->model.bindings.at[i].unusable_use = roll(i);
		}
	}
	for (size_t i = 0; i < world->model.addresses.n; i++) {
		char text[IP_TEXT];

		if (roll(4))
			world_local(world, ip_print(&world->model.addresses.at[i].ip, text), "eth0");
	}
	n = 1 + roll(roll(4) ? 5 : 12);
	for (uint32_t i = 0; i < n; i++) {
		struct client client = i > 0 && roll(3) == 0
			? world->model.rules.at[i - 1].client : random_client(world);

		world_rule(world, client, random_to(world), (enum action)roll(3),
			   roll(ARRAY_LEN(owned)));
	}
	if (roll(2)) {
		PUSH(&world->model.bypasses, ((struct bypass){ .prefix = prefix_of("198.51.3.0/24") }));
		PUSH(&world->model.bypasses, ((struct bypass){ .prefix = prefix_of("fd00::/16") }));
	}
}

static struct packet random_packet(void)
{
	struct packet packet = { .protocol = protocols[roll(ARRAY_LEN(protocols))] };

	packet.to = ip_of(addresses[roll(ARRAY_LEN(addresses))]);
	packet.port = (uint16_t)(roll(8) ? roll(9) : 65535);
	if (roll(3) == 0) {
		packet.source = ip_of(senders[roll(ARRAY_LEN(senders))]);
		return packet;
	}
	if (roll(12) == 0)
		packet.mark.host = 0x10000 | roll(9);
	for (uint32_t n = roll(4), i = 0; i < n; i++)
		packet.cgroups[i] = 13 - i;
	packet.has_uid = roll(2);
	packet.has_gid = roll(2);
	packet.uid = roll(16);
	packet.gid = roll(2) ? roll(12) : UINT32_MAX - roll(3);
	return packet;
}

static bool with_ports(uint8_t protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 ||
	       protocol == 136;
}

static bool to_matches(const struct destination *to, const struct ip *ip, uint8_t protocol,
		       uint16_t port)
{
	bool hit;

	if (!to)
		return true;
	hit = to->n_prefixes == 0;
	for (uint32_t i = 0; i < to->n_prefixes; i++)
		hit = hit || prefix_contains(&to->prefixes[i], ip);
	if (!hit)
		return false;
	hit = to->n_protocols == 0;
	for (uint32_t i = 0; i < to->n_protocols; i++)
		hit = hit || to->protocols[i] == protocol;
	if (!hit || to->n_ports == 0)
		return hit;
	hit = false;
	for (uint32_t i = 0; i < to->n_ports && with_ports(protocol); i++)
		hit = hit || (to->ports[i].first <= port && port <= to->ports[i].last);
	return hit;
}

/* How specific a client is for a packet that it sent: lower is more so; -1 if it did not. */
static int64_t client_rank(const struct world *world, const struct client *client,
			   const struct packet *packet)
{
	bool local = packet->source.len == 0;

	switch (client->kind) {
	case CLIENT_CGROUP:
		for (int i = 0; local && i < 16 && packet->cgroups[i] != 0; i++)
			if (packet->cgroups[i] == world->facts.cgroup_ids[client->cgroup])
				return i;
		return -1;
	case CLIENT_USER:
		if (!local || !packet->has_uid || packet->uid < client->ids.first ||
		    packet->uid > client->ids.last)
			return -1;
		return (1ll << 40) + (client->ids.last - client->ids.first);
	case CLIENT_GROUP:
		if (!local || !packet->has_gid || packet->gid < client->ids.first ||
		    packet->gid > client->ids.last)
			return -1;
		return (2ll << 40) + (client->ids.last - client->ids.first);
	case CLIENT_SOURCE:
		if (local || packet->source.len != packet->to.len ||
		    !prefix_contains(&client->source, &packet->source))
			return -1;
		return (3ll << 40) + 128 - client->source.bits;
	case CLIENT_OTHERWISE:
		return local ? 4ll << 40 : -1;
	}
	return -1;
}

/* Is rule @a to be preferred, given that both match and their clients rank the same? */
static bool preferred(const struct world *world, const struct rule *a, const struct rule *b)
{
	bool a_in_b = destination_contains(b->to, a->to);
	bool b_in_a = destination_contains(a->to, b->to);

	if (!a->to || !b->to) {
		if (a->to || b->to)
			return a->to != NULL;
	} else if (a_in_b != b_in_a) {
		return a_in_b;
	}
	if (a->client.kind == CLIENT_CGROUP &&
	    world->model.cgroups.at[a->client.cgroup].is_unit !=
	    world->model.cgroups.at[b->client.cgroup].is_unit)
		return !world->model.cgroups.at[a->client.cgroup].is_unit;
	return a < b;
}

static uint32_t judge(const struct world *world, const struct packet *packet)
{
	uint32_t best = NO_INDEX;
	int64_t best_rank = 0;

	for (uint32_t i = 0; i < world->model.rules.n; i++) {
		const struct rule *rule = &world->model.rules.at[i];
		int64_t rank = client_rank(world, &rule->client, packet);

		if (rank < 0 || !to_matches(rule->to, &packet->to, packet->protocol, packet->port))
			continue;
		if (best != NO_INDEX && rank > best_rank)
			continue;
		if (best != NO_INDEX && rank == best_rank &&
		    !preferred(world, rule, &world->model.rules.at[best]))
			continue;
		best = i;
		best_rank = rank;
	}
	return best;
}

/* Can one packet of @family match both? Tried at the corners of what they are made of. */
static bool meet(const struct destination *a, const struct destination *b, uint8_t len)
{
	static const struct ip zero[2] = { { .len = 4 }, { .len = 16 } };
	const struct destination *both[2] = { a, b };

	for (int p = -1; p < 2; p++)
		for (uint32_t i = 0; i < (p < 0 ? 1 : both[p]->n_prefixes); i++) {
			struct ip ip = p < 0 ? zero[len == 16] : both[p]->prefixes[i].ip;

			if (ip.len != len)
				continue;
			for (uint32_t protocol = 0; protocol < 256; protocol++)
				for (uint32_t port = 0; port < 66000;
				     port += port == 16 ? 65510 : 1)
					if (port < 65536 &&
					    to_matches(a, &ip, (uint8_t)protocol, (uint16_t)port) &&
					    to_matches(b, &ip, (uint8_t)protocol, (uint16_t)port))
						return true;
		}
	return false;
}

static bool same_client(const struct client *a, const struct client *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case CLIENT_CGROUP:
		return a->cgroup == b->cgroup;
	case CLIENT_USER:
	case CLIENT_GROUP:			/* of equal width and overlapping: neither is narrower */
		return a->ids.last - a->ids.first == b->ids.last - b->ids.first &&
		       a->ids.first <= b->ids.last && b->ids.first <= a->ids.last;
	case CLIENT_SOURCE:
		return a->source.bits == b->source.bits && ip_equal(&a->source.ip, &b->source.ip);
	case CLIENT_OTHERWISE:
		return true;
	}
	return false;
}

static bool in_conflict(const struct rule *a, const struct rule *b)
{
	if (!same_client(&a->client, &b->client) || !a->to != !b->to)
		return false;
	if (!a->to)
		return true;
	if (destination_contains(a->to, b->to) != destination_contains(b->to, a->to))
		return false;
	if (a->client.kind == CLIENT_SOURCE)
		return meet(a->to, b->to, a->client.source.ip.len);
	return meet(a->to, b->to, 4) || meet(a->to, b->to, 16);
}

static bool any_conflict(const struct world *world)
{
	for (uint32_t b = 1; b < world->model.rules.n; b++)
		for (uint32_t a = 0; a < b; a++)
			if (in_conflict(&world->model.rules.at[a], &world->model.rules.at[b]))
				return true;
	return false;
}

/* Every message names a pair that really is in conflict. */
static void check_messages(const struct world *world, unsigned model)
{
	for (size_t i = 0; i < world->diag.n; i++) {
		const struct diag_entry *entry = &world->diag.at[i];
		unsigned earlier = 0;

		sscanf(entry->text, "this rule and the one at test.conf:%u:", &earlier);
		if (earlier == 0 || earlier >= entry->where.line ||
		    !in_conflict(&world->model.rules.at[earlier - 1],
				 &world->model.rules.at[entry->where.line - 1]))
			fail_msg("model %u: line %u: not a conflict: %s", model, entry->where.line,
				 entry->text);
	}
}

static bool is_present(const struct world *world, const struct ip *ip)
{
	for (size_t i = 0; i < world->facts.addresses.n; i++)
		if (ip_equal(&world->facts.addresses.at[i].ip, ip))
			return true;
	return false;
}

static bool has_address(const struct world *world, uint32_t binding, const struct ip *ip,
			uint8_t len, bool present)
{
	for (size_t i = 0; i < world->model.addresses.n; i++) {
		const struct address *address = &world->model.addresses.at[i];

		if (address->binding == binding && address->ip.len == len &&
		    (!ip || ip_equal(ip, &address->ip)) &&
		    (!present || is_present(world, &address->ip)))
			return true;
	}
	return false;
}

/* Whose addresses a binding leaves from, or NO_INDEX. */
static uint32_t carrier(const struct world *world, uint32_t binding, uint8_t len)
{
	while (!has_address(world, binding, NULL, len, true)) {
		if (!has_address(world, binding, NULL, len, false) ||
		    world->model.bindings.at[binding].unusable != UNUSABLE_USE)
			return NO_INDEX;
		binding = world->model.bindings.at[binding].unusable_use;
	}
	return binding;
}

static bool bypassed(const struct world *world, const struct ip *ip)
{
	static const char *const always[] = { "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::1",
					      "fe80::/10", "ff00::/8" };
	bool hit = false;

	for (size_t i = 0; i < ARRAY_LEN(always); i++) {
		struct prefix prefix = prefix_of(always[i]);

		hit = hit || prefix_contains(&prefix, ip);
	}
	for (size_t i = 0; i < world->model.bypasses.n; i++)
		hit = hit || prefix_contains(&world->model.bypasses.at[i].prefix, ip);
	return hit;				/* no destination here is in a private prefix */
}

static enum verdict expect(const struct world *world, const struct packet *packet,
			   uint32_t *ret_rule, uint32_t *ret_binding)
{
	uint32_t mark = packet->source.len ? 0 : packet->mark.host & DEFAULT_MASK;
	const struct rule *rule;
	bool named = false;

	*ret_rule = *ret_binding = NO_INDEX;
	for (size_t i = 0; i < world->model.rules.n; i++) {
		rule = &world->model.rules.at[i];
		named = named || (rule->client.kind == CLIENT_SOURCE && packet->source.len != 0 &&
				  packet->source.len == packet->to.len &&
				  prefix_contains(&rule->client.source, &packet->source));
	}
	if (packet->source.len != 0 && !named)
		return VERDICT_UNASSIGNED;
	if (bypassed(world, &packet->to))
		return VERDICT_BYPASS;
	if (mark != 0) {
		if (mark > world->model.bindings.n)
			return VERDICT_UNKNOWN_MARK;
		*ret_binding = mark - 1;
	} else {
		*ret_rule = judge(world, packet);
		if (*ret_rule == NO_INDEX)
			return VERDICT_UNASSIGNED;
		rule = &world->model.rules.at[*ret_rule];
		if (rule->action != ACTION_USE)
			return rule->action == ACTION_PASS ? VERDICT_PASS : VERDICT_REJECT;
		*ret_binding = rule->binding;
	}
	return carrier(world, *ret_binding, packet->to.len) == NO_INDEX ? VERDICT_UNUSABLE
									 : VERDICT_BINDING;
}

static void check_packet(struct world *world, unsigned model, unsigned n)
{
	struct packet packet = random_packet();
	struct explanation got;
	uint32_t rule, binding;
	enum verdict want = expect(world, &packet, &rule, &binding);

	explain_packet(&world->model, &world->plan, &packet, &got);
	if (got.verdict != want || got.rule != rule || got.binding != binding)
		fail_msg("model %u packet %u: got %s rule %d binding %d, want %s rule %d binding %d",
			 model, n, explain_verdict_name(got.verdict), (int)got.rule,
			 (int)got.binding, explain_verdict_name(want), (int)rule, (int)binding);
	if (want == VERDICT_BINDING &&
	    !has_address(world, carrier(world, binding, packet.to.len), &got.source, packet.to.len,
			 true))
		fail_msg("model %u packet %u: leaves from a foreign address", model, n);
}

static void test_random_models(void **unused)
{
	unsigned conflicts = 0;

	(void)unused;
	for (unsigned i = 0; i < MODELS; i++) {
		struct world world;
		bool wrong;
		int r;

		random_world(&world, i);
		wrong = any_conflict(&world);
		r = world_build(&world, &world.plan);
		if (r != (wrong ? -EINVAL : 0))
			fail_msg("model %u: got %d, want %d: %s", i, r, wrong ? -EINVAL : 0,
				 world.diag.n ? world.diag.at[0].text : "no message");
		check_messages(&world, i);
		for (unsigned n = 0; n < PACKETS && r == 0; n++)
			check_packet(&world, i, n);
		conflicts += wrong;
		world_drop(&world);
	}
	print_message("%u of %u models had conflicts\n", conflicts, MODELS);
	assert_in_range(conflicts, MODELS / 50, MODELS * 2 / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_models) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
