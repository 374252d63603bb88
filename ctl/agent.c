/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control connection: one per call unless one is held, blocking, and given up when agent or relay
 * stays silent for ctl->patience_ms. Varlink: a call is one object, replies come until one without `continues`.
 */
#include "agent.h"

#include "base/mem.h"
#include "base/sockaddr.h"
#include "proto/varlink.h"
#include "refusal.h"
#include "reply.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* The agent is trusted with long answers: what it keeps may be a long text. */
enum { READ_BYTES = 64 * 1024, ANSWER_MAX = 512 << 20 };
enum { QUIET_MS = 1000, SILENCE_MS = 5000, TICK_MS = 100, TICKS_SILENT = 10 };

static int report_connect(const struct ctl *ctl, const char *path, int error)
{
	if (error == EACCES || error == EPERM) {
		ctl_complain(ctl,
			     "%s: permission denied; reading is for root and the group outbind, "
			     "changes are for root", path);
		return CTL_DENIED;
	}
	if (error == ENAMETOOLONG)
		ctl_complain(ctl, "%s: path too long for a socket", path);
	else
		ctl_complain(ctl, "cannot reach %s at %s: %s; is it running?", ctl_server(ctl),
			     path, strerror(error));
	return CTL_UNREACHABLE;
}

int agent_connect(const struct ctl *ctl, const char *path, struct fd *ret)
{
	struct timeval patience = { ctl->patience_ms / 1000, ctl->patience_ms % 1000 * 1000L };
	struct sockaddr_storage to;
	socklen_t size = sockaddr_of_path(path, &to);
	AUTO(fd_drop) struct fd fd = FD_NONE;

	if (size == 0)
		return ENAMETOOLONG;
	fd.n = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd.n < 0 ||
	    setsockopt(fd.n, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
	    setsockopt(fd.n, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0)
		return errno;
	while (connect(fd.n, (struct sockaddr *)&to, size) < 0)
		if (errno != EINTR)
			return errno;
	*ret = fd_take(&fd);
	return 0;
}

static int connect_to(const struct ctl *ctl, struct fd *ret_socket)
{
	char *AUTO(mem_drop) path = NULL;
	int error;

	if (ctl->relay_socket)
		path = mem_copy(ctl->relay_socket);
	else if (asprintf(&path, "%s/%s", ctl->runtime_dir, VARLINK_SOCKET_NAME) < 0)
		abort();
	error = agent_connect(ctl, path, ret_socket);
	return error ? report_connect(ctl, path, error) : CTL_DONE;
}

static int report_lost(const struct ctl *ctl, int error)
{
	if (error == EAGAIN)
		ctl_complain(ctl, "%s does not answer", ctl_server(ctl));
	else if (error == 0)
		ctl_complain(ctl, "%s closed the connection before it answered", ctl_server(ctl));
	else
		ctl_complain(ctl, "lost the connection to %s: %s", ctl_server(ctl),
			     strerror(error));
	return CTL_UNREACHABLE;
}

static int send_call(const struct ctl *ctl, int fd, const char *method, bool more,
		     json_t *parameters)
{
	char name[128], *AUTO(mem_drop) bytes = NULL;
	AUTO(json_drop) json_t *call = json_object();
	size_t n, sent = 0;

	(void)snprintf(name, sizeof name, "%s.%s",
		       ctl->relay_socket ? VARLINK_RELAY_INTERFACE : VARLINK_INTERFACE, method);
	if (json_object_set_new(call, "method", json_string(name)) < 0 ||
	    json_object_set_new(call, "parameters", parameters ? parameters : json_object()) < 0 ||
	    (more && json_object_set_new(call, "more", json_true()) < 0))
		abort();
	n = varlink_encode(call, &bytes);
	while (sent < n) {
		ssize_t got = send(fd, bytes + sent, n - sent, MSG_NOSIGNAL);

		if (got < 0 && errno != EINTR)
			return report_lost(ctl, errno);
		sent += got > 0 ? (size_t)got : 0;
	}
	return CTL_DONE;
}

/* Where nobody watches, say once that nothing comes: a stopped agent is silent for long. */
static int wait_told(const struct ctl *ctl, int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int r = 0;

	if (ctl->patience_ms > SILENCE_MS)
		r = poll(&ready, 1, SILENCE_MS);
	if (r == 0 && ctl->patience_ms > SILENCE_MS)
		ctl_complain(ctl, "%s has been silent for %d s; waiting up to %d s for it",
			     ctl_server(ctl), SILENCE_MS / 1000, ctl->patience_ms / 1000);
	return r;
}

/* Wait for bytes from @fd; on a terminal, and after a second, show that time is passing. */
static int wait_shown(const struct ctl *ctl, int fd)
{
	static const char wheel[] = "|/-\\";
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int ticks = 0, r = 0;

	if (!ctl->progress)
		return wait_told(ctl, fd);
	while (r == 0 && ticks * TICK_MS < ctl->patience_ms) {
		r = poll(&ready, 1, TICK_MS);
		if (r != 0 || ++ticks < TICKS_SILENT)
			continue;
		(void)fprintf(ctl->err, "\r%c %s is at it, %d s", wheel[ticks % 4],
			      ctl_server(ctl), ticks * TICK_MS / 1000);
		(void)fflush(ctl->err);
	}
	if (ticks >= TICKS_SILENT)
		(void)fputs("\r\033[K", ctl->err);
	return r;
}

/* The next message from @fd into *@ret; waits for it. */
static int next_message(const struct ctl *ctl, int fd, struct varlink_reader *reader, json_t **ret)
{
	for (;;) {
		char *AUTO(mem_drop) bytes = NULL;
		int r = varlink_next(reader, ret);
		ssize_t n;

		if (r > 0)
			return CTL_DONE;
		if (r == 0) {
			bytes = malloc(READ_BYTES);
			if (!bytes)
				abort();
			if (wait_shown(ctl, fd) < 0 && errno != EINTR)
				return report_lost(ctl, errno);
			n = recv(fd, bytes, READ_BYTES, 0);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return report_lost(ctl, n < 0 ? errno : 0);
			r = varlink_feed(reader, bytes, (size_t)n);
		}
		if (r < 0) {
			ctl_complain(ctl, "%s answered something that is not varlink: %s",
				     ctl_server(ctl), strerror(-r));
			return CTL_UNREACHABLE;
		}
	}
}

int agent_hold(struct ctl *ctl, struct fd *ret)
{
	int r = connect_to(ctl, ret);

	if (r == CTL_DONE)
		ctl->line = ret;
	return r;
}

/* The next reply from @fd; a refusal is told. @ret_reply: NULL if it holds nothing. */
static int next_reply(const struct ctl *ctl, int fd, struct varlink_reader *reader,
		      json_t **ret_reply, bool *ret_continues)
{
	AUTO(json_drop) json_t *message = NULL;
	int r = next_message(ctl, fd, reader, &message);
	const char *error;

	if (r != CTL_DONE)
		return r;
	error = reply_text(message, "error");
	if (*error)
		return refusal_report(ctl, error, reply_member(message, "parameters"));
	*ret_reply = reply_keep(message, "parameters");
	*ret_continues = reply_true(message, "continues");
	return CTL_DONE;
}

/* A call and all its replies; takes @parameters. */
static int converse(const struct ctl *ctl, const char *method, bool more, json_t *parameters,
		    agent_reply *each, void *context)
{
	AUTO(json_drop) json_t *owned = parameters;
	AUTO(fd_drop) struct fd fd = FD_NONE;
	AUTO(varlink_reader_drop) struct varlink_reader reader = { .limit = ANSWER_MAX };
	int r = ctl->line ? CTL_DONE : connect_to(ctl, &fd);
	int line = ctl->line ? ctl->line->n : fd.n;
	bool continues = true;

	if (r == CTL_DONE)
		r = send_call(ctl, line, method, more, json_incref(owned));
	while (r == CTL_DONE && continues) {
		AUTO(json_drop) json_t *reply = NULL;

		r = next_reply(ctl, line, &reader, &reply, &continues);
		if (r == CTL_DONE)
			each(context, reply);
	}
	return r;
}

int agent_call(struct ctl *ctl, const char *method, json_t *parameters, agent_reply *each,
	       void *context)
{
	return converse(ctl, method, true, parameters, each, context);
}

void agent_keep(void *context, json_t *reply)
{
	json_t **kept = context;

	json_decref(*kept);
	*kept = json_incref(reply);
}

/* What an answer of one reply comes to. */
static int take_reply(int r, json_t *reply, json_t **ret_reply)
{
	if (r == CTL_DONE)
		*ret_reply = reply ? reply : json_object();
	else
		json_decref(reply);
	return r;
}

int agent_ask(struct ctl *ctl, const char *method, json_t *parameters, json_t **ret_reply)
{
	json_t *reply = NULL;
	int r = converse(ctl, method, false, parameters, agent_keep, &reply);

	return take_reply(r, reply, ret_reply);
}

int agent_begin(struct ctl *ctl, const char *method, json_t *parameters, struct fd *ret_fd,
		json_t **ret_reply)
{
	AUTO(json_drop) json_t *owned = parameters;
	AUTO(fd_drop) struct fd fd = FD_NONE;
	AUTO(varlink_reader_drop) struct varlink_reader reader = { .limit = ANSWER_MAX };
	int r = connect_to(ctl, &fd);
	bool continues;

	if (r == CTL_DONE)
		r = send_call(ctl, fd.n, method, true, json_incref(owned));
	if (r == CTL_DONE)
		r = next_reply(ctl, fd.n, &reader, ret_reply, &continues);
	if (r == CTL_DONE)
		*ret_fd = fd_take(&fd);
	return r;
}

/* Without a voice, and with little patience. */
static int converse_quietly(const struct ctl *ctl, const char *method, bool more,
			    json_t *parameters, agent_reply *each, void *context)
{
	FILE *nowhere = fopen("/dev/null", "we");
	struct ctl mute = *ctl;
	int r;

	if (!nowhere) {
		json_decref(parameters);
		return CTL_REFUSED;
	}
	mute.out = mute.err = nowhere;
	mute.json = mute.progress = false;
	mute.patience_ms = ctl->patience_ms < QUIET_MS ? ctl->patience_ms : QUIET_MS;
	r = converse(&mute, method, more, parameters, each, context);
	(void)fclose(nowhere);
	return r;
}

int agent_call_quietly(const struct ctl *ctl, const char *method, json_t *parameters,
		       agent_reply *each, void *context)
{
	return converse_quietly(ctl, method, true, parameters, each, context);
}

int agent_ask_quietly(const struct ctl *ctl, const char *method, json_t *parameters,
		      json_t **ret_reply)
{
	json_t *reply = NULL;
	int r = converse_quietly(ctl, method, false, parameters, agent_keep, &reply);

	return take_reply(r, reply, ret_reply);
}

int agent_add_text(struct ctl *ctl, json_t *parameters, const char *key, const char *text)
{
	if (json_object_set_new(parameters, key, json_string(text)) == 0)
		return CTL_DONE;
	ctl_complain(ctl, "%s: not valid UTF-8", key);
	return CTL_USAGE;
}

int agent_find_config(struct ctl *ctl, char **ret)
{
	AUTO(json_drop) json_t *status = NULL;
	int r = agent_ask(ctl, "GetStatus", NULL, &status);
	const char *path = reply_text(status, "configuration");

	if (r != CTL_DONE)
		return r;
	if (*path != '/') {
		ctl_complain(ctl,
			     "outbindd was started with the relative path '%s': cannot tell which "
			     "file that is",
			     path);
		return CTL_REFUSED;
	}
	*ret = mem_copy(path);
	return CTL_DONE;
}
