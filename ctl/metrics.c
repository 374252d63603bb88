/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl metrics: all figures of the agent, as a collector gets them: by HTTP, from the Unix socket
 * in the runtime directory.
 */
#include "agent.h"
#include "answer.h"
#include "base/mem.h"
#include "verbs.h"

#include <string.h>
#include <sys/socket.h>

enum { OPTION_OPENMETRICS, PIECE = 64 * 1024 };
static const size_t text_max = (size_t)4 << 30;	/* a million bindings are about a fifth of it */

static const struct option options[] = {
	[OPTION_OPENMETRICS] = { "openmetrics", NULL,
				 "OpenMetrics 1.0 instead of the text format of Prometheus",
				 COMPLETE_NONE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

struct answer_bytes { char *at; size_t n, room; };

static int unreachable(const struct ctl *ctl, const char *path, int error)
{
	if (error == EACCES || error == EPERM) {
		ctl_complain(ctl,
			     "%s: permission denied; reading is for root and the group outbind",
			     path);
		return CTL_DENIED;
	}
	ctl_complain(ctl, "%s: %s; is outbindd running, and `socket` of its `metrics` not off?",
		     path, strerror(error));
	return CTL_UNREACHABLE;
}

/* Ask, and read to the end. 0 or errno. */
static int ask(int fd, bool openmetrics, struct answer_bytes *ret)
{
	static const char head[] = "GET /metrics HTTP/1.0\r\n";
	static const char accept[] = "Accept: application/openmetrics-text\r\n";
	char request[sizeof head + sizeof accept + 2];
	int len = snprintf(request, sizeof request, "%s%s\r\n", head, openmetrics ? accept : "");

	if (send(fd, request, (size_t)len, MSG_NOSIGNAL) < 0)
		return errno;
	for (;;) {
		ssize_t n;

		ret->at = mem_grow(ret->at, &ret->room, ret->n + PIECE + 1, 1);
		n = recv(fd, ret->at + ret->n, PIECE, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		ret->n += (size_t)n;
		ret->at[ret->n] = '\0';
		if (n == 0)
			return 0;
		if (ret->n > text_max)
			return EFBIG;
	}
}

/* Behind the head of an answer with status 200, or NULL. */
static const char *body_of(const struct answer_bytes *answer)
{
	const char *end = answer->n ? strstr(answer->at, "\r\n\r\n") : NULL;

	if (!end || strncmp(answer->at, "HTTP/1.", 7) != 0 ||
	    strncmp(answer->at + 8, " 200 ", 5) != 0)
		return NULL;
	return end + 4;
}

static int metrics_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(mem_drop) char *path = NULL;
	AUTO(fd_drop) struct fd fd = FD_NONE;
	struct answer_bytes answer = { 0 };
	const char *body = NULL;
	int r;

	if (asprintf(&path, "%s/metrics", ctl->runtime_dir) < 0)
		abort();
	r = agent_connect(ctl, path, &fd);
	if (r == 0)
		r = ask(fd.n, args->value[OPTION_OPENMETRICS] != NULL, &answer);
	if (r == 0)
		body = body_of(&answer);
	if (r == 0 && !body) {
		ctl_complain(ctl, "%s answered: %.*s", path,
			     answer.n ? (int)strcspn(answer.at, "\r\n") : 7,
			     answer.n ? answer.at : "nothing");
		r = CTL_REFUSED;
	} else if (r != 0) {
		r = unreachable(ctl, path, r);
	} else {
		r = answer_text(ctl, body);
	}
	free(answer.at);
	return r;
}

const struct verb metrics_verb = {
	.name = "metrics",
	.synopsis = "",
	.summary = "every figure of the agent, as text for Prometheus",
	.text = "The text that the agent serves by HTTP at the socket `metrics` of its runtime directory,\n"
		"and where `metrics { listen ADDRESS:PORT; }` says. What it holds is in outbindd(8).\n\n"
		"  curl --unix-socket /run/outbind/metrics http://localhost/metrics\n",
	.options = options,
	.run = metrics_run,
};
