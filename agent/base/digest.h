/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A digest that finds damage; it does not keep anybody from forging one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_HEX = 33 };			/* 32 hex digits and a NUL */

/*
 * A digest of what comes piece by piece. @key, chosen at random by the process, keeps others from making two
 * texts that have the same one; that they have it by accident is as likely as 2^-128 is.
 */
struct digest_stream;
struct digest_stream *digest_begin(uint64_t key);
void digest_add(struct digest_stream *stream, const void *bytes, size_t len);
void digest_end(const struct digest_stream *stream, uint8_t ret[static 16]);	/* so far */
void digest_free(struct digest_stream *stream);

void digest_print(const void *bytes, size_t len, char ret_text[static DIGEST_HEX]);
