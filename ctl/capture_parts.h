/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of `outbindctl capture` share: one record, and its two forms. */
#pragma once

#include "kernel/packet_log.h"
#include "wire.h"

#include <jansson.h>

enum { CAPTURE_LINE = 512, CAPTURE_COMMENT = 256, CAPTURE_NAME = 64 };

enum stage { STAGE_BEFORE, STAGE_AFTER, STAGE_MISSED };

struct record {					/* a packet, on one side of translation */
	enum stage stage;
	const char *binding;			/* NULL: none; "?": one that is not told apart */
	char link[16];				/* "" if it is not known */
	bool has_packet;			/* false: its header is cut */
	struct wire_packet packet;
	const struct logged *logged;
};

struct numbered { uint32_t mark; const char *binding; };	/* as the agent says it; borrowed */

/* Read what the rule said and what the packet is. False if the rule is none of ours. */
bool capture_read(const struct logged *logged, const struct numbered *numbered, size_t n,
		  struct record *ret);

/* "binding=acme stage=after direction=out link=eth0 uid=1000" */
void capture_comment(const struct record *record, char out[static CAPTURE_COMMENT]);

/* One line for people: "12:00:00.000000 out after  acme  eth0 tcp 192.0.2.1:4000 > ...: SYN". */
void capture_line(const struct record *record, char out[static CAPTURE_LINE]);

/* The same as an object, to be freed by the caller. */
json_t *capture_json(const struct record *record);

/* The packet's length as IP has it, not less than what was captured. */
size_t capture_length(const struct record *record);
