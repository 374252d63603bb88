/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 4648 section 4, strict: padding, no white space. */
#pragma once

#include "smtp/line.h"

#include <sys/types.h>

/* Into @ret (at most @room bytes); returns their number, or -EINVAL, or -EMSGSIZE. */
MUST_CHECK ssize_t base64_decode(struct text text, uint8_t *ret, size_t room);
void base64_encode(const void *bytes, size_t n, struct buffer *out);
