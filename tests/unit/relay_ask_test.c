/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the relay asks of other programs, a table by socketmap and the agent by its tag socket, when those
 * come and go: each question gets its own answer or none, and never from within the call that asks.
 */
#include "base/own.h"
#include "base/sockaddr.h"
#include "relay/socketmap.h"
#include "relay/tagging.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

/* The other program, on the same loop: it answers each question with what was asked, or never. */
static struct server {
	struct ev_loop *loop;
	char path[64];
	struct fd listener, fd;
	ev_io accept, read;
	bool silent;
	int n_connections;
} server;

static void answer_table(const char *bytes, size_t n)
{
	for (size_t at = 0; at < n;) {
		int begin = 0;
		size_t len = 0;
		char reply[300];
		int size;

		assert_int_equal(sscanf(bytes + at, "%zu:%n", &len, &begin), 1);
		size = sprintf(reply, "OK %.*s", (int)len, bytes + at + begin);
		assert_int_equal(dprintf(server.fd.n, "%d:%s,", size, reply), size + 2 + (size < 10 ? 1 : 2));
		at += (size_t)begin + len + 1;
	}
}

static void answer_tag(const char *bytes)
{
	const char *name = strstr(bytes, "name:");
	char reply[300] = "OK ";

	if (name)
		(void)snprintf(reply, sizeof reply, "OK mark=7 binding=%s address=192.0.2.1", name + 5);
	(void)!send(server.fd.n, reply, strlen(reply), MSG_NOSIGNAL);
}

static void on_read(struct ev_loop *loop, ev_io *io, int revents)
{
	char bytes[65536];
	ssize_t n = recv(io->fd, bytes, sizeof bytes - 1, 0);
	int type;
	socklen_t size = sizeof type;

	(void)revents;
	if (n <= 0) {
		ev_io_stop(loop, io);
		return;
	}
	bytes[n] = '\0';
	if (server.silent)
		return;
	assert_int_equal(getsockopt(io->fd, SOL_SOCKET, SO_TYPE, &type, &size), 0);
	if (type == SOCK_STREAM)
		answer_table(bytes, (size_t)n);
	else
		answer_tag(bytes);
}

static void hang_up(void)
{
	ev_io_stop(server.loop, &server.read);
	fd_drop(&server.fd);
}

static void on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)revents;
	hang_up();
	server.fd.n = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
	server.n_connections++;
	ev_io_init(&server.read, on_read, server.fd.n, EV_READ);
	ev_io_start(loop, &server.read);
}

static void serve(int type)
{
	struct sockaddr_storage address;
	socklen_t size = sockaddr_of_path(server.path, &address);

	(void)unlink(server.path);
	server.listener.n = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.listener.n, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(server.listener.n, 16), 0);
	ev_io_init(&server.accept, on_accept, server.listener.n, EV_READ);
	ev_io_start(server.loop, &server.accept);
}

static void go_away(void)
{
	ev_io_stop(server.loop, &server.accept);
	fd_drop(&server.listener);
	hang_up();
}

static int setup(void **state)
{
	(void)state;
	server = (struct server){ .loop = ev_loop_new(0), .listener = FD_NONE, .fd = FD_NONE };
	(void)snprintf(server.path, sizeof server.path, "/tmp/outbind-ask-%d", (int)getpid());
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	go_away();
	(void)unlink(server.path);
	ev_loop_destroy(server.loop);
	return 0;
}

static void on_end(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)timer;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static void run_for(double seconds)
{
	ev_timer end;

	ev_now_update(server.loop);
	ev_timer_init(&end, on_end, seconds, 0);
	ev_timer_start(server.loop, &end);
	ev_run(server.loop, 0);
	ev_timer_stop(server.loop, &end);
}

/* A question and what came of it. */
struct asked { int told, result; char text[200]; bool asking; };

static void on_value(void *context, enum socketmap_result result, const char *text)
{
	struct asked *asked = context;

	assert_false(asked->asking);
	asked->told++;
	asked->result = (int)result;
	(void)snprintf(asked->text, sizeof asked->text, "%s", text);
}

static void ask_table(struct socketmap *map, const char *key, struct asked *asked)
{
	*asked = (struct asked){ .asking = true };
	assert_non_null(socketmap_ask(map, key, on_value, asked));
	asked->asking = false;
}

static void check(const char *what, const struct asked *asked, int result, const char *text)
{
	if (asked->told != 1 || asked->result != result || (text && strcmp(asked->text, text) != 0))
		fail_msg("%s: told %d times, %d '%s', expected %d '%s'", what, asked->told, asked->result,
			 asked->text, result, text ? text : "");
}

static struct socketmap *table(void)
{
	struct relay_map conf = { .name = (char *)(uintptr_t)"m", .at = { .path = server.path } };

	return socketmap_new(server.loop, &conf);
}

static void test_a_table_that_comes_back_in_between(void **state)
{
	struct socketmap *map = table();
	struct asked one, two, three;

	(void)state;
	ask_table(map, "one", &one);		/* nobody is there */
	serve(SOCK_STREAM);
	ask_table(map, "two", &two);		/* in the same turn of the loop */
	ask_table(map, "three", &three);
	run_for(0.1);
	check("asked of nobody", &one, SOCKETMAP_TEMPORARY, NULL);
	check("asked of who came", &two, SOCKETMAP_OK, "m two");
	check("the next", &three, SOCKETMAP_OK, "m three");
	socketmap_free(map);
}

static void test_a_table_that_hangs_up(void **state)
{
	struct socketmap *map = table();
	struct asked one, two, three;

	(void)state;
	serve(SOCK_STREAM);
	server.silent = true;
	ask_table(map, "one", &one);
	run_for(0.05);
	server.silent = false;
	hang_up();				/* not seen yet */
	ask_table(map, "two", &two);
	run_for(0.05);
	check("asked before", &one, SOCKETMAP_TEMPORARY, NULL);
	check("asked on the same connection", &two, SOCKETMAP_TEMPORARY, NULL);
	ask_table(map, "three", &three);
	run_for(0.05);
	check("asked on the next", &three, SOCKETMAP_OK, "m three");
	assert_int_equal(server.n_connections, 2);
	socketmap_free(map);
}

static void test_a_table_that_says_nothing_is_asked_so_much_and_no_more(void **state)
{
	static struct asked asked[SOCKETMAP_QUEUE_MAX + 2];
	struct socketmap *map = table();

	(void)state;
	serve(SOCK_STREAM);
	server.silent = true;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		ask_table(map, "key", &asked[i]);
	run_for(0.1);
	for (size_t i = 0; i < SOCKETMAP_QUEUE_MAX; i++)
		assert_int_equal(asked[i].told, 0);
	check("one too many", &asked[SOCKETMAP_QUEUE_MAX], SOCKETMAP_TEMPORARY, NULL);
	check("and one more", &asked[SOCKETMAP_QUEUE_MAX + 1], SOCKETMAP_TEMPORARY, NULL);
	run_for(SOCKETMAP_WAIT_MS / 1000.0);
	check("the first, in the end", &asked[0], SOCKETMAP_TEMPORARY, NULL);
	check("the last", &asked[SOCKETMAP_QUEUE_MAX - 1], SOCKETMAP_TEMPORARY, NULL);
	socketmap_free(map);
}

static void test_the_end_of_a_table_is_told_to_who_waits(void **state)
{
	struct socketmap *map = table();
	struct asked unreachable, open, cancelled = { 0 };

	(void)state;
	ask_table(map, "one", &unreachable);
	serve(SOCK_STREAM);
	server.silent = true;
	ask_table(map, "two", &open);
	socketmap_cancel(socketmap_ask(map, "three", on_value, &cancelled));
	socketmap_free(map);
	check("not even asked", &unreachable, SOCKETMAP_TEMPORARY, NULL);
	check("open", &open, SOCKETMAP_TEMPORARY, NULL);
	assert_int_equal(cancelled.told, 0);
}

static void on_tag(void *context, const struct tagging_answer *answer)
{
	struct asked *asked = context;

	assert_false(asked->asking);
	asked->told++;
	asked->result = answer->error;
	(void)snprintf(asked->text, sizeof asked->text, "%s",
		       answer->error ? answer->why : answer->binding);
}

static struct tagging_query *ask_agent(struct tagging *tagging, const char *whom,
				       struct asked *asked)
{
	struct tagging_query *query;

	*asked = (struct asked){ .asking = true };
	query = tagging_ask(tagging, 1, whom, -1, on_tag, asked);
	assert_non_null(query);
	asked->asking = false;
	return query;
}

static void on_changed(void *context)
{
	++*(int *)context;
}

static void test_an_agent_that_has_hung_up_unseen(void **state)
{
	struct asked one, two, three, four;
	int changes = 0;
	struct tagging *tagging = tagging_new(server.loop, server.path, on_changed, &changes);

	(void)state;
	serve(SOCK_SEQPACKET);
	ask_agent(tagging, "name:one", &one);
	run_for(0.2);
	check("while it is there", &one, 0, "one");
	server.silent = true;
	ask_agent(tagging, "name:two", &two);
	run_for(0.01);
	server.silent = false;
	hang_up();				/* the loop does not know */
	changes = 0;
	ask_agent(tagging, "name:three", &three);
	assert_int_equal(changes, 1);
	ask_agent(tagging, "name:four", &four);	/* of the next one, on another connection */
	run_for(0.1);
	check("open when it hung up", &two, -EHOSTDOWN, NULL);
	check("asked behind that", &three, -EHOSTDOWN, NULL);
	check("asked anew", &four, 0, "four");
	tagging_free(tagging);
}

/* Processor time of asking an agent that reads and does not answer, seconds for @n questions. */
static double time_to_ask(size_t n)
{
	static struct asked asked;
	int changes = 0;
	struct tagging *tagging = tagging_new(server.loop, server.path, on_changed, &changes);
	clock_t began = clock();

	for (size_t i = 0; i < n; i++) {
		tagging_cancel(ask_agent(tagging, "name:one", &asked));
		ev_run(server.loop, EVRUN_NOWAIT);
	}
	tagging_free(tagging);
	return (double)(clock() - began) / CLOCKS_PER_SEC;
}

static void test_a_backlog_costs_as_much_for_each_question(void **state)
{
	double few, many;

	(void)state;
	serve(SOCK_SEQPACKET);
	server.silent = true;
	few = time_to_ask(1000);
	many = time_to_ask(10000);
	print_message("1000 that wait: %.1f ms, 10000: %.1f ms\n", few * 1e3, many * 1e3);
	assert_true(many < 20 * few);		/* 10, or with a walk over all that wait more than 30 */
}

static void test_an_agent_that_goes_away(void **state)
{
	struct asked one, two, cancelled;
	int changes = 0;
	struct tagging *tagging = tagging_new(server.loop, server.path, on_changed, &changes);

	(void)state;
	serve(SOCK_SEQPACKET);
	server.silent = true;
	ask_agent(tagging, "name:one", &one);
	tagging_cancel(ask_agent(tagging, "name:none", &cancelled));
	run_for(0.01);
	go_away();
	ask_agent(tagging, "name:two", &two);
	run_for(0.05);
	check("open", &one, -EHOSTDOWN, NULL);
	check("too late", &two, -EHOSTDOWN, NULL);
	assert_int_equal(cancelled.told, 0);
	tagging_free(tagging);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_table_that_comes_back_in_between),
		TEST(test_a_table_that_hangs_up),
		TEST(test_a_table_that_says_nothing_is_asked_so_much_and_no_more),
		TEST(test_the_end_of_a_table_is_told_to_who_waits),
		TEST(test_an_agent_that_has_hung_up_unseen),
		TEST(test_a_backlog_costs_as_much_for_each_question),
		TEST(test_an_agent_that_goes_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
