/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Varlink messages on a stream: JSON objects, each ended by one NUL byte. Both programs use this;
 * methods, types and errors are in org.outbind.varlink.
 */
#pragma once

#include "base/own.h"

#include <jansson.h>

#define VARLINK_SOCKET_NAME	"org.outbind"	/* in the runtime directory */
#define VARLINK_INTERFACE	"org.outbind"
#define VARLINK_RELAY_INTERFACE	"org.outbind.relay"	/* the relay's, on its own socket */

/* Text of org.outbind.varlink and of org.outbind.relay.varlink, as GetInterfaceDescription answers it. */
extern const char varlink_description[], varlink_relay_description[];

struct varlink_reader {				/* zero is an empty one */
	char *at;
	size_t n, room, scanned;
	size_t limit;				/* of one message, in bytes; 0: VARLINK_MESSAGE_MAX */
};

enum { VARLINK_MESSAGE_MAX = 1024 * 1024, VARLINK_DEPTH_MAX = 32 };

void varlink_reader_drop(struct varlink_reader *reader);

/* Append bytes from the socket; -EMSGSIZE if a message grows beyond the limit. */
MUST_CHECK int varlink_feed(struct varlink_reader *reader, const char *bytes, size_t n);

/*
 * varlink_next - take the next whole message
 * Returns 1 with an object in *@ret (owned by the caller), 0 if none is complete yet, -EBADMSG for
 * what is not a JSON object or nests deeper than VARLINK_DEPTH_MAX.
 */
MUST_CHECK int varlink_next(struct varlink_reader *reader, json_t **ret);

/* @message as bytes with its NUL, malloc'd into *@ret; returns the length with the NUL. */
size_t varlink_encode(const json_t *message, char **ret);
