/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See text_lines.h. */
#include "plan/text_lines.h"

#include <errno.h>
#include <string.h>

int text_lines_read(const char *text, size_t len, const char *version,
		    bool (*read)(void *context, char *line), void *context, uint32_t *ret_line)
{
	const char *at = text, *end = text + len;
	size_t head = strlen(version);

	*ret_line = 1;
	if (len == 0)
		return 0;
	if (len < head || memcmp(text, version, head) != 0)
		return -EINVAL;
	for (at += head; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = newline ? (size_t)(newline - at) : TEXT_LINE_MAX;
		char copy[TEXT_LINE_MAX];

		++*ret_line;
		if (n >= sizeof copy)
			return -EINVAL;
		memcpy(copy, at, n);
		copy[n] = '\0';
		if (strlen(copy) != n || !read(context, copy))
			return -EINVAL;
		at = newline + 1;
	}
	return 0;
}
