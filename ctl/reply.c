/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Safe reading of members; see the header. jansson accepts NULL in all of these. */
#include "reply.h"

const json_t *reply_member(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);

	return json_is_null(member) ? NULL : member;
}

json_t *reply_keep(const json_t *object, const char *key)
{
	json_t *member = json_object_get(object, key);

	return json_is_null(member) ? NULL : json_incref(member);
}

const char *reply_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

long long reply_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool reply_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}
