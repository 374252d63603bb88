/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Health and Monitor as calls: what is answered, in pieces, and when nothing has happened yet. */
#include "agent_lab.h"
#include "base/mem.h"
#include "daemon/control_call.h"
#include "daemon/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);

	lab_init(lab);
	fake_kernel_address(&lab->fake, "192.0.2.1");
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	lab_drop(*state);
	free(*state);
	return 0;
}

static struct reply call(struct lab *lab, const char *method, const char *parameters, bool more)
{
	json_t *message = json_pack("{s:s, s:o, s:b}", "method", method, "parameters",
				    json_loads(parameters, 0, NULL), "more", more);
	struct reply reply = { 0 };

	assert_int_equal(control_call(&lab->agent, PEER_READ, message, &reply), 0);
	json_decref(message);
	return reply;
}

/* "name family state reason;" of each row, then drops the message. */
static void print_rows(json_t *message, char *out, size_t room)
{
	const json_t *rows = json_object_get(json_object_get(message, "parameters"), "health");
	size_t len = strlen(out);

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const char *name, *family, *state, *reason;

		assert_int_equal(json_unpack(json_array_get(rows, i), "{s:s, s:s, s:s, s:s}",
					     "name", &name, "family", &family, "state", &state,
					     "reason", &reason), 0);
		len += (size_t)snprintf(out + len, room - len, "%s %s %s %s;", name, family,
					state, reason);
	}
	json_decref(message);
}

#define CONF	"uplink isp2 { interface eth1; gateway 198.51.100.1; }\n" \
		"binding acme { address 192.0.2.1; }\n" \
		"binding beta { address 192.0.2.2, 2001:db8::2; unusable use acme; }\n" \
		"binding far { address 192.0.2.3; uplink isp2; }\n"

static void test_health(void **state)
{
	static const struct {
		const char *what, *parameters, *want;
	} rows[] = {
		{ "all", "{}",
		  "isp2 ipv4 usable usable;acme ipv4 usable usable;"
		  "beta ipv4 stand-in 192.0.2.2 is not on this host; acme stands in;"
		  "beta ipv6 unusable 2001:db8::2 is not on this host;"
		  "far ipv4 unusable 192.0.2.3 is not on this host;" },
		{ "one", "{\"name\":\"acme\"}", "acme ipv4 usable usable;" },
		{ "an uplink", "{\"name\":\"isp2\"}", "isp2 ipv4 usable usable;" },
		{ "the implicit default", "{\"name\":\"default\"}", "" },
	};
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, CONF), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char got[1024] = "";
		struct reply reply = call(lab, "org.outbind.Health", rows[i].parameters, true);

		assert_null(reply.stream);
		print_rows(reply.message, got, sizeof got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].what, got, rows[i].want);
	}
}

static void test_default(void **state)
{
	struct lab *lab = *state;
	static const char *const parameters[] = { "{\"name\":\"default\"}", "{}" };

	assert_int_equal(lab_start(lab, "default-binding suspended;\n"), 0);
	for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
		char got[1024] = "";

		print_rows(call(lab, "org.outbind.Health", parameters[i], true).message, got,
			   sizeof got);
		assert_string_equal(got, "default ipv4 suspended usable;default ipv6 suspended usable;");
	}
}

static void test_nobody(void **state)
{
	struct lab *lab = *state;
	struct reply reply;

	assert_int_equal(lab_start(lab, CONF), 0);
	reply = call(lab, "org.outbind.Health", "{\"name\":\"acne\"}", false);
	assert_string_equal(json_string_value(json_object_get(reply.message, "error")),
			    "org.outbind.BindingNotFound");
	json_decref(reply.message);
}

/* In pieces, each binding once, also when the text changes between two of them. */
static void test_pieces(void **state)
{
	struct lab *lab = *state;
	char *AUTO(mem_drop) conf = mem_zero(1, 64 * 1024);
	char *AUTO(mem_drop) got = mem_zero(1, 256 * 1024);
	struct reply reply;
	bool last = false;
	int n = 0;

	for (int i = 0; i < 500; i++)
		sprintf(conf + strlen(conf), "binding b%03d { address 10.0.%d.%d; }\n", i, i / 250,
			i % 250 + 1);
	assert_int_equal(lab_start(lab, conf), 0);
	reply = call(lab, "org.outbind.Health", "{}", true);
	print_rows(reply.message, got, 256 * 1024);
	assert_int_equal(lab_reload(lab, conf), 0);
	while (!last)
		print_rows(control_call_next(&lab->agent, reply.stream, &last), got, 256 * 1024);
	reply.stream->free(reply.stream);
	for (const char *at = got; (at = strchr(at, ';')); at++)
		n++;
	assert_int_equal(n, 500);
}

static void test_monitor(void **state)
{
	struct lab *lab = *state;
	struct reply reply;
	const char *event, *name;
	json_t *message;
	bool last;

	assert_int_equal(lab_start(lab, CONF), 0);
	reply = call(lab, "org.outbind.Monitor", "{}", false);
	assert_string_equal(json_string_value(json_object_get(reply.message, "error")),
			    "org.varlink.service.ExpectedMore");
	json_decref(reply.message);
	reply = call(lab, "org.outbind.Monitor", "{}", true);
	assert_int_equal(json_unpack(reply.message, "{s:{s:s}}", "parameters", "event", &event), 0);
	assert_string_equal(event, "monitor.started");
	json_decref(reply.message);
	assert_null(control_call_next(&lab->agent, reply.stream, &last));
	assert_false(last);
	log_event(EVENT_BINDING_USABLE, "name=%s family=ipv4", "acme");
	message = control_call_next(&lab->agent, reply.stream, &last);
	assert_false(last);
	assert_int_equal(json_unpack(message, "{s:{s:s, s:[{s:s}]}, s:b}", "parameters", "event", &event,
				     "fields", "value", &name, "continues", &(int){ 0 }), 0);
	assert_string_equal(event, "binding.usable");
	assert_string_equal(name, "acme");
	json_decref(message);
	assert_null(control_call_next(&lab->agent, reply.stream, &last));
	reply.stream->free(reply.stream);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_health), TEST(test_default), TEST(test_nobody), TEST(test_pieces),
		TEST(test_monitor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
