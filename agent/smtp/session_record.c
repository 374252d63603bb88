/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What became of a delivery: for the log, and for the memory of acknowledgements that were lost.
 * A fingerprint is of route, sender, the recipients that this leg accepted, in any order, and the
 * text as the client gave it.
 */
#include "smtp/session_parts.h"

#include "base/mem.h"

#include <string.h>

/* The first one that @leg accepted, else that it was for, else of all. "" if there was none. */
static const char *first_rcpt(const struct session *session, int leg)
{
	const struct rcpt *first = session->rcpts.n > 0 ? &session->rcpts.at[0] : NULL;

	for (size_t i = 0; leg >= 0 && i < session->rcpts.n; i++) {
		const struct rcpt *rcpt = &session->rcpts.at[i];

		if (rcpt->leg == leg && rcpt->state == RCPT_GOOD)
			return rcpt->address;
		if (rcpt->leg == leg && first->leg != leg)
			first = rcpt;
	}
	return first ? first->address : "";
}

/* @refused_rcpt: the recipient that the line is about alone; else NULL. */
static void record(struct session *session, int leg, enum outcome_kind outcome,
		   const struct reply *reply, const char *refused_rcpt)
{
	const struct leg *at = leg >= 0 && (size_t)leg < session->legs.n ? &session->legs.at[leg]
									 : NULL;
	unsigned refused = 0;

	for (size_t i = 0; i < session->rcpts.n; i++)
		refused += session->rcpts.at[i].state == RCPT_BAD;
	session->recorded = true;
	if (at)
		session->legs.at[leg].recorded = true;
	session->record = (struct record){
		.leg = at ? leg : -1, .outcome = outcome, .ack_lost = session->gone && at,
		.sender = session->sender, .helo = session->helo, .user = session->user,
		.first_rcpt = refused_rcpt ? refused_rcpt : first_rcpt(session, leg),
		.header = session->scan.n_taken > 0 ? session->scan.value : NULL,
		.n_accepted = at ? at->n_accepted : 0,
		.n_refused = at ? at->n_refused : refused_rcpt ? 1 : refused,
		.size = session->decoder.n_content, .n_nul = session->decoder.n_nul,
		.code = reply->code, .began = session->began, .body_began = session->body_began,
		.ended = session->now,
	};
	if (outcome != OUTCOME_DELIVERED)
		session->record.ack_lost = outcome == OUTCOME_UNACKED;
	session->record.reply = reply_first(reply, session->record_reply,
					    sizeof session->record_reply);
	session->host->record(session->host->context, &session->record);
}

void session_record(struct session *session, int leg, enum outcome_kind outcome,
		    const struct reply *reply)
{
	record(session, leg, outcome, reply, NULL);
}

/* The recipients of a destination that has no line yet, all of which were refused. */
static void record_leg(struct session *session, int leg)
{
	const struct leg *at = &session->legs.at[leg];

	for (size_t i = 0; i < session->rcpts.n; i++) {
		const struct rcpt *rcpt = &session->rcpts.at[i];

		if (rcpt->leg != leg || rcpt->state != RCPT_BAD || at->recorded || at->n_accepted)
			continue;
		session_record(session, leg, OUTCOME_REFUSED, &rcpt->reply);
		return;
	}
}

void session_record_refused(struct session *session)
{
	for (size_t i = 0; i < session->legs.n; i++)
		record_leg(session, (int)i);
	for (size_t i = 0; i < session->rcpts.n && !session->mail_refused; i++) {
		const struct rcpt *rcpt = &session->rcpts.at[i];

		/* 452: it was only sent to a transaction of its own */
		if (rcpt->leg >= 0 || rcpt->state != RCPT_BAD || rcpt->reply.code == 452)
			continue;
		record(session, -1, OUTCOME_REFUSED, &rcpt->reply, rcpt->address);
	}
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void session_fingerprint(struct session *session, int leg)
{
	struct leg *at = &session->legs.at[leg];
	struct text route = session->host->route_key(session->host->context, at->route);
	struct digest_stream *all = digest_begin(session->host->key);
	const char **rcpts = mem_zero(session->rcpts.n, sizeof *rcpts);
	uint8_t text[16];
	size_t n = 0;

	digest_end(session->digest, text);
	digest_add(all, text, sizeof text);
	digest_add(all, &session->decoder.n_content, sizeof session->decoder.n_content);
	digest_add(all, route.at, route.len);
	digest_add(all, "", 1);
	digest_add(all, session->sender, strlen(session->sender) + 1);
	for (size_t i = 0; i < session->rcpts.n; i++)
		if (session->rcpts.at[i].leg == leg && session->rcpts.at[i].state == RCPT_GOOD)
			rcpts[n++] = session->rcpts.at[i].address;
	qsort(rcpts, n, sizeof *rcpts, compare_texts);
	for (size_t i = 0; i < n; i++)
		digest_add(all, rcpts[i], strlen(rcpts[i]) + 1);
	digest_end(all, at->fingerprint.octet);
	digest_free(all);
	free(rcpts);
}

/* The client did not get to read the last verdicts. */
void session_unread(struct session *session)
{
	AUTO(reply_drop) struct reply none = { 0 };

	for (size_t i = 0; i < session->unacked.n; i++) {
		session->host->remember(session->host->context, &session->unacked.at[i]);
		session_record(session, -1, OUTCOME_UNACKED, &none);
	}
	session->unacked.n = 0;
}
