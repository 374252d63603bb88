/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose connections are turned to the relay: rows by hand, then random intercepts against brute force. */
#include "plan_text.h"

#include "plan/explain.h"
#include "roll.h"

static struct relay_listener *intercept(struct world *world, const char *name, uint16_t port)
{
	struct relay_listener listener = { .name = name, .protocol = RELAY_INTERCEPT };

	listener.at.port = port;
	PUSH(&world->model.relay.listeners, listener);
	return &world->model.relay.listeners.at[world->model.relay.listeners.n - 1];
}

static void add_ports(struct world *world, struct relay_listener *listener, const char *ports)
{
	const struct destination *to = world_to(world, "", ports, "");

	listener->intercept.ports = to->ports;
	listener->intercept.n_ports = to->n_ports;
}

static void add(struct world *world, struct relay_listener *listener, struct relay_client client)
{
	struct relay_intercept *at = &listener->intercept;
	struct relay_client *clients =
		arena_alloc(&world->model.arena, (at->n_clients + 1) * sizeof *clients);

	if (at->n_clients)
		memcpy(clients, at->clients, at->n_clients * sizeof *clients);
	clients[at->n_clients++] = client;
	at->clients = clients;
}

static struct relay_client by_ids(enum relay_by kind, uint32_t first, uint32_t last)
{
	return (struct relay_client){ .kind = kind, .ids = { first, last } };
}

static struct relay_client by_source(const char *prefix)
{
	return (struct relay_client){ .kind = RELAY_BY_SOURCE, .source = prefix_of(prefix) };
}

static struct relay_client by_cgroup(struct world *world, const char *path, uint64_t id)
{
	return (struct relay_client){ .kind = RELAY_BY_CGROUP,
				      .cgroup = cgroup(world, false, path, id).cgroup };
}

static void test_nothing(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	PUSH(&world.model.relay.listeners, ((struct relay_listener){ .protocol = RELAY_SMTP }));
	build(&world);
	for (int set = SET_INTERCEPT_PORTS; set <= SET_INTERCEPT_SOURCE6; set++)
		CHECK_SET(&world, (enum set_id)set, "");
	world_drop(&world);
}

static void test_kinds(void **unused)
{
	struct world world;
	struct relay_listener *mail;

	(void)unused;
	world_init(&world);
	PUSH(&world.model.relay.listeners, ((struct relay_listener){ .protocol = RELAY_SMTP }));
	mail = intercept(&world, "mail", 2526);
	add_ports(&world, mail, "25,587-588");
	add(&world, mail, by_cgroup(&world, "/mail.slice", 70));
	add(&world, mail, by_cgroup(&world, "/gone.slice", 0));
	add(&world, mail, by_ids(RELAY_BY_USER, 33, 33));
	add(&world, mail, by_ids(RELAY_BY_GROUP, 5, 9));
	add(&world, mail, by_source("10.88.0.0/16"));
	add(&world, mail, by_source("fd00:88::/32"));
	build(&world);
	CHECK_SET(&world, SET_INTERCEPT_PORTS, "25 587-588");
	CHECK_SET(&world, SET_ASKED_FORWARDED, "2 10");
	CHECK_SET(&world, SET_TURNED_USER, "33.25 33.587-33.588");
	CHECK_SET(&world, SET_INTERCEPT_USER, "33.25=2526@1 33.587-33.588=2526@1");
	CHECK_SET(&world, SET_INTERCEPT_GROUP, "5.25-9.25=2526@1 5.587-9.588=2526@1");
	CHECK_SET(&world, SET_INTERCEPT_SOURCE4,
		  "10.88.0.0.25-10.88.255.255.25=2526@1 10.88.0.0.587-10.88.255.255.588=2526@1");
	CHECK_SET(&world, SET_TURNED_SOURCE6,
		  "fd00:88::.25-fd00:88:ffff:ffff:ffff:ffff:ffff:ffff.25 "
		  "fd00:88::.587-fd00:88:ffff:ffff:ffff:ffff:ffff:ffff.588");
	CHECK_SET(&world, SET_INTERCEPT_CGROUP, "70.25=2526@1 70.587-70.588=2526@1");
	world_drop(&world);
}

/* The narrower client has what it names, at the ports that it names. */
static void test_nested(void **unused)
{
	struct world world;
	struct relay_listener *one;

	(void)unused;
	world_init(&world);
	one = intercept(&world, "wide", 2526);
	add_ports(&world, one, "20-30");
	add(&world, one, by_ids(RELAY_BY_USER, 0, UINT32_MAX - 1));
	add(&world, one, by_source("0.0.0.0/0"));
	add(&world, one, by_source("::/0"));
	one = intercept(&world, "narrow", 2527);
	add_ports(&world, one, "25");
	add(&world, one, by_ids(RELAY_BY_USER, 7, 7));
	add(&world, one, by_source("10.0.0.0/8"));
	add(&world, one, by_source("8000::/1"));
	build(&world);
	CHECK_SET(&world, SET_INTERCEPT_PORTS, "20-30");
	CHECK_SET(&world, SET_INTERCEPT_USER,
		  "0.20-4294967294.24=2526@0 0.25-6.25=2526@0 0.26-4294967294.30=2526@0 "
		  "7.25=2527@1 8.25-4294967294.25=2526@0");
	CHECK_SET(&world, SET_INTERCEPT_SOURCE4,
		  "0.0.0.0.20-255.255.255.255.24=2526@0 0.0.0.0.25-9.255.255.255.25=2526@0 "
		  "0.0.0.0.26-255.255.255.255.30=2526@0 10.0.0.0.25-10.255.255.255.25=2527@1 "
		  "11.0.0.0.25-255.255.255.255.25=2526@0");
	assert_int_equal(world.plan.sets[SET_INTERCEPT_SOURCE6].n, 4);
	world_drop(&world);
}

/* Adding one is a change of elements, not of rules. */
static void test_same_rules(void **unused)
{
	struct world without, with;
	struct relay_listener *one;

	(void)unused;
	world_init(&without);
	world_init(&with);
	one = intercept(&with, "mail", 2526);
	add_ports(&with, one, "25");
	add(&with, one, by_ids(RELAY_BY_USER, 7, 7));
	build(&without);
	build(&with);
	assert_true(plan_same_rules(&without.plan, &with.plan));
	assert_false(without.plan.fingerprint == with.plan.fingerprint);
	world_drop(&without);
	world_drop(&with);
}

/* --- against brute force ---------------------------------------------------------------------- */

static const char *const sources[] = { "10.88.0.0/16", "10.88.7.0/24", "10.88.7.128/25", "0.0.0.0/0",
				       "fd00::/8", "fd00:1::/32", "::/0", "fd00:1::5" };
static const char *const senders[] = { "10.88.7.130", "10.88.7.1", "10.88.1.1", "255.255.255.255",
				       "fd00:1::5", "fd00:1::6", "fd12::1", "2001:db8::77" };

static struct relay_client random_client(void)
{
	uint32_t first = roll(8), last = first + (roll(2) ? roll(9) : 0);

	switch (roll(4)) {
	case 0:
		return (struct relay_client){ .kind = RELAY_BY_CGROUP, .cgroup = roll(3) };
	case 1:
		return by_ids(RELAY_BY_USER, first, last);
	case 2:
		return by_ids(RELAY_BY_GROUP, first, last);
	}
	return by_source(sources[roll(ARRAY_LEN(sources))]);
}

static void random_world(struct world *world)
{
	char ports[64];

	world_init(world);
	cgroup(world, false, "/a", 11);
	cgroup(world, false, "/a/b", 12);
	cgroup(world, true, "gone.service", 0);
	PUSH(&world->model.bypasses, ((struct bypass){ .prefix = prefix_of("203.0.113.0/24") }));
	for (uint32_t n = 1 + roll(4), i = 0; i < n; i++) {
		struct relay_listener *at = intercept(world, "x", (uint16_t)(2526 + i));

		ports[0] = '\0';
		for (uint32_t k = 1 + roll(2); k > 0; k--) {
			uint32_t first = roll(9) ? roll(6) : 65530;

			sprintf(ports + strlen(ports), ",%u-%u", first, first + roll(6));
		}
		add_ports(world, at, ports);
		for (uint32_t k = 1 + roll(4); k > 0; k--)
			add(world, at, random_client());
	}
	build(world);
}

static bool holds(const struct world *world, const struct relay_client *client,
		  const struct packet *packet, uint64_t cgroup_id)
{
	switch (client->kind) {
	case RELAY_BY_CGROUP:
		return cgroup_id != 0 && world->facts.cgroup_ids[client->cgroup] == cgroup_id;
	case RELAY_BY_USER:
		return packet->has_uid && packet->uid >= client->ids.first &&
		       packet->uid <= client->ids.last;
	case RELAY_BY_GROUP:
		return packet->has_gid && packet->gid >= client->ids.first &&
		       packet->gid <= client->ids.last;
	case RELAY_BY_SOURCE:
		return prefix_contains(&client->source, &packet->source);
	}
	return false;
}

static uint64_t width(const struct relay_client *client)
{
	return client->kind == RELAY_BY_SOURCE ? 128u - client->source.bits
	     : client->kind == RELAY_BY_CGROUP ? 0 : client->ids.last - client->ids.first;
}

/* Of the clients of one kind that hold: the narrowest, then the first; a listener or NO_INDEX. */
static uint32_t judge_kind(const struct world *world, const struct packet *packet,
			   enum relay_by kind, uint64_t cgroup_id)
{
	uint32_t best = NO_INDEX;
	uint64_t best_width = UINT64_MAX;

	for (uint32_t l = 0; l < world->model.relay.listeners.n; l++) {
		const struct relay_intercept *at = &world->model.relay.listeners.at[l].intercept;
		bool port = false;

		for (uint32_t p = 0; p < at->n_ports; p++)
			port |= packet->port >= at->ports[p].first &&
				packet->port <= at->ports[p].last;
		for (uint32_t c = 0; c < at->n_clients && port; c++)
			if (at->clients[c].kind == kind &&
			    holds(world, &at->clients[c], packet, cgroup_id) &&
			    width(&at->clients[c]) < best_width) {
				best = l;
				best_width = width(&at->clients[c]);
			}
	}
	return best;
}

static uint32_t judge(const struct world *world, const struct packet *packet)
{
	uint32_t found = NO_INDEX;

	if (packet->protocol != PROTOCOL_TCP || packet->mark.host & DEFAULT_MASK ||
	    prefix_contains(&world->model.bypasses.at[0].prefix, &packet->to))
		return NO_INDEX;
	if (packet->source.len)
		return judge_kind(world, packet, RELAY_BY_SOURCE, 0);
	for (int i = 0; i < 4 && found == NO_INDEX; i++)
		found = judge_kind(world, packet, RELAY_BY_CGROUP, packet->cgroups[i]);
	if (found == NO_INDEX)
		found = judge_kind(world, packet, RELAY_BY_USER, 0);
	return found != NO_INDEX ? found : judge_kind(world, packet, RELAY_BY_GROUP, 0);
}

static struct packet random_packet(void)
{
	struct packet packet = { .protocol = roll(6) ? PROTOCOL_TCP : PROTOCOL_UDP };

	packet.to = ip_of(roll(8) ? "198.51.100.9" : "203.0.113.9");
	packet.port = (uint16_t)(roll(9) ? roll(13) : 65530 + roll(6));
	if (roll(3) == 0) {
		packet.source = ip_of(senders[roll(ARRAY_LEN(senders))]);
		if (packet.source.len == 16)
			packet.to = ip_of("2001:db8::9");
		return packet;
	}
	if (roll(12) == 0)
		packet.mark.host = roll(2) ? 0x10000 : 5;
	for (uint32_t n = roll(4), i = 0; i < n; i++)
		packet.cgroups[i] = 13 - i;
	packet.has_uid = roll(2);
	packet.has_gid = roll(2);
	packet.uid = roll(18);
	packet.gid = roll(18);
	return packet;
}

static void test_brute(void **unused)
{
	unsigned intercepted = 0;

	(void)unused;
	roll_state = 2526;
	for (int model = 0; model < 3000; model++) {
		struct world world;

		random_world(&world);
		for (int i = 0; i < 60; i++) {
			struct packet packet = random_packet();
			uint32_t want = judge(&world, &packet);
			struct explanation told;

			explain_packet(&world.model, &world.plan, &packet, &told);
			if (told.intercept != want ||
			    (told.verdict == VERDICT_INTERCEPTED) != (want != NO_INDEX))
				fail_msg("model %d packet %d: got listener %d (%s), want %d", model, i,
					 (int)told.intercept, explain_verdict_name(told.verdict),
					 (int)want);
			intercepted += want != NO_INDEX;
		}
		world_drop(&world);
	}
	assert_in_range(intercepted, 10000, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "no intercept: every set is empty", test_nothing, NULL, NULL, NULL },
		{ "each kind of client has its rows; a cgroup that is not there has none", test_kinds,
		  NULL, NULL, NULL },
		{ "the narrower client wins at its ports, to the ends of all addresses", test_nested,
		  NULL, NULL, NULL },
		{ "an intercept is elements, not rules", test_same_rules, NULL, NULL, NULL },
		{ "random intercepts: who is turned where, as by brute force", test_brute, NULL, NULL,
		  NULL },
	};

	return cmocka_run_group_tests_name("plan_intercept", tests, NULL, NULL);
}
