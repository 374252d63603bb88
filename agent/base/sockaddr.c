/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See sockaddr.h. */
#include "base/sockaddr.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

socklen_t sockaddr_of_ip(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof *ret);
	if (ip_family(ip) == FAMILY_IPV4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, ip->octet, sizeof in->sin_addr);
		return sizeof *in;
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, ip->octet, sizeof in6->sin6_addr);
	return sizeof *in6;
}

socklen_t sockaddr_of_path(const char *path, struct sockaddr_storage *ret)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ret;
	size_t len = strlen(path);

	memset(ret, 0, sizeof *ret);
	if (len >= sizeof un->sun_path)
		return 0;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len + 1);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

bool sockaddr_read_ip(const struct sockaddr_storage *address, struct ip *ret, uint16_t *ret_port)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	const uint8_t *octets = in6->sin6_addr.s6_addr;

	if (address->ss_family == AF_INET) {
		*ret = (struct ip){ .len = 4 };
		memcpy(ret->octet, &in->sin_addr, 4);
		*ret_port = ntohs(in->sin_port);
		return true;
	}
	if (address->ss_family != AF_INET6)
		return false;
	*ret = (struct ip){ .len = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ? 4 : 16 };
	memcpy(ret->octet, octets + 16 - ret->len, ret->len);
	*ret_port = ntohs(in6->sin6_port);
	return true;
}
