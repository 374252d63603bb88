/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One reading of the configuration, with all that was made of it: rules, certificates, what each listener is
 * like. Never changed; counted, since sessions go on under the one they began with.
 */
#pragma once

#include "model/model.h"
#include "relay/policy.h"
#include "relay/tls.h"
#include "smtp/session.h"

#include <stdatomic.h>

struct auth_conf;

/* Of a listening socket, whatever generations it is kept over. */
struct front_counts {
	_Atomic(unsigned) refs;
	_Atomic(uint64_t) accepted, refused;
	_Atomic(int64_t) sessions;		/* now */
};

struct front_kind {				/* a listener */
	const struct relay_listener *conf;
	struct session_kind session;		/* SMTP, LMTP and intercepted */
	struct tls_server *tls;			/* or NULL */
	int *fds;				/* one for each worker; lent by the listening sockets */
	bool shared;				/* all workers accept from one socket */
	struct front_counts *counts;		/* counted */
};

struct generation {
	_Atomic(unsigned) refs;
	struct model model;
	struct policy *policy;
	struct tls_client *tls_client;
	struct front_kind *fronts;
	size_t n_fronts;
	char hostname[256];
	uint64_t number;			/* of readings, from 1 */
};

/*
 * generation_read - read @path and make everything of it that can fail
 * @diag: problems of the text; @ret_why: what else is wrong (a certificate, ...), or ""
 * Returns 0, or -EINVAL with one of the two filled. Sockets are the caller's to add.
 */
MUST_CHECK int generation_read(const char *path, struct generation **ret, struct diag *diag,
			       char *ret_why, size_t room);
struct generation *generation_ref(struct generation *generation);
void generation_counts_unref(struct front_counts *counts);
void generation_unref(struct generation *generation);
/* All problems, a line each, to standard error. */
void generation_print(const struct model *model, const struct diag *diag);
