/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Name and password of a client, checked against a file of crypt(5) hashes ("name:hash" a line) or by a SASL
 * server that speaks Dovecot's authentication protocol (version 1). A worker is never held up: hashes are
 * computed by a thread, servers are asked asynchronously.
 */
#pragma once

#include "model/relay.h"

struct ev_loop;
struct auth_query;

enum { AUTH_WAIT_MS = 10000, AUTH_QUEUE_MAX = 256 };

/* @verdict: 0, -EACCES (wrong), -EAGAIN (cannot be told now). */
typedef void auth_done(void *context, int verdict);

/* @done is called once, later, on @loop. The file is read anew for each: it is changed without a reload. */
struct auth_query *auth_check(struct ev_loop *loop, const struct relay_listener *listener,
			      const char *user, const char *password, auth_done *done,
			      void *context);
void auth_cancel(struct auth_query *query);
