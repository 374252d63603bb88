/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside authentication: one question, answered by a thread or by a SASL server. */
#pragma once

#include "base/own.h"
#include "relay/auth.h"
#include "smtp/buffer.h"

#include <ev.h>

struct job;

struct auth_query {
	struct ev_loop *loop;
	auth_done *done;
	void *context;
	ev_async told;				/* the verdict is there */
	int verdict;
	struct job *job;			/* of the thread, while it has one; under its lock */
	struct fd fd;				/* of the SASL server */
	ev_io read, write;
	ev_timer timer;
	bool connected;
	struct buffer in, out;
};

/* From any thread: the end of a query. */
void auth_tell(struct auth_query *query, int verdict);

/* auth_sasl.c */
void auth_sasl_ask(struct auth_query *query, const char *path, const char *user,
		   const char *password);
void auth_sasl_drop(struct auth_query *query);
