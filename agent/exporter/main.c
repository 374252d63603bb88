/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbind-exporter: hands figures that the agent has written to whoever asks by HTTP. Started by
 * outbindd and by nobody else: descriptor 3 is a socket to it, those behind are listening ones, as many
 * as the argument says. Parsing HTTP is libmicrohttpd's; all rights are gone before the first octet is
 * read (sandbox.c).
 *
 * One octet asks the agent for a text: '0' that of Prometheus, '1' OpenMetrics. It answers with the same
 * octet and a descriptor, or without one if it has no text. Whoever asks meanwhile waits for the same
 * answer; one that does not come in time is a 503. Limits: CONNECTIONS on each socket, half of them of
 * one address, TIMEOUT_S of silence, 16 KiB for a request.
 */
#include "confine/confine.h"
#include "exporter/sandbox.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

enum { EXIT_USAGE = 2 };			/* as of all programs of outbind */
enum { CHANNEL = CONFINE_LINK, LISTENERS_MAX = 2, FORMATS = 2, CONNECTIONS = 64, TIMEOUT_S = 10,
       REQUEST_ROOM = 16 * 1024, PATIENCE_MS = 5000 };

static const char *const types[FORMATS] = {
	"text/plain; version=0.0.4; charset=utf-8",
	"application/openmetrics-text; version=1.0.0; charset=utf-8",
};

struct request {				/* one that waits for a text */
	struct MHD_Connection *connection;
	struct request *next;
	int format;
	bool answered;				/* by @text, or by none */
	int text;				/* owned; -1: none */
};

struct exporter {
	struct MHD_Daemon *daemons[LISTENERS_MAX];
	int polls[LISTENERS_MAX];		/* their epoll descriptors */
	int n;
	struct request *waiting;
	int asked;				/* format that the agent was asked for; -1: none */
	int64_t asked_at;			/* ms */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
				   const char *text, const char *allow)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result r = MHD_NO;

	if (!response)
		return r;
	(void)MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
	if (allow)
		(void)MHD_add_response_header(response, "Allow", allow);
	r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return r;
}

/* The text is the response's from here on. */
static enum MHD_Result answer_figures(struct MHD_Connection *connection, struct request *request)
{
	struct MHD_Response *response;
	struct stat about;
	enum MHD_Result r;

	if (request->text < 0 || fstat(request->text, &about) < 0)
		return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "the agent gave no figures\n", NULL);
	response = MHD_create_response_from_fd64((uint64_t)about.st_size, request->text);
	if (!response)
		return MHD_NO;
	request->text = -1;
	(void)MHD_add_response_header(response, "Content-Type", types[request->format]);
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	r = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return r;
}

/* OpenMetrics for whoever says that he takes it, as Prometheus does. */
static int format_for(struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");

	return accept && strstr(accept, "application/openmetrics-text") ? 1 : 0;
}

static void ask_agent(struct exporter *exporter)
{
	char octet;

	if (exporter->asked >= 0 || !exporter->waiting)
		return;
	octet = (char)('0' + exporter->waiting->format);
	if (send(CHANNEL, &octet, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) {
		exporter->asked = exporter->waiting->format;
		exporter->asked_at = now_ms();
	}
}

static enum MHD_Result wait_for_figures(struct exporter *exporter,
					struct MHD_Connection *connection, void **state)
{
	struct request *request = calloc(1, sizeof *request);

	if (!request)
		return MHD_NO;
	*request = (struct request){ connection, exporter->waiting, format_for(connection), false,
				     -1 };
	exporter->waiting = request;
	*state = request;
	MHD_suspend_connection(connection);
	ask_agent(exporter);
	return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	struct request *request = *state;

	(void)version;
	(void)upload;
	if (request && request->answered)
		return answer_figures(connection, request);
	if (*upload_size > 0)			/* a body is nobody's */
		return MHD_NO;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n",
				   "GET, HEAD");
	if (strcmp(url, "/metrics") != 0)
		return answer_text(connection, MHD_HTTP_NOT_FOUND, "figures are at /metrics\n",
				   NULL);
	return wait_for_figures(context, connection, state);
}

/* It was answered, or its client is gone. */
static void on_completed(void *context, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode why)
{
	struct exporter *exporter = context;
	struct request *request = *state;

	(void)connection;
	(void)why;
	if (!request)
		return;
	for (struct request **at = &exporter->waiting; *at; at = &(*at)->next)
		if (*at == request) {
			*at = request->next;
			break;
		}
	if (request->text >= 0)
		close(request->text);
	free(request);
	*state = NULL;
}

/* All that wait for @format have their answer: @text, or none. */
static void resume(struct exporter *exporter, int format, int text)
{
	for (struct request **at = &exporter->waiting, *request; (request = *at);) {
		if (request->format != format) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		request->answered = true;
		request->text = text >= 0 ? fcntl(text, F_DUPFD_CLOEXEC, 0) : -1;
		MHD_resume_connection(request->connection);
	}
	if (exporter->asked == format)
		exporter->asked = -1;
	ask_agent(exporter);
}

/* The agent's answer, which may come late, or nothing. Returns false when it is gone. */
static bool take_text(int *ret_format, int *ret)
{
	char octet, control[CMSG_SPACE(sizeof(int))];
	struct iovec vector = { &octet, 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof control };
	ssize_t n = recvmsg(CHANNEL, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *head = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	*ret_format = octet == '1';
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret, CMSG_DATA(head), sizeof(int));
	return true;
}

static bool listen_on(struct exporter *exporter, int fd)
{
	struct MHD_Daemon *daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, exporter,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS / 2,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_ROOM,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, exporter, MHD_OPTION_END);
	const union MHD_DaemonInfo *about =
		daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;

	if (!about)
		return false;
	exporter->daemons[exporter->n] = daemon;
	exporter->polls[exporter->n++] = about->epoll_fd;
	return true;
}

/* Milliseconds until something is due. */
static int patience(const struct exporter *exporter)
{
	int64_t least = 60 * 1000;

	for (int i = 0; i < exporter->n; i++) {
		MHD_UNSIGNED_LONG_LONG due;

		if (MHD_get_timeout(exporter->daemons[i], &due) == MHD_YES && (int64_t)due < least)
			least = (int64_t)due;
	}
	if (exporter->asked >= 0) {
		int64_t due = exporter->asked_at + PATIENCE_MS - now_ms();

		least = due < least ? due : least;
	}
	return least > 0 ? (int)least : 0;
}

static int serve(struct exporter *exporter)
{
	for (;;) {
		struct pollfd polls[1 + LISTENERS_MAX] = { { .fd = CHANNEL, .events = POLLIN } };
		int text = -1, format = -1;

		for (int i = 0; i < exporter->n; i++)
			polls[1 + i] = (struct pollfd){ .fd = exporter->polls[i],
							.events = POLLIN };
		if (poll(polls, 1 + (nfds_t)exporter->n, patience(exporter)) < 0 && errno != EINTR)
			return EXIT_FAILURE;
		if (polls[0].revents && !take_text(&format, &text))
			return EXIT_SUCCESS;	/* the agent is gone */
		if (format < 0 && exporter->asked >= 0 &&
		    now_ms() - exporter->asked_at >= PATIENCE_MS)
			format = exporter->asked;
		if (format >= 0)
			resume(exporter, format, text);
		if (text >= 0)
			close(text);
		for (int i = 0; i < exporter->n; i++)
			(void)MHD_run(exporter->daemons[i]);
	}
}

int main(int argc, char **argv)
{
	struct exporter exporter = { .asked = -1 };
	int n = argc == 2 ? atoi(argv[1]) : 0, r;

	if (n < 1 || n > LISTENERS_MAX || fcntl(CHANNEL, F_GETFD) < 0) {
		fprintf(stderr, "outbind-exporter is started by outbindd; see outbindd(8)\n");
		return EXIT_USAGE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	/* For the Date header the C library reads a file, once. */
	(void)gmtime_r(&(time_t){ 0 }, &(struct tm){ 0 });
	for (int i = 0; i < n; i++)
		if (!listen_on(&exporter, CHANNEL + 1 + i))
			return EXIT_FAILURE;
	r = sandbox_enter();
	if (r < 0) {
		fprintf(stderr, "outbind-exporter: cannot give up rights: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	return serve(&exporter);
}
