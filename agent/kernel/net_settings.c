/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See net_settings.h; Documentation/networking/ip-sysctl.rst and nf_conntrack-sysctl.rst. */
#include "kernel/net_settings.h"

#include <stdio.h>
#include <string.h>

enum { RESERVED_TEXT = 64 * 1024 };

static int read_text(const char *path, char *out, size_t room)
{
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return -errno;
	n = fread(out, 1, room - 1, file);
	out[n] = '\0';
	fclose(file);
	return 0;
}

/* Is the switch on; off if this kernel has none. */
static bool is_on(const char *path)
{
	char text[16];

	return read_text(path, text, sizeof text) == 0 && strtol(text, NULL, 10) > 0;
}

/* "A" or "A-B" at @text; the end of it in *@ret_end. False if there is none. */
static bool read_range(const char *text, const char **ret_end, long *ret_first, long *ret_last)
{
	char *end;

	*ret_first = *ret_last = strtol(text, &end, 10);
	if (end == text)
		return false;
	if (*end == '-')
		*ret_last = strtol(end + 1, &end, 10);
	*ret_end = *end == ',' ? end + 1 : end;
	return true;
}

uint32_t net_settings_ports(const char *range, const char *reserved, struct port_range *ret)
{
	long first, last, from, to, n;

	if (sscanf(range, "%ld %ld", &first, &last) != 2 || first < 1 || last > UINT16_MAX ||
	    first > last)
		return 0;
	n = last - first + 1;
	while (read_range(reserved, &reserved, &from, &to)) {	/* sorted, and none twice */
		from = from > first ? from : first;
		to = to < last ? to : last;
		n -= to >= from ? to - from + 1 : 0;
	}
	*ret = (struct port_range){ (uint16_t)first, (uint16_t)last };
	return n > 0 ? (uint32_t)n : 0;
}

int net_settings_read(struct net_settings *ret)
{
	char range[64] = "", *AUTO(mem_drop) reserved = malloc(RESERVED_TEXT);
	int r;

	if (!reserved)
		abort();
	reserved[0] = '\0';
	r = read_text("/proc/sys/net/ipv4/ip_local_port_range", range, sizeof range);
	if (r == 0)
		(void)read_text("/proc/sys/net/ipv4/ip_local_reserved_ports", reserved,
				RESERVED_TEXT);
	if (r < 0)
		return r;
	ret->n_ports = net_settings_ports(range, reserved, &ret->ports);
	ret->counts = is_on("/proc/sys/net/netfilter/nf_conntrack_acct");
	ret->times = is_on("/proc/sys/net/netfilter/nf_conntrack_timestamp");
	return 0;
}
