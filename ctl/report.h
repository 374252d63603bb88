/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a bug report consists of, as it is gathered. */
#pragma once

#include "ctl.h"
#include "redact.h"

enum { REPORT_MEMBER_MAX = 1 << 20, REPORT_RULESET_MAX = 4 << 20, REPORT_MEMBERS_MAX = 64 };

struct report_member {
	char *path;
	char *text;				/* NULL: it was left out */
	size_t len;
	bool cut;				/* more than its bound: the beginning is here */
	char *note;				/* why it was left out, or what was; may be NULL */
};

struct report {
	struct ctl *ctl;
	const char *config;
	bool no_relay;				/* the configuration has none */
	struct redact redact;
	struct { struct report_member *at; size_t n, room; } members;
};

void report_drop(struct report *report);

/* Add a text, without secrets and cut to @max bytes; @note may be NULL. */
void report_add(struct report *report, const char *path, const char *text, size_t max,
		const char *note);
/* The same for one that is clean already (taken over), and for what is not there. */
void report_add_clean(struct report *report, const char *path, char *text, size_t max,
		      const char *note);
void report_leave_out(struct report *report, const char *path, const char *format, ...)
	PRINTF(3, 4);

/* Gather it all. The configuration first, whose secrets are then taken out of all else. */
void report_gather_configuration(struct report *report);
void report_gather_agent(struct report *report);
void report_gather_host(struct report *report);

/* The last member: what is in, what was left out and why. */
void report_manifest(struct report *report);
