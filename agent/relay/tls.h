/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS by OpenSSL on a non-blocking socket, either side. The caller polls; this says what for. Bytes go through
 * two calls that look like read(2) and write(2).
 */
#pragma once

#include "model/relay.h"
#include "relay/resolve.h"

/* certificate and key of a listener; shared by threads, refcounted */
struct tls_server;
struct tls_client;				/* how to talk to destinations; shared by threads, refcounted */
struct tls;					/* one connection */

/* -EINVAL with the reason in @ret_why: a file that cannot be read, a key that does not fit. */
MUST_CHECK int tls_server_new(const char *certificate, const char *key, struct tls_server **ret,
			      char *ret_why, size_t room);
struct tls_server *tls_server_ref(struct tls_server *server);
void tls_server_unref(struct tls_server *server);
MUST_CHECK int tls_client_new(const char *ca_file, struct tls_client **ret, char *ret_why,
			      size_t room);
struct tls_client *tls_client_ref(struct tls_client *client);
void tls_client_unref(struct tls_client *client);

struct tls *tls_accept(struct tls_server *server, int fd);	/* @fd stays the caller's */

struct tls_expect {
	enum relay_tls level;			/* MAY and ENCRYPT: certificates are not looked at */
	const char *host;			/* SNI, and the name that VERIFY compares */
	/* VERIFY: more names that may match, ".suffix" too (MTA-STS); NULL-ended, or NULL */
	const char *const *names;
	const struct tlsa *tlsa;		/* DANE; copied */
	size_t n_tlsa;
};
/* -EINVAL: no TLSA record is usable, with the reason. */
MUST_CHECK int tls_connect(struct tls_client *client, int fd, const struct tls_expect *expect,
			   struct tls **ret, char *ret_why, size_t room);
void tls_free(struct tls *tls);			/* sends close_notify if it can at once */

enum { TLS_WANT_READ = -1000, TLS_WANT_WRITE = -1001 };	/* beside 0 and negative errno */

/* 0: done; TLS_WANT_READ or _WRITE: poll for that and call again; -EPROTO, -EACCES (not
 * verified) with tls_why(). */
MUST_CHECK int tls_handshake(struct tls *tls);
/*
 * As recv(2) and send(2) that do not wait, errors as negative numbers: through @tls, or where that is
 * NULL on @fd itself. 0 from tls_recv: closed.
 */
MUST_CHECK ssize_t tls_recv(struct tls *tls, int fd, void *bytes, size_t n);
MUST_CHECK ssize_t tls_send(struct tls *tls, int fd, const void *bytes, size_t n);
bool tls_is_wait(ssize_t n);			/* nothing is wrong: call again when it can be polled */
bool tls_pending(const struct tls *tls);	/* decrypted bytes wait: no poll would tell */
const char *tls_why(const struct tls *tls);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384 verified=no", for logs */
const char *tls_describe(const struct tls *tls);
