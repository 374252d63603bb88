/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fronts that speak no SMTP: the first octet says which, the second where the input is cut. */
#include "relay/proxy_parse.h"
#include "relay/socks_parse.h"
#include "relay/sts.h"

#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void socks(const uint8_t *octets, size_t n, size_t cut)
{
	struct socks whole = { 0 }, parts = { 0 };

	socks_feed(&whole, octets, n);
	socks_feed(&parts, octets, cut);
	if (parts.state != SOCKS_BAD)
		socks_feed(&parts, octets + cut, n - cut);
	check(whole.state == parts.state && whole.port == parts.port);
	check(strcmp(whole.user, parts.user) == 0 && strcmp(whole.host, parts.host) == 0);
	check(buffer_len(&whole.out) == buffer_len(&parts.out));
	socks_drop(&whole);
	socks_drop(&parts);
}

static void proxy(const uint8_t *octets, size_t n)
{
	struct proxy_header header;
	uint8_t *copy = malloc(n ? n : 1);	/* so that a look beyond its end is seen */

	memcpy(copy, octets, n);
	if (proxy_parse(copy, n, &header) == 1)
		check(header.len <= n && header.destination_port != 0 &&
		      strlen(header.binding) < 64);
	free(copy);
}

static void policy(const uint8_t *octets, size_t n)
{
	struct sts_policy policy;
	char *copy = malloc(n + 1);
	size_t names = 0;

	memcpy(copy, octets, n);
	copy[n] = '\0';
	(void)sts_parse(copy, ".d.example", &policy);
	while (policy.names[names])
		names++;
	check(names <= STS_NAMES_MAX);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	size_t cut;

	if (n < 2)
		return 0;
	cut = octets[1] % (n - 1);
	switch (octets[0] % 3) {
	case 0:
		socks(octets + 2, n - 2, cut < n - 2 ? cut : n - 2);
		break;
	case 1:
		proxy(octets + 2, n - 2);
		break;
	default:
		policy(octets + 2, n - 2);
	}
	return 0;
}
