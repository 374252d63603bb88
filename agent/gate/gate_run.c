/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent accepts connections, knows whose they are, answers them and decides; this process reads them,
 * and tells the agent what was asked for in a form that needs no parsing (gate_message.h). It writes to
 * nobody but the agent. Of each connection one call is with the agent at a time, and it is not read
 * again before the agent says GATE_NEXT: so a peer costs one request of memory, whatever it sends.
 *
 * A tag request is only looked at (MSG_PEEK): message and descriptors stay in the connection until the
 * agent takes them. What strangers pass is never a descriptor of this process: with a file system in
 * user space behind it, closing one could last as long as its owner likes.
 *
 * Limits: a member of group outbind who passes a socket that lingers over the control socket, where nobody
 * asks for descriptors, can hold it up; the agent ends a gate that does not answer, and starts another.
 */
#include "gate/gate_run.h"

#include "base/mem.h"
#include "confine/confine.h"
#include "gate/gate_message.h"
#include "gate/gate_sandbox.h"
#include "proto/varlink.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { REQUEST_MAX = 64 * 1024, EVENTS_AT_ONCE = 32,
       FILES_MAX = GATE_CONNECTIONS_MAX + 64 };

struct connection {
	uint64_t id;
	struct fd fd;
	bool tags;				/* of the tag socket */
	bool asked;				/* a call is with the agent */
	struct varlink_reader reader;
};

struct gate {
	int link, events;
	struct connection *at[GATE_CONNECTIONS_MAX];
	struct gate_message message;		/* being built */
	uint8_t bytes[GATE_MESSAGE_MAX];
};

static void say(struct gate *gate, enum gate_word word, uint64_t id)
{
	size_t n;

	gate->message.word = word;
	gate->message.id = id;
	n = gate_message_write(&gate->message, gate->bytes);
	while (sendto(gate->link, gate->bytes, n, MSG_NOSIGNAL, NULL, 0) < 0)
		if (errno != EINTR)
			_exit(0);		/* the agent is gone */
}

static void close_connection(struct gate *gate, struct connection *connection)
{
	gate->at[connection->id % GATE_CONNECTIONS_MAX] = NULL;
	/* The agent has it open too, so closing alone would leave it there. */
	(void)epoll_ctl(gate->events, EPOLL_CTL_DEL, connection->fd.n, NULL);
	varlink_reader_drop(&connection->reader);
	fd_drop(&connection->fd);
	free(connection);
}

static void end(struct gate *gate, struct connection *connection, enum gate_word word)
{
	say(gate, word, connection->id);
	close_connection(gate, connection);
}

/* Tell the agent of a call in @message, which is taken. False if it is none. */
static bool tell_call(struct gate *gate, struct connection *connection, json_t *message)
{
	bool is_call = gate_message_call(message, &gate->message.call) == 0;

	if (is_call) {
		connection->asked = true;
		say(gate, GATE_CALL, connection->id);
	}
	json_decref(message);
	if (connection->reader.n == 0)
		varlink_reader_drop(&connection->reader);
	return is_call;
}

/* Read until there is a call, or nothing more to be read. */
static void read_control(struct gate *gate, struct connection *connection)
{
	char bytes[16 * 1024];

	while (!connection->asked) {
		json_t *message;
		ssize_t n;
		int r = varlink_next(&connection->reader, &message);

		if (r < 0 || (r > 0 && !tell_call(gate, connection, message))) {
			end(gate, connection, GATE_GARBAGE);
			return;
		}
		if (r > 0)
			return;
		n = recv(connection->fd.n, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			end(gate, connection, GATE_CLOSED);
			return;
		}
		if (varlink_feed(&connection->reader, bytes, (size_t)n) < 0) {
			end(gate, connection, GATE_GARBAGE);
			return;
		}
	}
}

static void read_tag(struct gate *gate, struct connection *connection)
{
	char bytes[TAG_REQUEST_MAX + 1];	/* a message that fills it is too long */
	ssize_t n;

	do
		n = recv(connection->fd.n, bytes, sizeof bytes, MSG_DONTWAIT | MSG_PEEK);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end(gate, connection, GATE_CLOSED);
		return;
	}
	tag_request_read(bytes, (size_t)n, &gate->message.request);
	connection->asked = true;
	say(gate, GATE_TAG, connection->id);
}

static void read_on(struct gate *gate, struct connection *connection)
{
	if (connection->tags)
		read_tag(gate, connection);
	else
		read_control(gate, connection);
}

/* Edges: what came while a call is with the agent is found at GATE_NEXT. */
static void on_connection(struct gate *gate, struct connection *connection, uint32_t events)
{
	if (!connection->asked)
		read_on(gate, connection);
	else if (events & (EPOLLHUP | EPOLLERR))
		end(gate, connection, GATE_CLOSED);
}

static void open_connection(struct gate *gate, const struct gate_order *order, struct fd *fd)
{
	struct connection **place = &gate->at[order->id % GATE_CONNECTIONS_MAX], *connection;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = order->id };

	if (*place)				/* the agent knows better */
		close_connection(gate, *place);
	connection = mem_zero(1, sizeof *connection);
	connection->id = order->id;
	connection->fd = fd_take(fd);
	connection->tags = order->word == GATE_OPEN_TAG;
	connection->reader.limit = REQUEST_MAX;
	*place = connection;
	if (epoll_ctl(gate->events, EPOLL_CTL_ADD, connection->fd.n, &event) < 0)
		end(gate, connection, GATE_CLOSED);
}

static struct connection *find(const struct gate *gate, uint64_t id)
{
	struct connection *connection = gate->at[id % GATE_CONNECTIONS_MAX];

	return connection && connection->id == id ? connection : NULL;
}

static void obey(struct gate *gate, const struct gate_order *order, struct fd *fd)
{
	struct connection *connection = find(gate, order->id);

	if (order->word == GATE_PING)
		say(gate, GATE_ALIVE, 0);
	if ((order->word == GATE_OPEN_CONTROL || order->word == GATE_OPEN_TAG) && fd->n >= 0)
		open_connection(gate, order, fd);
	if (order->word == GATE_CLOSE && connection)
		close_connection(gate, connection);
	if (order->word == GATE_NEXT && connection) {
		connection->asked = false;
		read_on(gate, connection);
	}
}

/* One order of the agent: 1, 0 if there is none; ends the process with the agent. */
static int take_order(struct gate *gate)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct gate_order order;
	struct iovec part = { &order, sizeof order };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	ssize_t n = recvmsg(gate->link, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *passed;
	AUTO(fd_drop) struct fd fd = FD_NONE;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		_exit(0);
	passed = CMSG_FIRSTHDR(&message);
	if (passed && passed->cmsg_type == SCM_RIGHTS &&
	    passed->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd.n, CMSG_DATA(passed), sizeof fd.n);
	if (n == sizeof order)
		obey(gate, &order, &fd);
	return 1;
}

static void serve(struct gate *gate)
{
	struct epoll_event ready[EVENTS_AT_ONCE];
	int n = epoll_wait(gate->events, ready, EVENTS_AT_ONCE, -1);

	for (int i = 0; i < n; i++) {
		struct connection *connection = find(gate, ready[i].data.u64);

		if (ready[i].data.u64 == 0)
			while (take_order(gate))
				;
		else if (connection)
			on_connection(gate, connection, ready[i].events);
	}
}

int gate_run(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0 };
	struct gate *gate = mem_zero(1, sizeof *gate);
	int type, status;
	socklen_t size = sizeof type;

	gate->link = CONFINE_LINK;
	if (getsockopt(gate->link, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET)
		return GATE_EXIT_LINK;
	gate->events = epoll_create1(EPOLL_CLOEXEC);
	if (gate->events < 0 ||
	    epoll_ctl(gate->events, EPOLL_CTL_ADD, gate->link, &event) < 0)
		return GATE_EXIT_MEMORY;
	json_object_seed(0);			/* jansson would open a file for it later */
	status = gate_sandbox_enter(gate->link, gate->events, FILES_MAX);
	if (status != 0)
		return status;
	say(gate, GATE_READY, 0);
	for (;;)
		serve(gate);
}
