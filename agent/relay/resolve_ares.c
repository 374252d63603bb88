/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The glue to c-ares: its sockets as watchers, its time-outs as a timer. Questions carry the AD
 * bit (RFC 6840 section 5.7) and EDNS0, so that a validating resolver says what it has validated;
 * whether that counts depends on where the resolver is: only the loopback cannot be tampered
 * with.
 */
#include "relay/resolve_ares.h"

#include "base/mem.h"

#include <arpa/nameser.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

enum { DNS_TIMEOUT_MS = 3000, DNS_TRIES = 2, EDNS_SIZE = 1232 };

static void rearm(struct resolver *resolver)
{
	struct timeval most = { .tv_sec = 5 }, left;

	ares_timeout(resolver->channel, &most, &left);
	ev_timer_stop(resolver->loop, &resolver->timer);
	ev_timer_set(&resolver->timer, (double)left.tv_sec + (double)left.tv_usec / 1e6 + 0.001, 0);
	if (resolver->n_refs > 1)
		ev_timer_start(resolver->loop, &resolver->timer);
}

static void release(struct resolver *resolver)
{
	if (--resolver->n_refs > 0)
		return;
	free(resolver);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct resolver *resolver = io->data;
	int fd = io->fd;

	(void)loop;
	resolver->n_refs++;
	ares_process_fd(resolver->channel, revents & EV_READ ? fd : ARES_SOCKET_BAD,
			revents & EV_WRITE ? fd : ARES_SOCKET_BAD);
	if (!resolver->closing)
		rearm(resolver);
	release(resolver);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct resolver *resolver = timer->data;

	(void)loop;
	(void)revents;
	resolver->n_refs++;
	ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (!resolver->closing)
		rearm(resolver);
	release(resolver);
}

static struct dns_watch *watch_of(struct resolver *resolver, int fd)
{
	struct dns_watch *empty = NULL;

	for (size_t i = 0; i < DNS_SOCKETS; i++) {
		if (resolver->watches[i].used && resolver->watches[i].fd == fd)
			return &resolver->watches[i];
		if (!resolver->watches[i].used && !empty)
			empty = &resolver->watches[i];
	}
	return empty;
}

/* c-ares says what it wants to know of a socket; nothing of both: it is being closed. */
static void on_socket(void *context, ares_socket_t fd, int readable, int writable)
{
	struct resolver *resolver = context;
	struct dns_watch *watch = watch_of(resolver, fd);

	if (!watch)
		return;				/* its time-out will tell */
	if (watch->used)
		ev_io_stop(resolver->loop, &watch->io);
	watch->used = readable || writable;
	if (!watch->used)
		return;
	watch->fd = fd;
	ev_io_init(&watch->io, on_io, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	watch->io.data = resolver;
	ev_io_start(resolver->loop, &watch->io);
}

static bool is_loopback(const struct ares_addr_port_node *server)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	if (server->family == AF_INET)
		return ((const uint8_t *)&server->addr.addr4)[0] == 127;
	return memcmp(&server->addr.addr6, loopback6, 16) == 0;
}

static bool find_trust(ares_channel channel)
{
	struct ares_addr_port_node *servers = NULL;
	bool trusts;

	if (ares_get_servers_ports(channel, &servers) != ARES_SUCCESS)
		return false;
	trusts = servers != NULL;
	for (const struct ares_addr_port_node *at = servers; at; at = at->next)
		trusts = trusts && is_loopback(at);
	ares_free_data(servers);
	return trusts;
}

int resolver_new(struct ev_loop *loop, const struct relay *relay, struct resolver **ret)
{
	struct resolver *resolver = mem_zero(1, sizeof *resolver);
	struct ares_options options = { .timeout = DNS_TIMEOUT_MS, .tries = DNS_TRIES,
					.sock_state_cb = on_socket,
					.sock_state_cb_data = resolver };
	char server[IP_TEXT + 16], ip[IP_TEXT];

	if (ares_init_options(&resolver->channel, &options,
			      ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) !=
	    ARES_SUCCESS) {
		free(resolver);
		return -ENOMEM;
	}
	resolver->loop = loop;
	resolver->n_refs = 1;
	ev_timer_init(&resolver->timer, on_timer, 0, 0);
	resolver->timer.data = resolver;
	if (relay->resolver.ip.len > 0) {
		(void)snprintf(server, sizeof server,
			       relay->resolver.ip.len == 4 ? "%s:%u" : "[%s]:%u",
			       ip_print(&relay->resolver.ip, ip),
			       relay->resolver.port ? relay->resolver.port : 53);
		(void)ares_set_servers_ports_csv(resolver->channel, server);
	}
	resolver->trusts_ad = find_trust(resolver->channel);
	*ret = resolver;
	return 0;
}

void resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	resolver->closing = true;
	ares_destroy(resolver->channel);	/* ends every question, with ARES_EDESTRUCTION */
	ev_timer_stop(resolver->loop, &resolver->timer);
	release(resolver);
}

static void on_answer(void *context, int status, int timeouts, unsigned char *octets, int len)
{
	struct dns_question *question = context;
	struct resolver *resolver = question->resolver;
	struct dns_answer answer = { .rcode = -1 };

	(void)timeouts;
	if (octets && len >= HFIXEDSZ) {
		answer.rcode = octets[3] & 0x0f;
		answer.secure = resolver->trusts_ad && (octets[3] & 0x20);
		answer.octets = octets;
		answer.len = len;
	}
	if (question->context && !resolver->closing && status != ARES_ECANCELLED)
		question->done(question->context, &answer);
	free(question);
	release(resolver);
}

struct dns_question *resolve_ares_ask(struct resolver *resolver, const char *name,
				      enum dns_type type, dns_done *done, void *context)
{
	struct dns_question *question = mem_zero(1, sizeof *question);
	unsigned char *octets = NULL;
	int len = 0;

	*question = (struct dns_question){ .resolver = resolver, .done = done, .context = context };
	if (ares_create_query(name, C_IN, type, 0, 1, &octets, &len, EDNS_SIZE) != ARES_SUCCESS) {
		free(question);			/* no name of DNS: the caller says so */
		return NULL;
	}
	octets[3] |= 0x20;			/* AD */
	resolver->n_refs++;
	ares_send(resolver->channel, octets, len, on_answer, question);
	ares_free_string(octets);
	rearm(resolver);
	return question;
}

void resolve_ares_give_up(struct dns_question *question)
{
	question->context = NULL;
}
