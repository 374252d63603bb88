/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See flow_reader.h. A dump: netlink_recvmsg() makes the next piece while it hands over one, so the
 * kernel works only as fast as we read (net/netlink/af_netlink.c). A subscription: a filter on the
 * socket, run before a message is queued, takes what has one of our bits in CTA_MARK. With
 * NETLINK_NO_ENOBUFS an overrun drops single messages, where the socket would otherwise take nothing
 * until it was emptied; how many is what the socket counts itself (SO_MEMINFO).
 */
#include "kernel/flow_reader.h"

#include "base/mem.h"
#include "kernel/attributes.h"
#include "kernel/flows.h"

#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>

enum {
	DUMP_BYTES = 64 * 1024,			/* the kernel's pieces have at most 32 KiB */
	EVENTS_AT_ONCE = 32, EVENT_BYTES = 2048,
	QUEUE_BYTES = 8 << 20,			/* about 10,000 events */
};

struct reader {
	struct flow_reader reader;		/* first: a struct flow_reader * is one of these */
	struct fd fd;
	uint32_t drops;				/* as the socket counts them */
	union {
		alignas(struct nlmsghdr) char dump[DUMP_BYTES];
		alignas(struct nlmsghdr) char events[EVENTS_AT_ONCE][EVENT_BYTES];
	};
};

static void close_reader(struct flow_reader *reader)
{
	fd_drop(&((struct reader *)reader)->fd);
	free(reader);
}

static int open_reader(struct reader **ret)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	struct reader *reader = mem_zero(1, sizeof *reader);
	int bytes = QUEUE_BYTES;

	reader->fd.n = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			      NETLINK_NETFILTER);
	if (reader->fd.n < 0 ||
	    bind(reader->fd.n, (struct sockaddr *)&address, sizeof address) < 0) {
		int r = -errno;

		close_reader(&reader->reader);
		return r;
	}
	if (setsockopt(reader->fd.n, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
		(void)setsockopt(reader->fd.n, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	reader->reader.fd = reader->fd.n;
	reader->reader.close = close_reader;
	*ret = reader;
	return 0;
}

static bool is_conntrack(const struct nlmsghdr *message, uint8_t type)
{
	return message->nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | type);
}

/* One datagram of a dump. 1: go on; 0: it was the last one; -errno. */
static int read_piece(const char *bytes, int len, flow_visit *visit, void *context)
{
	for (const struct nlmsghdr *m = (const void *)bytes; mnl_nlmsg_ok(m, len);
	     m = mnl_nlmsg_next(m, &len)) {
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(m);
		struct flow flow;

		if (m->nlmsg_type == NLMSG_DONE)
			return 0;
		if (m->nlmsg_type == NLMSG_ERROR)
			return mnl_nlmsg_get_payload_len(m) < sizeof *error ? -EBADMSG
									    : error->error;
		if (is_conntrack(m, IPCTNL_MSG_CT_NEW) && flows_parse(m, &flow))
			visit(context, FLOW_IS, &flow.connection);
	}
	return 1;
}

static int read_dump(struct flow_reader *self, unsigned pieces, flow_visit *visit, void *context)
{
	struct reader *reader = (struct reader *)self;
	int r = 1;

	for (unsigned i = 0; i < pieces && r == 1; i++) {
		struct sockaddr_nl from = { 0 };
		socklen_t size = sizeof from;
		ssize_t n = recvfrom(reader->fd.n, reader->dump, sizeof reader->dump, MSG_DONTWAIT,
				     (struct sockaddr *)&from, &size);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 1 : -errno;
		if (from.nl_pid == 0)		/* only the kernel's word counts */
			r = read_piece(reader->dump, (int)n, visit, context);
	}
	return r;
}

int flow_reader_dump(struct fwmark mask, const struct fwmark *mark, struct flow_reader **ret)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *request = flows_request_dump(buffer, mask, mark);
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct reader *reader;
	int r = open_reader(&reader);

	if (r < 0)
		return r;
	if (sendto(reader->fd.n, request, request->nlmsg_len, 0, (struct sockaddr *)&kernel,
		   sizeof kernel) < 0) {
		r = -errno;
		close_reader(&reader->reader);
		return r;
	}
	reader->reader.read = read_dump;
	*ret = &reader->reader;
	return 0;
}

static void read_event(struct reader *reader, const char *bytes, size_t size, flow_visit *visit,
		       void *context)
{
	int len = (int)size;

	for (const struct nlmsghdr *m = (const void *)bytes; mnl_nlmsg_ok(m, len);
	     m = mnl_nlmsg_next(m, &len)) {
		bool begins = is_conntrack(m, IPCTNL_MSG_CT_NEW);
		struct flow flow;

		if (!begins && !is_conntrack(m, IPCTNL_MSG_CT_DELETE))
			continue;
		if (flows_parse(m, &flow))
			visit(context, begins ? FLOW_BEGINS : FLOW_ENDS, &flow.connection);
		else
			reader->reader.lost++;
	}
}

/* What the socket had no room for, since the last look. */
static void count_lost(struct reader *reader)
{
	uint32_t about[SK_MEMINFO_VARS] = { 0 };
	socklen_t size = sizeof about;

	if (getsockopt(reader->fd.n, SOL_SOCKET, SO_MEMINFO, about, &size) < 0)
		return;
	reader->reader.lost += about[SK_MEMINFO_DROPS] - reader->drops;
	reader->drops = about[SK_MEMINFO_DROPS];
}

static int read_events(struct flow_reader *self, unsigned pieces, flow_visit *visit, void *context)
{
	struct reader *reader = (struct reader *)self;
	struct sockaddr_nl from[EVENTS_AT_ONCE];
	struct iovec into[EVENTS_AT_ONCE];
	struct mmsghdr heads[EVENTS_AT_ONCE];
	unsigned room = pieces < EVENTS_AT_ONCE ? pieces : EVENTS_AT_ONCE;
	int n;

	for (unsigned i = 0; i < room; i++) {
		into[i] = (struct iovec){ reader->events[i], EVENT_BYTES };
		heads[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
						    .msg_namelen = sizeof from[i],
						    .msg_iov = &into[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(reader->fd.n, heads, room, MSG_DONTWAIT, NULL);
	count_lost(reader);
	if (n < 0)
		return errno == EAGAIN ? 0 : errno == EINTR || errno == ENOBUFS ? 1 : -errno;
	for (int i = 0; i < n; i++) {
		if (heads[i].msg_hdr.msg_flags & MSG_TRUNC)
			reader->reader.lost++;
		else if (from[i].nl_pid == 0)
			read_event(reader, reader->events[i], heads[i].msg_len, visit, context);
	}
	return (unsigned)n == room;
}

/* Loads of words are in network order, which CTA_MARK has. The last two columns are how many lines
 * to skip if equal, if not. */
static int set_filter(const struct fd *fd, struct fwmark mask)
{
	struct sock_filter lines[] = {
		BPF_STMT(BPF_LD | BPF_IMM, NLMSG_HDRLEN + sizeof(struct nfgenmsg)),
		BPF_STMT(BPF_LDX | BPF_IMM, CTA_MARK),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 0),	/* there is none */
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, sizeof(struct nlattr)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, mask.host, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(lines), .filter = lines };

	return setsockopt(fd->n, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0
		       ? -errno
		       : 0;
}

static int subscribe(struct reader *reader, struct fwmark mask)
{
	static const int groups[] = { NFNLGRP_CONNTRACK_NEW, NFNLGRP_CONNTRACK_DESTROY };
	int on = 1;
	int r = set_filter(&reader->fd, mask);

	if (r == 0 && setsockopt(reader->fd.n, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) < 0)
		r = -errno;
	for (size_t i = 0; i < ARRAY_LEN(groups) && r == 0; i++)
		if (setsockopt(reader->fd.n, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof groups[i]) < 0)
			r = -errno;
	return r;
}

int flow_reader_follow(struct fwmark mask, struct flow_reader **ret)
{
	struct reader *reader;
	int r = open_reader(&reader);

	if (r < 0)
		return r;
	r = subscribe(reader, mask);
	if (r < 0) {
		close_reader(&reader->reader);
		return r;
	}
	reader->reader.read = read_events;
	*ret = &reader->reader;
	return 0;
}
