/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See clients.h. Addresses are chained by hash; one that has no client any more costs nothing. */
#include "relay/clients.h"

#include "base/mem.h"
#include "model/index.h"

#include <pthread.h>

enum { CHAINS = 4096 };				/* of the 20000 clients that are usual at most */

struct of_ip { struct of_ip *next; struct ip ip; unsigned n; };

struct clients {
	pthread_mutex_t lock;
	unsigned n;
	struct of_ip *chains[CHAINS];
};

struct clients *clients_new(void)
{
	struct clients *clients = mem_zero(1, sizeof *clients);

	pthread_mutex_init(&clients->lock, NULL);
	return clients;
}

void clients_free(struct clients *clients)
{
	if (!clients)
		return;
	for (size_t i = 0; i < CHAINS; i++) {
		while (clients->chains[i]) {
			struct of_ip *one = clients->chains[i];

			clients->chains[i] = one->next;
			free(one);
		}
	}
	pthread_mutex_destroy(&clients->lock);
	free(clients);
}

/* Where the one of @ip hangs, or where it would. */
static struct of_ip **find(struct clients *clients, const struct ip *ip)
{
	struct of_ip **at = &clients->chains[index_hash(ip->octet, ip->len) % CHAINS];

	while (*at && !ip_equal(&(*at)->ip, ip))
		at = &(*at)->next;
	return at;
}

static bool enter_ip(struct clients *clients, const struct ip *ip, unsigned max)
{
	struct of_ip **at = find(clients, ip);

	if (!*at) {
		*at = mem_zero(1, sizeof **at);
		(*at)->ip = *ip;
	} else if (max > 0 && (*at)->n >= max) {
		return false;
	}
	(*at)->n++;
	return true;
}

bool clients_enter(struct clients *clients, const struct ip *ip, unsigned max, unsigned ip_max)
{
	bool enters;

	pthread_mutex_lock(&clients->lock);
	enters = clients->n < max && (ip->len == 0 || enter_ip(clients, ip, ip_max));
	clients->n += enters;
	pthread_mutex_unlock(&clients->lock);
	return enters;
}

void clients_leave(struct clients *clients, const struct ip *ip)
{
	struct of_ip **at, *one;

	pthread_mutex_lock(&clients->lock);
	clients->n--;
	if (ip->len > 0) {
		at = find(clients, ip);
		one = *at;
		if (--one->n == 0) {
			*at = one->next;
			free(one);
		}
	}
	pthread_mutex_unlock(&clients->lock);
}
