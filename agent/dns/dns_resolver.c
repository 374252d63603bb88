/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The glue to c-ares: its sockets as watchers, its time-outs as a timer. Questions carry the AD
 * bit (RFC 6840 section 5.7) and EDNS0, so that a validating resolver says what it has validated;
 * whether that counts depends on where the resolver is: only the loopback cannot be tampered
 * with.
 */
#include "dns/dns_resolver.h"

#include "base/mem.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>

enum { TIMEOUT_MS = 3000, TRIES = 2, EDNS_SIZE = 1232, SOCKETS = 32 };

struct dns_watch { ev_io io; int fd; bool used; };

struct dns_resolver {
	struct ev_loop *loop;
	ares_channel channel;
	struct dns_watch watches[SOCKETS];
	ev_timer timer, soon;
	struct dns_question *failed;		/* at once: told from the loop, by soon */
	bool trusts_ad;				/* all name servers are on this host */
	unsigned n_refs;			/* open questions and the owner: answers may come late */
	bool closing;
};

struct dns_question {
	struct dns_question *next;		/* in resolver->failed */
	struct dns_resolver *resolver;
	dns_done *done;
	void *context;				/* NULL: it has been given up */
	bool asking;
	int status;				/* of c-ares, in resolver->failed */
};

static void rearm(struct dns_resolver *resolver)
{
	struct timeval most = { .tv_sec = 5 }, left;

	ares_timeout(resolver->channel, &most, &left);
	ev_timer_stop(resolver->loop, &resolver->timer);
	ev_timer_set(&resolver->timer, (double)left.tv_sec + (double)left.tv_usec / 1e6 + 0.001, 0);
	if (resolver->n_refs > 1)
		ev_timer_start(resolver->loop, &resolver->timer);
}

static void release(struct dns_resolver *resolver)
{
	if (--resolver->n_refs > 0)
		return;
	free(resolver);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct dns_resolver *resolver = io->data;
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
	struct dns_resolver *resolver = timer->data;

	(void)loop;
	(void)revents;
	resolver->n_refs++;
	ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (!resolver->closing)
		rearm(resolver);
	release(resolver);
}

static struct dns_watch *watch_of(struct dns_resolver *resolver, int fd)
{
	struct dns_watch *empty = NULL;

	for (size_t i = 0; i < SOCKETS; i++) {
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
	struct dns_resolver *resolver = context;
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

static void set_server(struct dns_resolver *resolver, const struct dns_how *how)
{
	char server[IP_PORT_TEXT];

	if (how->server.len == 0)
		return;
	ip_print_port(&how->server, how->port ? how->port : NAMESERVER_PORT, server);
	(void)ares_set_servers_ports_csv(resolver->channel, server);
}

void dns_resolver_servers(const struct dns_resolver *resolver, char ret[static DNS_SERVERS])
{
	struct ares_addr_port_node *servers = NULL;
	size_t used = 0;

	ret[0] = '\0';
	if (ares_get_servers_ports(resolver->channel, &servers) != ARES_SUCCESS)
		return;
	for (const struct ares_addr_port_node *at = servers; at && used < DNS_SERVERS;
	     at = at->next) {
		struct ip ip = { .len = at->family == AF_INET ? 4 : 16 };
		char text[IP_TEXT];

		memcpy(ip.octet, &at->addr, ip.len);
		used += (size_t)snprintf(ret + used, DNS_SERVERS - used,
					 ip.len == 4 ? "%s%s:%d" : "%s[%s]:%d", used ? ", " : "",
					 ip_print(&ip, text),
					 at->udp_port ? at->udp_port : NAMESERVER_PORT);
	}
	ares_free_data(servers);
}

/* c-ares keeps answers of these kinds to itself, after having tried again. */
static void say_failure(int status, struct dns_reply *reply)
{
	switch (status) {
	case ARES_ETIMEOUT:
		reply->failure = "no answer in time";
		reply->silence = true;
		break;
	case ARES_ECONNREFUSED:
		reply->failure = "nobody listens there, or no way leads there";
		reply->silence = true;
		break;
	case ARES_ESERVFAIL:
		reply->failure = dns_message_failure(SERVFAIL);
		break;
	case ARES_EREFUSED:
		reply->failure = dns_message_failure(REFUSED);
		break;
	case ARES_ENOTIMP:
		reply->failure = dns_message_failure(NOTIMP);
		break;
	default:
		reply->failure = ares_strerror(status);
	}
}

/* The end of a question: its owner hears of it, unless it was given up. */
static void conclude(struct dns_question *question, const struct dns_reply *reply)
{
	struct dns_resolver *resolver = question->resolver;

	if (question->context)
		question->done(question->context, reply);
	free(question);
	release(resolver);
}

static void on_answer(void *context, int status, int timeouts, unsigned char *octets, int len)
{
	struct dns_question *question = context;
	struct dns_resolver *resolver = question->resolver;
	struct dns_reply reply = { .rcode = -1 };

	(void)timeouts;
	if (question->asking) {			/* it could not even be sent */
		question->status = status;
		question->next = resolver->failed;
		resolver->failed = question;
		ev_timer_start(resolver->loop, &resolver->soon);
		return;
	}
	if (octets && len >= HFIXEDSZ) {
		reply.rcode = octets[3] & 0x0f;
		reply.secure = resolver->trusts_ad && (octets[3] & 0x20);
		reply.octets = octets;
		reply.len = len;
	} else {
		say_failure(status, &reply);
	}
	conclude(question, &reply);
}

static void conclude_failed(struct dns_resolver *resolver)
{
	struct dns_question *question;

	resolver->n_refs++;
	while ((question = resolver->failed)) {
		struct dns_reply reply = { .rcode = -1 };

		resolver->failed = question->next;
		say_failure(question->status, &reply);
		conclude(question, &reply);
	}
	release(resolver);
}

static void on_soon(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	conclude_failed(timer->data);
}

int dns_resolver_new(struct ev_loop *loop, const struct dns_how *how, struct dns_resolver **ret)
{
	struct dns_resolver *resolver = mem_zero(1, sizeof *resolver);
	struct ares_options options = {
		.timeout = how->timeout_ms ? (int)how->timeout_ms : TIMEOUT_MS,
		.tries = how->tries ? (int)how->tries : TRIES,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = resolver,
		.flags = how->first_word ? ARES_FLAG_NOCHECKRESP : 0,
	};

	if (ares_init_options(&resolver->channel, &options,
			      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
				      ARES_OPT_SOCK_STATE_CB) !=
	    ARES_SUCCESS) {
		free(resolver);
		return -ENOMEM;
	}
	resolver->loop = loop;
	resolver->n_refs = 1;
	ev_timer_init(&resolver->timer, on_timer, 0, 0);
	ev_timer_init(&resolver->soon, on_soon, 0, 0);
	resolver->timer.data = resolver->soon.data = resolver;
	set_server(resolver, how);
	resolver->trusts_ad = find_trust(resolver->channel);
	*ret = resolver;
	return 0;
}

struct ev_loop *dns_resolver_loop(const struct dns_resolver *resolver)
{
	return resolver->loop;
}

void dns_resolver_free(struct dns_resolver *resolver)
{
	if (!resolver)
		return;
	resolver->closing = true;
	ares_destroy(resolver->channel);	/* ends every question, with ARES_EDESTRUCTION */
	conclude_failed(resolver);
	ev_timer_stop(resolver->loop, &resolver->soon);
	ev_timer_stop(resolver->loop, &resolver->timer);
	release(resolver);
}

/* ares_send() leaves it to us, and whoever guesses it may answer: RFC 5452 section 4.3. */
static uint16_t random_id(void)
{
	uint16_t id = 0;

	while (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id && errno == EINTR)
		;
	return id;
}

struct dns_question *dns_resolver_ask(struct dns_resolver *resolver, const char *name,
				      enum dns_type type, dns_done *done, void *context)
{
	struct dns_question *question = mem_zero(1, sizeof *question);
	unsigned char *octets = NULL;
	int len = 0;

	*question = (struct dns_question){ .resolver = resolver, .done = done, .context = context,
					   .asking = true };
	if (ares_create_query(name, C_IN, type, random_id(), 1, &octets, &len, EDNS_SIZE) !=
	    ARES_SUCCESS) {
		free(question);			/* no name of DNS: the caller says so */
		return NULL;
	}
	octets[3] |= 0x20;			/* AD */
	resolver->n_refs++;
	ares_send(resolver->channel, octets, len, on_answer, question);
	ares_free_string(octets);
	question->asking = false;
	rearm(resolver);
	return question;
}

void dns_resolver_give_up(struct dns_question *question)
{
	question->context = NULL;
}
