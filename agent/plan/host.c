/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See host.h. */
#include "plan/host.h"

#include <stdlib.h>

void host_drop(struct host *host)
{
	foreign_drop(&host->foreign);
	for (size_t i = 0; i < host->files.n; i++)
		free(host->files.at[i].path);
	free(host->files.at);
	*host = (struct host){ 0 };
}

const char *host_setting_path(enum host_setting setting)
{
	static const char *const paths[HOST_SETTINGS] = {
		[HOST_IP_FORWARD] = "net/ipv4/ip_forward",
		[HOST_IP6_FORWARD] = "net/ipv6/conf/all/forwarding",
		[HOST_CONNTRACK_COUNT] = "net/netfilter/nf_conntrack_count",
		[HOST_CONNTRACK_MAX] = "net/netfilter/nf_conntrack_max",
		[HOST_CONNTRACK_BUCKETS] = "net/netfilter/nf_conntrack_buckets",
		[HOST_TCP_LOOSE] = "net/netfilter/nf_conntrack_tcp_loose",
		[HOST_TCP_ESTABLISHED] = "net/netfilter/nf_conntrack_tcp_timeout_established",
		[HOST_UDP_STREAM] = "net/netfilter/nf_conntrack_udp_timeout_stream",
	};

	return paths[setting];
}
