/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for people and programs: "relay.event key=value ...", like the agent's. */
#pragma once

#include "smtp/buffer.h"

/* An event of the program as a whole, to standard error, with a time unless the journal adds one. */
void report_event(const char *event, const char *format, ...) PRINTF(2, 3);
/* The time as such a line begins with. */
void report_time(struct buffer *line);
/* ' key="text"', with what would break the line or the quotes escaped; nothing if @text is NULL. */
void report_field(struct buffer *line, const char *key, const char *text);
