/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See flow_record.h. Written by hand, since some ten thousand are made in a second. */
#include "daemon/flow_record.h"

#include "daemon/flow_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct line { char *at; size_t len; };		/* at most FLOW_RECORD; numbers and addresses fit */

static void PRINTF(2, 3) add(struct line *line, const char *format, ...)
{
	size_t room = FLOW_RECORD - line->len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line->at + line->len, room, format, args);
	va_end(args);
	line->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* RFC 8259 section 7; the configuration has seen to it that it is UTF-8. */
static void add_name(struct line *line, const char *name)
{
	enum { NAME_ROOM = 256 };
	char text[NAME_ROOM];
	size_t n = 0;

	for (; *name && n + 8 < sizeof text; name++) {
		if (*name == '"' || *name == '\\')
			text[n++] = '\\';
		if ((unsigned char)*name < ' ')
			n += (size_t)snprintf(text + n, 8, "\\u%04x", *name);
		else
			text[n++] = *name;
	}
	text[n] = '\0';
	add(line, ",\"binding\":\"%s\"", text);
}

/* gmtime_r(3) once a second is enough. */
static void add_time(struct line *line, const char *key, uint64_t nsec)
{
	static _Thread_local char text[32];
	static _Thread_local time_t when = -1;
	time_t seconds = (time_t)(nsec / 1000000000);
	struct tm tm;

	if (seconds != when) {
		gmtime_r(&seconds, &tm);
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
		when = seconds;
	}
	add(line, "\"%s\":\"%s.%03uZ\"", key, text, (unsigned)(nsec / 1000000 % 1000));
}

static void add_ends(struct line *line, const struct connection *c)
{
	char from[IP_TEXT], source[IP_TEXT], to[IP_TEXT], protocol[8];

	add(line, ",\"protocol\":\"%s\",\"from\":\"%s\",\"from_port\":%u,\"source\":\"%s\","
	    "\"source_port\":%u,\"to\":\"%s\",\"to_port\":%u",
	    flow_protocol(c->protocol, protocol), ip_print(&c->from, from), c->from_port,
	    ip_print(&c->source, source), c->source_port, ip_print(&c->to, to), c->to_port);
}

size_t flow_record_print(const struct follow_event *event, const char *binding, bool tagged,
			 uint64_t missed, const struct timespec *now, char out[static FLOW_RECORD])
{
	const struct connection *c = &event->connection;
	uint64_t ended = c->ended ? c->ended
				  : (uint64_t)now->tv_sec * 1000000000 + (uint64_t)now->tv_nsec;
	struct line line = { .at = out };

	add(&line, "{");
	add_time(&line, "time", ended);
	if (binding)
		add_name(&line, binding);
	add_ends(&line, c);
	add(&line, ",\"verdict\":\"%s\"", sources_word(event->verdict));
	if (event->owned)
		add(&line, ",\"uid\":%u,\"cgroup_id\":%" PRIu64 ",\"tagged\":%s", event->owner.uid,
		    event->owner.cgroup, tagged ? "true" : "false");
	if (c->began) {
		add(&line, ",");
		add_time(&line, "began", c->began);
		add(&line, ",\"duration_ms\":%" PRIu64,
		    ended > c->began ? (ended - c->began) / 1000000 : 0);
	}
	if (c->counted)
		add(&line, ",\"sent_packets\":%" PRIu64 ",\"sent_bytes\":%" PRIu64
		    ",\"answered_packets\":%" PRIu64 ",\"answered_bytes\":%" PRIu64,
		    c->packets[0], c->bytes[0], c->packets[1], c->bytes[1]);
	if (missed)
		add(&line, ",\"missed\":%" PRIu64, missed);
	add(&line, "}\n");
	return line.len;
}
