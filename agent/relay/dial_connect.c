/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One target after the other. A socket is tagged before anything else happens to it, and bound to an
 * address of the binding, so that what is seen on the wire is known before connect(2), and each
 * address has its own ports. What fails before the dialogue is up has told the client nothing yet, so the next
 * target may be tried.
 */
#include "relay/dial_parts.h"

#include "base/mem.h"
#include "base/sockaddr.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { CONNECT_S = 10 };

static void drop_tlsa(struct dial *dial)
{
	for (size_t i = 0; i < dial->n_tlsa; i++)
		free((void *)(uintptr_t)dial->tlsa[i].octets);
	free(dial->tlsa);
	dial->tlsa = NULL;
	dial->n_tlsa = 0;
}

static struct dial_target *target(struct dial *dial)
{
	return &dial->targets[dial->next - 1];
}

static uint16_t port_of(const struct dial *dial)
{
	return dial->route->port ? dial->route->port : 25;
}

void dial_end_attempt(struct dial *dial)
{
	ev_timer_stop(dial->worker->loop, &dial->attempt);
	ev_io_stop(dial->worker->loop, &dial->connecting);
	if (dial->tag)
		tagging_cancel(dial->tag);
	dial->tag = NULL;
	if (dial->upstream)
		upstream_free(dial->upstream);
	dial->upstream = NULL;
	drop_tlsa(dial);
}

/* This target cannot be had; @reply (taken) says why. */
static void give_up(struct dial *dial, struct reply *reply)
{
	METRIC_ADD(&dial->worker->metrics.dial_failures, 1);
	reply_drop(&dial->last);
	dial->last = reply_take(reply);
	dial_end_attempt(dial);
	dial->plain = false;
	dial_next(dial);
}

static void PRINTF(2, 3) give_up_saying(struct dial *dial, const char *format, ...)
{
	char text[256], ip[IP_TEXT];
	struct reply reply;
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	reply = reply_make(451, "4.4.1 %s [%s]: %s", target(dial)->host,
			   ip_print(&target(dial)->ip, ip), text);
	give_up(dial, &reply);
}

/* What the destination said, as a refusal that the client tries again with another host or time. */
static void give_up_refused(struct dial *dial, struct back_news *news)
{
	char first[200], ip[IP_TEXT];
	struct reply reply;

	if (news->reply.code == 0) {
		give_up_saying(dial, "%s", news->why);
		return;
	}
	reply = reply_make(news->reply.code >= 500 && dial->next == dial->n_targets ? 550 : 451,
			   "%s %s [%s] said: %d %s",
			   news->reply.code >= 500 && dial->next == dial->n_targets ? "5.4.1"
										    : "4.4.1",
			   target(dial)->host, ip_print(&target(dial)->ip, ip), news->reply.code,
			   reply_first(&news->reply, first, sizeof first));
	give_up(dial, &reply);
}

static bool call(struct dial *dial);

/* What TLS this target needs. */
static enum relay_tls level_of(const struct dial *dial)
{
	return demand_level(&dial->demand, dial->n_tlsa, dial->needs_tls);
}

/* TLS failed where it is not asked for: again without, and remember that for an hour. */
static bool try_plain(struct dial *dial)
{
	if (level_of(dial) != RELAY_UPSTREAM_MAY || dial->plain)
		return false;
	memory_tls_failed(dial->worker->memory, &target(dial)->ip,
			  worker_now(dial->worker) / 1000000);
	dial_end_attempt(dial);
	dial->plain = true;
	if (!call(dial))
		dial_next(dial);
	return true;
}

static void on_news(void *context)
{
	struct dial *dial = context;
	struct back_news news;

	while (dial->upstream && back_next(&dial->upstream->back, &news)) {
		enum back_event event = news.event;

		if (event == BACK_DOWN) {
			if (!news.tls_failed || !try_plain(dial))
				give_up_refused(dial, &news);
			back_news_drop(&news);
			return;
		}
		back_news_drop(&news);
		if (event == BACK_UP) {
			dial_succeed(dial);
			return;
		}
		if (event == BACK_WANT_TLS) {
			upstream_tls(dial->upstream);
			return;
		}
	}
}

static enum back_tls wanted_tls(const struct dial *dial)
{
	if (dial->plain || dial->route->implicit_plain)
		return BACK_TLS_NEVER;
	switch (level_of(dial)) {
	case RELAY_UPSTREAM_NONE:
		return BACK_TLS_NEVER;
	case RELAY_UPSTREAM_UNSAID:
	case RELAY_UPSTREAM_MAY:
		return memory_tls_is_bad(dial->worker->memory, &dial->targets[dial->next - 1].ip,
					 worker_now(dial->worker) / 1000000)
			? BACK_TLS_NEVER : BACK_TLS_MAY;
	case RELAY_UPSTREAM_ENCRYPT:
	case RELAY_UPSTREAM_VERIFY:
	case RELAY_UPSTREAM_DANE:
		return BACK_TLS_MUST;
	}
	return BACK_TLS_MUST;
}

static void connected(struct dial *dial)
{
	struct upstream *upstream = dial->upstream;

	ev_io_stop(dial->worker->loop, &dial->connecting);
	ev_timer_stop(dial->worker->loop, &dial->attempt);
	METRIC_ADD(&dial->worker->metrics.dials, 1);
	if (dial->raw) {
		dial_succeed(dial);
		return;
	}
	upstream->expect = (struct tls_expect){
		.level = level_of(dial), .host = upstream->host,
		.names = dial->demand.names[0] ? (const char *const *)dial->demand.names : NULL,
		.tlsa = dial->tlsa, .n_tlsa = dial->n_tlsa,
	};
	upstream->news = on_news;
	upstream->context = dial;
	upstream_start(upstream, wanted_tls(dial));
}

static void on_connecting(struct ev_loop *loop, ev_io *io, int revents)
{
	struct dial *dial = io->data;
	socklen_t size = sizeof(int);
	int error = 0;

	(void)loop;
	(void)revents;
	if (getsockopt(dial->upstream->fd.n, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error)
		give_up_saying(dial, "%s", strerror(error));
	else
		connected(dial);
}

static void on_attempt(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	give_up_saying(timer->data, "no connection in %d s", CONNECT_S);
}

/* One of the binding's addresses of this family, the same for the same route; false if it cannot be had. */
static bool bind_source(struct dial *dial, const struct tagging_answer *answer)
{
	struct upstream *upstream = dial->upstream;
	enum family family = ip_family(&upstream->peer);
	const struct ip *fitting[TAGGING_ADDRESSES_MAX], *ip;
	struct sockaddr_storage address;
	int on = 1;
	size_t n = 0;

	for (size_t i = 0; i < answer->n_addresses; i++)
		if (ip_family(&answer->addresses[i]) == family)
			fitting[n++] = &answer->addresses[i];
	if (n == 0 || answer->routed[family]) {
		strcpy(upstream->source, "routed");	/* the kernel chooses: nft-templates/outbind.nft */
		return true;
	}
	ip = fitting[dial->route->hash % n];
	ip_print(ip, upstream->source);
	(void)setsockopt(upstream->fd.n, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	/* One of a prefix that is local as a whole is had only so, though not with IPv4. */
	if (family == FAMILY_IPV6)
		(void)setsockopt(upstream->fd.n, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
	if (bind(upstream->fd.n, (struct sockaddr *)&address, sockaddr_of_ip(ip, 0, &address)) < 0)
		return false;
	upstream->source_ip = *ip;
	return true;
}

static void on_tagged(void *context, const struct tagging_answer *answer)
{
	struct dial *dial = context;
	struct upstream *upstream = dial->upstream;
	struct sockaddr_storage address;
	socklen_t size;
	int on = 1;

	dial->tag = NULL;
	if (answer->error) {
		give_up_saying(dial, "binding %s: %s", dial->member, answer->why);
		return;
	}
	upstream->mark = answer->mark;
	if (!bind_source(dial, answer)) {
		give_up_saying(dial, "from %s of binding %s: %s", upstream->source, dial->member,
			       strerror(errno));
		return;
	}
	(void)setsockopt(upstream->fd.n, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	size = sockaddr_of_ip(&upstream->peer, upstream->port, &address);
	if (connect(upstream->fd.n, (struct sockaddr *)&address, size) == 0) {
		connected(dial);
		return;
	}
	if (errno != EINPROGRESS) {
		give_up_saying(dial, "%s", strerror(errno));
		return;
	}
	ev_io_set(&dial->connecting, upstream->fd.n, EV_WRITE);
	ev_io_start(dial->worker->loop, &dial->connecting);
	ev_timer_set(&dial->attempt, CONNECT_S, 0);
	ev_timer_start(dial->worker->loop, &dial->attempt);
}

/* The EHLO name of the binding for this family, else our own. */
static char *ehlo_name(const struct dial *dial, enum family family)
{
	return mem_copy(dial->ehlo[family] ? dial->ehlo[family] : dial->generation->hostname);
}

/* A socket, tagged; false if it cannot be called, and `last` says why. */
static bool call(struct dial *dial)
{
	enum family family = ip_family(&target(dial)->ip);
	struct upstream *upstream;
	char whom[160];

	if (dial->demand.needs_records && dial->n_tlsa == 0) {
		reply_drop(&dial->last);
		dial->last = reply_make(451,
					"4.7.5 %s has no secure TLSA records, and its policy demands them",
					target(dial)->host);
		return false;
	}
	upstream = upstream_new(dial->worker, dial->generation, dial->route);
	dial->upstream = upstream;
	upstream->peer = target(dial)->ip;
	upstream->port = port_of(dial);
	upstream->host = mem_copy(target(dial)->host);
	upstream->binding = mem_copy(dial->member);
	upstream->ehlo = ehlo_name(dial, family);
	upstream->epoch = dial->epoch;
	upstream->fd.n = socket(family == FAMILY_IPV4 ? AF_INET : AF_INET6,
				SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (upstream->fd.n < 0) {
		reply_drop(&dial->last);
		dial->last = reply_make(451, "4.3.0 no socket: %s", strerror(errno));
		dial_end_attempt(dial);
		return false;
	}
	dial_whom(dial, dial->member, whom, sizeof whom);
	METRIC_ADD(&dial->worker->metrics.asked, 1);
	dial->tag = tagging_ask(dial->worker->tagging, dial->route->hash, whom, upstream->fd.n,
				on_tagged, dial);
	return true;
}

static void on_tlsa(void *context, const struct tlsa *at, size_t n, bool bogus)
{
	struct dial *dial = context;

	dial->query = NULL;
	if (bogus) {
		give_up_saying(dial, "its TLSA records cannot be had");
		return;
	}
	dial->tlsa = mem_zero(n + 1, sizeof *dial->tlsa);
	dial->n_tlsa = n;
	for (size_t i = 0; i < n; i++) {
		dial->tlsa[i] = at[i];
		dial->tlsa[i].octets = (const uint8_t *)mem_text((const char *)at[i].octets,
								 at[i].len);
	}
	if (!call(dial))
		dial_next(dial);
}

void dial_next(struct dial *dial)
{
	while (dial->next < dial->n_targets) {
		dial->next++;
		if (dial->demand.dane && target(dial)->secure && !dial->raw) {
			dial->query = resolve_tlsa(dial->worker->resolver, target(dial)->host,
						   port_of(dial), on_tlsa, dial);
			return;
		}
		if (call(dial))
			return;
	}
	struct reply reply = dial->last.code ? reply_take(&dial->last)
					     : reply_make(451, "4.4.1 no destination answers");

	dial_fail(dial, DIAL_CONNECTION, &reply);
}

void dial_prepare(struct dial *dial)
{
	ev_io_init(&dial->connecting, on_connecting, -1, EV_WRITE);
	ev_timer_init(&dial->attempt, on_attempt, 0, 0);
	dial->connecting.data = dial->attempt.data = dial;
}
