/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of the kernel in /proc/sys/net, of the network namespace of the calling process. */
#pragma once

#include "kernel/kernel.h"

MUST_CHECK int net_settings_read(struct net_settings *ret);

/* Ports from @range ("32768 60999") without those that @reserved ("8080,9000-9010") lists; 0 if
 * @range is not one. Pure. */
uint32_t net_settings_ports(const char *range, const char *reserved, struct port_range *ret);
