/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections by mark: messages as conntrack writes them, whole and cut short; then the real
 * conntrack and real sockets, on lo of a network namespace of the test's own (root).
 */
#include "kernel/flows.h"

#include "kernel/attributes.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

static const struct fwmark mask = { 0xff00 }, ours = { 0x500 }, other = { 0x600 };

static void put_tuple(struct nlmsghdr *message, uint16_t type, const char *from, const char *to,
		      uint16_t from_port, uint16_t to_port, uint8_t protocol)
{
	struct nlattr *tuple = mnl_attr_nest_start(message, type), *part;
	struct ip a, b;

	assert_int_equal(ip_parse(from, &a), 0);
	assert_int_equal(ip_parse(to, &b), 0);
	part = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	mnl_attr_put(message, a.len == 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, a.len, a.octet);
	mnl_attr_put(message, b.len == 4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, b.len, b.octet);
	mnl_attr_nest_end(message, part);
	part = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(message, CTA_PROTO_NUM, protocol);
	mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(from_port));
	mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(to_port));
	mnl_attr_nest_end(message, part);
	mnl_attr_nest_end(message, tuple);
}

/* 10.0.0.1 port 4000 to 203.0.113.1 port 25, seen there as 192.0.2.11 port 4001. */
static struct nlmsghdr *entry(char *buffer, uint8_t protocol, int tcp_state, uint32_t status)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nlattr *outer, *inner;

	mnl_nlmsg_put_extra_header(message, sizeof(struct nfgenmsg));
	put_tuple(message, CTA_TUPLE_ORIG, "10.0.0.1", "203.0.113.1", 4000, 25, protocol);
	put_tuple(message, CTA_TUPLE_REPLY, "203.0.113.1", "192.0.2.11", 25, 4001, protocol);
	mnl_attr_put_u32(message, CTA_STATUS, htonl(status));
	mnl_attr_put_u32(message, CTA_MARK, htonl(0x70000500));
	mnl_attr_put_u32(message, CTA_ID, htonl(77));
	mnl_attr_put_u16(message, CTA_ZONE, htons(9));
	if (tcp_state >= 0) {
		outer = mnl_attr_nest_start(message, CTA_PROTOINFO);
		inner = mnl_attr_nest_start(message, CTA_PROTOINFO_TCP);
		mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_STATE, (uint8_t)tcp_state);
		mnl_attr_nest_end(message, inner);
		mnl_attr_nest_end(message, outer);
	}
	return message;
}

static void test_entry_is_read(void **state)
{
	char buffer[1024], text[IP_TEXT];
	struct nlmsghdr *message = entry(buffer, IPPROTO_TCP, 3, IPS_SEEN_REPLY);
	uint32_t whole = message->nlmsg_len;
	struct flow flow;

	(void)state;
	assert_true(flows_parse(message, &flow));
	assert_string_equal(ip_print(&flow.connection.from, text), "10.0.0.1");
	assert_string_equal(ip_print(&flow.connection.to, text), "203.0.113.1");
	assert_string_equal(ip_print(&flow.connection.source, text), "192.0.2.11");
	assert_int_equal(flow.connection.from_port, 4000);
	assert_int_equal(flow.connection.to_port, 25);
	assert_int_equal(flow.connection.source_port, 4001);
	assert_int_equal(flow.connection.mark.host, 0x70000500);
	assert_int_equal(flow.connection.id, 77);
	assert_int_equal(flow.connection.zone, 9);
	assert_string_equal(flow.connection.state, "ESTABLISHED");
	assert_true(flow.connection.alive);
	/* Cut anywhere it is refused, or is less: never read beyond (the sanitizers look). */
	for (uint32_t len = NLMSG_HDRLEN; len < whole; len++) {
		char *cut = malloc(len);

		memcpy(cut, buffer, len);
		((struct nlmsghdr *)cut)->nlmsg_len = len;
		(void)flows_parse((struct nlmsghdr *)cut, &flow);
		free(cut);
	}
}

static const struct {
	const char *what;
	uint8_t protocol;
	int tcp_state;
	uint32_t status;
	bool want;
} lives[] = {
	{ "TCP that was sent a SYN", IPPROTO_TCP, 1, 0, true },
	{ "TCP that waits for the last ACK", IPPROTO_TCP, 6, IPS_SEEN_REPLY, true },
	{ "TCP opened by both", IPPROTO_TCP, 9, IPS_SEEN_REPLY, true },
	{ "TCP in TIME_WAIT", IPPROTO_TCP, 7, IPS_SEEN_REPLY, false },
	{ "TCP that was reset", IPPROTO_TCP, 8, IPS_SEEN_REPLY, false },
	{ "TCP in a state that is not known", IPPROTO_TCP, 200, IPS_SEEN_REPLY, false },
	{ "a datagram that was answered", IPPROTO_UDP, -1, IPS_SEEN_REPLY, true },
	{ "a datagram without answer", IPPROTO_UDP, -1, IPS_CONFIRMED, false },
	{ "an entry that is being removed", IPPROTO_UDP, -1, IPS_SEEN_REPLY | IPS_DYING, false },
};

static void test_alive(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		char buffer[1024];
		struct flow flow;

		assert_true(flows_parse(entry(buffer, lives[i].protocol, lives[i].tcp_state,
					      lives[i].status), &flow));
		if (flow.connection.alive != lives[i].want)
			fail_msg("%s: alive %d", lives[i].what, flow.connection.alive);
	}
}

/* --- the real kernel --- */

static bool isolated;

static int isolate(void **state)
{
	(void)state;
	isolated = unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0 &&
		   system("nft -f - <<'END'\n"
			  "table inet t {\n"
			  "  chain o { type filter hook output priority mangle;\n"
			  "    tcp dport 7025 ct mark set 0x70000500\n"
			  "    tcp dport 7026 ct mark set 0x600\n"
			  "    udp dport 7053 ct mark set 0x500; }\n"
			  "}\nEND") == 0;
	return 0;
}

#define NEED_ROOT() \
	do { \
		if (!isolated) { \
			print_message("skipped: no network namespace of our own (not root?)\n"); \
			skip(); \
		} \
	} while (0)

union end { struct sockaddr any; struct sockaddr_in four; struct sockaddr_in6 six; };

static socklen_t loopback(union end *address, int family, uint16_t port)
{
	*address = (union end){ 0 };
	if (family == AF_INET)
		address->four = (struct sockaddr_in){ .sin_family = AF_INET,
						      .sin_port = htons(port),
						      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	else
		address->six = (struct sockaddr_in6){ .sin6_family = AF_INET6,
						      .sin6_port = htons(port),
						      .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	return family == AF_INET ? sizeof address->four : sizeof address->six;
}

static int bound(int family, int kind, uint16_t port)
{
	union end address;
	socklen_t len = loopback(&address, family, port);
	int fd = socket(family, kind, 0), on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
	assert_int_equal(bind(fd, &address.any, len), 0);
	if (kind == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int connected(int family, int kind, uint16_t port)
{
	union end address;
	socklen_t len = loopback(&address, family, port);
	int fd = socket(family, kind, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &address.any, len), 0);
	return fd;
}

static uint64_t count(struct fwmark mark)
{
	uint64_t n = 99;

	assert_int_equal(flows_count(mask, &mark, 1, &n), 0);
	return n;
}

static int error_of(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 ? errno : 0;
}

static void end_tcp(int family)
{
	struct fwmark both[] = { ours, other };
	struct connections AUTO(connections_drop) list = { 0 };
	int door = bound(family, SOCK_STREAM, 7025), second = bound(family, SOCK_STREAM, 7026);
	int client = connected(family, SOCK_STREAM, 7025);
	int server = accept(door, NULL, NULL);
	int bystander = connected(family, SOCK_STREAM, 7026);
	struct killed killed;
	uint64_t counts[2];

	assert_int_equal(count(ours), 1);
	assert_int_equal(flows_count(mask, both, 2, counts), 0);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 1);
	assert_int_equal(flows_list(mask, ours, 0, &list), 0);
	assert_int_equal(list.n, 0);
	assert_int_equal(flows_list(mask, ours, 10, &list), 0);
	assert_int_equal(list.n_all, 1);
	assert_int_equal(list.at[0].to_port, 7025);
	assert_string_equal(list.at[0].state, "ESTABLISHED");

	assert_int_equal(flows_kill(mask, ours, &killed), 0);
	assert_int_equal(killed.n_ended, 1);
	assert_int_equal(killed.n_left, 0);
	assert_int_equal(error_of(client), ECONNABORTED);
	assert_int_equal(error_of(server), ECONNRESET);
	assert_int_equal(error_of(bystander), EAGAIN);
	assert_int_equal(count(ours), 0);
	assert_int_equal(count(other), 1);
	close(client);
	client = connected(family, SOCK_STREAM, 7025);	/* the listener lives */
	assert_int_equal(flows_kill(mask, ours, &killed), 0);
	assert_int_equal(flows_kill(mask, other, &killed), 0);
	close(client);
	close(server);
	close(bystander);
	close(door);
	close(second);
}

static void test_tcp_ends(void **state)
{
	(void)state;
	NEED_ROOT();
	end_tcp(AF_INET);
	end_tcp(AF_INET6);
}

/* A socket for both families, to an IPv4 address. */
static void test_mapped_ends(void **state)
{
	union end address = { .six = { .sin6_family = AF_INET6, .sin6_port = htons(7025) } };
	struct killed killed;
	int door, client;

	(void)state;
	NEED_ROOT();
	door = bound(AF_INET, SOCK_STREAM, 7025);
	client = socket(AF_INET6, SOCK_STREAM, 0);
	address.six.sin6_addr.s6_addr[10] = address.six.sin6_addr.s6_addr[11] = 0xff;
	address.six.sin6_addr.s6_addr[12] = 127;
	address.six.sin6_addr.s6_addr[15] = 1;
	assert_int_equal(connect(client, &address.any, sizeof address.six), 0);
	assert_int_equal(flows_kill(mask, ours, &killed), 0);
	assert_int_equal(killed.n_ended, 1);
	assert_int_equal(error_of(client), ECONNABORTED);
	close(client);
	close(door);
}

static void test_datagrams_end(void **state)
{
	union end address;
	socklen_t len = sizeof address;
	struct killed killed;
	int server, client, loner;
	char byte = 'x';

	(void)state;
	NEED_ROOT();
	server = bound(AF_INET, SOCK_DGRAM, 7053);
	client = connected(AF_INET, SOCK_DGRAM, 7053);
	loner = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(send(client, &byte, 1, 0), 1);
	assert_int_equal(count(ours), 0);	/* not answered yet */
	assert_int_equal(recvfrom(server, &byte, 1, 0, &address.any, &len), 1);
	assert_int_equal(sendto(server, &byte, 1, 0, &address.any, len), 1);
	len = loopback(&address, AF_INET, 7053);
	assert_int_equal(sendto(loner, &byte, 1, 0, &address.any, len), 1);
	len = sizeof address;
	assert_int_equal(recvfrom(server, &byte, 1, 0, &address.any, &len), 1);
	assert_int_equal(sendto(server, &byte, 1, 0, &address.any, len), 1);
	assert_int_equal(count(ours), 2);
	assert_int_equal(recv(client, &byte, 1, 0), 1);
	assert_int_equal(recv(loner, &byte, 1, 0), 1);
	assert_int_equal(flows_kill(mask, ours, &killed), 0);
	assert_int_equal(killed.n_ended, 2);
	assert_int_equal(error_of(client), ECONNABORTED);
	assert_int_equal(error_of(loner), EAGAIN);	/* unconnected: it has other flows too */
	assert_int_equal(error_of(server), EAGAIN);
	close(server);
	close(client);
	close(loner);
}

static bool carried(uint32_t mark)
{
	const struct fwmark marks[] = { { mark }, { 0x7700 } };
	bool one = true, two[2] = { true, true };

	assert_int_equal(flows_carried(mask, marks, 1, &one), 0);
	assert_int_equal(flows_carried(mask, marks, 2, two), 0);
	assert_int_equal(one, two[0]);
	assert_false(two[1]);
	return one;
}

static void test_carried(void **state)
{
	static const struct { int family, kind; } kinds[] = {
		{ AF_INET, SOCK_STREAM }, { AF_INET6, SOCK_STREAM },
		{ AF_INET, SOCK_DGRAM }, { AF_INET6, SOCK_DGRAM },
	};
	uint32_t mark = 0xab000900;		/* with bits of others */

	(void)state;
	NEED_ROOT();
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		int fd = bound(kinds[i].family, kinds[i].kind, 7099);

		assert_false(carried(0x900));
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark), 0);
		assert_true(carried(0x900));
		assert_false(carried(0x800));
		close(fd);
		assert_false(carried(0x900));
	}
}

static void test_carried_by_the_dead(void **state)
{
	int door, client, server;

	(void)state;
	NEED_ROOT();
	door = bound(AF_INET, SOCK_STREAM, 7026);
	client = connected(AF_INET, SOCK_STREAM, 7026);
	server = accept(door, NULL, NULL);
	close(client);
	close(server);
	close(door);
	assert_int_equal(count(other), 0);
	assert_true(carried(other.host));
}

enum { MANY = 10000 };

static void answer_one(int server, uint32_t number)
{
	union end address;
	socklen_t len = loopback(&address, AF_INET, 0);
	int client = socket(AF_INET, SOCK_DGRAM, 0);
	char byte = 'x';

	address.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number);
	assert_int_equal(bind(client, &address.any, len), 0);
	len = loopback(&address, AF_INET, 7053);
	assert_int_equal(connect(client, &address.any, len), 0);
	assert_int_equal(send(client, &byte, 1, 0), 1);
	len = sizeof address;
	assert_int_equal(recvfrom(server, &byte, 1, 0, &address.any, &len), 1);
	assert_int_equal(sendto(server, &byte, 1, 0, &address.any, len), 1);
	close(client);
}

/* A dump of many messages; more than are ended at once. */
static void test_many(void **state)
{
	struct connections AUTO(connections_drop) list = { 0 };
	struct timespec begun, ended;
	struct killed killed = { .n_ended = 1 };
	unsigned rounds = 0;
	int server;

	(void)state;
	NEED_ROOT();
	server = bound(AF_INET, SOCK_DGRAM, 7053);
	for (uint32_t i = 0; i < MANY; i++)
		answer_one(server, i);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	assert_int_equal(count(ours), MANY);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	print_message("counted %d in %ld us\n", MANY,
		      (ended.tv_sec - begun.tv_sec) * 1000000 +
			      (ended.tv_nsec - begun.tv_nsec) / 1000);
	assert_int_equal(flows_list(mask, ours, 3, &list), 0);
	assert_int_equal(list.n, 3);
	assert_int_equal(list.n_all, MANY);
	for (; count(ours) > 0 && killed.n_ended > 0; rounds++)
		assert_int_equal(flows_kill(mask, ours, &killed), 0);
	assert_int_equal(count(ours), 0);
	assert_true(rounds > 1);
	close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry_is_read),
		cmocka_unit_test(test_alive),
		cmocka_unit_test(test_tcp_ends),
		cmocka_unit_test(test_mapped_ends),
		cmocka_unit_test(test_datagrams_end),
		cmocka_unit_test(test_carried),
		cmocka_unit_test(test_carried_by_the_dead),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("flows", tests, isolate, NULL);
}
