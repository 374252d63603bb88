/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See tag_line.h. Version 2 of the protocol, as its answer names routed prefixes too. */
#include "tag_line.h"

#include "base/mem.h"
#include "base/sockaddr.h"
#include "proto/pass_fd.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { PATIENCE_S = 5 };

int tag_line_open(const struct ctl *ctl, struct tag_line *ret)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	AUTO(fd_drop) struct fd fd = FD_NONE;
	char *AUTO(mem_drop) path = NULL;
	struct sockaddr_storage to;
	socklen_t size;

	if (asprintf(&path, "%s/%s", ctl->runtime_dir, TAG_SOCKET_NAME) < 0)
		abort();
	size = sockaddr_of_path(path, &to);
	fd.n = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (size == 0 || fd.n < 0 ||
	    setsockopt(fd.n, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
	    setsockopt(fd.n, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
	    connect(fd.n, (struct sockaddr *)&to, size) < 0) {
		ctl_complain(ctl, "cannot reach the tag socket %s: %s", path,
			     size == 0 ? "path too long for a socket" : strerror(errno));
		return CTL_UNREACHABLE;
	}
	ret->fd = fd_take(&fd);
	return CTL_DONE;
}

/* One "KEY=VALUE". Unknown keys are ignored, as the protocol wants it. */
static bool take_word(const char *word, struct tagged *ret)
{
	const char *value = strchr(word, '=');
	struct prefix prefix;

	if (!value)
		return false;
	value++;
	if (strncmp(word, "mark=", 5) == 0) {
		ret->mark = (uint32_t)strtoul(value, NULL, 10);
		return true;
	}
	if (strncmp(word, "address=", 8) != 0 && strncmp(word, "routed=", 7) != 0)
		return true;
	if (prefix_parse(value, &prefix) < 0)
		return false;
	PUSH(&ret->sources, prefix);
	return true;
}

static int garbled(struct tagged *ret)
{
	(void)snprintf(ret->refusal, sizeof ret->refusal,
		       "the agent's answer is not a reply to a tag request");
	return -EPROTO;
}

int tag_line_read(const char *reply, size_t len, struct tagged *ret)
{
	char *AUTO(mem_drop) text = mem_text(reply, len), *rest = text, *word;
	static const size_t ok = sizeof TAG_REPLY_OK - 1, error = sizeof TAG_REPLY_ERROR - 1;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return garbled(ret);
	if (strncmp(text, TAG_REPLY_ERROR, error) == 0) {
		const char *reason = strchr(text + error, ' ');

		(void)snprintf(ret->refusal, sizeof ret->refusal, "%s",
			       reason ? reason + 1 : text + error);
		return -EPERM;
	}
	if (strncmp(text, TAG_REPLY_OK, ok) != 0)
		return garbled(ret);
	rest += ok;
	while ((word = strsep(&rest, " ")))
		if (!take_word(word, ret))
			return garbled(ret);
	return 0;
}

static int send_request(int line, const char *binding, int fd)
{
	char request[TAG_REQUEST_MAX + 1];
	int n = snprintf(request, sizeof request, TAG_REQUEST2_PREFIX "0 " TAG_BY_NAME "%s",
			 binding);

	if (n < 0 || (size_t)n >= sizeof request)
		return -EINVAL;
	return pass_fd_send(line, request, (size_t)n, fd, 0);
}

int tag_line_tag(const struct tag_line *line, const char *binding, int fd, struct tagged *ret)
{
	char reply[TAG_REPLY_MAX + 1];
	int r = send_request(line->fd.n, binding, fd);
	ssize_t n = r < 0 ? r : recv(line->fd.n, reply, sizeof reply, 0);

	if (r == 0 && n > 0 && n <= TAG_REPLY_MAX)
		return tag_line_read(reply, (size_t)n, ret);
	r = r < 0 ? r : n < 0 ? -errno : n == 0 ? -ECONNRESET : -EPROTO;
	(void)snprintf(ret->refusal, sizeof ret->refusal, "no answer at the tag socket: %s",
		       strerror(-r));
	return r;
}
