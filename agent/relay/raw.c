/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of a raw front: its header or handshake, the policy map and the rules, one connection,
 * then a pipe. A name that it gives is as good as a rule, since it has to come from somewhere that
 * reaches the listener; whether the binding may be used is the agent's to say, as always. A PROXY
 * header always names a binding. It must be there within 15 s.
 *
 * While its destination is called the client is read on: what comes early is kept, and one that goes away
 * ends the call. SOCKS5 waits for an answer, so the end of its bytes is the end; behind a PROXY header
 * all may have been said already.
 */
#include "relay/raw.h"

#include "base/mem.h"
#include "base/sockaddr.h"
#include "relay/clients.h"
#include "relay/dial.h"
#include "relay/peers.h"
#include "relay/pipe.h"
#include "relay/proxy_parse.h"
#include "relay/raw_record.h"
#include "relay/socketmap.h"
#include "relay/socks_parse.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const double header_wait = 15;		/* seconds */
static const char went_away[] = "the client went away while its destination was called";
enum { EARLY_MAX = 64 * 1024 };			/* octets kept for the destination */

struct raw {
	struct worker *worker;
	struct generation *generation;		/* counted */
	const struct front_kind *front;
	struct fd fd;
	ev_io read;
	ev_timer timer;
	struct ip client, source;		/* source: of a PROXY header */
	struct peer peer;
	bool counted;				/* in worker->clients */
	bool asked;				/* all is known: its destination is looked for */
	struct socks socks;
	struct buffer in;			/* PROXY: header, then what is for the destination */
	struct route_how how;			/* the destination; the rest when it is decided */
	struct socketmap_query *map;
	struct dial *dial;
	struct route *route;			/* counted */
	struct raw_record record;
	struct raw *newer, *older;
};

static bool is_socks(const struct raw *raw)
{
	return raw->front->conf->protocol == RELAY_SOCKS5;
}

static void raw_free(struct raw *raw)
{
	struct worker *worker = raw->worker;

	ev_io_stop(worker->loop, &raw->read);
	ev_timer_stop(worker->loop, &raw->timer);
	if (raw->map)
		socketmap_cancel(raw->map);
	if (raw->dial)
		dial_cancel(raw->dial);
	route_unref(worker, raw->route);
	buffer_drop(&raw->record.left_from);
	socks_drop(&raw->socks);
	buffer_drop(&raw->in);
	fd_drop(&raw->fd);
	peer_drop(&raw->peer);
	if (raw->counted)
		clients_leave(worker->clients, &raw->client);
	if (raw->newer)
		raw->newer->older = raw->older;
	else
		worker->raws = raw->older;
	if (raw->older)
		raw->older->newer = raw->newer;
	raw->front->counts->sessions--;
	generation_unref(raw->generation);
	free(raw);
	worker->n_conns--;
	worker_check_end(worker);
}

/* Small answers: the socket has room, or the client does not read. */
static void send_answers(struct raw *raw)
{
	struct buffer *out = &raw->socks.out;

	(void)!send(raw->fd.n, buffer_bytes(out), buffer_len(out), MSG_NOSIGNAL | MSG_DONTWAIT);
	buffer_take(out, buffer_len(out));
}

static void fail(struct raw *raw, enum socks_code code, const char *why)
{
	raw_record_end(raw->worker, &raw->record, why);
	if (is_socks(raw)) {
		socks_answer(&raw->socks, code, NULL, 0);
		send_answers(raw);
	}
	raw_free(raw);
}

static enum socks_code code_of(enum dial_reason reason)
{
	switch (reason) {
	case DIAL_AGENT:
		return SOCKS_FAILED;
	case DIAL_BINDING:
		return SOCKS_NOT_ALLOWED;
	case DIAL_FAMILY:
		return SOCKS_NETWORK;
	case DIAL_NAME:
		return SOCKS_HOST;
	case DIAL_CONNECTION:
		return SOCKS_REFUSED;
	}
	return SOCKS_FAILED;
}

static void on_pipe_done(void *context, uint64_t up, uint64_t down)
{
	struct raw *raw = context;

	raw->record.up = up;
	raw->record.down = down;
	raw_record_end(raw->worker, &raw->record, NULL);
	raw_free(raw);
}

static void on_dialled(void *context, struct upstream *upstream, const struct reply *refusal,
		       enum dial_reason reason)
{
	struct raw *raw = context;
	struct fd client, other;
	char first[400];

	raw->dial = NULL;
	ev_io_stop(raw->worker->loop, &raw->read);
	if (!upstream) {
		dial_count_failure(raw->worker, reason);
		fail(raw, code_of(reason), reply_first(refusal, first, sizeof first));
		return;
	}
	if (is_socks(raw)) {
		socks_answer(&raw->socks, SOCKS_OK, &upstream->source_ip, 0);
		send_answers(raw);
	}
	raw_record_upstream(&raw->record, upstream);
	client = fd_take(&raw->fd);
	other = upstream_detach(upstream);
	upstream_free(upstream);
	ev_timer_stop(raw->worker->loop, &raw->timer);
	pipe_start(raw->worker, client, other, NULL, is_socks(raw) ? &raw->socks.in : &raw->in,
		   on_pipe_done, raw);
}

/* From now on what it sends is for the destination. */
static void go_on_reading(struct raw *raw)
{
	raw->asked = true;
	ev_io_start(raw->worker->loop, &raw->read);
}

static void dial(struct raw *raw, const char *binding, uint32_t hash)
{
	struct dial_how dialling = { .generation = raw->generation, .point = POINT_ACCEPT,
				     .raw = true };

	raw->how.binding = binding;
	raw->how.hash = hash;
	raw->route = route_get(raw->worker, &raw->how);
	raw->record.route = raw->route;
	dialling.route = raw->route;
	go_on_reading(raw);
	ev_timer_stop(raw->worker->loop, &raw->timer);
	raw->dial = dial_start(raw->worker, &dialling, on_dialled, raw);
}

static void refuse(struct raw *raw, enum socks_code code, const char *why)
{
	METRIC_ADD(&raw->worker->metrics.no_rule, 1);
	fail(raw, code, why);
}

static struct policy_facts known_facts(const struct raw *raw)
{
	return (struct policy_facts){
		.listener = raw->front->conf,
		.client = raw->source.len > 0 ? raw->source : raw->client,
		.destination = raw->how.destination, .has_peer = raw->peer.known,
		.peer_uid = raw->peer.uid, .peer_cgroup = raw->peer.cgroup,
	};
}

static void decide(struct raw *raw, const struct policy_facts *facts)
{
	struct policy_verdict verdict;

	policy_decide(raw->generation->policy, facts, &verdict);
	if (verdict.binding)
		dial(raw, verdict.binding, verdict.hash);
	else
		refuse(raw, SOCKS_NOT_ALLOWED, verdict.reason);
}

static void on_map(void *context, enum socketmap_result result, const char *text)
{
	struct raw *raw = context;
	struct policy_facts facts = known_facts(raw);

	raw->map = NULL;
	facts.map = result == SOCKETMAP_OK ? text : NULL;
	if (result == SOCKETMAP_OK || result == SOCKETMAP_NOTFOUND)
		decide(raw, &facts);
	else
		refuse(raw, SOCKS_FAILED, text);
}

/* By what the client itself has named, if that is not "", or by the map and the rules. */
static void begin(struct raw *raw, const char *named)
{
	AUTO(buffer_drop) struct buffer key = { 0 };
	struct policy_facts facts = known_facts(raw);

	facts.parameter = named[0] ? named : NULL;
	if (!policy_asks_map(raw->generation->policy, &facts)) {
		decide(raw, &facts);
	} else if (raw->worker->policy_map) {
		policy_map_key(&facts, &key);
		go_on_reading(raw);
		raw->map = socketmap_ask(raw->worker->policy_map,
					 (const char *)buffer_bytes(&key), on_map, raw);
	} else {				/* a reload has taken it away */
		refuse(raw, SOCKS_FAILED, "the policy map was taken away");
	}
}

static void end_bad(struct raw *raw, const char *why)
{
	raw_record_end(raw->worker, &raw->record, why);
	raw_free(raw);
}

static void take_socks(struct raw *raw)
{
	send_answers(raw);
	if (raw->socks.state == SOCKS_BAD) {
		end_bad(raw, "no SOCKS5 that is served here");
	} else if (raw->socks.state == SOCKS_DONE) {
		raw->how.host = raw->socks.host[0] ? raw->socks.host : NULL;
		raw->how.destination = raw->socks.ip;
		raw->how.port = raw->socks.port;
		begin(raw, raw->socks.user);
	} else {
		ev_io_start(raw->worker->loop, &raw->read);
	}
}

static void take_proxy(struct raw *raw)
{
	struct proxy_header header;
	char whom[IP_TEXT + 9], ip[IP_TEXT];
	int r = proxy_parse(buffer_bytes(&raw->in), buffer_len(&raw->in), &header);

	if (r < 0) {
		end_bad(raw, "no PROXY header that is served here");
		return;
	}
	if (r == 0) {
		ev_io_start(raw->worker->loop, &raw->read);
		return;
	}
	buffer_take(&raw->in, header.len);
	raw->how.destination = header.destination;
	raw->how.port = header.destination_port;
	raw->source = header.source;
	if (header.binding[0]) {
		begin(raw, header.binding);
		return;
	}
	(void)snprintf(whom, sizeof whom, "address:%s", ip_print(&header.source, ip));
	dial(raw, whom, 0);
}

/* @n octets that came before there is anybody to have them; 0: no more will. */
static void take_early(struct raw *raw, const uint8_t *bytes, size_t n)
{
	struct buffer *early = is_socks(raw) ? &raw->socks.in : &raw->in;

	if (n == 0 && is_socks(raw)) {
		end_bad(raw, went_away);
		return;
	}
	buffer_put(early, bytes, n);
	if (n == 0 || buffer_len(early) >= EARLY_MAX)
		ev_io_stop(raw->worker->loop, &raw->read);
}

static void on_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct raw *raw = io->data;
	uint8_t bytes[PROXY_HEADER_MAX];
	ssize_t n = recv(raw->fd.n, bytes, sizeof bytes, MSG_DONTWAIT);

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (raw->asked && n >= 0) {
		take_early(raw, bytes, (size_t)n);
		return;
	}
	if (n <= 0) {
		if (raw->asked)
			raw_record_end(raw->worker, &raw->record, went_away);
		raw_free(raw);
		return;
	}
	ev_io_stop(loop, io);
	if (is_socks(raw)) {
		socks_feed(&raw->socks, bytes, (size_t)n);
		take_socks(raw);
	} else {
		buffer_put(&raw->in, bytes, (size_t)n);
		take_proxy(raw);
	}
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	raw_free(timer->data);
}

static void take_client(struct raw *raw)
{
	struct sockaddr_storage name = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof name;
	uint16_t port;

	if (getpeername(raw->fd.n, (struct sockaddr *)&name, &size) == 0 &&
	    !sockaddr_read_ip(&name, &raw->client, &port))
		peer_take(raw->fd.n, &raw->peer);
}

void raw_start(struct worker *worker, struct generation *generation, size_t front, struct fd *fd)
{
	struct raw *raw = mem_zero(1, sizeof *raw);
	int on = 1;

	raw->worker = worker;
	raw->generation = generation_ref(generation);
	raw->front = &generation->fronts[front];
	raw->fd = fd_take(fd);
	ev_io_init(&raw->read, on_read, raw->fd.n, EV_READ);
	ev_timer_init(&raw->timer, on_timer, header_wait, 0);
	raw->read.data = raw->timer.data = raw;
	raw->older = worker->raws;
	if (raw->older)
		raw->older->newer = raw;
	worker->raws = raw;
	worker->n_conns++;
	raw->front->counts->sessions++;
	METRIC_ADD(&worker->metrics.sessions, 1);
	(void)setsockopt(raw->fd.n, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	take_client(raw);
	raw->record.front = raw->front;
	raw->record.client = raw->client;
	raw->record.began = worker_now(worker);
	raw->counted = worker_admit(worker, generation, raw->front, &raw->client);
	if (!raw->counted) {
		end_bad(raw, "too many clients");
		return;
	}
	ev_io_start(worker->loop, &raw->read);
	ev_timer_start(worker->loop, &raw->timer);
}

void raw_stop_all(struct worker *worker)
{
	struct raw *next;

	for (struct raw *raw = worker->raws; raw; raw = next) {
		next = raw->older;
		if (raw->fd.n >= 0)		/* else it is a pipe by now */
			raw_free(raw);
	}
}
