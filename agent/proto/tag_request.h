/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request of the tag protocol (proto/tag.h) as a struct of fixed size, that can be checked at a glance. */
#pragma once

#include "base/types.h"
#include "proto/tag.h"

enum { TAG_REQUEST_NAME = 63 };			/* bytes of a name */

enum tag_request_kind {
	TAG_REQUEST_BAD = 1,			/* not understood */
	TAG_REQUEST_BAD_SECOND,			/* of version 2, and not understood */
	TAG_REQUEST_TAG,			/* TAG 1 */
	TAG_REQUEST_TAG_SECOND,			/* TAG 2 */
	TAG_REQUEST_ASK,
	TAG_REQUEST_WATCH,
	TAG_REQUEST_KINDS
};

struct tag_request {
	uint32_t kind;				/* enum tag_request_kind */
	uint32_t hash;
	struct ip ip;				/* len 0: by name */
	char name[TAG_REQUEST_NAME + 1];	/* NUL-terminated; "" if by address */
};

/* What the @len bytes at @bytes ask for; anything is a request, if only a bad one. */
void tag_request_read(const char *bytes, size_t len, struct tag_request *ret);

/* Is what came from another process such a struct: kind, lengths and the end of the name. */
bool tag_request_valid(const struct tag_request *request);
