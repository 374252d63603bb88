/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent reads from a gate that may have been taken over. Whatever is read must be within what the
 * agent then relies on, and written again it must be the same bytes: there is one way to say a thing.
 */
#include "gate/gate_message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_call(const struct gate_call *call)
{
	if (call->fault != GATE_FINE) {
		if (call->n != 0 || strlen(call->at_fault) > GATE_FAULT_MAX)
			abort();
		return;
	}
	if (call->method >= GATE_METHODS || call->n > GATE_VALUES_MAX)
		abort();
	for (size_t i = 0; i < call->n; i++)
		if (call->values[i].type == 's' &&
		    (call->values[i].len > GATE_TEXT_MAX ||
		     memchr(call->values[i].text, '\0', call->values[i].len)))
			abort();
	json_decref(gate_message_parameters(call));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static uint8_t again[GATE_MESSAGE_MAX];
	struct gate_message message;

	if (n > GATE_MESSAGE_MAX || gate_message_read(bytes, n, &message) < 0)
		return 0;
	if (message.word < GATE_READY || message.word > GATE_ALIVE)
		abort();
	if (message.word == GATE_CALL)
		check_call(&message.call);
	if (message.word == GATE_TAG && !tag_request_valid(&message.request))
		abort();
	if (gate_message_write(&message, again) != n || memcmp(again, bytes, n) != 0)
		abort();
	return 0;
}
