/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tag requests: who may, which socket, which mark. Setting a mark needs CAP_NET_ADMIN. */
#include "daemon/tag_parts.h"

#include "agent_lab.h"
#include "daemon/suspend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define CONF	"binding acme { address 192.0.2.1, 2001:db8::1, 192.0.2.9;\n" \
		"  allow user 1001; allow group 50-60; allow cgroup \"/mail.slice\"; }\n" \
		"binding four { address 192.0.2.2; }\n" \
		"binding gone { address 192.0.2.3; }\n"

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);

	lab_init(lab);
	fake_kernel_address(&lab->fake, "192.0.2.1");
	fake_kernel_address(&lab->fake, "192.0.2.2");
	fake_kernel_address(&lab->fake, "2001:db8::1");
	assert_int_equal(lab_start(lab, CONF), 0);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	lab_drop(*state);
	free(*state);
	return 0;
}

/* As of a peer that is read here. */
static size_t answer(struct lab *lab, struct tag_peer *peer, const char *text,
		     const struct fd *fd, size_t n_fds, char reply[static TAG_REPLY_MAX])
{
	struct tag_request request;

	tag_request_read(text, strlen(text), &request);
	assert_true(tag_request_valid(&request));
	return tag_answer(&lab->agent, peer, &request, fd, n_fds, reply);
}

enum kind { NO_FD, TCP4, TCP6, TCP6_ONLY, UDP4, RAW4, UNIX, A_PIPE, BOUND, LISTENING, CONNECTED };

static struct fd make(enum kind kind)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) },
				  .sin_port = htons(9) };
	struct fd fd = FD_NONE;
	int on = 1, ends[2];

	if (kind == TCP4 || kind == BOUND || kind == LISTENING)
		fd.n = socket(AF_INET, SOCK_STREAM, 0);
	if (kind == TCP6 || kind == TCP6_ONLY)
		fd.n = socket(AF_INET6, SOCK_STREAM, 0);
	if (kind == UDP4 || kind == CONNECTED)
		fd.n = socket(AF_INET, SOCK_DGRAM, 0);
	if (kind == RAW4)
		fd.n = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	if (kind == UNIX)
		fd.n = socket(AF_UNIX, SOCK_STREAM, 0);
	if (kind == A_PIPE && pipe(ends) == 0) {
		fd.n = ends[0];
		close(ends[1]);
	}
	to.sin_port = 0;
	if (kind == TCP6_ONLY)
		setsockopt(fd.n, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (kind == BOUND || kind == LISTENING)
		assert_int_equal(bind(fd.n, (struct sockaddr *)&to, sizeof to), 0);
	if (kind == LISTENING)
		assert_int_equal(listen(fd.n, 1), 0);
	to.sin_port = htons(9);
	if (kind == CONNECTED)
		assert_int_equal(connect(fd.n, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static const struct {
	const char *what, *request;
	enum kind kind;
	const char *want;			/* beginning of the reply */
} requests[] = {
	{ "a TCP socket", "TAG 1 acme", TCP4, "OK 1 192.0.2.1" },
	{ "a UDP socket", "TAG 1 acme", UDP4, "OK 1 192.0.2.1" },
	{ "an IPv6 socket may use both", "TAG 1 acme", TCP6, "OK 1 192.0.2.1 2001:db8::1" },
	{ "an IPv6 socket for IPv4 only", "TAG 1 four", TCP6, "OK 2 192.0.2.2" },
	{ "IPV6_V6ONLY and no IPv6 address", "TAG 1 four", TCP6_ONLY, "ERROR unusable" },
	{ "bound is not connected", "TAG 1 acme", BOUND, "OK 1" },
	{ "the implicit default", "TAG 1 default", TCP4, "OK 0" },
	{ "address not on this host", "TAG 1 gone", TCP4, "ERROR unusable" },
	{ "no such binding", "TAG 1 nobody", TCP4, "ERROR unknown-binding" },
	{ "listening", "TAG 1 acme", LISTENING, "ERROR bad-socket" },
	{ "connected", "TAG 1 acme", CONNECTED, "ERROR bad-socket" },
	{ "a raw socket", "TAG 1 acme", RAW4, "ERROR bad-socket" },
	{ "a Unix socket", "TAG 1 acme", UNIX, "ERROR bad-socket" },
	{ "a pipe", "TAG 1 acme", A_PIPE, "ERROR bad-socket" },
	{ "no descriptor", "TAG 1 acme", NO_FD, "ERROR bad-socket" },
	{ "no name", "TAG 1 ", TCP4, "ERROR bad-request" },
	{ "another version", "TAG 2 acme", TCP4, "ERROR bad-request" },
	{ "a newline is part of the name", "TAG 1 acme\n", TCP4, "ERROR unknown-binding" },
	{ "a name that is too long",
	  "TAG 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", TCP4, "ERROR bad-request" },
	{ "nothing", "", TCP4, "ERROR bad-request" },
	{ "asking of both families", "ASK 2 0 name:acme", NO_FD,
	  "OK mark=1 binding=acme address=192.0.2.1 address=2001:db8::1" },
	{ "asking of what lacks a family", "ASK 2 0 name:four", NO_FD,
	  "OK mark=2 binding=four address=192.0.2.2 no6=no+IPv6+address+in+the+binding" },
	{ "asking of what is not there", "ASK 2 0 name:gone", NO_FD, "OK mark=3 binding=gone "
	  "no4=no+IPv4+address+of+the+binding+is+on+this+host no6=no+IPv6+address+in+the+binding" },
	{ "by address", "ASK 2 7 address:192.0.2.2", NO_FD, "OK mark=2 binding=four " },
	{ "by address of the other family", "ASK 2 7 address:2001:db8::1", NO_FD, "OK mark=1 " },
	{ "by an address that is not on this host", "ASK 2 7 address:192.0.2.9", NO_FD, "OK mark=1 " },
	{ "by nobody's address", "ASK 2 7 address:192.0.2.7", NO_FD, "ERROR unknown-binding no binding has" },
	{ "by what is no address", "ASK 2 7 address:acme", NO_FD, "ERROR bad-request" },
	{ "asking of nobody", "ASK 2 0 name:nobody", NO_FD, "ERROR unknown-binding" },
	{ "asking of the implicit default", "ASK 2 0 name:default", NO_FD, "OK mark=" },
	{ "the highest hash", "ASK 2 4294967295 name:acme", NO_FD, "OK mark=1 " },
	{ "a hash that is too high", "ASK 2 4294967296 name:acme", NO_FD, "ERROR bad-request" },
	{ "a hash that would wrap", "ASK 2 18446744073709551617 name:acme", NO_FD, "ERROR bad-request" },
	{ "no hash", "ASK 2 name:acme", NO_FD, "ERROR bad-request" },
	{ "no kind of name", "ASK 2 0 acme", NO_FD, "ERROR bad-request" },
	{ "an empty name", "ASK 2 0 name:", NO_FD, "ERROR bad-request" },
	{ "marking by version 2", "TAG 2 9 name:four", TCP4, "OK mark=2 binding=four " },
	{ "marking without a socket", "TAG 2 9 name:four", NO_FD, "ERROR bad-socket" },
	{ "marking what is connected", "TAG 2 9 name:four", CONNECTED, "ERROR bad-socket" },
	{ "marking for a family that it lacks", "TAG 2 9 name:four", TCP6_ONLY, "ERROR unusable no IPv6" },
};

static bool may_mark(void)
{
	AUTO(fd_drop) struct fd fd = make(TCP4);
	int mark = 1;

	return setsockopt(fd.n, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0;
}

static void test_requests(void **state)
{
	struct tag_peer root = { .trusted = true };
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		AUTO(fd_drop) struct fd fd = make(requests[i].kind);
		char reply[TAG_REPLY_MAX];
		size_t len;

		if (!may_mark() && (requests[i].want[0] == 'O' || requests[i].kind == RAW4))
			continue;
		len = answer(lab, &root, requests[i].request, &fd, fd.n >= 0, reply);
		if (strncmp(reply, requests[i].want, strlen(requests[i].want)) != 0 ||
		    len != strlen(reply))
			fail_msg("%s: got '%s', want '%s'", requests[i].what, reply,
				 requests[i].want);
	}
}

static void test_two_descriptors(void **state)
{
	struct tag_peer root = { .trusted = true };
	AUTO(fd_drop) struct fd fd = make(TCP4);
	char reply[TAG_REPLY_MAX];
	struct lab *lab = *state;

	answer(lab, &root, "TAG 1 acme", &fd, 2, reply);
	assert_non_null(strstr(reply, "ERROR bad-socket expected exactly one"));
}

/* Bits of the mark that are not ours stay; ours are replaced. */
static void test_mark_bits(void **state)
{
	struct tag_peer root = { .trusted = true };
	AUTO(fd_drop) struct fd fd = make(TCP4);
	unsigned mark = 0xabcd1fff;
	socklen_t size = sizeof mark;
	char reply[TAG_REPLY_MAX];
	struct lab *lab = *state;

	if (setsockopt(fd.n, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0)
		skip();
	answer(lab, &root, "TAG 1 four", &fd, 1, reply);
	assert_int_equal(getsockopt(fd.n, SOL_SOCKET, SO_MARK, &mark, &size), 0);
	assert_int_equal(mark, 0xabcd0002);
}

static void test_allowed(void **state)
{
	gid_t groups[] = { 7, 55 };
	struct {
		const char *what;
		struct tag_peer peer;
		bool want;
	} peers[] = {
		{ "the relay", { .trusted = true }, true },
		{ "the user", { .credentials = { .uid = 1001, .gid = 1 } }, true },
		{ "another user", { .credentials = { .uid = 1002, .gid = 1 } }, false },
		{ "the group", { .credentials = { .uid = 5, .gid = 60 } }, true },
		{ "beside the group", { .credentials = { .uid = 5, .gid = 61 } }, false },
		{ "a supplementary group",
		  { .credentials = { .uid = 5, .gid = 1, .groups = groups, .n_groups = 2 } },
		  true },
		{ "the cgroup",
		  { .credentials = { .uid = 5, .gid = 1 }, .cgroup = (char[]){ "/mail.slice" } },
		  true },
		{ "below the cgroup",
		  { .credentials = { .uid = 5, .gid = 1 }, .cgroup = (char[]){ "/mail.slice/a" } },
		  true },
		{ "a name that begins like it",
		  { .credentials = { .uid = 5, .gid = 1 }, .cgroup = (char[]){ "/mail.slices" } },
		  false },
		{ "above it",
		  { .credentials = { .uid = 5, .gid = 1 }, .cgroup = (char[]){ "/" } },
		  false },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		if ((tag_check_allowed(&lab->agent, &peers[i].peer, 0).code == NULL) !=
		    peers[i].want)
			fail_msg("%s: want %d", peers[i].what, peers[i].want);
	assert_string_equal(tag_check_allowed(&lab->agent, &peers[1].peer, 1).code, TAG_DENIED);
	assert_string_equal(tag_check_allowed(&lab->agent, &peers[1].peer, NO_INDEX).code,
			    TAG_DENIED);
}

/* The reply to an ASK of @whom with @hash, without what follows the name of the member. */
static void ask_member(struct lab *lab, uint32_t hash, const char *whom, char *ret, size_t size)
{
	struct tag_peer root = { .trusted = true };
	char reply[TAG_REPLY_MAX], request[64];
	const char *name;

	snprintf(request, sizeof request, "ASK 2 %u name:%s", hash, whom);
	answer(lab, &root, request, NULL, 0, reply);
	name = strstr(reply, "binding=");
	snprintf(ret, size, "%.*s", name ? (int)strcspn(name + 8, " ") : 60,
		 name ? name + 8 : reply);
}

/* Every hash finds a member, always the same; and another one only if that one is suspended. */
static void test_members(void **state)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	struct lab *lab = *state;
	char before[256][64], now[64];
	size_t of_four = 0;

	assert_int_equal(lab_reload(lab, CONF "group both { member acme; member four; member gone; "
					 "pick sticky-destination; }\n"), 0);
	for (uint32_t i = 0; i < ARRAY_LEN(before); i++) {
		ask_member(lab, i * 16807, "both", before[i], sizeof before[i]);
		of_four += strcmp(before[i], "four") == 0;
		assert_true(strcmp(before[i], "four") == 0 || strcmp(before[i], "acme") == 0);
	}
	assert_in_range(of_four, 64, 192);
	assert_int_equal(suspend_binding(&lab->agent, model_find(&lab->agent.now->model, "four"),
					 true, &out), 0);
	for (uint32_t i = 0; i < ARRAY_LEN(before); i++) {
		ask_member(lab, i * 16807, "both", now, sizeof now);
		assert_string_equal(now, "acme");
	}
	assert_int_equal(suspend_binding(&lab->agent, model_find(&lab->agent.now->model, "four"),
					 false, &out), 0);
	for (uint32_t i = 0; i < ARRAY_LEN(before); i++) {
		ask_member(lab, i * 16807, "both", now, sizeof now);
		assert_string_equal(now, before[i]);
	}
	assert_int_equal(suspend_binding(&lab->agent, model_find(&lab->agent.now->model, "both"),
					 true, &out), 0);
	ask_member(lab, 5, "both", now, sizeof now);
	assert_string_equal(now, "ERROR unusable suspended");
}

static void test_denied(void **state)
{
	struct tag_peer peer = { .credentials = { .uid = 1002, .gid = 1 } };
	AUTO(fd_drop) struct fd fd = make(TCP4);
	char reply[TAG_REPLY_MAX];
	struct lab *lab = *state;

	answer(lab, &peer, "TAG 1 acme", &fd, 1, reply);
	assert_non_null(strstr(reply, "ERROR not-allowed"));
	answer(lab, &peer, "ASK 2 1 name:acme", &fd, 0, reply);
	assert_non_null(strstr(reply, "ERROR not-allowed"));
	answer(lab, &peer, "ASK 2 1 address:192.0.2.1", &fd, 0, reply);
	assert_non_null(strstr(reply, "ERROR not-allowed"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_requests), TEST(test_two_descriptors), TEST(test_mark_bits),
		TEST(test_allowed), TEST(test_denied), TEST(test_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
