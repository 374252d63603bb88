/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See worker.h. */
#include "relay/worker.h"

#include "relay/access_log.h"
#include "relay/clients.h"
#include "relay/conn.h"
#include "relay/memory.h"
#include "relay/raw.h"
#include "relay/sts.h"

#include "base/mem.h"
#include "dns/dns_resolver.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { ACCEPTS_AT_ONCE = 64 };
static const double full_pause = 0.1;		/* seconds */

void worker_log_line(struct worker *worker)
{
	struct buffer *line = &worker->line;

	if (!access_log_put(worker->log, (const char *)buffer_bytes(line), buffer_len(line)))
		METRIC_ADD(&worker->metrics.log_dropped, 1);
	buffer_take(line, buffer_len(line));
}

uint64_t worker_now(const struct worker *worker)
{
	struct timespec now;

	(void)worker;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void worker_changed(void *worker)
{
	((struct worker *)worker)->epoch++;
}

bool worker_admit(struct worker *worker, const struct generation *generation,
		  const struct front_kind *front, const struct ip *client)
{
	const struct relay *relay = &generation->model.relay;

	if (clients_enter(worker->clients, client, relay->sessions_max, relay->client_max))
		return true;
	METRIC_ADD(&worker->metrics.sessions_refused, 1);
	front->counts->refused++;
	return false;
}

static void stop_accepting(struct worker *worker)
{
	ev_timer_stop(worker->loop, &worker->accept_again);
	for (size_t i = 0; worker->accepting && i < worker->now->n_fronts; i++)
		ev_io_stop(worker->loop, &worker->accepting[i].io);
}

static void start(struct worker *worker, size_t front, struct fd *fd)
{
	struct front_kind *kind = &worker->now->fronts[front];

	atomic_fetch_add_explicit(&kind->counts->accepted, 1, memory_order_relaxed);
	if (kind->conf->protocol == RELAY_SOCKS5 || kind->conf->protocol == RELAY_PROXY)
		raw_start(worker, worker->now, front, fd);
	else
		conn_start(worker, worker->now, front, fd);
}

static void on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	struct accepting *accepting = io->data;
	struct worker *worker = accepting->worker;

	(void)revents;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		AUTO(fd_drop) struct fd fd = { accept4(accepting->fd, NULL, NULL,
						       SOCK_CLOEXEC | SOCK_NONBLOCK) };

		if (fd.n >= 0) {
			start(worker, accepting->listener, &fd);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			stop_accepting(worker);
			ev_timer_start(loop, &worker->accept_again);
		}
		return;
	}
}

static void start_accepting(struct worker *worker)
{
	for (size_t i = 0; i < worker->now->n_fronts; i++)
		ev_io_start(worker->loop, &worker->accepting[i].io);
}

static void on_accept_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	start_accepting(timer->data);
}

static bool same_endpoint(const struct relay_endpoint *a, const struct relay_endpoint *b)
{
	if (a->path || b->path)
		return a->path && b->path && strcmp(a->path, b->path) == 0;
	return a->port == b->port && ip_equal(&a->ip, &b->ip);
}

static bool same_map(const struct relay_map *a, const struct relay_map *b)
{
	if (!a->name || !b->name)
		return a->name == b->name;
	return strcmp(a->name, b->name) == 0 && same_endpoint(&a->at, &b->at);
}

/* What talks to other programs is kept over a reload, unless it is to talk to others now. */
struct helpers { struct dns_resolver *resolver; struct socketmap *policy_map; struct sts *sts; };

/* Makes the helpers of @now; those of before that it has no use for are returned, still open. */
static struct helpers change_helpers(struct worker *worker, const struct relay *before,
				     const struct relay *now)
{
	struct helpers old = { 0 };

	if (!before || !same_endpoint(&before->resolver, &now->resolver)) {
		old.resolver = worker->resolver;
		if (resolve_open(worker->loop, now, &worker->resolver) < 0)
			abort();		/* no memory, or no descriptor at the very start */
	}
	if (!before || !same_map(&before->policy_map, &now->policy_map)) {
		old.policy_map = worker->policy_map;
		worker->policy_map = now->policy_map.name
			? socketmap_new(worker->loop, &now->policy_map) : NULL;
	}
	if (!before || !same_map(&before->sts_map, &now->sts_map)) {
		old.sts = worker->sts;
		worker->sts = now->sts_map.name
			? sts_new(socketmap_new(worker->loop, &now->sts_map)) : NULL;
	}
	return old;
}

/* Sessions that wait for one of them are told so, and may ask its successor at once. */
static void drop_helpers(struct helpers *helpers)
{
	sts_free(helpers->sts);
	socketmap_free(helpers->policy_map);
	dns_resolver_free(helpers->resolver);
}

static void take_generation(struct worker *worker, struct generation *generation)
{
	struct generation *before = worker->now;
	struct helpers old;

	if (before)
		stop_accepting(worker);
	old = change_helpers(worker, before ? &before->model.relay : NULL,
			     &generation->model.relay);
	worker->now = generation;
	upstream_drop_idle(worker);
	free(worker->accepting);
	worker->accepting = mem_zero(generation->n_fronts + 1, sizeof *worker->accepting);
	for (size_t i = 0; i < generation->n_fronts; i++) {
		struct accepting *accepting = &worker->accepting[i];

		*accepting = (struct accepting){ .worker = worker, .listener = (uint32_t)i,
						 .fd = generation->fronts[i].fds[worker->index] };
		ev_io_init(&accepting->io, on_accept, accepting->fd, EV_READ);
		accepting->io.data = accepting;
	}
	start_accepting(worker);
	drop_helpers(&old);
	generation_unref(before);
}

void worker_check_end(struct worker *worker)
{
	if (worker->stopping && worker->n_conns == 0)
		ev_break(worker->loop, EVBREAK_ALL);
}

static void stop(struct worker *worker)
{
	bool again = worker->stopping;

	worker->stopping = true;
	stop_accepting(worker);
	upstream_drop_idle(worker);
	raw_stop_all(worker);
	conn_stop_all(worker, again);
	if (again)
		ev_break(worker->loop, EVBREAK_ALL);
	worker_check_end(worker);
}

static void on_wake(struct ev_loop *loop, ev_async *wake, int revents)
{
	struct worker *worker = wake->data;
	struct generation *next;
	bool ends;

	(void)loop;
	(void)revents;
	pthread_mutex_lock(&worker->lock);
	next = worker->next;
	ends = worker->stop;
	worker->next = NULL;
	worker->stop = false;
	pthread_mutex_unlock(&worker->lock);
	if (next) {
		take_generation(worker, next);
		worker->on_switched();
	}
	if (ends)
		stop(worker);
}

static void worker_drop(struct worker *worker)
{
	raw_stop_all(worker);
	conn_stop_all(worker, true);
	upstream_drop_idle(worker);
	drop_helpers(&(struct helpers){ worker->resolver, worker->policy_map, worker->sts });
	tagging_free(worker->tagging);
	generation_unref(worker->now);
	free(worker->accepting);
	buffer_drop(&worker->line);
	ev_loop_destroy(worker->loop);
}

static void *run_worker(void *context)
{
	struct worker *worker = context;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	ev_run(worker->loop, 0);
	pthread_mutex_lock(&worker->lock);
	worker->ended = true;			/* the loop takes no more orders */
	pthread_mutex_unlock(&worker->lock);
	worker_drop(worker);
	worker->n_conns = 0;
	worker->on_ended();
	return NULL;
}

int worker_start(struct worker *worker, struct generation *generation)
{
	char path[PATH_MAX];

	worker->loop = ev_loop_new(EVFLAG_NOENV);
	if (!worker->loop)
		return -ENOMEM;
	pthread_mutex_init(&worker->lock, NULL);
	ev_async_init(&worker->wake, on_wake);
	ev_timer_init(&worker->accept_again, on_accept_again, full_pause, 0);
	worker->wake.data = worker->accept_again.data = worker;
	ev_async_start(worker->loop, &worker->wake);
	(void)snprintf(path, sizeof path, "%s/tag", worker->agent_dir);
	worker->tagging = tagging_new(worker->loop, path, worker_changed, worker);
	take_generation(worker, generation_ref(generation));
	return -pthread_create(&worker->thread, NULL, run_worker, worker);
}

void worker_switch(struct worker *worker, struct generation *generation)
{
	pthread_mutex_lock(&worker->lock);
	worker->next = generation_ref(generation);
	ev_async_send(worker->loop, &worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

void worker_stop(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->stop = true;
	if (!worker->ended)
		ev_async_send(worker->loop, &worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

bool worker_has_ended(struct worker *worker)
{
	bool ended;

	pthread_mutex_lock(&worker->lock);
	ended = worker->ended;
	pthread_mutex_unlock(&worker->lock);
	return ended;
}
