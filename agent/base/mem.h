/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that is there or the process is not: growable arrays and zeroed blocks. */
#pragma once

#include <stddef.h>

/*
 * mem_zero - @n zeroed elements of @size bytes, to be freed by the caller; never NULL
 * Ends the process by abort(3) when there is no memory or @n * @size overflows.
 */
void *mem_zero(size_t n, size_t size);

/*
 * mem_grow - make room for at least @need elements of @size bytes
 * @at:   array from an earlier call, or NULL
 * @room: elements @at has room for; updated
 *
 * Returns the array, moved or not; grows by half, so pushing is amortised constant time. New room
 * is not zeroed. Ends the process by abort(3) when there is no memory.
 */
void *mem_grow(void *at, size_t *room, size_t need, size_t size);

/* Copy of the @len bytes at @text plus a NUL, to be freed by the caller; never NULL. */
char *mem_text(const char *text, size_t len);

/* Copy of @text, to be freed by the caller; NULL of NULL. */
char *mem_copy(const char *text);

/* Append to a struct { T *at; size_t n, room; }; evaluates @v once, before the list changes. */
#define PUSH(list, v) \
	do { \
		__auto_type push_list_ = (list); \
		__typeof__(*push_list_->at) push_value_ = (v); \
		push_list_->at = mem_grow(push_list_->at, &push_list_->room, push_list_->n + 1, \
					  sizeof *push_list_->at); \
		push_list_->at[push_list_->n++] = push_value_; \
	} while (0)
