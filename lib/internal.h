/* SPDX-License-Identifier: MIT */
/* What tests need of liboutbind beyond its interface; not exported, not installed. */
#pragma once

#include <stddef.h>

/* outbind_tag() with the socket's path and the patience given. */
__attribute__((visibility("hidden")))
int outbind_tag_at(const char *path, int timeout_ms, int fd, const char *binding, char *reply,
		   size_t room);
