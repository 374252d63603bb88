/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See resolve_mx.h. */
#include "relay/resolve_mx.h"

#include <string.h>
#include <strings.h>

/* FNV-1a, as an order among equals that depends on the hash and on the name only. */
static uint32_t mix(uint32_t hash, const char *name)
{
	hash ^= 2166136261u;
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash;
}

static bool comes_before(const struct mx *a, const struct mx *b, uint32_t hash)
{
	if (a->preference != b->preference)
		return a->preference < b->preference;
	return mix(hash, a->host) < mix(hash, b->host);
}

static void sort(struct mx *mx, size_t n, uint32_t hash)
{
	for (size_t i = 1; i < n; i++) {
		struct mx one = mx[i];
		size_t j = i;

		for (; j > 0 && comes_before(&one, &mx[j - 1], hash); j--)
			mx[j] = mx[j - 1];
		mx[j] = one;
	}
}

size_t resolve_mx_order(struct mx *mx, size_t n, const struct resolve_how *how,
			struct reply *ret_refusal)
{
	size_t left = 0;

	if (n == 1 && mx[0].host[0] == '\0') {
		*ret_refusal = reply_make(556, "5.1.10 %s takes no mail (null MX)", how->domain);
		return 0;
	}
	sort(mx, n, how->hash);
	for (size_t i = 0; i < n; i++) {
		if (mx[i].host[0] == '\0')
			continue;		/* "." among others is no host: RFC 7505 section 3 */
		if (how->own_name && strcasecmp(mx[i].host, how->own_name) == 0) {
			uint16_t ours = mx[i].preference;

			while (left > 0 && mx[left - 1].preference >= ours)
				left--;
			break;
		}
		mx[left++] = mx[i];
	}
	if (left == 0)
		*ret_refusal = reply_make(554, "5.4.6 mail for %s loops back to this host",
					  how->domain);
	return left < RESOLVE_HOSTS_MAX ? left : RESOLVE_HOSTS_MAX;
}

bool resolve_literal(const char *text, struct ip *ret)
{
	char inner[64];
	size_t len = strlen(text);

	if (text[0] != '[')
		return ip_parse(text, ret) == 0;
	if (len < 3 || len - 2 >= sizeof inner || text[len - 1] != ']')
		return false;
	memcpy(inner, text + 1, len - 2);
	inner[len - 2] = '\0';
	return ip_parse(strncasecmp(inner, "IPv6:", 5) == 0 ? inner + 5 : inner, ret) == 0;
}
