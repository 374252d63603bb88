/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the gate reads of peers: a tag request in one message, calls in a stream. Whatever comes out is what
 * the agent takes, and its parameters are as methods.def wants them.
 */
#include "gate/gate_message.h"
#include "proto/varlink.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static uint8_t wire[GATE_MESSAGE_MAX];

static void read_tag(const uint8_t *bytes, size_t n)
{
	struct gate_message sent = { .word = GATE_TAG, .id = 1 }, got;

	tag_request_read((const char *)bytes, n, &sent.request);
	if (gate_message_read(wire, gate_message_write(&sent, wire), &got) < 0)
		abort();
}

static void read_call(const json_t *json)
{
	struct gate_message sent = { .word = GATE_CALL, .id = 1 }, got;
	json_t *parameters;
	char name[32];

	if (gate_message_call(json, &sent.call) < 0)
		return;
	if (gate_message_read(wire, gate_message_write(&sent, wire), &got) < 0)
		abort();
	if (got.call.fault != GATE_FINE)
		return;
	parameters = gate_message_parameters(&got.call);
	if (!parameters ||
	    gate_method_check(parameters, gate_forms[got.call.method].parameters, name))
		abort();
	json_decref(parameters);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct varlink_reader reader = { 0 };
	json_t *message;

	read_tag(bytes, n);
	if (varlink_feed(&reader, (const char *)bytes, n) == 0)
		while (varlink_next(&reader, &message) == 1) {
			read_call(message);
			json_decref(message);
		}
	varlink_reader_drop(&reader);
	return 0;
}
