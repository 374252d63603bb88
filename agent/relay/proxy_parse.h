/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A PROXY header, version 2: haproxy's proxy-protocol.txt, section 2.2. Pure. */
#pragma once

#include "base/types.h"

struct proxy_header {
	struct ip source, destination;
	uint16_t source_port, destination_port;
	char binding[64];			/* by TLV 0xE0 or an authority, or "" */
	size_t len;				/* octets of the header */
};

enum { PROXY_HEADER_MAX = 16 + 2048 };

/* 1: whole, *@ret written; 0: more is needed; -EINVAL: not a header that we can serve. */
MUST_CHECK int proxy_parse(const uint8_t *at, size_t n, struct proxy_header *ret);
