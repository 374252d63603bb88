/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What gate and agent say to each other, one message of a SOCK_SEQPACKET pair each. Both are the same
 * program, so numbers are as the machine has them. From the agent come orders of one size; from the
 * gate, which may have been taken over, comes what gate_message_read() checks to the last byte.
 */
#pragma once

#include "gate/gate_methods.h"
#include "proto/tag_request.h"

#include <stdint.h>

enum gate_word {
	/* gate to agent */
	GATE_READY = 1,				/* locked in: from now on it reads */
	GATE_CALL,				/* a connection has called a method */
	GATE_TAG,				/* ... has asked for a tag */
	GATE_GARBAGE,				/* ... sent what is no call: close it */
	GATE_CLOSED,				/* ... was closed by its peer */
	GATE_ALIVE,				/* answers GATE_PING */
	/* agent to gate */
	GATE_OPEN_CONTROL = 32,			/* with the connection's descriptor */
	GATE_OPEN_TAG,
	GATE_NEXT,				/* it was answered: read on */
	GATE_CLOSE,
	GATE_PING,
};

struct gate_order { uint32_t word, zero; uint64_t id; };

enum { GATE_VALUES_MAX = 12,			/* parameters of a method */
       GATE_TEXT_MAX = 4096,			/* bytes of one that is text */
       GATE_FAULT_MAX = 200, GATE_MESSAGE_MAX = 64 * 1024 };

enum gate_fault { GATE_FINE, GATE_NO_METHOD, GATE_BAD_PARAMETER };

struct gate_value {
	uint8_t index;				/* in the method's list of parameters */
	char type;				/* of methods.def: s, i or b */
	int64_t number;				/* of i; of b: 0 or 1 */
	const char *text;			/* of s; borrowed, no NUL in it and none behind it */
	size_t len;
};

struct gate_call {
	uint16_t method;			/* GATE_METHODS with GATE_NO_METHOD */
	bool more, oneway;
	enum gate_fault fault;			/* then no values, but: */
	char at_fault[GATE_FAULT_MAX + 1];	/* the name; cut, maybe within a character */
	size_t n;
	struct gate_value values[GATE_VALUES_MAX];	/* by ascending index */
};

struct gate_message {
	enum gate_word word;			/* READY to ALIVE */
	uint64_t id;
	struct gate_call call;			/* of GATE_CALL */
	struct tag_request request;		/* of GATE_TAG */
};

/*
 * gate_message_call - what a peer's @message calls, checked against methods.def
 * What is borrowed in *@ret lives as long as @message. A text longer than GATE_TEXT_MAX is a bad
 * parameter. Returns 0, or -EBADMSG for what is not a call.
 */
MUST_CHECK int gate_message_call(const json_t *message, struct gate_call *ret);

/* Write @message to @out; returns its length. What gate_message_call() made always fits. */
size_t gate_message_write(const struct gate_message *message, uint8_t out[static GATE_MESSAGE_MAX]);

/* Read what write has written; @ret borrows from @bytes. 0, or -EBADMSG for anything else. */
MUST_CHECK int gate_message_read(const uint8_t *bytes, size_t n, struct gate_message *ret);

/* The call's values as an object with their names; NULL if a text is not UTF-8. Owned by the caller. */
json_t *gate_message_parameters(const struct gate_call *call);
