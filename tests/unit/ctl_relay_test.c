/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verbs that call the relay, against one that says what is written here. */
#include "ctl_support.h"

#define REPLY(p)	"{\"parameters\":" p "}\n"
#define ERROR(e, p)	"{\"error\":\"" e "\",\"parameters\":" p "}\n"
#define CALL(m, p)	"{\"method\":\"org.outbind.relay." m "\",\"parameters\":" p "}"

#define USED "{\"binding\":\"bulk\",\"member\":\"acme\",\"ehlo\":\"mx.acme.example\"," \
	"\"addresses\":[\"192.0.2.11\",\"2001:db8::11\"],\"destinations\":[\"mx1.example.org [198.51.100.1]:25\"]," \
	"\"connect_point\":\"mail\",\"rule\":\"sender acme.example use bulk;\",\"place\":\"o.conf:9:5\"," \
	"\"tls\":\"may\",\"refused\":null}"
#define REFUSED "{\"binding\":null,\"member\":null,\"ehlo\":null,\"addresses\":[],\"destinations\":[]," \
	"\"connect_point\":\"rcpt\",\"rule\":null,\"place\":null,\"tls\":\"none\",\"refused\":\"451 4.7.1 no\\u001b rule\"}"
#define STATUS "{\"version\":\"0.1.0\",\"pid\":7,\"configuration\":\"o.conf\",\"started\":\"S\",\"last_reload\":\"\"," \
	"\"workers\":1,\"agent\":%s,\"stopping\":false,\"sessions\":3,\"sessions_max\":20000,\"memory\":2048," \
	"\"rules\":1,\"listeners\":[{\"name\":\"apps\",\"address\":\"/run/l\",\"protocol\":\"lmtp\",\"point\":\"rcpt\"," \
	"\"sessions\":3,\"accepted\":12,\"refused\":1}],\"messages\":{\"delivered\":9,\"refused\":2,\"lost\":1," \
	"\"spared\":4,\"aborted\":5,\"ack_lost\":6},\"upstreams\":{\"open\":2,\"idle\":1,\"opened\":8,\"failed\":3," \
	"\"reused\":7},\"warnings\":[\"w\"]}"
#define SHOWN(agent) \
	"relay          outbind-relay 0.1.0, pid 7, since S\nconfiguration  o.conf\nagent          " agent "\n" \
	"rules          1 rule\nsessions       3 of at most 20000, by 1 worker\n" \
	"messages       9 delivered, 2 refused, 1 lost, 5 given up by the client\n" \
	"               6 whose acknowledgement was lost, 4 spared as duplicates\n" \
	"upstreams      2 open, 1 idle; 8 opened, 3 failed, 7 times reused\nmemory         2 KiB\n" \
	"warning        w\n\n" \
	"LISTENER  ADDRESS  PROTOCOL  DECIDES AT  SESSIONS  ACCEPTED  REFUSED\n" \
	"apps      /run/l   lmtp      rcpt               3        12        1\n"

static const struct {
	const char *what, *line, *replies;
	int status;
	const char *out, *err, *call;		/* call NULL: not looked at */
} runs[] = {
	{ "a message", "relay explain --sender a@acme.example --rcpt b@example.org --client unix", REPLY(USED), 0,
	  "leaves from binding acme as mx.acme.example\n"
	  "  rule        sender acme.example use bulk;\n"
	  "  written at  o.conf:9:5\n"
	  "  group       bulk\n"
	  "  binding     acme\n"
	  "  EHLO name   mx.acme.example\n"
	  "  addresses   192.0.2.11\n"
	  "              2001:db8::11\n"
	  "  goes to     mx1.example.org [198.51.100.1]:25\n"
	  "  TLS         may\n"
	  "  decided at  mail\n",
	  "", CALL("Explain", "{\"sender\":\"a@acme.example\",\"rcpt\":\"b@example.org\",\"client\":\"unix\"}") },
	{ "everything that can be known", "relay explain --sender '' --rcpt r --auth u --helo h --client ::1 --listener l "
	  "--destination 192.0.2.9 --header x --parameter y", REPLY(REFUSED), 1,
	  "refused: 451 4.7.1 no\\x1b rule\n"
	  "  TLS         none\n"
	  "  decided at  rcpt\n",
	  "", CALL("Explain", "{\"sender\":\"\",\"rcpt\":\"r\",\"auth\":\"u\",\"helo\":\"h\",\"client\":\"::1\",\"listener\":\"l\","
		   "\"destination\":\"192.0.2.9\",\"header\":\"x\",\"parameter\":\"y\"}") },
	{ "in JSON", "--json relay explain", REPLY("{\"refused\":null,\"tls\":\"may\"}"), 0,
	  "{\"refused\": null, \"tls\": \"may\"}\n", "", CALL("Explain", "{}") },
	{ "at a listener that is none", "relay explain --listener x",
	  ERROR("org.outbind.relay.NotFound", "{\"what\":\"listener\",\"name\":\"x\"}"), 5, "",
	  "outbindctl: there is no listener 'x'\n", NULL },
	{ "from a name", "relay explain --client mx.example", "", 2, "",
	  "outbindctl: --client: expected an IPv4 or IPv6 address, or unix, got 'mx.example'\n", NULL },
	{ "to a name", "relay explain --destination unix", "", 2, "",
	  "outbindctl: --destination: expected an IPv4 or IPv6 address, got 'unix'\n", NULL },
	{ "what is not UTF-8", "relay explain --sender \xff", "", 2, "", "outbindctl: sender: not valid UTF-8\n", NULL },
	{ "metrics", "relay metrics", REPLY("{\"text\":\"a 1\\nb 2\\n\"}"), 0, "a 1\nb 2\n", "",
	  CALL("GetMetrics", "{}") },
	{ "without the right to", "relay metrics", ERROR("org.outbind.relay.PermissionDenied", "{\"needs\":\"group outbind\"}"), 4,
	  "", "outbindctl: permission denied: needs group outbind\n", NULL },
	{ "a relay of another version", "relay metrics",
	  ERROR("org.varlink.service.MethodNotFound", "{\"method\":\"org.outbind.relay.GetMetrics\"}"), 5, "",
	  "outbindctl: the relay does not know org.outbind.relay.GetMetrics: outbind-relay and outbindctl are of different "
	  "versions\n", NULL },
	{ "a relay that does not answer", "relay status", HANG, 3, "", "outbindctl: outbind-relay does not answer\n", NULL },
	{ "no relay", "relay status --relay-socket /nonexistent/control", "", 3, "",
	  "outbindctl: cannot reach outbind-relay at /nonexistent/control: No such file or directory; is it running?\n", NULL },
};

/* The fake's socket has the agent's name; the relay's stands beside it. */
static int check_run(size_t i)
{
	struct fake fake;
	AUTO(run_drop) struct run run = { 0 };
	char path[128], got[16], want[16];
	int wrong;

	fake_start(&fake, runs[i].replies);
	(void)snprintf(path, sizeof path, "%s/control", fake.dir);
	assert_int_equal(symlink(fake.path, path), 0);
	run = run_ctl(fake.dir, runs[i].line);
	(void)unlink(path);
	fake_stop(&fake);
	(void)snprintf(got, sizeof got, "%d", run.status);
	(void)snprintf(want, sizeof want, "%d", runs[i].status);
	wrong = differs(runs[i].what, "status", got, want);
	wrong += differs(runs[i].what, "stdout", run.out, runs[i].out);
	wrong += differs(runs[i].what, "stderr", run.err, runs[i].err);
	if (runs[i].call)
		wrong += differs(runs[i].what, "call", fake.call, runs[i].call);
	return wrong;
}

static void test_runs(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(runs); i++)
		wrong += check_run(i);
	assert_int_equal(wrong, 0);
}

static const struct { const char *agent; int status; const char *out; } statuses[] = {
	{ "true", 0, SHOWN("answers") },
	{ "false", 1, SHOWN("does not answer: everything is refused") },
};

static void test_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		AUTO(run_drop) struct run run = { 0 };
		char line[200], replies[1024];
		struct fake fake;

		(void)snprintf(replies, sizeof replies, REPLY(STATUS), statuses[i].agent);
		fake_start(&fake, replies);
		(void)snprintf(line, sizeof line, "relay status --relay-socket %s", fake.path);
		run = run_ctl("/nonexistent", line);
		fake_stop(&fake);
		assert_int_equal(run.status, statuses[i].status);
		assert_string_equal(run.out, statuses[i].out);
		assert_string_equal(fake.call, CALL("GetStatus", "{}"));
	}
}

/* A file with a relay block, read without an agent. */
static void test_check(void **state)
{
	char path[] = "/tmp/outbind-relay-XXXXXX", line[64], want[200];
	AUTO(fd_drop) struct fd file = { mkstemp(path) };
	AUTO(run_drop) struct run text = { 0 }, json = { 0 };
	static const char conf[] = "binding a { address 192.0.2.1; }\ngroup g { member a; }\nrelay { listen *:25; listen *:26; otherwise use a; }\n";

	(void)state;
	assert_int_equal(write(file.n, conf, sizeof conf - 1), (ssize_t)sizeof conf - 1);
	(void)snprintf(line, sizeof line, "check %s", path);
	text = run_ctl("/nonexistent", line);
	(void)snprintf(line, sizeof line, "check --json %s", path);
	json = run_ctl("/nonexistent", line);
	(void)unlink(path);
	(void)snprintf(want, sizeof want, "%s: 1 binding, 1 group, 0 rules, a relay with 2 listeners and 1 rule: valid\n", path);
	assert_string_equal(text.out, want);
	assert_non_null(strstr(json.out, "\"bindings\": 1, \"groups\": 1,"));
	assert_non_null(strstr(json.out, "\"relay\": {\"listeners\": 2, \"rules\": 1}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
