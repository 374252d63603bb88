/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See tag_request.h: the only parser of what peers of the tag socket write. */
#include "proto/tag_request.h"

#include <string.h>

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool take_name(const char *text, struct tag_request *ret)
{
	size_t len = strlen(text);

	if (len == 0 || len > TAG_REQUEST_NAME)
		return false;
	memcpy(ret->name, text, len + 1);
	return true;
}

/* "HASH WHOM" */
static bool take_second(const char *text, struct tag_request *ret)
{
	uint64_t hash = 0;
	size_t digits = 0;

	for (; *text >= '0' && *text <= '9' && digits < 11; text++, digits++)
		hash = hash * 10 + (uint64_t)(*text - '0');
	if (digits == 0 || hash > UINT32_MAX || *text++ != ' ')
		return false;
	ret->hash = (uint32_t)hash;
	if (begins(text, TAG_BY_NAME))
		return take_name(text + sizeof TAG_BY_NAME - 1, ret);
	return begins(text, TAG_BY_ADDRESS) &&
	       ip_parse(text + sizeof TAG_BY_ADDRESS - 1, &ret->ip) == 0;
}

static enum tag_request_kind take(const char *text, struct tag_request *ret)
{
	if (strcmp(text, TAG_WATCH) == 0)
		return TAG_REQUEST_WATCH;
	if (begins(text, TAG_REQUEST_PREFIX))
		return take_name(text + sizeof TAG_REQUEST_PREFIX - 1, ret)
			? TAG_REQUEST_TAG : TAG_REQUEST_BAD;
	if (begins(text, TAG_REQUEST2_PREFIX))
		return take_second(text + sizeof TAG_REQUEST2_PREFIX - 1, ret)
			? TAG_REQUEST_TAG_SECOND : TAG_REQUEST_BAD_SECOND;
	if (begins(text, TAG_ASK_PREFIX))
		return take_second(text + sizeof TAG_ASK_PREFIX - 1, ret)
			? TAG_REQUEST_ASK : TAG_REQUEST_BAD_SECOND;
	return TAG_REQUEST_BAD;
}

void tag_request_read(const char *bytes, size_t len, struct tag_request *ret)
{
	char text[TAG_REQUEST_MAX + 1];
	struct tag_request request = { .kind = TAG_REQUEST_BAD };

	if (len <= TAG_REQUEST_MAX && !memchr(bytes, '\0', len)) {
		memcpy(text, bytes, len);
		text[len] = '\0';
		request.kind = take(text, &request);
	}
	if (request.kind == TAG_REQUEST_BAD || request.kind == TAG_REQUEST_BAD_SECOND)
		request = (struct tag_request){ .kind = request.kind };
	*ret = request;
}

bool tag_request_valid(const struct tag_request *request)
{
	return request->kind >= TAG_REQUEST_BAD && request->kind < TAG_REQUEST_KINDS &&
	       (request->ip.len == 0 || request->ip.len == 4 || request->ip.len == 16) &&
	       memchr(request->name, '\0', sizeof request->name) != NULL;
}
