/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See route.h. A route lives while a session, a dialling or an idle connection needs it. */
#include "relay/route.h"

#include "base/mem.h"

#include <search.h>
#include <stdio.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct route *)a)->key, ((const struct route *)b)->key);
}

static char *make_key(const struct route_how *how)
{
	char ip[IP_TEXT] = "";
	char *key;

	if (how->destination.len > 0)
		ip_print(&how->destination, ip);
	if (asprintf(&key, "%s %u %s%s %s %u %d%s%s", how->binding, how->hash,
		     how->mx ? "mx:" : "", how->host ? how->host : "", ip, how->port,
		     (int)how->tls, how->plain ? " plain" : "", how->needs_tls ? " tls" : "") < 0)
		abort();
	return key;
}

static char *place_of(const struct model *model, const struct where *where)
{
	char place[4200] = "";

	if (where)
		model_place(model, *where, place, sizeof place);
	return mem_copy(place);
}

struct route *route_get(struct worker *worker, const struct route_how *how)
{
	struct route probe = { .key = make_key(how) }, *route;
	struct route **found = tfind(&probe, &worker->routes, compare);

	if (found) {
		free(probe.key);
		return route_ref(*found);
	}
	route = mem_zero(1, sizeof *route);
	*route = (struct route){
		.key = probe.key, .refs = 1, .binding = mem_copy(how->binding), .hash = how->hash,
		.host = mem_copy(how->host), .mx = how->mx, .port = how->port,
		.destination = how->destination, .tls = how->tls, .needs_tls = how->needs_tls,
		.implicit_plain = how->plain, .place = place_of(how->model, how->where),
	};
	if (!tsearch(route, &worker->routes, compare))
		abort();
	return route;
}

struct route *route_ref(struct route *route)
{
	route->refs++;
	return route;
}

void route_unref(struct worker *worker, struct route *route)
{
	if (!route || --route->refs > 0)
		return;
	(void)tdelete(route, &worker->routes, compare);
	free(route->key);
	free(route->binding);
	free(route->host);
	free(route->place);
	free(route);
}
