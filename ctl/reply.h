/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members of JSON objects that another program made: what is missing or of another type reads as
 * nothing, so that an agent of another version cannot crash this one.
 */
#pragma once

#include "base/own.h"

#include <jansson.h>
#include <stdbool.h>

const char *reply_text(const json_t *object, const char *key);	/* "" if there is none */
long long reply_number(const json_t *object, const char *key);	/* 0 if there is none */
bool reply_true(const json_t *object, const char *key);
const json_t *reply_member(const json_t *object, const char *key);	/* NULL if there is none */

/* The same, to be kept: a reference that the caller owns. */
MUST_CHECK json_t *reply_keep(const json_t *object, const char *key);
