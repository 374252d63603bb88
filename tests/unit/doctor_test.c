/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Doctor's judgements: a fact in, what is found of it, how bad it is, and what mends it. */
#include "plan/doctor.h"
#include "plan_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>

struct sick {					/* a world, and a host in which all is well */
	struct world world;
	struct host host;
	struct doctor doctor;
	struct findings found;
	uint64_t dropped, wrong;		/* as in struct doctor */
	const char *refused;
};

static void sick_init(struct sick *sick)
{
	static const int64_t settings[HOST_SETTINGS] = {
		[HOST_IP_FORWARD] = 0,
		[HOST_IP6_FORWARD] = 0,
		[HOST_PORT_FIRST] = 32768,
		[HOST_PORT_LAST] = 60999, [HOST_PORTS] = 28232,
		[HOST_CONNTRACK_COUNT] = 1000,
		[HOST_CONNTRACK_MAX] = 262144,
		[HOST_CONNTRACK_BUCKETS] = 65536,
		[HOST_TCP_LOOSE] = 1,
		[HOST_TCP_ESTABLISHED] = 432000,
		[HOST_UDP_STREAM] = 120,
	};

	*sick = (struct sick){ 0 };
	world_init(&sick->world);
	world_binding(&sick->world, "acme", "192.0.2.11 2001:db8::11");
	world_local(&sick->world, "192.0.2.11", "eth0");
	world_local(&sick->world, "2001:db8::11", "eth0");
	memcpy(sick->host.settings, settings, sizeof settings);
	sick->host.features = (struct host_features){ true, true, true, true, true };
	sick->host.clock = HOST_CLOCK_GOOD;
	snprintf(sick->host.release, sizeof sick->host.release, "6.9.0");
}

static void sick_judge(struct sick *sick)
{
	assert_int_equal(world_build(&sick->world, &sick->world.plan), 0);
	sick->doctor = (struct doctor){ &sick->world.model, &sick->world.facts, &sick->world.plan,
					&sick->host, "outbind", sick->dropped, sick->refused,
					sick->wrong };
	doctor_rules(&sick->doctor, &sick->found);
	doctor_foreign(&sick->doctor, &sick->found);
	doctor_system(&sick->doctor, &sick->found);
	doctor_files(&sick->doctor, &sick->found);
	doctor_bindings(&sick->doctor, &sick->found);
}

static void sick_drop(struct sick *sick)
{
	world_drop(&sick->world);
	host_drop(&sick->host);
	findings_drop(&sick->found);
}

static uint32_t chain(struct sick *sick, const char *family, const char *table, const char *name,
		      enum foreign_hook hook, int priority)
{
	struct foreign *foreign = &sick->host.foreign;

	PUSH(&foreign->tables, ((struct foreign_table){ .family = family, .name = table }));
	PUSH(&foreign->chains, ((struct foreign_chain){ (uint32_t)foreign->tables.n - 1, name, hook,
							priority }));
	return (uint32_t)foreign->chains.n - 1;
}

static void act(struct sick *sick, uint32_t of, enum foreign_kind kind, uint32_t bits, bool narrow)
{
	PUSH(&sick->host.foreign.acts, ((struct foreign_act){ kind, of, 7, bits, narrow, "TEXT" }));
}

static void file(struct sick *sick, enum host_file_kind kind, mode_t mode, uid_t uid)
{
	PUSH(&sick->host.files, ((struct host_file){ kind, mem_text("/f", 2), 0, mode, uid, 0 }));
}

static void well(struct sick *sick)		{ (void)sick; }
static void snat_before(struct sick *s)
{
	act(s, chain(s, "ip", "nat", "POSTROUTING", FOREIGN_POSTROUTING, 89), FOREIGN_SNAT, 0, false);
}
static void snat_narrow(struct sick *s)
{
	act(s, chain(s, "ip", "nat", "POSTROUTING", FOREIGN_POSTROUTING, 0), FOREIGN_SNAT, 0, true);
}
static void masquerade_after(struct sick *s)
{
	act(s, chain(s, "ip6", "nat", "out", FOREIGN_POSTROUTING, 100), FOREIGN_MASQUERADE, 0, false);
}
static void snat_of_input(struct sick *s)
{
	act(s, chain(s, "ip", "nat", "INPUT", FOREIGN_INPUT, 0), FOREIGN_SNAT, 0, false);
}
static void snat_deep(struct sick *s)
{
	uint32_t base = chain(s, "ip", "nat", "base", FOREIGN_POSTROUTING, -50);
	uint32_t late = chain(s, "ip", "nat", "late", FOREIGN_POSTROUTING, 300);
	uint32_t deep = chain(s, "ip", "nat", "deep", FOREIGN_NO_HOOK, 0);
	uint32_t deeper = chain(s, "ip", "nat", "deeper", FOREIGN_NO_HOOK, 0);

	PUSH(&s->host.foreign.jumps, ((struct foreign_jump){ deep, deeper }));
	PUSH(&s->host.foreign.jumps, ((struct foreign_jump){ late, deep }));
	PUSH(&s->host.foreign.jumps, ((struct foreign_jump){ base, deep }));
	PUSH(&s->host.foreign.jumps,
	     ((struct foreign_jump){ deeper, deep })); /* a ring: refused by the
										 * kernel, and harmless */
	act(s, deeper, FOREIGN_SNAT, 0, false);
}
static void snat_by_map(struct sick *s)
{
	act(s, chain(s, "ip", "nat", "deep", FOREIGN_NO_HOOK, 0), FOREIGN_SNAT, 0, false);
}
static void snat_owned(struct sick *s)
{
	snat_before(s);
	s->host.foreign.tables.at[0].port = 812;
}
static void snat_legacy6(struct sick *s)
{
	act(s, chain(s, "ip6", "nat", "POSTROUTING", FOREIGN_POSTROUTING, 50), FOREIGN_SNAT, 0, false);
	s->host.foreign.tables.at[0].legacy = true;
}
static void rewrite_late(struct sick *s)
{
	act(s, chain(s, "netdev", "x", "c", FOREIGN_EGRESS, 0), FOREIGN_REWRITE, 0, false);
}
static void rewrite_early(struct sick *s)
{
	act(s, chain(s, "ip", "x", "c", FOREIGN_POSTROUTING, 50), FOREIGN_REWRITE, 0, false);
}
static void rewrite_in(struct sick *s)
{
	act(s, chain(s, "netdev", "x", "c", FOREIGN_INGRESS, 0), FOREIGN_REWRITE, 0, false);
}
static void notrack(struct sick *s)
{
	act(s, chain(s, "ip", "raw", "OUTPUT", FOREIGN_OUTPUT, -300), FOREIGN_NOTRACK, 0, false);
}
static void marks_beside(struct sick *s)
{
	uint32_t of = chain(s, "ip", "mangle", "OUTPUT", FOREIGN_OUTPUT, -200);

	act(s, of, FOREIGN_MARK_SET, 0xffffe000, false);
	act(s, of, FOREIGN_MARK_READ, 0x2000, false);
	act(s, of, FOREIGN_CT_MARK_SET, 0xff0000, false);
	act(s, of, FOREIGN_CT_MARK_READ, 0x80000000, false);
}
static void mark_early(struct sick *s)
{
	act(s, chain(s, "ip", "m", "OUTPUT", FOREIGN_OUTPUT, -161), FOREIGN_MARK_SET, 0x3000, false);
}
static void mark_late(struct sick *s)
{
	act(s, chain(s, "ip", "m", "OUTPUT", FOREIGN_OUTPUT, -150), FOREIGN_MARK_SET, 0x3000, false);
}
static void mark_late_uplink(struct sick *s)
{
	mark_late(s);
	world_uplink(&s->world, "isp", "eth1");
	PUSH(&s->world.facts.uplinks, (struct uplink_state){ 0 });
}
static void mark_read(struct sick *s)
{
	act(s, chain(s, "ip", "m", "c", FOREIGN_FORWARD, 0), FOREIGN_MARK_READ, 1, false);
}
static void ct_mark_set(struct sick *s)
{
	act(s, chain(s, "ip", "m", "c", FOREIGN_PREROUTING, 0), FOREIGN_CT_MARK_SET, UINT32_MAX, false);
}
static void ct_mark_read(struct sick *s)
{
	act(s, chain(s, "ip", "m", "c", FOREIGN_PREROUTING, 0), FOREIGN_CT_MARK_READ, 0x1000, false);
}
static void rule(struct sick *s)
{
	PUSH(&s->world.facts.fwmark_rules, ((struct fwmark_rule){ { 0x100 }, { 0xff00 }, 9, 77,
								  FAMILY_IPV6, 0 }));
}
static void rule_of_ours(struct sick *s)
{
	rule(s);
	s->world.facts.fwmark_rules.at[0].protocol = PROTOCOL_OUTBIND;
}
static void guarded(struct sick *s)		{ s->dropped = 7; }
static void guarding(struct sick *s)
{
	s->dropped = 7;
	s->refused = "acme from 192.0.2.99";
}
static void wrong(struct sick *s)		{ s->wrong = 3; }
static void no_rights(struct sick *s)		{ s->host.foreign.error = -EPERM; }
static void broken(struct sick *s)		{ s->host.foreign.error = -EINTR; }
static void changing(struct sick *s)		{ s->host.foreign.changed = true; }
static void too_many(struct sick *s)		{ s->host.foreign.cut = true; }
static void source4(struct sick *s)
{
	world_rule(&s->world, source("10.0.0.0/8"), NULL, ACTION_PASS, NO_INDEX);
}
static void source_forwarded(struct sick *s)
{
	source4(s);
	s->host.settings[HOST_IP_FORWARD] = 1;
}
static void ports(struct sick *s)		{ s->host.settings[HOST_PORTS] = 1000; }
static void ports_unknown(struct sick *s)	{ s->host.settings[HOST_PORTS] = -1; }
static void filling(struct sick *s)		{ s->host.settings[HOST_CONNTRACK_COUNT] = 209716; }
static void nearly_filling(struct sick *s)	{ s->host.settings[HOST_CONNTRACK_COUNT] = 209000; }
static void full(struct sick *s)		{ s->host.settings[HOST_CONNTRACK_COUNT] = 262144; }
static void small(struct sick *s)		{ s->host.settings[HOST_CONNTRACK_MAX] = 1001 * 2; }
static void few_buckets(struct sick *s)		{ s->host.settings[HOST_CONNTRACK_BUCKETS] = 1024; }
static void established(struct sick *s)		{ s->host.settings[HOST_TCP_ESTABLISHED] = 599; }
static void udp(struct sick *s)			{ s->host.settings[HOST_UDP_STREAM] = 29; }
static void not_loose(struct sick *s)		{ s->host.settings[HOST_TCP_LOOSE] = 0; }
static void dropped(struct sick *s)
{
	s->host.drops = (struct host_drops){ .drop = 3, .known = true };
}
static void not_inserted(struct sick *s)
{
	s->host.drops = (struct host_drops){ .insert_failed = 3, .known = true };
}
static void clock_wrong(struct sick *s)		{ s->host.clock = HOST_CLOCK_UNSYNCHRONISED; }
static void clock_unknown(struct sick *s)	{ s->host.clock = HOST_CLOCK_UNKNOWN; }
static void old_kernel(struct sick *s)		{ s->host.features.persist = false; }
static void not_owned(struct sick *s)		{ s->host.features.owned = false; }
static void conf_open(struct sick *s)
{
	file(s, HOST_FILE_CONFIGURATION, S_IFREG | 0664, 0);
}
static void conf_good(struct sick *s)
{
	file(s, HOST_FILE_CONFIGURATION, S_IFREG | 0644, 0);
}
static void sticky(struct sick *s)
{
	file(s, HOST_FILE_CONFIGURATION, S_IFDIR | 01777, 0);
}
static void conf_theirs(struct sick *s)
{
	file(s, HOST_FILE_CONFIGURATION, S_IFREG | 0644, 1000);
}
static void control_open_to_all(struct sick *s)	{ file(s, HOST_FILE_CONTROL, S_IFSOCK | 0666, 0); }
static void tag_open_to_all(struct sick *s)	{ file(s, HOST_FILE_TAG, S_IFSOCK | 0666, 0); }
static void control_not_of_group(struct sick *s)
{
	s->host.readers = 977;
	file(s, HOST_FILE_CONTROL, S_IFSOCK | 0600, 0);
}
static void control_no_socket(struct sick *s)	{ file(s, HOST_FILE_CONTROL, S_IFREG | 0600, 0); }
static void no_group(struct sick *s)		{ s->host.readers = (gid_t)-1; }
static void absent(struct sick *s)		{ s->world.facts.addresses.at[0].ip = ip_of("192.0.2.99"); }
static void absent_on_network(struct sick *s)
{
	struct link eth7 = { .name = "eth7", .index = 7, .up = true };
	struct on_link net = { prefix_of("192.0.2.0/24"), 7 };

	absent(s);
	PUSH(&s->world.facts.links, eth7);
	PUSH(&s->world.facts.links, ((struct link){ .name = "eth0", .index = 2, .up = true }));
	PUSH(&s->world.facts.connected, net);
}
static void link_gone(struct sick *s)
{
	s->world.model.bindings.at[0].interface = "eth9";
	s->world.model.bindings.at[0].n_addresses = 1;
	PUSH(&s->world.facts.links, ((struct link){ .name = "eth0", .index = 2, .up = true }));
}
static void tentative(struct sick *s)		{ s->world.facts.addresses.at[1].tentative = true; }
static void strict(struct sick *s)
{
	PUSH(&s->world.facts.links, ((struct link){ .name = "eth0", .index = 2, .up = true,
						    .strict = true }));
	PUSH(&s->world.facts.links, ((struct link){ .name = "eth1", .index = 3, .up = true }));
	s->world.facts.main_link[FAMILY_IPV4] = 3;
}
static void strict_on_the_way_out(struct sick *s)
{
	strict(s);
	s->world.facts.main_link[FAMILY_IPV4] = 2;
}

/* Expected: "severity about", then words that text, evidence and remedy have; "" is no finding. */
static const struct {
	const char *what;
	void (*harm)(struct sick *sick);
	const char *is, *text, *evidence, *remedy;
} rows[] = {
	{ "all is well", well, "", "", "", "" },
	{ "SNAT before ours", snat_before, "error source-nat",
	  "table ip nat, chain POSTROUTING (hook postrouting, priority 89)", "rule handle 7: TEXT",
	  "nft insert rule ip nat POSTROUTING ct mark and 0x1fff != 0 return" },
	{ "SNAT before ours of certain senders", snat_narrow, "warning source-nat", "priority 0", "TEXT",
	  "nft insert rule" },
	{ "masquerading behind ours", masquerade_after, "note source-nat", "table ip6 nat, chain out",
	  "TEXT", NULL },
	{ "SNAT of what comes in", snat_of_input, "", "", "", "" },
	{ "SNAT that is jumped to, from two chains", snat_deep, "error source-nat",
	  "chain deeper (from base, hook postrouting, priority -50)", "TEXT", "nat deeper ct mark" },
	{ "SNAT that no jump leads to", snat_by_map, "note source-nat", "perhaps a map", "TEXT", NULL },
	{ "SNAT in a table with an owner", snat_owned, "error source-nat", "chain POSTROUTING",
	  "the table is owned by netlink port 812", "only its owner can change this table" },
	{ "SNAT of iptables-legacy", snat_legacy6, "error source-nat", "iptables-legacy table ip6 nat",
	  "rule number 7", "ip6tables-legacy -t nat -I POSTROUTING -m connmark ! --mark 0/0x1fff" },
	{ "a rewrite behind the guard", rewrite_late, "error source-rewrite", "nothing stops it", "TEXT",
	  "nft delete rule netdev x c handle 7" },
	{ "a rewrite before the guard", rewrite_early, "error source-rewrite", "does not know", "TEXT",
	  "nft insert rule" },
	{ "a rewrite of what comes in", rewrite_in, "warning source-rewrite", "ingress", "TEXT",
	  "nft delete rule netdev x c handle 7" },
	{ "no tracking", notrack, "warning notrack", "table ip raw, chain OUTPUT", "TEXT", "nft -a list" },
	{ "marks beside ours", marks_beside, "", "", "", "" },
	{ "a mark before the decision", mark_early, "warning mark-overlap",
	  "writes bits 0x3000 of the packet mark, of which 0x1000 are", "TEXT", "`mark-mask`" },
	{ "a mark after it", mark_late, "note mark-overlap", "nothing comes of it", "TEXT", "nft -a list" },
	{ "a mark after it, with uplinks", mark_late_uplink, "warning mark-overlap", "lose their way",
	  "TEXT", "nft -a list" },
	{ "a look at a mark", mark_read, "warning mark-overlap", "looks at bits 0x1 of the packet mark",
	  "TEXT", "nft -a list chain ip m c" },
	{ "a whole connection mark", ct_mark_set, "warning mark-overlap", "writes bits 0xffffffff of the "
	  "connection mark, of which 0x1fff", "TEXT", "narrow it" },
	{ "a look at a connection mark", ct_mark_read, "warning mark-overlap",
	  "looks at bits 0x1000 of the connection mark", "TEXT", "nft -a list" },
	{ "a routing rule", rule, "warning mark-overlap", "IPv6 routing rule with priority 9",
	  "fwmark 0x100/0xff00 lookup 77", "ip -6 rule del priority 9" },
	{ "a routing rule of ours", rule_of_ours, "", "", "", "" },
	{ "what the guard dropped once", guarded, "note guard", "dropped 7 first packets",
	  "dropped_guard of table inet outbind", NULL },
	{ "what the guard drops now", guarding, "warning guard", "within the last minute",
	  "sources it had: acme from 192.0.2.99", "source-nat" },
	{ "wrong sources", wrong, "warning source-wrong", "3 connections", "source.wrong",
	  "outbindctl flows" },
	{ "no right to look", no_rights, "note unread", "CAP_NET_ADMIN", NULL, NULL },
	{ "no way to look", broken, "warning unread", "Interrupted", NULL, NULL },
	{ "changed all the time", changing, "note unread", "some may be missing", NULL, NULL },
	{ "too much to look at", too_many, "note unread", "only the first", NULL, NULL },
	{ "no forwarding", source4, "error forwarding", "1 rule is for IPv4", "ip_forward: 0",
	  "sysctl -w net.ipv4.ip_forward=1" },
	{ "forwarding", source_forwarded, "", "", "", "" },
	{ "few ports", ports, "warning ports", "1000 local ports", "32768 60999", "sysctl -w" },
	{ "ports unknown", ports_unknown, "", "", "", "" },
	{ "80 % of conntrack", filling, "warning conntrack", "80 % full", "nf_conntrack_count: 209716",
	  "nf_conntrack_max=1048576" },
	{ "79 % of conntrack", nearly_filling, "", "", "", "" },
	{ "all of conntrack", full, "error conntrack", "100 % full", "262144", "nf_conntrack_max=" },
	{ "a small conntrack", small, "warning conntrack", "room for 2002", "nf_conntrack_max: 2002",
	  "nf_conntrack_max=262144" },
	{ "few buckets", few_buckets, "warning conntrack", "1024 buckets", "1024", "buckets=65536" },
	{ "short memory of TCP", established, "warning conntrack", "after 599 s", "599",
	  "tcp_timeout_established=432000" },
	{ "short memory of UDP", udp, "warning conntrack", "after 29 s", "29", "udp_timeout_stream=120" },
	{ "strict TCP", not_loose, "note conntrack", "does not pick up", "tcp_loose: 0", NULL },
	{ "dropped", dropped, "warning conntrack", "dropped 3 packets", "conntrack -S", "conntrack -S" },
	{ "not inserted", not_inserted, "note conntrack", "not entered 3", "conntrack -S", "conntrack -S" },
	{ "a wrong clock", clock_wrong, "warning clock", "not synchronised", "adjtimex", "timedatectl" },
	{ "a clock that cannot be asked", clock_unknown, "", "", "", "" },
	{ "no tables that outlive", old_kernel, "warning kernel", "no tables with an owner",
	  "Linux 6.9.0 refused table flags owner, persist", "Linux 6.9" },
	{ "a table not claimed", not_owned, "note kernel", "not claimed", "table inet outbind",
	  "--no-owner" },
	{ "a configuration for a group", conf_open, "warning permissions", "by others than root",
	  "/f: mode 0664", "chmod go-w /f" },
	{ "a good configuration", conf_good, "", "", "", "" },
	{ "a sticky folder", sticky, "", "", "", "" },
	{ "a configuration of somebody", conf_theirs, "warning permissions", "belongs to user 1000",
	  "user 1000", "chown root /f" },
	{ "a control socket for all", control_open_to_all, "warning permissions", "everybody", "0666",
	  "chmod 0660 /f" },
	{ "a tag socket for all", tag_open_to_all, "", "", "", "" },
	{ "a control socket for root", control_not_of_group, "warning permissions", "cannot connect",
	  "0600", "chgrp outbind /f" },
	{ "no socket", control_no_socket, "error permissions", "is no socket", "0600", "rm /f" },
	{ "no group", no_group, "note permissions", "no group outbind", NULL, NULL },
	{ "no address", absent, "error health", "binding acme: IPv4 is unusable: 192.0.2.11 is not", NULL,
	  "ip addr add 192.0.2.11/32 dev INTERFACE scope host" },
	{ "no address, of a known network", absent_on_network, "error health", "192.0.2.11 is not", NULL,
	  "ip addr add 192.0.2.11/32 dev eth7" },
	{ "an interface that is not there", link_gone, "error health", "link eth9 is not there", NULL,
	  "make the interface eth9" },
	{ "an address that is being looked for", tentative, "warning health", "tentative", NULL,
	  "outbindctl health acme" },
	{ "strict filtering", strict, "warning rp-filter", "192.0.2.11 is on eth0", "rp_filter",
	  "sysctl -w net.ipv4.conf.eth0.rp_filter=2" },
	{ "strict filtering on the way out", strict_on_the_way_out, "", "", "", "" },
};

static bool has(const char *text, const char *words)
{
	return words ? text && strstr(text, words) : !text;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sick sick;
		char is[64] = "";

		sick_init(&sick);
		rows[i].harm(&sick);
		sick_judge(&sick);
		if (sick.found.n != (*rows[i].is ? 1 : 0))
			fail_msg("%s: %zu findings, the last: %s", rows[i].what, sick.found.n,
				 sick.found.n ? sick.found.at[sick.found.n - 1].text : "");
		if (sick.found.n > 0) {
			const struct finding *one = &sick.found.at[0];

			snprintf(is, sizeof is, "%s %s", finding_severity(one->severity), one->about);
			if (strcmp(is, rows[i].is) != 0 || !has(one->text, rows[i].text) ||
			    !has(one->evidence, rows[i].evidence) ||
			    !has(one->remedy, rows[i].remedy))
				fail_msg("%s: %s: %s\nfound %s\nmend %s", rows[i].what, is, one->text,
					 one->evidence, one->remedy);
		}
		sick_drop(&sick);
	}
}

/* Rules of a kind in a chain are one finding, whose bits are those of all; broad ones stand for it. */
static void test_together(void **state)
{
	struct sick sick;
	uint32_t of;

	(void)state;
	sick_init(&sick);
	of = chain(&sick, "ip", "cali-nat", "c", FOREIGN_OUTPUT, -300);
	act(&sick, of, FOREIGN_MARK_SET, 0x1, true);
	act(&sick, of, FOREIGN_MARK_SET, 0x10, false);
	act(&sick, of, FOREIGN_MARK_SET, 0x10000, true);
	sick_judge(&sick);
	assert_int_equal(sick.found.n, 1);
	assert_non_null(strstr(sick.found.at[0].text, "bits 0x10011"));
	assert_non_null(strstr(sick.found.at[0].evidence, "and 2 more like it; by its name Calico made it"));
	sick_drop(&sick);
}

static void test_bounded(void **state)
{
	struct findings found = { 0 };

	(void)state;
	for (int i = 0; i < FINDINGS_MAX + 10; i++) {
		finding_add(&found, SEVERITY_NOTE, "x", "%d", i);
		finding_evidence(&found, "e%d", i);
		finding_remedy(&found, "r%d", i);
	}
	assert_int_equal(found.n, FINDINGS_MAX);
	assert_int_equal(found.left_out, 10);
	assert_string_equal(found.at[FINDINGS_MAX - 1].remedy, "r399");
	findings_drop(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
