/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A digest that finds damage; it does not keep anybody from forging one. */
#pragma once

#include <stddef.h>

enum { DIGEST_HEX = 33 };			/* 32 hex digits and a NUL */

void digest_print(const void *bytes, size_t len, char ret_text[static DIGEST_HEX]);
