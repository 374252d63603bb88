/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies to the client, in the order of its commands: see session_parts.h. */
#include "smtp/session_parts.h"

#include "base/mem.h"

#include <string.h>

void session_say_reply(struct session *session, struct reply *reply)
{
	PUSH(&session->slots, ((struct slot){ .kind = SLOT_READY, .reply = reply_take(reply) }));
}

void session_say(struct session *session, int code, const char *text)
{
	struct reply reply = reply_make(code, "%s", text);

	session_say_reply(session, &reply);
}

void session_wait(struct session *session, enum slot_kind kind, uint32_t rcpt)
{
	PUSH(&session->slots, ((struct slot){ .kind = kind, .rcpt = rcpt }));
}

bool session_fill(struct session *session, enum slot_kind kind, uint32_t rcpt,
		  const struct reply *reply)
{
	for (size_t i = 0; i < session->slots.n; i++) {
		struct slot *slot = &session->slots.at[i];

		if (slot->kind != kind || slot->rcpt != rcpt)
			continue;
		slot->kind = SLOT_READY;
		slot->reply = reply_copy(reply);
		return true;
	}
	return false;
}

bool session_waits(const struct session *session)
{
	for (size_t i = 0; i < session->slots.n; i++)
		if (session->slots.at[i].kind != SLOT_READY)
			return true;
	return false;
}

void session_flush_slots(struct session *session)
{
	size_t n = 0;

	for (; n < session->slots.n && session->slots.at[n].kind == SLOT_READY; n++) {
		if (!session->gone)
			reply_print(&session->slots.at[n].reply, &session->output);
		reply_drop(&session->slots.at[n].reply);
	}
	if (n == 0)
		return;
	session->slots.n -= n;
	memmove(session->slots.at, session->slots.at + n,
		session->slots.n * sizeof *session->slots.at);
}
