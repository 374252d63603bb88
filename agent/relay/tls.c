/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS by OpenSSL. Two shared contexts: a listener's with its certificate, and the one for
 * destinations. Buffers are given back while a connection is idle. What a destination's
 * certificate must be is said per connection (tls_verify.c); opportunistic TLS looks at none,
 * since a wrong one is still better than plain text (RFC 7435).
 */
#include "relay/tls.h"

#include "relay/tls_parts.h"

#include "base/mem.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct tls_server { _Atomic(unsigned) refs; SSL_CTX *context; };
struct tls_client { _Atomic(unsigned) refs; SSL_CTX *context; };

/* The first error of OpenSSL's queue in its own words; the queue is empty afterwards. */
void tls_last_error(const char *what, char *out, size_t room)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	(void)snprintf(out, room, "%s: %s", what, reason ? reason : "unknown");
	ERR_clear_error();
}

static SSL_CTX *context_new(const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (!context)
		abort();
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					     SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return context;
}

int tls_server_new(const char *certificate, const char *key, struct tls_server **ret,
		   char *ret_why, size_t room)
{
	struct tls_server *server = mem_zero(1, sizeof *server);
	char what[256];

	server->refs = 1;
	server->context = context_new(TLS_server_method());
	SSL_CTX_set_session_cache_mode(server->context, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_use_certificate_chain_file(server->context, certificate) != 1) {
		(void)snprintf(what, sizeof what, "certificate %s", certificate);
	} else if (SSL_CTX_use_PrivateKey_file(server->context, key, SSL_FILETYPE_PEM) != 1 ||
		   SSL_CTX_check_private_key(server->context) != 1) {
		(void)snprintf(what, sizeof what, "key %s", key);
	} else {
		*ret = server;
		return 0;
	}
	tls_last_error(what, ret_why, room);
	tls_server_unref(server);
	return -EINVAL;
}

struct tls_server *tls_server_ref(struct tls_server *server)
{
	server->refs++;
	return server;
}

void tls_server_unref(struct tls_server *server)
{
	if (!server || --server->refs > 0)
		return;
	SSL_CTX_free(server->context);
	free(server);
}

int tls_client_new(const char *ca_file, struct tls_client **ret, char *ret_why, size_t room)
{
	struct tls_client *client = mem_zero(1, sizeof *client);
	char what[256];

	client->refs = 1;
	client->context = context_new(TLS_client_method());
	if (SSL_CTX_dane_enable(client->context) != 1)
		abort();
	if (ca_file ? SSL_CTX_load_verify_file(client->context, ca_file) == 1
		    : SSL_CTX_set_default_verify_paths(client->context) == 1) {
		*ret = client;
		return 0;
	}
	(void)snprintf(what, sizeof what, "certificates of authorities %s", ca_file ? ca_file : "");
	tls_last_error(what, ret_why, room);
	tls_client_unref(client);
	return -EINVAL;
}

struct tls_client *tls_client_ref(struct tls_client *client)
{
	client->refs++;
	return client;
}

void tls_client_unref(struct tls_client *client)
{
	if (!client || --client->refs > 0)
		return;
	SSL_CTX_free(client->context);
	free(client);
}

static struct tls *tls_new(SSL_CTX *context, int fd)
{
	struct tls *tls = mem_zero(1, sizeof *tls);

	tls->ssl = SSL_new(context);
	if (!tls->ssl || SSL_set_fd(tls->ssl, fd) != 1)
		abort();
	return tls;
}

struct tls *tls_accept(struct tls_server *server, int fd)
{
	struct tls *tls = tls_new(server->context, fd);

	SSL_set_accept_state(tls->ssl);
	return tls;
}

int tls_connect(struct tls_client *client, int fd, const struct tls_expect *expect,
		struct tls **ret, char *ret_why, size_t room)
{
	struct tls *tls = tls_new(client->context, fd);
	int r;

	SSL_set_connect_state(tls->ssl);
	r = tls_verify_setup(tls, expect, ret_why, room);
	if (r < 0) {
		tls_free(tls);
		return r;
	}
	*ret = tls;
	return 0;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	if (tls->established)
		(void)SSL_shutdown(tls->ssl);
	ERR_clear_error();
	SSL_free(tls->ssl);
	free(tls->names);
	free(tls);
}

/* What a call that did not do all it should means; @r as the call returned it. */
static ssize_t outcome(struct tls *tls, int r, const char *what)
{
	int saved = errno;

	switch (SSL_get_error(tls->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		tls->established = false;
		ERR_clear_error();
		(void)snprintf(tls->why, sizeof tls->why, "%s: %s", what,
			       saved ? strerror(saved) : "the connection was closed");
		return saved ? -saved : -ECONNRESET;
	default:
		tls->established = false;
		tls_last_error(what, tls->why, sizeof tls->why);
		return -EPROTO;
	}
}

int tls_handshake(struct tls *tls)
{
	long verdict;
	ssize_t result;
	int r;

	errno = 0;
	ERR_clear_error();
	r = SSL_do_handshake(tls->ssl);
	if (r != 1) {
		verdict = SSL_get_verify_result(tls->ssl);
		result = outcome(tls, r, "the TLS handshake failed");
		if (result == TLS_WANT_READ || result == TLS_WANT_WRITE)
			return (int)result;
		if (tls->verifies && verdict != X509_V_OK) {
			(void)snprintf(tls->why, sizeof tls->why, "its certificate: %s",
				       X509_verify_cert_error_string(verdict));
			return -EACCES;
		}
		return -EPROTO;
	}
	tls->established = true;
	return tls_verify_check(tls);
}

ssize_t tls_recv(struct tls *tls, int fd, void *bytes, size_t n)
{
	ssize_t got;
	int r;

	if (!tls) {
		got = recv(fd, bytes, n, MSG_DONTWAIT);
		return got < 0 ? -errno : got;
	}
	errno = 0;
	ERR_clear_error();
	r = SSL_read(tls->ssl, bytes, n > INT_MAX ? INT_MAX : (int)n);
	return r > 0 ? r : outcome(tls, r, "reading");
}

ssize_t tls_send(struct tls *tls, int fd, const void *bytes, size_t n)
{
	ssize_t sent;
	int r;

	if (!tls) {
		sent = send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		return sent < 0 ? -errno : sent;
	}
	errno = 0;
	ERR_clear_error();
	r = SSL_write(tls->ssl, bytes, n > INT_MAX ? INT_MAX : (int)n);
	if (r > 0)
		return r;
	r = (int)outcome(tls, r, "writing");
	return r == 0 ? -EPIPE : r;
}

bool tls_is_wait(ssize_t n)
{
	return n == -EAGAIN || n == -EINTR || n == TLS_WANT_READ || n == TLS_WANT_WRITE;
}

bool tls_pending(const struct tls *tls)
{
	return SSL_pending(tls->ssl) > 0 || SSL_has_pending(tls->ssl);
}

const char *tls_why(const struct tls *tls)
{
	return tls->why;
}

const char *tls_describe(const struct tls *tls)
{
	struct tls *mine = (struct tls *)(uintptr_t)tls;

	(void)snprintf(mine->words, sizeof mine->words, "%s %s verified=%s",
		       SSL_get_version(tls->ssl), SSL_get_cipher_name(tls->ssl),
		       tls->verifies ? "yes" : "no");
	return tls->words;
}
