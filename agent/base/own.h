/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership a compiler can see: an owned thing is an AUTO value, moving it is x_take(), dropping
 * accepts an empty value and keeps errno. Running out of memory ends the process (see mem_grow):
 * the data path does not need the agent alive, and a restart adopts the live table.
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO(drop)	__attribute__((cleanup(drop)))		/* owner: dropped at scope end */
#define MUST_CHECK	__attribute__((warn_unused_result))
#define PRINTF(f, a)	__attribute__((format(printf, f, a)))
#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

struct fd { int n; };				/* owned descriptor; n < 0 means empty */
#define FD_NONE		((struct fd){ .n = -1 })

/* Close and empty. Accepts an empty fd; never touches errno, so it is safe on error paths. */
static inline void fd_drop(struct fd *fd)
{
	int saved = errno;

	if (fd->n >= 0)
		(void)close(fd->n);
	*fd = FD_NONE;
	errno = saved;
}

/* Move ownership to the caller: *fd becomes empty, so its AUTO drop does nothing. */
MUST_CHECK static inline struct fd fd_take(struct fd *fd)
{
	struct fd out = *fd;

	*fd = FD_NONE;
	return out;
}

/* AUTO(mem_drop) for a malloc'd pointer: char *AUTO(mem_drop) text = ...; */
static inline void mem_drop(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
	*(void **)pointer_to_pointer = NULL;
}
