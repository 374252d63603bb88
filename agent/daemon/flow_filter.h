/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections a caller asks for. What is left out means any. */
#pragma once

#include "daemon/method.h"

struct flow_filter {
	struct fwmark mask;			/* our bits */
	struct { uint32_t *at; size_t n, room; } marks;	/* sorted; of a binding, or of a group's members */
	bool by_binding, by_to, by_from, by_uid;
	struct prefix to, from;			/* @from: of the client, before translation */
	uint16_t to_port;			/* 0: any */
	uint8_t protocol;			/* 0: any */
	uint32_t uid;
};

/* Parameters binding, to, port, protocol, from and uid of @call. False with its answer set. */
bool flow_filter_read(struct call *call, struct flow_filter *ret);
void flow_filter_drop(struct flow_filter *filter);

/* Is it one of them; @owner is NULL if it is not known. Pure. */
bool flow_filter_takes(const struct flow_filter *filter, const struct connection *connection,
		       const struct socket_owner *owner);

/* The mark that the kernel can go by, or NULL: there are several, or none was asked for. */
const struct fwmark *flow_filter_mark(const struct flow_filter *filter, struct fwmark *ret);
