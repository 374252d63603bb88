/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host and a port as people write them: "192.0.2.1:25", "[2001:db8::1]:25". Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { HOST_PORT_TEXT = 160 };

/* @address with @port; returns @out. */
const char *host_port_print(const char *address, long long port, char out[static HOST_PORT_TEXT]);

struct host_port {				/* borrowed from the text */
	const char *host;			/* @len bytes, without brackets */
	size_t len;
	const char *port;			/* what stands behind the colon; NULL: there is none */
};

/*
 * host_port_split - take "HOST", "HOST:PORT", "[HOST]" or "[HOST]:PORT" apart
 * Several colons without brackets are an IPv6 address without a port. Neither part is looked at, and
 * both may be empty. False if a bracket is not closed, or something else than a port stands behind it.
 */
bool host_port_split(const char *text, struct host_port *ret);
