/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong, as one list for status, the log and doctor: what, where it was seen, what mends it. */
#pragma once

#include "base/own.h"

#include <stddef.h>
#include <stdint.h>

/*
 * NOTE: worth knowing, nothing to mend; it does not count as a finding for exit codes. WARNING:
 * something may fail, now or under load. ERROR: something does not work.
 */
enum severity { SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR, SEVERITIES };

struct finding {
	enum severity severity;
	const char *about;			/* static word: "source-nat", "clock", ... */
	char *text;				/* one line: what is wrong and what comes of it */
	char *evidence;				/* what was found where; NULL: the text says it */
	char *remedy;				/* the command that mends it; NULL: there is none */
	uint32_t owner;				/* netlink port of who owns the table it is about; 0: nobody */
};

enum { FINDINGS_MAX = 400 };			/* of one list; further ones are counted */

struct findings { struct finding *at; size_t n, room, left_out; };

void findings_drop(struct findings *findings);

/* Append one, without evidence and remedy. */
void finding_add(struct findings *findings, enum severity severity, const char *about,
		 const char *format, ...) PRINTF(4, 5);

/* Of the one that was added last; nothing if it was left out. */
void finding_evidence(struct findings *findings, const char *format, ...) PRINTF(2, 3);
void finding_remedy(struct findings *findings, const char *format, ...) PRINTF(2, 3);
void finding_owner(struct findings *findings, uint32_t port);

/* In one line: "text: `remedy`", cut to fit; returns @out. */
enum { FINDING_TEXT = 512 };
const char *finding_print(const struct finding *finding, char out[static FINDING_TEXT]);

/* "note", "warning", "error". */
const char *finding_severity(enum severity severity);
