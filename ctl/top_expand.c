/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See top_expand.h. */
#include "top_expand.h"

#include "base/mem.h"
#include "host_port.h"
#include "reply.h"

#include <string.h>

static struct top_peer *take_peer(struct top_peers *peers, const char *text)
{
	uint32_t hash = index_hash(text, strlen(text)), at;

	for (size_t step = 0; (at = index_next(&peers->by_text, hash, &step)) != UINT32_MAX;)
		if (strcmp(peers->at[at].text, text) == 0)
			return &peers->at[at];
	if (peers->n >= TOP_PEERS)
		return NULL;
	index_add(&peers->by_text, hash, (uint32_t)peers->n);
	PUSH(peers, (struct top_peer){ 0 });
	(void)strcpy(peers->at[peers->n - 1].text, text);
	return &peers->at[peers->n - 1];
}

/* "mailer.service", "user www-data, nginx", "10.88.7.2": who can be told, and no ports, which differ. */
static void client_text(const json_t *flow, char out[static TOP_PEER_TEXT])
{
	const char *unit = reply_text(flow, "unit"), *user = reply_text(flow, "user");
	const char *command = reply_text(flow, "command"), *tag = "", *relay = "";
	char who[TOP_PEER_TEXT];

	if (!reply_member(flow, "uid")) {
		(void)snprintf(out, TOP_PEER_TEXT, "%s",
			       reply_true(flow, "local") ? "unknown" : reply_text(flow, "from"));
		return;
	}
	if (reply_true(flow, "relay"))
		relay = "relay session, ";
	else if (reply_true(flow, "tagged"))
		tag = ", tagged";
	if (*unit)
		(void)snprintf(who, sizeof who, "%s", unit);
	else if (*user)
		(void)snprintf(who, sizeof who, "user %s", user);
	else
		(void)snprintf(who, sizeof who, "uid %lld", reply_number(flow, "uid"));
	(void)snprintf(out, TOP_PEER_TEXT, "%s%.64s%s%.20s%s", relay, who, *command ? ", " : "",
		       command, tag);
}

static void destination_text(const json_t *flow, char out[static TOP_PEER_TEXT])
{
	const char *to = reply_text(flow, "to");
	long long port = reply_number(flow, "to_port");
	char end[HOST_PORT_TEXT];

	(void)snprintf(out, TOP_PEER_TEXT, "%.90s %.20s",
		       port == 0 ? to : host_port_print(to, port, end),
		       reply_text(flow, "protocol"));
}

static double bytes_of(const json_t *flow, bool *ret_counted)
{
	const json_t *sent = reply_member(flow, "sent"), *answered = reply_member(flow, "answered");
	double bytes =
		(double)reply_number(sent, "bytes") + (double)reply_number(answered, "bytes");

	*ret_counted |= sent != NULL;
	return bytes > 0 ? bytes : 0;
}

static int by_id(const void *left, const void *right)
{
	const struct top_known *a = left, *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

static const struct top_known *find_known(const struct top_expand *before, uint32_t id)
{
	struct top_known key = { .id = id };

	return !before || before->known.n == 0
		       ? NULL
		       : bsearch(&key, before->known.at, before->known.n, sizeof key, by_id);
}

void top_expand_add(struct top_expand *expand, const struct top_expand *before, const json_t *flow)
{
	uint32_t id = (uint32_t)reply_number(flow, "id");
	const struct top_known *known = find_known(before, id);
	double bytes = bytes_of(flow, &expand->counted);
	char text[TOP_SIDES][TOP_PEER_TEXT];

	client_text(flow, text[TOP_CLIENTS]);
	destination_text(flow, text[TOP_DESTINATIONS]);
	for (int side = 0; side < TOP_SIDES; side++) {
		struct top_peer *peer = take_peer(&expand->sides[side], text[side]);

		if (!peer) {
			expand->others[side]++;
			continue;
		}
		peer->connections++;
		peer->fresh += !known;
		peer->bytes += known && bytes > known->bytes ? bytes - known->bytes : 0;
	}
	if (expand->known.n < TOP_KNOWN)
		PUSH(&expand->known, ((struct top_known){ id, bytes }));
	expand->n++;
}

static int by_connections(const void *left, const void *right)
{
	const struct top_peer *a = left, *b = right;

	if (a->connections > b->connections || a->connections < b->connections)
		return a->connections > b->connections ? -1 : 1;
	return strcmp(a->text, b->text);
}

void top_expand_end(struct top_expand *expand, const struct top_expand *before)
{
	bool known = before && before->n <= TOP_KNOWN && expand->n <= TOP_KNOWN &&
		     expand->usec > before->usec;
	double seconds = known ? (double)(expand->usec - before->usec) / 1e6 : 1;

	for (int side = 0; side < TOP_SIDES; side++) {
		struct top_peers *peers = &expand->sides[side];

		for (size_t i = 0; i < peers->n; i++) {
			struct top_peer *peer = &peers->at[i];

			peer->fresh = known ? peer->fresh / seconds : -1;
			peer->bytes = known && expand->counted ? peer->bytes / seconds : -1;
		}
		if (peers->n > 0)
			qsort(peers->at, peers->n, sizeof *peers->at, by_connections);
		index_drop(&peers->by_text);
	}
	if (expand->known.n > 0)
		qsort(expand->known.at, expand->known.n, sizeof *expand->known.at, by_id);
}

void top_expand_free(struct top_expand *expand)
{
	if (!expand)
		return;
	for (int side = 0; side < TOP_SIDES; side++) {
		free(expand->sides[side].at);
		index_drop(&expand->sides[side].by_text);
	}
	free(expand->known.at);
	free(expand->name);
	free(expand);
}
