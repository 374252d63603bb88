/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probes of `outbindctl verify` and what is seen of them. Whose a captured SYN is, is told by its
 * hop limit, of which each probe that runs has one of its own: no NAT touches it, while addresses and
 * ports are what may have been rewritten. If somebody rewrote that too, the source port has to do.
 */
#include "base/mem.h"
#include "base/sockaddr.h"
#include "tag_line.h"
#include "verify_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { HOPS_FIRST = 129, GRACE_US = 200 * 1000, TICK_MS = 50, UNMATCHED_MAX = 4096,
       UNMATCHED_US = 1000 * 1000, BAR = 30, SAY_EVERY_US = 5 * 1000 * 1000 };

struct note {					/* a packet, until it is known whose it is */
	size_t link;
	uint64_t when_us;
	bool is_error;				/* ICMP: @about is what it quotes */
	struct wire_packet packet, about;
};

struct work {					/* a run, while it runs */
	struct verify *verify;
	struct probe *slots[PROBES_AT_ONCE];
	size_t next, n_done, n_bad;
	struct { struct note *at; size_t n, room; } notes;
	uint64_t said_us;
	bool bar;
};

static uint64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void finish(struct work *work, struct probe *probe)
{
	fd_drop(&probe->fd);
	work->n_done++;
	work->n_bad += probe->evidence.refusal[0] || probe->evidence.n_seen == 0 ||
		       probe->evidence.reply == REPLY_NONE;
}

static void set_hops(int fd, enum family family, int hops)
{
	if (family == FAMILY_IPV4)
		(void)setsockopt(fd, IPPROTO_IP, IP_TTL, &hops, sizeof hops);
	else
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops);
}

/* The socket of one probe, tagged. False: refused, and why is in the evidence. */
static bool prepare(struct verify *verify, struct probe *probe, int hops)
{
	struct evidence *evidence = &probe->evidence;
	AUTO(tagged_drop) struct tagged tagged = { 0 };
	int yes = 1;

	probe->fd.n = socket(probe->family == FAMILY_IPV4 ? AF_INET : AF_INET6,
			     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe->fd.n < 0) {
		(void)snprintf(evidence->refusal, sizeof evidence->refusal, "no socket: %s",
			       strerror(errno));
		return false;
	}
	if (probe->family == FAMILY_IPV6)	/* one family, or the agent answers for both */
		(void)setsockopt(probe->fd.n, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
	set_hops(probe->fd.n, probe->family, hops);
	if (tag_line_tag(verify->line, probe->binding, probe->fd.n, &tagged) < 0) {
		(void)snprintf(evidence->refusal, sizeof evidence->refusal, "%s", tagged.refusal);
		return false;
	}
	for (size_t i = 0; i < tagged.sources.n; i++)
		PUSH(&evidence->expected, tagged.sources.at[i]);
	return true;
}

static void start(struct work *work, struct probe *probe, size_t slot)
{
	struct verify *verify = work->verify;
	struct sockaddr_storage to, from;
	socklen_t size = sockaddr_of_ip(&verify->to[probe->family], verify->port, &to);
	struct ip ignored;

	probe->evidence.timeout_s = verify->timeout_s;
	if (!prepare(verify, probe, HOPS_FIRST + (int)slot)) {
		finish(work, probe);
		return;
	}
	work->slots[slot] = probe;
	probe->began_us = now_us();
	probe->evidence.error = ETIMEDOUT;
	if (connect(probe->fd.n, (struct sockaddr *)&to, size) == 0) {
		probe->evidence.error = 0;
		probe->ended_us = probe->began_us;
	} else if (errno != EINPROGRESS) {
		probe->evidence.error = errno;
		probe->ended_us = probe->began_us;
	}
	size = sizeof from;
	if (getsockname(probe->fd.n, (struct sockaddr *)&from, &size) == 0)
		(void)sockaddr_read_ip(&from, &ignored, &probe->port);
}

static void fill(struct work *work)
{
	struct probes *probes = &work->verify->probes;

	for (size_t slot = 0; slot < PROBES_AT_ONCE; slot++)
		while (!work->slots[slot] && work->next < probes->n)
			start(work, &probes->at[work->next++], slot);
}

/* Whose first packet is this? */
static struct probe *find_sender(struct work *work, const struct wire_packet *packet)
{
	size_t slot = (size_t)packet->hops - HOPS_FIRST;
	struct probe *probe = packet->hops >= HOPS_FIRST && slot < PROBES_AT_ONCE ?
				      work->slots[slot] : NULL;

	if (probe && probe->family == ip_family(&packet->to))
		return probe;
	for (slot = 0; slot < PROBES_AT_ONCE; slot++) {
		probe = work->slots[slot];
		if (probe && probe->family == ip_family(&packet->to) &&
		    probe->port == packet->from_port)
			return probe;
	}
	return NULL;
}

/* Whose packet had these ends, as it was on the wire? */
static struct probe *find_by_source(struct work *work, const struct ip *ip, uint16_t port)
{
	for (size_t slot = 0; slot < PROBES_AT_ONCE; slot++) {
		struct probe *probe = work->slots[slot];

		for (size_t i = 0; probe && i < probe->evidence.n_seen; i++)
			if (ip_equal(&probe->evidence.seen[i].packet.from, ip) &&
			    probe->evidence.seen[i].packet.from_port == port)
				return probe;
	}
	return NULL;
}

static void take_first(struct work *work, struct probe *probe, const struct note *note)
{
	const char *link = links_name(work->verify->links, note->link);
	struct evidence *evidence = &probe->evidence;
	struct seen *seen;

	for (size_t i = 0; i < evidence->n_seen; i++)
		if (strcmp(evidence->seen[i].link, link) == 0)
			return;
	if (evidence->n_seen == SEEN_MAX)
		return;
	seen = &evidence->seen[evidence->n_seen++];
	(void)snprintf(seen->link, sizeof seen->link, "%s", link);
	seen->when_us = note->when_us;
	seen->packet = note->packet;
}

static void take_reply(struct probe *probe, enum reply reply, const struct note *note)
{
	struct evidence *evidence = &probe->evidence;
	uint64_t first = evidence->seen[0].when_us;

	if (evidence->reply != REPLY_NONE)
		return;
	evidence->reply = reply;
	evidence->answer = note->packet;
	evidence->reply_us = note->when_us > first ? note->when_us - first : 0;
}

/* True if it is known now what the packet is. */
static bool take_note(struct work *work, const struct note *note)
{
	const struct verify *verify = work->verify;
	const struct wire_packet *packet = note->is_error ? &note->about : &note->packet;
	bool back = !note->is_error && packet->from_port == verify->port &&
		    ip_equal(&packet->from, &verify->to[ip_family(&packet->from)]);
	bool out = packet->to_port == verify->port &&
		   ip_equal(&packet->to, &verify->to[ip_family(&packet->to)]);
	struct probe *probe;

	if (out && !note->is_error && !(packet->flags & WIRE_ACK) && packet->flags & WIRE_SYN) {
		probe = find_sender(work, packet);
		if (probe)
			take_first(work, probe, note);
		return true;
	}
	if (!back && !(out && note->is_error))
		return true;
	probe = back ? find_by_source(work, &packet->to, packet->to_port)
		     : find_by_source(work, &packet->from, packet->from_port);
	if (!probe)
		return false;
	if (note->is_error)
		take_reply(probe, REPLY_ICMP, note);
	else if (packet->flags & WIRE_RST)
		take_reply(probe, REPLY_RST, note);
	else if (packet->flags & WIRE_SYN)
		take_reply(probe, REPLY_SYN_ACK, note);
	return true;
}

static int by_time(const void *left, const void *right)
{
	const struct note *a = left, *b = right;

	return (a->when_us > b->when_us) - (a->when_us < b->when_us);
}

/* Packets of all links in order: a reply may have been read before what it answers. */
static void take_notes(struct work *work)
{
	uint64_t now = now_us();
	size_t kept = 0;

	if (work->notes.n == 0)
		return;
	qsort(work->notes.at, work->notes.n, sizeof *work->notes.at, by_time);
	for (size_t i = 0; i < work->notes.n; i++) {
		const struct note *note = &work->notes.at[i];

		if (!take_note(work, note) && note->when_us + UNMATCHED_US > now &&
		    kept < UNMATCHED_MAX)
			work->notes.at[kept++] = *note;
	}
	work->notes.n = kept;
}

static void on_sighting(void *context, const struct sighting *sighting)
{
	struct work *work = context;
	struct note note = { .link = sighting->link, .when_us = sighting->when_us };

	if (!wire_read(sighting->kind, sighting->bytes, sighting->len, &note.packet))
		return;
	note.is_error = wire_read_error(sighting->kind, sighting->bytes, sighting->len,
					&note.about);
	if (note.is_error || note.packet.protocol == IPPROTO_TCP)
		PUSH(&work->notes, note);
}

/* What connect(2) came to, where it has come to something. */
static void look_at_sockets(struct work *work, const struct pollfd *ready)
{
	for (size_t slot = 0; slot < PROBES_AT_ONCE; slot++) {
		struct probe *probe = work->slots[slot];
		socklen_t size = sizeof(int);
		int error = 0;

		if (!probe || probe->ended_us || !ready[slot].revents)
			continue;
		if (getsockopt(probe->fd.n, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
			error = errno;
		probe->evidence.error = error;
		probe->ended_us = now_us();
	}
}

static void end_probes(struct work *work)
{
	uint64_t now = now_us();

	for (size_t slot = 0; slot < PROBES_AT_ONCE; slot++) {
		struct probe *probe = work->slots[slot];
		bool complete, late;

		if (!probe)
			continue;
		complete = probe->ended_us && (probe->evidence.reply != REPLY_NONE ||
					       now > probe->ended_us + GRACE_US);
		late = now > probe->began_us + (uint64_t)work->verify->timeout_s * 1000000;
		if (!complete && !late)
			continue;
		finish(work, probe);
		work->slots[slot] = NULL;
	}
}

static void show(struct work *work)
{
	static const char full[] = "##############################";
	static const char empty[] = "..............................";
	const struct ctl *ctl = work->verify->ctl;
	size_t n = work->verify->probes.n;
	int done = (int)(work->n_done * BAR / n);
	uint64_t now = now_us();

	if (!ctl->progress && now < work->said_us + SAY_EVERY_US)
		return;
	work->said_us = now;
	if (ctl->progress)
		(void)fprintf(ctl->err, "\r\033[K[%.*s%.*s] ", done, full, BAR - done, empty);
	(void)fprintf(ctl->err, "%zu of %zu probes, %zu not well%s", work->n_done, n, work->n_bad,
		      ctl->progress ? "" : "\n");
	(void)fflush(ctl->err);
	work->bar = ctl->progress;
}

void verify_run(struct verify *verify)
{
	struct work work = { .verify = verify, .said_us = now_us() };

	while (work.n_done < verify->probes.n) {
		struct pollfd ready[PROBES_AT_ONCE];

		fill(&work);
		for (size_t slot = 0; slot < PROBES_AT_ONCE; slot++)
			ready[slot] = (struct pollfd){
				.fd = work.slots[slot] && !work.slots[slot]->ended_us ?
					      work.slots[slot]->fd.n : -1,
				.events = POLLOUT };
		links_wait(verify->links, TICK_MS, ready, PROBES_AT_ONCE, on_sighting, &work);
		take_notes(&work);
		look_at_sockets(&work, ready);
		end_probes(&work);
		show(&work);
	}
	if (work.bar)
		(void)fputs("\r\033[K", verify->ctl->err);
	verify->around.lost = links_lost(verify->links);
	free(work.notes.at);
}
