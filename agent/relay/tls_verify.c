/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose certificate a destination may show. `verify`: one for its host name, or for a name of the
 * MTA-STS policy, signed by an authority. `dane`: what its TLSA records say (RFC 7672), usages 2
 * and 3; others are unusable there, and if no record is usable TLS is still a must, but
 * unverified (section 2.2).
 */
#include "relay/tls_parts.h"

#include "base/mem.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int expect_names(struct tls *tls, const struct tls_expect *expect)
{
	SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (!expect->names)
		return SSL_set1_host(tls->ssl, expect->host) == 1 ? 0 : -EINVAL;
	for (size_t i = 0; expect->names[i]; i++) {
		/* ".b.example" is any host right below b.example (Postfix's match=). */
		if (SSL_add1_host(tls->ssl, expect->names[i]) != 1)
			return -EINVAL;
	}
	SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
					    X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS);
	return 0;
}

static int expect_records(struct tls *tls, const struct tls_expect *expect, size_t *ret_usable)
{
	*ret_usable = 0;
	if (SSL_dane_enable(tls->ssl, expect->host) != 1)
		return -EINVAL;
	SSL_dane_set_flags(tls->ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (size_t i = 0; i < expect->n_tlsa; i++) {
		const struct tlsa *at = &expect->tlsa[i];

		if (at->usage != 2 && at->usage != 3)
			continue;
		if (SSL_dane_tlsa_add(tls->ssl, at->usage, at->selector, at->matching, at->octets,
				      at->len) == 1)
			(*ret_usable)++;
	}
	return 0;
}

static bool is_name(const char *host)
{
	return host && host[0] != '[' && strpbrk(host, "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ");
}

int tls_verify_setup(struct tls *tls, const struct tls_expect *expect, char *ret_why, size_t room)
{
	size_t usable = 0;
	int r = 0;

	if (is_name(expect->host) && SSL_set_tlsext_host_name(tls->ssl, expect->host) != 1)
		r = -EINVAL;
	if (r == 0 && expect->level == RELAY_UPSTREAM_VERIFY)
		r = expect_names(tls, expect);
	if (r == 0 && expect->level == RELAY_UPSTREAM_DANE && expect->n_tlsa > 0)
		r = expect_records(tls, expect, &usable);
	if (r < 0) {
		tls_last_error("its name", ret_why, room);
		return r;
	}
	tls->verifies = expect->level == RELAY_UPSTREAM_VERIFY || usable > 0;
	SSL_set_verify(tls->ssl, tls->verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	return 0;
}

int tls_verify_check(struct tls *tls)
{
	long verdict = SSL_get_verify_result(tls->ssl);

	if (!tls->verifies || verdict == X509_V_OK)
		return 0;
	(void)snprintf(tls->why, sizeof tls->why, "its certificate: %s",
		       X509_verify_cert_error_string(verdict));
	return -EACCES;
}
