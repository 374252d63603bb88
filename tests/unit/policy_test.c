/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which binding a message leaves from: every pair of keys, the order within a key, what is compared how,
 * next hops, hashes for groups, when a session can be decided, and what it costs with 100,000 rules.
 */
#include "conf_rows.h"
#include "relay/policy.h"

#define BINDINGS \
	"binding a { address 192.0.2.1; } binding b { address 192.0.2.2; } binding c { address 192.0.2.3; }\n" \
	"group g { member a; member b; }\n"
#define LISTENERS \
	"listen 127.0.0.1:25 { name smtp; trust parameter; auth socket \"/s\"; auth plain-text; }\n" \
	"listen \"/run/lmtp\" { name unix; auth socket \"/s\"; auth plain-text; trust parameter; trust header; }\n" \
	"listen 127.0.0.1:26 { name plain; }\n" \
	"listen 127.0.0.1:1080 { name socks; protocol socks5; }\n" \
	"intercept mta { user 5; listen 127.0.0.1:27; }\n"

struct lab { struct model model; struct diag diag; struct policy *policy; };

static void lab_drop(struct lab *lab)
{
	policy_free(lab->policy);
	model_drop(&lab->model);
	diag_drop(&lab->diag);
}

/* @rules in a relay stanza with the listeners; fails the test on problems other than warnings. */
static void lab_open(struct lab *lab, const char *what, const char *rules)
{
	char *AUTO(mem_drop) text = NULL;

	if (asprintf(&text, BINDINGS "relay { " LISTENERS "%s }", rules) < 0)
		abort();
	if (fake_read_text(text, 0, &lab->model, &lab->diag) < 0)
		fail_msg("%s: %s", what, fake_found(&lab->model, &lab->diag, false));
	lab->policy = policy_new(&lab->model);
}

static const struct relay_listener *listener(const struct lab *lab, const char *name)
{
	for (size_t i = 0; i < lab->model.relay.listeners.n; i++)
		if (strcmp(lab->model.relay.listeners.at[i].name, name) == 0)
			return &lab->model.relay.listeners.at[i];
	fail_msg("no listener %s", name);
	return NULL;
}

/* "listener=smtp|sender=x@y|uid=5": values are cut out of @text in place. */
static void read_facts(const struct lab *lab, char *text, struct policy_facts *facts)
{
	*facts = (struct policy_facts){ .listener = listener(lab, "plain") };
	for (char *part; (part = strsep(&text, "|"));) {
		char *value = strchr(part, '=') ? strchr(part, '=') + 1 : part;

		if (strncmp(part, "listener", 8) == 0)
			facts->listener = listener(lab, value);
		else if (strncmp(part, "sender", 6) == 0)
			facts->sender = value;
		else if (strncmp(part, "rcpt", 4) == 0)
			facts->rcpt = value;
		else if (strncmp(part, "user", 4) == 0)
			facts->user = value;
		else if (strncmp(part, "helo", 4) == 0)
			facts->helo = value;
		else if (strncmp(part, "parameter", 9) == 0)
			facts->parameter = value;
		else if (strncmp(part, "header", 6) == 0)
			facts->header = value;
		else if (strncmp(part, "map", 3) == 0)
			facts->map = value;
		else if (strncmp(part, "cgroup", 6) == 0)
			facts->has_peer = true, facts->peer_cgroup = value;
		else if (strncmp(part, "uid", 3) == 0)
			facts->has_peer = true, facts->peer_uid = (uint32_t)atoi(value);
		else if (strncmp(part, "client", 6) == 0)
			assert_int_equal(ip_parse(value, &facts->client), 0);
		else if (strncmp(part, "to", 2) == 0)
			assert_int_equal(ip_parse(value, &facts->destination), 0);
	}
}

/* The binding, or "! REASON" ("!! REASON" for ever). */
static void decide(const struct lab *lab, const char *facts_text, char *out, size_t room,
		   struct policy_verdict *ret)
{
	char text[1024];
	struct policy_facts facts;

	assert_true(strlen(facts_text) < sizeof text);
	strcpy(text, facts_text);
	read_facts(lab, text, &facts);
	policy_decide(lab->policy, &facts, ret);
	if (ret->binding)
		snprintf(out, room, "%s", ret->binding);
	else
		snprintf(out, room, "%s %s", ret->permanent ? "!!" : "!", ret->reason);
}

/* One rule a key, and facts that match all of them; in order of specificity. */
static const struct { enum relay_key key; const char *rule, *fact; } keys[] = {
	{ RELAY_KEY_PARAMETER, "", "parameter=%s" },
	{ RELAY_KEY_HEADER, "", "header=%s" },
	{ RELAY_KEY_MAP, "policy-map \"socketmap:unix:/m:t\";", "map=%s" },
	{ RELAY_KEY_SENDER, "sender x.example use %s;", "sender=u@x.example" },
	{ RELAY_KEY_RECIPIENT, "recipient y.example use %s;", "rcpt=v@y.example" },
	{ RELAY_KEY_USER, "auth alice use %s;", "user=alice" },
	{ RELAY_KEY_HELO, "ehlo h.example use %s;", "helo=h.example" },
	{ RELAY_KEY_PEER_CGROUP, "peer cgroup /m.slice use %s;", "cgroup=/m.slice/x.service" },
	{ RELAY_KEY_PEER_USER, "peer user 1000 use %s;", "uid=1000" },
	{ RELAY_KEY_CLIENT, "client 10.0.0.0/8 use %s;", "client=10.1.2.3" },
	{ RELAY_KEY_DESTINATION, "destination 198.51.100.0/24 use %s;", "to=198.51.100.9" },
	{ RELAY_KEY_LISTENER, "listener unix use %s;", "listener=unix" },
	{ RELAY_KEY_OTHERWISE, "otherwise use %s;", "listener=unix" },
};

static size_t print_pair(char *out, size_t room, size_t first, size_t i, size_t j, bool rules)
{
	size_t n = rules ? 0 : (size_t)snprintf(out, room, "listener=unix");

	for (size_t k = 0; k < 2; k++) {
		size_t which = k == 0 ? (first ? j : i) : (first ? i : j);
		const char *form = rules ? keys[which].rule : keys[which].fact, *hole;

		if (!rules)
			n += (size_t)snprintf(out + n, room - n, "|");
		hole = strstr(form, "%s");
		n += (size_t)snprintf(out + n, room - n, "%.*s%s%s",
				      (int)(hole ? (size_t)(hole - form) : strlen(form)), form,
				      hole ? which == i ? "a" : "b" : "", hole ? hole + 2 : "");
	}
	return n;
}

static void test_every_pair_of_keys(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		for (size_t j = i + 1; j < ARRAY_LEN(keys); j++)
			for (size_t order = 0; order < 2; order++) {
				AUTO(lab_drop) struct lab lab = { 0 };
				char rules[512] = "", facts[512] = "", got[256];
				struct policy_verdict verdict;

				print_pair(rules, sizeof rules, order, i, j, true);
				print_pair(facts, sizeof facts, order, i, j, false);
				lab_open(&lab, rules, rules);
				decide(&lab, facts, got, sizeof got, &verdict);
				if (strcmp(got, "a") != 0 || verdict.key != keys[i].key)
					fail_msg("%s with %s: got %s", rules, facts, got);
			}
}

static void test_the_order_of_keys_is_that_of_the_enum(void **unused)
{
	(void)unused;
	assert_int_equal(ARRAY_LEN(keys), RELAY_KEYS);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_int_equal(keys[i].key, i);
}

static const struct { const char *what, *rules, *facts, *want; } decisions[] = {
	{ "an address before its domain", "sender x.example use a; sender u@x.example use b;",
	  "sender=u@x.example", "b" },
	{ "another address of the domain", "sender x.example use a; sender u@x.example use b;",
	  "sender=v@x.example", "a" },
	{ "a domain is not below itself", "sender .x.example use a; otherwise use b;", "sender=u@x.example",
	  "b" },
	{ "below, at any depth", "sender .x.example use a;", "sender=u@p.q.x.example", "a" },
	{ "the longest wins", "sender .example use a; sender .q.x.example use b; sender .x.example use c;",
	  "sender=u@p.q.x.example", "b" },
	{ "the exact domain before what it is below", "sender .example use a; sender x.example use b;",
	  "sender=u@x.example", "b" },
	{ "a name that only ends the same", "sender .x.example use a; otherwise use b;",
	  "sender=u@yx.example", "b" },
	{ "domains fold, of rule and sender", "sender X.Example use a;", "sender=u@x.eXAMPLE.", "a" },
	{ "domains fold below", "sender .X.Example use a;", "sender=u@P.x.EXAMPLE", "a" },
	{ "local parts do not fold", "sender U@x.example use a; otherwise use b;", "sender=u@x.example", "b" },
	{ "beside an at sign that is quoted", "sender \"\\\"p@q\\\"@x.example\" use a;",
	  "sender=\"p@q\"@X.example", "a" },
	{ "the null sender", "sender \"\" use a; otherwise use b;", "sender=", "a" },
	{ "the null sender is no domain", "sender .example use a; otherwise use b;", "sender=", "b" },
	{ "a sender without a domain", "sender x.example use a; otherwise use b;", "sender=postmaster", "b" },
	{ "a sender that is not known yet", "sender \"\" use a; otherwise use b;", "helo=h", "b" },
	{ "a domain in UTF-8 as it is", "sender b\xc3\xbc" "cher.example use a;",
	  "sender=u@b\xc3\xbc" "cher.Example", "a" },
	{ "an address literal", "sender [192.0.2.9] use a; sender [ipv6:2001:db8::9] use b;",
	  "sender=u@[IPv6:2001:DB8::9]", "b" },
	{ "on a listener before everywhere", "sender x.example use a; sender x.example on smtp use b;",
	  "listener=smtp|sender=u@x.example", "b" },
	{ "on a listener only there", "sender x.example use a; sender x.example on smtp use b;",
	  "listener=plain|sender=u@x.example", "a" },
	{ "on does not beat a more specific one", "sender u@x.example use a; sender x.example on smtp use b;",
	  "listener=smtp|sender=u@x.example", "a" },
	{ "on does not beat a longer one", "sender .x.example use a; sender .example on smtp use b;",
	  "listener=smtp|sender=u@q.x.example", "a" },
	{ "on does not beat an earlier key", "sender x.example use a; otherwise on smtp use b;",
	  "listener=smtp|sender=u@x.example", "a" },
	{ "otherwise on a listener", "otherwise use a; otherwise on smtp use b;", "listener=smtp", "b" },
	{ "a recipient's domain", "recipient y.example use a;", "rcpt=v@Y.Example", "a" },
	{ "a recipient below", "recipient .y.example use a; otherwise use b;", "rcpt=v@q.y.example", "a" },
	{ "postmaster has no domain", "recipient .y.example use a; otherwise use b;", "rcpt=postmaster", "b" },
	{ "logins do not fold", "auth Alice use a; otherwise use b;", "user=alice|listener=smtp", "b" },
	{ "names in EHLO fold, and may be below", "ehlo .H.example use a;", "helo=mx.h.EXAMPLE", "a" },
	{ "a literal in EHLO", "ehlo [192.0.2.9] use a;", "helo=[192.0.2.9]", "a" },
	{ "a cgroup itself", "peer cgroup /m.slice/x.service use a; peer cgroup /m.slice use b;",
	  "listener=unix|cgroup=/m.slice/x.service", "a" },
	{ "the deepest cgroup", "peer cgroup /m.slice/x.service use a; peer cgroup /m.slice use b;",
	  "listener=unix|cgroup=/m.slice/x.service/worker/1", "a" },
	{ "a cgroup above", "peer cgroup /m.slice/x.service use a; peer cgroup /m.slice use b;",
	  "listener=unix|cgroup=/m.slice/y.service", "b" },
	{ "a cgroup that only begins the same", "peer cgroup /m.slice use a; otherwise use b;",
	  "listener=unix|cgroup=/m.slice2/y", "b" },
	{ "the narrowest range of users", "peer user 0-9999 use a; peer user 1000-1999 use b; peer user 1500 use c;",
	  "listener=unix|uid=1501", "b" },
	{ "one user in it", "peer user 0-9999 use a; peer user 1000-1999 use b; peer user 1500 use c;",
	  "listener=unix|uid=1500", "c" },
	{ "behind a narrower range", "peer user 0-9999 use a; peer user 1000-1999 use b; peer user 1500 use c;",
	  "listener=unix|uid=2000", "a" },
	{ "between ranges", "peer user 1-5 use a; peer user 7-9 use b; otherwise use c;",
	  "listener=unix|uid=6", "c" },
	{ "a range on a listener before the same", "peer user 1-5 on unix use a; peer user 1-5 use b;",
	  "listener=unix|uid=3", "a" },
	{ "a narrower range before one on a listener", "peer user 1-5 on unix use a; peer user 3 use b;",
	  "listener=unix|uid=3", "b" },
	{ "no peer", "peer user 0 use a; otherwise use b;", "listener=plain", "b" },
	{ "the longest prefix", "client 10.0.0.0/8 use a; client 10.1.0.0/16 use b; client 0.0.0.0/0 use c;",
	  "client=10.1.2.3", "b" },
	{ "one address", "client 10.1.2.3 use a; client 10.1.0.0/16 use b;", "client=10.1.2.3", "a" },
	{ "everything of a family", "client 0.0.0.0/0 use a; client ::/0 use b;", "client=2001:db8::1", "b" },
	{ "odd lengths", "client 10.1.2.128/25 use a; client 10.1.2.0/25 use b;", "client=10.1.2.127", "b" },
	{ "IPv6 by its bits", "client 2001:db8::/33 use a; client 2001:db8:8000::/33 use b;",
	  "client=2001:db8:8001::1", "b" },
	{ "a destination", "destination 198.51.100.0/24 use a;", "listener=mta|to=198.51.100.7", "a" },
	{ "no destination", "destination 0.0.0.0/0 use a; otherwise use b;", "listener=plain", "b" },
	{ "a listener", "listener plain use a; otherwise use b;", "listener=plain", "a" },
	{ "no rule", "", "sender=u@x.example", "! no relay rule says where this message leaves from" },
	{ "a rule of another listener", "otherwise on smtp use a;", "listener=plain",
	  "! no relay rule says where this message leaves from" },
	{ "refused", "sender x.example reject; otherwise use a;", "sender=u@x.example",
	  "!! refused by a relay rule" },
	{ "refused with a reason", "sender x.example reject \"not this week\"; otherwise use a;",
	  "sender=u@x.example", "!! not this week" },
	{ "default-binding", "} default-binding normal; binding default { address 192.0.2.9; } policy {",
	  "sender=u@x.example", "default" },
	{ "a parameter where it is not trusted", "otherwise use a;", "listener=plain|parameter=b", "a" },
	{ "a header where it is not trusted", "otherwise use a;", "listener=smtp|header=b", "a" },
	{ "a header that is not there", "otherwise use a;", "listener=unix|header=", "a" },
	{ "a name of SOCKS", "otherwise use a;", "listener=socks|parameter=b", "b" },
	{ "a parameter before a map", "policy-map \"socketmap:unix:/m:t\";", "listener=smtp|parameter=b|map=a", "b" },
	{ "a map that knows nothing", "policy-map \"socketmap:unix:/m:t\"; otherwise use a;", "listener=smtp", "a" },
	{ "what names nothing", "otherwise use a;", "listener=smtp|parameter=a b",
	  "! XOUTBIND does not name a binding" },
	{ "a header that names nothing", "otherwise use a;", "listener=unix|header=a:b",
	  "! the header field does not name a binding" },
	{ "a binding that nobody knows is the agent's to refuse", "", "listener=smtp|parameter=nobody", "nobody" },
};

static void test_decisions(void **unused)
{
	size_t wrong = 0;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(decisions); i++) {
		AUTO(lab_drop) struct lab lab = { 0 };
		struct policy_verdict verdict;
		char got[256];

		lab_open(&lab, decisions[i].what, decisions[i].rules);
		decide(&lab, decisions[i].facts, got, sizeof got, &verdict);
		if (strcmp(got, decisions[i].want) == 0)
			continue;
		print_error("%s: got %s, want %s\n", decisions[i].what, got, decisions[i].want);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* An IPv4 client on an IPv6 socket comes as ::ffff:10.1.2.3, which ip_parse() refuses. */
static void test_mapped_clients_are_ipv4(void **unused)
{
	AUTO(lab_drop) struct lab lab = { 0 };
	struct policy_verdict verdict;
	struct policy_facts facts = { .client = { { [10] = 0xff, 0xff, 10, 1, 2, 3 }, 16 } };

	(void)unused;
	lab_open(&lab, "mapped", "client 10.0.0.0/8 use a; client ::/0 use b;");
	facts.listener = listener(&lab, "plain");
	policy_decide(lab.policy, &facts, &verdict);
	assert_string_equal(verdict.binding, "a");
}

static const struct { const char *what, *rules, *facts, *want; } hops[] = {
	{ "MX", "otherwise use a;", "rcpt=v@y.example", "-" },
	{ "the relay's", "smarthost r.example; otherwise use a;", "", "r.example:0" },
	{ "the binding's before it", "smarthost r.example; smarthost mx b.example for a; otherwise use a;", "",
	  "mx b.example:0" },
	{ "of another binding", "smarthost r.example; smarthost b.example for b; otherwise use a;", "",
	  "r.example:0" },
	{ "the rule's before all", "smarthost r.example; smarthost b.example for a; otherwise use a smarthost "
	  "s.example:587;", "", "s.example:587" },
	{ "the listener's before the relay's", "smarthost r.example; otherwise use a; "
	  "listen 127.0.0.1:99 { name x; smarthost l.example; }", "listener=x", "l.example:0" },
	{ "the binding's before the listener's", "smarthost b.example for a; otherwise use a; "
	  "listen 127.0.0.1:99 { name x; smarthost l.example; }", "listener=x", "b.example:0" },
	{ "of what a client named itself", "smarthost b.example for a;", "listener=smtp|parameter=a",
	  "b.example:0" },
	{ "an intercepted connection goes where it went", "smarthost r.example; otherwise use a smarthost "
	  "s.example;", "listener=mta", "-" },
	{ "and so does what SOCKS asks for", "smarthost r.example; otherwise use a;", "listener=socks", "-" },
};

static void test_next_hops(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(hops); i++) {
		AUTO(lab_drop) struct lab lab = { 0 };
		struct policy_verdict verdict;
		char got[300], binding[256];

		lab_open(&lab, hops[i].what, hops[i].rules);
		decide(&lab, hops[i].facts, binding, sizeof binding, &verdict);
		snprintf(got, sizeof got, "%s%s:%u", verdict.hop.mx ? "mx " : "",
			 verdict.hop.host ? verdict.hop.host : "", verdict.hop.port);
		if (strcmp(verdict.hop.host ? got : "-", hops[i].want) != 0)
			fail_msg("%s: got %s, want %s", hops[i].what, got, hops[i].want);
	}
}

static const struct { const char *what, *one, *two; bool same; } hashes[] = {
	{ "case of domains means nothing", "sender=u@X.example|rcpt=v@y.example",
	  "sender=u@x.example|rcpt=w@Y.Example", true },
	{ "another sender", "sender=u@x.example|rcpt=v@y.example", "sender=w@x.example|rcpt=v@y.example",
	  false },
	{ "another destination", "sender=u@x.example|rcpt=v@y.example", "sender=u@x.example|rcpt=v@z.example",
	  false },
	{ "the client means nothing", "sender=u@x.example|rcpt=v@y.example|client=10.0.0.1",
	  "sender=u@x.example|rcpt=v@y.example|client=10.0.0.2", true },
	{ "the null sender has destinations", "sender=|rcpt=v@y.example", "sender=|rcpt=v@z.example", false },
	{ "with a smarthost the sender alone", "listener=smart|sender=u@x.example|rcpt=v@y.example",
	  "listener=smart|sender=u@x.example|rcpt=v@z.example", true },
	{ "with a smarthost still the sender", "listener=smart|sender=u@x.example",
	  "listener=smart|sender=w@x.example", false },
	{ "the same at MAIL as at RCPT, with a smarthost", "listener=smart|sender=u@x.example",
	  "listener=smart|sender=u@x.example|rcpt=v@z.example", true },
	{ "intercepted at once, where it goes", "listener=mta|to=198.51.100.1", "listener=mta|to=198.51.100.2",
	  false },
	{ "intercepted, another MX of the same domain", "listener=mta|to=198.51.100.1|sender=u@x.example",
	  "listener=mta|to=198.51.100.2|sender=u@x.example", true },
};

static void test_hashes_for_groups(void **unused)
{
	AUTO(lab_drop) struct lab lab = { 0 };
	struct policy_verdict one, two;
	char binding[256];

	(void)unused;
	lab_open(&lab, "hashes", "otherwise use g; listen 127.0.0.1:99 { name smart; smarthost l.example; }");
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		decide(&lab, hashes[i].one, binding, sizeof binding, &one);
		decide(&lab, hashes[i].two, binding, sizeof binding, &two);
		if ((one.hash == two.hash) != hashes[i].same)
			fail_msg("%s: %u and %u", hashes[i].what, one.hash, two.hash);
	}
}

static const struct { const char *what, *rules, *listen, *want; } points[] = {
	{ "by MX, at the first recipient", "otherwise use a;", "", "rcpt" },
	{ "with a smarthost, at once", "smarthost r.example; otherwise use a;", "", "accept" },
	{ "with its own smarthost", "otherwise use a;", "smarthost l.example;", "accept" },
	{ "with the binding's", "smarthost b.example for a; otherwise use a;", "", "accept" },
	{ "with the binding's, but not for all", "smarthost b.example for a; otherwise use a; client 10.0.0.0/8 "
	  "use b;", "", "rcpt" },
	{ "with that of each rule", "otherwise use a smarthost s.example;", "", "accept" },
	{ "a rule of another listener counts not", "otherwise use a smarthost s.example; sender x.example on smtp "
	  "use b;", "", "accept" },
	{ "a rule of this listener counts", "otherwise use a smarthost s.example; client 10.0.0.0/8 on here use b;",
	  "", "rcpt" },
	{ "a rule that refuses goes nowhere", "otherwise use a smarthost s.example; client 10.0.0.0/8 reject;", "",
	  "accept" },
	{ "by EHLO", "smarthost r.example; ehlo h use a;", "", "hello" },
	{ "by login, where there is one", "smarthost r.example; auth alice use a;",
	  "auth socket \"/s\"; auth plain-text;", "mail" },
	{ "by login, where there is none", "smarthost r.example; auth alice use a; otherwise use b;", "",
	  "accept" },
	{ "by sender", "smarthost r.example; ehlo h use a; sender x.example use a;", "", "mail" },
	{ "by a sender's rule here", "smarthost r.example; sender x.example on here use a;", "", "mail" },
	{ "by parameter", "smarthost r.example; otherwise use a;", "trust parameter;", "mail" },
	{ "by parameter, which may name one without a smarthost", "smarthost b.example for a; otherwise use a;",
	  "trust parameter;", "rcpt" },
	{ "by map", "smarthost r.example; policy-map \"socketmap:unix:/m:t\";", "", "mail" },
	{ "by recipient", "smarthost r.example; recipient y.example use a;", "", "rcpt" },
	{ "by header", "smarthost r.example; recipient y.example use a;", "trust header;", "header" },
	{ "a group wants the sender", "smarthost r.example; otherwise use g;", "", "mail" },
	{ "LMTP is at least at the recipient", "smarthost r.example; otherwise use a;", "protocol lmtp;", "rcpt" },
	{ "LMTP by header", "otherwise use a;", "protocol lmtp; trust header;", "header" },
	{ "SOCKS at once", "sender x.example use a; recipient y.example use b;", "protocol socks5;", "accept" },
	{ "nothing to decide", "", "", "accept" },
	{ "default-binding goes by MX", "} default-binding normal; policy {", "", "rcpt" },
};

static void test_points(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		AUTO(lab_drop) struct lab lab = { 0 };
		char rules[512];
		const char *got;

		snprintf(rules, sizeof rules, "listen 127.0.0.1:99 { name here; %s } %s",
			 points[i].listen, points[i].rules);
		lab_open(&lab, points[i].what, rules);
		got = policy_point_name(policy_point(lab.policy, listener(&lab, "here")));
		if (strcmp(got, points[i].want) != 0)
			fail_msg("%s: got %s, want %s", points[i].what, got, points[i].want);
	}
}

static const struct { const char *what, *rules, *want; } intercepted[] = {
	{ "the destination is known", "otherwise use a; destination 198.51.100.0/24 use b;", "accept" },
	{ "a group goes by the destination", "otherwise use g;", "accept" },
	{ "by EHLO", "ehlo h use a;", "hello" },
	{ "by sender", "sender x.example use a;", "mail" },
	{ "by recipient", "recipient y.example use a;", "rcpt" },
};

static void test_points_of_intercepted(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(intercepted); i++) {
		AUTO(lab_drop) struct lab lab = { 0 };
		const char *got;

		lab_open(&lab, intercepted[i].what, intercepted[i].rules);
		got = policy_point_name(policy_point(lab.policy, listener(&lab, "mta")));
		if (strcmp(got, intercepted[i].want) != 0)
			fail_msg("%s: got %s, want %s", intercepted[i].what, got, intercepted[i].want);
	}
}

static void test_tls_by_destination(void **unused)
{
	static const struct { const char *domain; enum relay_tls want; } rows[] = {
		{ "other.example", RELAY_UPSTREAM_VERIFY },
		{ "X.example", RELAY_UPSTREAM_NONE },
		{ "p.x.example", RELAY_UPSTREAM_DANE },
		{ "q.p.x.example.", RELAY_UPSTREAM_ENCRYPT },
	};
	AUTO(lab_drop) struct lab lab = { 0 };

	(void)unused;
	lab_open(&lab, "tls", "tls verify; tls none to x.example; tls dane to .X.example; "
		 "tls encrypt to .p.x.example;");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (policy_tls(lab.policy, rows[i].domain) != rows[i].want)
			fail_msg("%s: level %d", rows[i].domain, policy_tls(lab.policy, rows[i].domain));
}

enum { MANY = 100000 };

static char *many_rules(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	for (int i = 0; i < MANY; i++)
		fprintf(out, "sender \"user%d@customer%d.example\" use %s;\n", i, i, i % 2 ? "a" : "b");
	fprintf(out, "otherwise use c;");
	if (fclose(out) != 0)
		abort();
	return text;
}

static void test_100000_senders_cost_one_lookup(void **unused)
{
	AUTO(lab_drop) struct lab lab = { 0 };
	char *AUTO(mem_drop) rules = many_rules();
	struct policy_verdict verdict;
	char facts[128], got[256];

	(void)unused;
	lab_open(&lab, "many", rules);
	assert_true(policy_memory(lab.policy) < 4 << 20);
	assert_true(lab.model.arena.used + lab.model.relay.rules.room * sizeof(struct relay_rule) <
		    20 << 20);
	for (int i = 0; i < MANY; i += 977) {
		snprintf(facts, sizeof facts, "sender=user%d@Customer%d.example", i, i);
		decide(&lab, facts, got, sizeof got, &verdict);
		assert_string_equal(got, i % 2 ? "a" : "b");
		assert_int_equal(verdict.lookups, 1);
	}
	decide(&lab, "sender=x@a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.example", got, sizeof got, &verdict);
	assert_string_equal(got, "c");
	assert_int_equal(verdict.lookups, 3);	/* address, domain, otherwise */
}

/* A client cannot make it ask for every label of a name that it chose. */
static void test_labels_without_rules_are_not_asked_for(void **unused)
{
	AUTO(lab_drop) struct lab lab = { 0 };
	struct policy_verdict verdict;
	char facts[512] = "sender=u@", got[256];

	(void)unused;
	lab_open(&lab, "labels", "sender .x.example use a; sender .p.x.example use a; otherwise use c;");
	for (int i = 0; i < 120; i++)
		strcat(facts, "a.");
	strcat(facts, "example");
	decide(&lab, facts, got, sizeof got, &verdict);
	assert_string_equal(got, "c");
	assert_true(verdict.lookups <= 4);
}

/* Longer than SMTP lets them be: no rule can match, and nothing is written beyond its end. */
static void test_texts_of_any_length(void **unused)
{
	enum { LONG = 3000 };
	AUTO(lab_drop) struct lab lab = { 0 };
	char text[LONG + 4], domain[LONG + 4] = "v@";
	struct policy_facts facts = { .sender = text, .rcpt = domain, .helo = text, .user = text };
	struct policy_verdict verdict;

	(void)unused;
	lab_open(&lab, "long", "sender .x.example use a; recipient .x.example use a; ehlo .x.example use a; otherwise use b;");
	facts.listener = listener(&lab, "plain");
	for (size_t len = 500; len < 530; len++)
		for (size_t at = 0; at < 2; at++) {
			memset(text, 'a', len);
			memset(domain + 2, 'b', len);
			text[at] = '@';
			text[len] = domain[len] = '\0';
			policy_decide(lab.policy, &facts, &verdict);
			assert_string_equal(verdict.binding, "b");
			(void)policy_tls(lab.policy, domain + 2);
		}
	memset(text, '@', LONG);
	text[LONG] = '\0';
	policy_decide(lab.policy, &facts, &verdict);
	assert_string_equal(verdict.binding, "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_order_of_keys_is_that_of_the_enum),
		cmocka_unit_test(test_every_pair_of_keys),
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_mapped_clients_are_ipv4),
		cmocka_unit_test(test_next_hops),
		cmocka_unit_test(test_hashes_for_groups),
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_points_of_intercepted),
		cmocka_unit_test(test_tls_by_destination),
		cmocka_unit_test(test_100000_senders_cost_one_lookup),
		cmocka_unit_test(test_labels_without_rules_are_not_asked_for),
		cmocka_unit_test(test_texts_of_any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
