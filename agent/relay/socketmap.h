/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups in another program by Postfix's socketmap protocol (socketmap_table(5)): netstrings over a stream
 * socket. One connection a table and loop, requests in order, a bounded number of them waiting.
 */
#pragma once

#include "model/relay.h"

struct ev_loop;
struct socketmap;

enum socketmap_result {
	SOCKETMAP_OK,
	SOCKETMAP_NOTFOUND,
	SOCKETMAP_TEMPORARY,
	SOCKETMAP_PERMANENT
};
enum { SOCKETMAP_WAIT_MS = 5000, SOCKETMAP_QUEUE_MAX = 10000, SOCKETMAP_VALUE_MAX = 100000 };

/* @text: the value, or the reason; good until the callback returns. */
typedef void socketmap_done(void *context, enum socketmap_result result, const char *text);
struct socketmap_query;

struct socketmap *socketmap_new(struct ev_loop *loop, const struct relay_map *map);
/* Open queries are told SOCKETMAP_TEMPORARY from within; what that leads to must not ask @map again. */
void socketmap_free(struct socketmap *map);
/*
 * @done is called once, later, never from within this call; SOCKETMAP_TEMPORARY for whatever goes wrong, also
 * if SOCKETMAP_QUEUE_MAX wait already.
 */
struct socketmap_query *socketmap_ask(struct socketmap *map, const char *key, socketmap_done *done,
				      void *context);
void socketmap_cancel(struct socketmap_query *query);
