/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notices from the real kernel, in a network namespace of its own. Needs root, ip(8) and nft(8). */
#include "kernel/notices.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

static bool have_namespace;

static int enter_namespace(void **state)
{
	(void)state;
	have_namespace =
		unshare(CLONE_NEWNET) == 0 &&
		system("ip link set lo up && ip link add pair0 type veth peer name pair1 && "
		       /* or their link-local addresses make news a second later */
		       "ip link set pair0 addrgenmode none up && "
		       "ip link set pair1 addrgenmode none up && nft list ruleset") == 0;
	if (!have_namespace)
		print_message(
			"no network namespace (root needed), ip(8) or nft(8): tests are skipped\n");
	usleep(100 * 1000); /* the links' own news */
	return 0;
}

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s: failed", command);
}

/* All that comes until @wait_ms pass without any. */
static int read_all(struct notices *notices, unsigned own_port, int wait_ms)
{
	int fds[2], found = 0;

	notices_fds(notices, fds);
	for (int i = 0; i < 1000; i++) {
		struct pollfd polled[2] = { { .fd = fds[0], .events = POLLIN },
					    { .fd = fds[1], .events = POLLIN } };
		int r;

		if (poll(polled, 2, wait_ms) == 0)
			break;
		r = notices_read(notices, own_port);
		if (r < 0)
			fail_msg("notices_read: %s", strerror(-r));
		found |= r;
	}
	return found;
}

static void test_what_concerns_us(void **state)
{
	static const struct {
		const char *what, *command;
		int want;
	} rows[] = {
		{ "an IPv4 address", "ip addr add 192.0.2.1/24 dev pair0", NOTICE_ADDRESSES },
		{ "an IPv6 address", "ip addr add 2001:db8::1/64 nodad dev pair0",
		  NOTICE_ADDRESSES },
		{ "a route by a gateway", "ip route add 203.0.113.0/24 via 192.0.2.2", 0 },
		{ "its removal", "ip route del 203.0.113.0/24", 0 },
		{ "a default route", "ip route add default via 192.0.2.2", NOTICE_ADDRESSES },
		{ "a default route of another table",
		  "ip route add default via 192.0.2.2 table 9", 0 },
		{ "a route of ours in another table",
		  "ip route add default via 192.0.2.2 table 10 proto 111", NOTICE_ADDRESSES },
		{ "its removal", "ip route flush table 10", NOTICE_ADDRESSES },
		{ "a neighbour that nobody asked about",
		  "ip neigh add 192.0.2.3 lladdr 02:00:00:00:00:03 dev pair0", 0 },
		{ "an on-link route", "ip route add 10.9.0.0/16 dev pair0", NOTICE_ADDRESSES },
		{ "an on-link route of another table", "ip route add 10.8.0.0/16 dev pair0 table 9",
		  0 },
		{ "an AnyIP network", "ip route add local 198.51.100.0/24 dev lo",
		  NOTICE_ADDRESSES },
		{ "its removal", "ip route del local 198.51.100.0/24 dev lo", NOTICE_ADDRESSES },
		{ "an IPv6 route by a gateway", "ip -6 route add 2001:db8:5::/48 via 2001:db8::2",
		  0 },
		{ "a static IPv6 route", "ip -6 route add 2001:db8:7::/64 dev pair0", 0 },
		{ "an IPv6 route by a router's word",
		  "ip -6 route add 2001:db8:6::/64 dev pair0 proto ra", NOTICE_ADDRESSES },
		{ "an IPv6 AnyIP network", "ip -6 route add local 2001:db8:8::/64 dev lo",
		  NOTICE_ADDRESSES },
		{ "an IPv4 rule", "ip rule add fwmark 1 lookup 7", NOTICE_RULES },
		{ "an IPv6 rule", "ip -6 rule add fwmark 1 lookup 7", NOTICE_RULES },
		{ "a link's name", "ip link set pair1 alias x", NOTICE_ADDRESSES },
		{ "somebody's table", "nft add table inet other", 0 },
		{ "our table", "nft add table inet ours", NOTICE_TABLE },
		{ "a chain in it", "nft add chain inet ours c", NOTICE_TABLE },
		{ "a rule in it", "nft add rule inet ours c accept", NOTICE_TABLE },
		{ "a set and an element in it",
		  "nft 'add set inet ours s { type mark; }; add element inet ours s { 1 }'",
		  NOTICE_TABLE },
		{ "a chain in another table", "nft add chain inet other c", 0 },
		{ "a table of our name in another family", "nft add table ip ours", 0 },
		{ "everything flushed", "nft flush ruleset", NOTICE_TABLE },
	};
	struct notices *notices = NULL;

	(void)state;
	if (!have_namespace)
		skip();
	assert_int_equal(notices_open("ours", &notices), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int got;

		run(rows[i].command);
		got = read_all(notices, 0, 30);
		if (got != rows[i].want)
			fail_msg("%s: got %#x, want %#x", rows[i].what, (unsigned)got,
				 (unsigned)rows[i].want);
	}
	notices_close(notices);
}

static void test_neighbours(void **state)
{
	struct notices *notices = NULL;
	uint32_t link[NOTICE_LINKS_MAX + 1] = { if_nametoindex("pair0") };

	(void)state;
	if (!have_namespace)
		skip();
	assert_int_equal(notices_open(NULL, &notices), 0);
	assert_int_equal(notices_neighbours(notices, link, 1), 0);
	run("ip neigh replace 192.0.2.5 lladdr 02:00:00:00:00:05 dev pair0");
	assert_int_equal(read_all(notices, 0, 30), NOTICE_NEIGHBOURS);
	run("ip neigh del 192.0.2.5 dev pair0");
	assert_int_equal(read_all(notices, 0, 30), NOTICE_NEIGHBOURS);
	run("ip neigh replace 192.0.2.5 lladdr 02:00:00:00:00:05 dev pair1");
	assert_int_equal(read_all(notices, 0, 30), 0);
	run("ip addr add 192.0.2.66/32 dev pair1");	/* the rest of the filter is as it was */
	assert_int_equal(read_all(notices, 0, 30), NOTICE_ADDRESSES);
	run("ip route add 203.0.113.0/24 via 192.0.2.2 && ip route del 203.0.113.0/24");
	assert_int_equal(read_all(notices, 0, 30), 0);
	for (size_t i = 1; i < ARRAY_LEN(link); i++)
		link[i] = 1000 + (uint32_t)i;
	assert_int_equal(notices_neighbours(notices, link, ARRAY_LEN(link)), 0);
	run("ip neigh replace 192.0.2.6 lladdr 02:00:00:00:00:06 dev pair0");
	assert_int_equal(read_all(notices, 0, 30), NOTICE_NEIGHBOURS);
	assert_int_equal(notices_neighbours(notices, NULL, 0), 0);
	run("ip neigh replace 192.0.2.7 lladdr 02:00:00:00:00:07 dev pair0");
	assert_int_equal(read_all(notices, 0, 30), 0);
	notices_close(notices);
}

static void test_without_table(void **state)
{
	struct notices *notices = NULL;
	int fds[2];

	(void)state;
	if (!have_namespace)
		skip();
	assert_int_equal(notices_open(NULL, &notices), 0);
	notices_fds(notices, fds);
	assert_true(fds[0] >= 0);
	assert_int_equal(fds[1], -1);
	assert_int_equal(notices_read(notices, 0), 0);
	run("nft add table inet ours; nft delete table inet ours");
	assert_int_equal(read_all(notices, 0, 30), 0);
	notices_close(notices);
	notices_close(NULL);
}

static struct nlmsghdr *put_message(struct mnl_nlmsg_batch *batch, int type, int flags, int family,
				    int resource)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
	struct nfgenmsg *general = mnl_nlmsg_put_extra_header(message, sizeof *general);

	message->nlmsg_type = (uint16_t)type;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	general->nfgen_family = (uint8_t)family;
	general->res_id = htons((uint16_t)resource);
	return message;
}

/* Add table inet "ours" through @socket. */
static void add_table(struct mnl_socket *socket)
{
	char buffer[8192];
	struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(buffer, sizeof buffer / 2);
	struct nlmsghdr *message;

	put_message(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	mnl_nlmsg_batch_next(batch);
	message = put_message(batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE,
			      NLM_F_CREATE | NLM_F_ACK, NFPROTO_INET, 0);
	mnl_attr_put_strz(message, NFTA_TABLE_NAME, "ours");
	mnl_nlmsg_batch_next(batch);
	put_message(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	mnl_nlmsg_batch_next(batch);
	assert_true(mnl_socket_sendto(socket, mnl_nlmsg_batch_head(batch),
				      mnl_nlmsg_batch_size(batch)) >= 0);
	mnl_nlmsg_batch_stop(batch);
	assert_true(mnl_socket_recvfrom(socket, buffer, sizeof buffer) > 0);
}

static void test_own_change(void **state)
{
	struct notices *notices = NULL;
	struct mnl_socket *socket;

	(void)state;
	if (!have_namespace)
		skip();
	assert_int_equal(notices_open("ours", &notices), 0);
	socket = mnl_socket_open(NETLINK_NETFILTER);
	assert_non_null(socket);
	assert_int_equal(mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID), 0);
	add_table(socket);
	assert_int_equal(read_all(notices, mnl_socket_get_portid(socket), 30), 0);
	run("nft delete table inet ours");
	assert_int_equal(read_all(notices, mnl_socket_get_portid(socket), 30), NOTICE_TABLE);
	add_table(socket);
	assert_int_equal(read_all(notices, mnl_socket_get_portid(socket) + 1, 30), NOTICE_TABLE);
	mnl_socket_close(socket);
	notices_close(notices);
	run("nft delete table inet ours");
}

static void test_lost(void **state)
{
	static const struct {
		const char *what, *flood;
		int fd;
	} rows[] = {
		{ "rtnetlink",
		  "for i in $(seq 1 60); do echo addr add 10.1.1.$i/32 dev pair0; done | ip -batch -",
		  0 },
		{ "nf_tables",
		  "{ echo 'add table inet ours'; for i in $(seq 1 200); do "
		  "echo \"add chain inet ours c$i\"; done; } | nft -f -",
		  1 },
	};
	int tiny = 1;

	(void)state;
	if (!have_namespace)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct notices *notices = NULL;
		int fds[2], got;

		assert_int_equal(notices_open("ours", &notices), 0);
		notices_fds(notices, fds);
		assert_int_equal(
			setsockopt(fds[rows[i].fd], SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny), 0);
		run(rows[i].flood);
		got = read_all(notices, 0, 30);
		if (!(got & NOTICE_LOST))
			fail_msg("%s: got %#x, want NOTICE_LOST in it", rows[i].what,
				 (unsigned)got);
		/* and it goes on */
		assert_int_equal(read_all(notices, 0, 30), 0);
		run("ip rule add fwmark 3 lookup 8");
		assert_int_equal(read_all(notices, 0, 30), NOTICE_RULES);
		notices_close(notices);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_concerns_us),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_without_table),
		cmocka_unit_test(test_own_change),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests_name("notices", tests, enter_namespace, NULL);
}
