/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: varlink, interface org.outbind.relay. Read only, for root, our own user and the group
 * `outbind`. In the main loop, so it never holds a message up. Peers, their calls and what waits to be
 * written to them are bounded.
 */
#include "relay/control_parts.h"

#include "base/mem.h"
#include "base/sockaddr.h"
#include "relay/listen.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { PEERS_MAX = 32, PEER_OUT_MAX = 4 * 1024 * 1024 };

static const struct {
	const char *name;
	void (*run)(struct control_peer *peer, json_t *in);
} methods[] = {
	{ "org.outbind.relay.GetStatus", control_status },
	{ "org.outbind.relay.GetMetrics", control_metrics },
	{ "org.outbind.relay.Explain", control_explain },
	{ "org.varlink.service.GetInfo", control_info },
	{ "org.varlink.service.GetInterfaceDescription", control_describe },
};

static void peer_free(struct control_peer *peer)
{
	struct control *control = peer->control;
	struct control_peer **at = &control->peers;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	control->n_peers--;
	control_explain_cancel(peer);
	ev_io_stop(control->program->loop, &peer->read);
	ev_io_stop(control->program->loop, &peer->write);
	varlink_reader_drop(&peer->reader);
	buffer_drop(&peer->out);
	fd_drop(&peer->fd);
	free(peer);
}

static void flush(struct control_peer *peer)
{
	struct ev_loop *loop = peer->control->program->loop;

	while (buffer_len(&peer->out) > 0) {
		ssize_t n = send(peer->fd.n, buffer_bytes(&peer->out), buffer_len(&peer->out),
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			ev_io_start(loop, &peer->write);
			return;
		}
		if (n < 0) {
			ev_feed_event(loop, &peer->read, EV_READ);
			return;
		}
		buffer_take(&peer->out, (size_t)n);
	}
	ev_io_stop(loop, &peer->write);
}

static void send_message(struct control_peer *peer, json_t *message)
{
	char *text;
	size_t len = varlink_encode(message, &text);

	if (buffer_len(&peer->out) + len <= PEER_OUT_MAX)
		buffer_put(&peer->out, text, len);
	free(text);
	json_decref(message);
	flush(peer);
}

void control_reply(struct control_peer *peer, json_t *parameters)
{
	send_message(peer, json_pack("{s:o}", "parameters", parameters));
}

void control_go_on(struct control_peer *peer)
{
	ev_feed_event(peer->control->program->loop, &peer->read, EV_READ);
}

void control_error(struct control_peer *peer, const char *error, json_t *parameters)
{
	send_message(peer, json_pack("{s:s, s:o}", "error", error, "parameters", parameters));
}

static void call(struct control_peer *peer, json_t *message)
{
	const char *name = json_string_value(json_object_get(message, "method"));
	json_t *in = json_object_get(message, "parameters");

	if (!peer->may_read) {
		control_error(peer, "org.outbind.relay.PermissionDenied",
			      json_pack("{s:s}", "needs", "the group outbind"));
		return;
	}
	for (size_t i = 0; name && i < ARRAY_LEN(methods); i++) {
		if (strcmp(methods[i].name, name) == 0) {
			methods[i].run(peer, in);
			return;
		}
	}
	control_error(peer, "org.varlink.service.MethodNotFound",
		      json_pack("{s:s}", "method", name ? name : ""));
}

static void on_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct control_peer *peer = io->data;
	char bytes[4096];
	ssize_t n = recv(peer->fd.n, bytes, sizeof bytes, MSG_DONTWAIT);
	json_t *message;
	int r = 0;

	(void)loop;
	(void)revents;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
	    (n > 0 && varlink_feed(&peer->reader, bytes, (size_t)n) < 0)) {
		peer_free(peer);
		return;
	}
	while (!peer->explain && (r = varlink_next(&peer->reader, &message)) == 1) {
		call(peer, message);
		json_decref(message);
	}
	if (r < 0)
		peer_free(peer);
}

static void on_write(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	flush(io->data);
}

/* Root, ourselves, or a member of the group outbind or of our own, which is what a sandbox that hides
 * other groups leaves: by the credentials of connect(2), unix(7). */
static bool may_read(int fd)
{
	const struct group *group = getgrnam("outbind");
	gid_t own = getegid(), readers = group ? group->gr_gid : own;
	AUTO(mem_drop) gid_t *groups = NULL;
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid() || peer.gid == readers || peer.gid == own)
		return true;
	size = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 ||
	    errno != ERANGE)
		return false;
	groups = mem_zero(1, size);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof *groups; i++)
		if (groups[i] == readers || groups[i] == own)
			return true;
	return false;
}

static void on_connect(struct ev_loop *loop, ev_io *io, int revents)
{
	struct control *control = io->data;
	AUTO(fd_drop) struct fd fd = { accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) };
	struct control_peer *peer;

	(void)revents;
	if (fd.n < 0 || control->n_peers >= PEERS_MAX)
		return;
	peer = mem_zero(1, sizeof *peer);
	*peer = (struct control_peer){ .control = control, .next = control->peers,
				       .may_read = may_read(fd.n) };
	peer->fd = fd_take(&fd);
	control->peers = peer;
	control->n_peers++;
	ev_io_init(&peer->read, on_read, peer->fd.n, EV_READ);
	ev_io_init(&peer->write, on_write, peer->fd.n, EV_WRITE);
	peer->read.data = peer->write.data = peer;
	ev_io_start(loop, &peer->read);
}

static int open_socket(const char *path, struct fd *ret)
{
	AUTO(fd_drop)
	struct fd fd = { socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) };
	struct sockaddr_storage address;
	socklen_t size = sockaddr_of_path(path, &address);
	int r;

	if (fd.n < 0)
		return -errno;
	if (size == 0)
		return -ENAMETOOLONG;
	r = listen_clear_path(path);		/* a relay that runs keeps it */
	if (r < 0)
		return r;
	if (bind(fd.n, (struct sockaddr *)&address, size) < 0 ||
	    chmod(path, 0666) < 0 || listen(fd.n, 16) < 0)
		return -errno;
	*ret = fd_take(&fd);
	return 0;
}

int control_start(struct program *program)
{
	struct control *control = mem_zero(1, sizeof *control);
	char path[4200];
	int r;

	control->program = program;
	control->fd = FD_NONE;
	(void)snprintf(path, sizeof path, "%s/control", program->runtime_dir);
	r = open_socket(path, &control->fd);
	if (r < 0) {
		free(control);
		return r;
	}
	ev_io_init(&control->connect, on_connect, control->fd.n, EV_READ);
	control->connect.data = control;
	ev_io_start(program->loop, &control->connect);
	control_explain_start(control);
	program->control = control;
	return 0;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	while (control->peers)
		peer_free(control->peers);
	control_explain_stop(control);
	ev_io_stop(control->program->loop, &control->connect);
	fd_drop(&control->fd);
	free(control);
}
