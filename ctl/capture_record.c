/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One packet of `outbindctl capture` in words. Pure. */
#include "capture_parts.h"

#include "base/own.h"
#include "say.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const stages[] = { [STAGE_BEFORE] = "before", [STAGE_AFTER] = "after",
				      [STAGE_MISSED] = "missed" };

static const char *find_number(const char *text, const struct numbered *numbered, size_t n)
{
	unsigned long mark = strtoul(text, NULL, 10);

	if (strcmp(text, "none") == 0)
		return NULL;
	for (size_t i = 0; text[0] >= '0' && text[0] <= '9' && i < n; i++)
		if (numbered[i].mark == mark)
			return numbered[i].binding;
	return "?";
}

bool capture_read(const struct logged *logged, const struct numbered *numbered, size_t n,
		  struct record *ret)
{
	const char *blank = strchr(logged->prefix, ' ');

	*ret = (struct record){ .logged = logged };
	for (size_t i = 0; blank && i < ARRAY_LEN(stages); i++) {
		size_t len = strlen(stages[i]);

		if ((size_t)(blank - logged->prefix) != len ||
		    strncmp(logged->prefix, stages[i], len) != 0)
			continue;
		ret->stage = (enum stage)i;
		ret->binding = find_number(blank + 1, numbered, n);
		ret->has_packet = wire_read(WIRE_RAW, logged->bytes, logged->len, &ret->packet);
		return true;
	}
	return false;
}

size_t capture_length(const struct record *record)
{
	const uint8_t *at = record->logged->bytes;
	size_t len = record->logged->len, whole = len;

	if (len >= 20 && at[0] >> 4 == 4)
		whole = (size_t)(at[2] << 8 | at[3]);
	else if (len >= 40 && at[0] >> 4 == 6)
		whole = 40 + (size_t)(at[4] << 8 | at[5]);
	return whole > len ? whole : len;
}

void capture_comment(const struct record *record, char out[static CAPTURE_COMMENT])
{
	const struct logged *logged = record->logged;
	struct says says = { out, 0, CAPTURE_COMMENT };

	out[0] = '\0';
	say(&says, "binding=%s stage=%s direction=%s", record->binding ? record->binding : "-",
	    stages[record->stage], logged->out ? "out" : "in");
	if (record->link[0])
		say(&says, " link=%s", record->link);
	if (logged->has_uid)
		say(&says, " uid=%" PRIu32, logged->uid);
}

static void say_end(struct says *says, const struct ip *ip, uint16_t port, bool ports)
{
	char text[IP_PORT_TEXT];

	say(says, "%s", ports ? ip_print_port(ip, port, text) : ip_print(ip, text));
}

static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmp6";
	default:
		return NULL;
	}
}

static void print_flags(uint8_t flags, char out[static 24])
{
	static const struct { uint8_t bit; const char *name; } names[] = {
		{ WIRE_SYN, "SYN" }, { WIRE_FIN, "FIN" }, { WIRE_RST, "RST" },
		{ WIRE_PUSH, "PSH" }, { WIRE_ACK, "ACK" },
	};
	struct says says = { out, 0, 24 };

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (flags & names[i].bit)
			say(&says, "%s%s", says.n ? "," : "", names[i].name);
}

static void say_packet(struct says *says, const struct wire_packet *packet)
{
	const char *name = protocol_name(packet->protocol);
	bool ports = packet->from_port || packet->to_port;
	char flags[24];

	if (name)
		say(says, "%s ", name);
	else
		say(says, "protocol %u ", packet->protocol);
	say_end(says, &packet->from, packet->from_port, ports);
	say(says, " > ");
	say_end(says, &packet->to, packet->to_port, ports);
	if (packet->protocol == IPPROTO_TCP) {
		print_flags(packet->flags, flags);
		say(says, " %s seq %" PRIu32, flags[0] ? flags : "-", packet->seq);
		if (packet->flags & WIRE_ACK)
			say(says, " ack %" PRIu32, packet->ack);
	} else if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6) {
		say(says, " type %u code %u", packet->type, packet->code);
	}
	say(says, " len %zu", packet->payload);
}

static void say_time(struct says *says, uint64_t when_ns)
{
	time_t seconds = (time_t)(when_ns / 1000000000);
	struct tm tm = { 0 };

	(void)localtime_r(&seconds, &tm);
	say(says, "%02d:%02d:%02d.%06u", tm.tm_hour, tm.tm_min, tm.tm_sec,
	    (unsigned)(when_ns % 1000000000 / 1000));
}

void capture_line(const struct record *record, char out[static CAPTURE_LINE])
{
	struct says says = { out, 0, CAPTURE_LINE };

	out[0] = '\0';
	say_time(&says, record->logged->when_ns);
	say(&says, " %-3s %-6s %s %s ", record->logged->out ? "out" : "in", stages[record->stage],
	    record->binding ? record->binding : "-", record->link[0] ? record->link : "-");
	if (record->has_packet)
		say_packet(&says, &record->packet);
	else
		say(&says, "a packet whose header is cut");
}

json_t *capture_json(const struct record *record)
{
	const struct wire_packet *packet = &record->packet;
	char from[IP_TEXT] = "", to[IP_TEXT] = "", flags[24];
	struct tm tm = { 0 };
	time_t seconds = (time_t)(record->logged->when_ns / 1000000000);
	char when[48];
	size_t n;
	json_t *json;

	(void)gmtime_r(&seconds, &tm);
	n = strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(when + n, sizeof when - n, ".%06uZ",
		       (unsigned)(record->logged->when_ns % 1000000000 / 1000));
	json = json_pack("{s:s, s:s, s:s, s:s?, s:s, s:I}", "time", when, "direction",
			 record->logged->out ? "out" : "in", "stage", stages[record->stage],
			 "binding", record->binding, "link", record->link, "length",
			 (json_int_t)capture_length(record));
	if (record->logged->has_uid)
		json_object_set_new(json, "uid", json_integer(record->logged->uid));
	if (!record->has_packet)
		return json;
	print_flags(packet->flags, flags);
	json_object_set_new(json, "protocol", json_integer(packet->protocol));
	json_object_set_new(json, "source", json_string(ip_print(&packet->from, from)));
	json_object_set_new(json, "source_port", json_integer(packet->from_port));
	json_object_set_new(json, "destination", json_string(ip_print(&packet->to, to)));
	json_object_set_new(json, "destination_port", json_integer(packet->to_port));
	if (packet->protocol == IPPROTO_TCP)
		json_object_set_new(json, "flags", json_string(flags));
	return json;
}
