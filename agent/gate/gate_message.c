/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See gate_message.h. Layout: word (u32), id (u64); of a call method (u16), flags (u8), fault (u8), then
 * with a fault its text (u16 and bytes), else the number of values (u8), and each as index (u8), type
 * (u8) and a number (u64) or a text (u16 and bytes). A tag request is its struct. Nothing may follow.
 *
 * The reader allocates nothing and follows nothing but lengths that it has compared with what is left.
 */
#include "gate/gate_message.h"

#include <stdio.h>
#include <string.h>

enum { FLAG_MORE = 1, FLAG_ONEWAY = 2 };

struct writer { uint8_t *at; size_t n; };
struct reader { const uint8_t *at; size_t left; bool bad; };

static void put(struct writer *out, const void *bytes, size_t n)
{
	memcpy(out->at + out->n, bytes, n);
	out->n += n;
}

static void put_byte(struct writer *out, unsigned byte)
{
	out->at[out->n++] = (uint8_t)byte;
}

static void put_text(struct writer *out, const char *text, size_t len)
{
	uint16_t n = (uint16_t)len;

	put(out, &n, sizeof n);
	put(out, text, len);
}

static void get(struct reader *in, void *ret, size_t n)
{
	in->bad = in->bad || in->left < n;
	if (in->bad)
		memset(ret, 0, n);
	else
		memcpy(ret, in->at, n);
	in->at += in->bad ? 0 : n;
	in->left -= in->bad ? 0 : n;
}

static uint8_t get_byte(struct reader *in)
{
	uint8_t byte;

	get(in, &byte, 1);
	return byte;
}

static const char *get_text(struct reader *in, size_t most, size_t *ret_len)
{
	const char *text;
	uint16_t n;

	get(in, &n, sizeof n);
	in->bad = in->bad || n > most || n > in->left || memchr(in->at, '\0', n);
	text = (const char *)in->at;
	*ret_len = in->bad ? 0 : n;
	in->at += *ret_len;
	in->left -= *ret_len;
	return text;
}

static void put_call(struct writer *out, const struct gate_call *call)
{
	put(out, &call->method, sizeof call->method);
	put_byte(out, (call->more ? FLAG_MORE : 0) | (call->oneway ? FLAG_ONEWAY : 0));
	put_byte(out, call->fault);
	if (call->fault != GATE_FINE) {
		put_text(out, call->at_fault, strlen(call->at_fault));
		return;
	}
	put_byte(out, (unsigned)call->n);
	for (size_t i = 0; i < call->n; i++) {
		const struct gate_value *value = &call->values[i];

		put_byte(out, value->index);
		put_byte(out, (unsigned char)value->type);
		if (value->type == 's')
			put_text(out, value->text, value->len);
		else
			put(out, &value->number, sizeof value->number);
	}
}

size_t gate_message_write(const struct gate_message *message, uint8_t out[static GATE_MESSAGE_MAX])
{
	_Static_assert(GATE_VALUES_MAX * (GATE_TEXT_MAX + 16) + 64 <= GATE_MESSAGE_MAX,
		       "a message has room for the longest call");
	struct writer writer = { out, 0 };
	uint32_t word = message->word;

	put(&writer, &word, sizeof word);
	put(&writer, &message->id, sizeof message->id);
	if (message->word == GATE_CALL)
		put_call(&writer, &message->call);
	if (message->word == GATE_TAG)
		put(&writer, &message->request, sizeof message->request);
	return writer.n;
}

/* The value's type is the one that parameter number @value->index has. */
static bool is_declared(uint16_t method, const struct gate_value *value)
{
	const char *spec = gate_forms[method].parameters;
	struct gate_parameter known;

	for (unsigned i = 0; gate_method_parameter(&spec, &known); i++)
		if (i == value->index)
			return known.type == value->type;
	return false;
}

static void get_value(struct reader *in, const struct gate_call *call, struct gate_value *ret)
{
	int last = call->n ? call->values[call->n - 1].index : -1;

	ret->index = get_byte(in);
	ret->type = (char)get_byte(in);
	in->bad = in->bad || ret->index <= last || ret->type == 'a' ||
		  !is_declared(call->method, ret);
	if (in->bad)
		return;
	if (ret->type == 's')
		ret->text = get_text(in, GATE_TEXT_MAX, &ret->len);
	else
		get(in, &ret->number, sizeof ret->number);
	in->bad = in->bad || (ret->type == 'b' && (ret->number & ~1));
}

static void get_call(struct reader *in, struct gate_call *ret)
{
	uint8_t flags, fault, n;
	const char *text;
	size_t len;

	get(in, &ret->method, sizeof ret->method);
	flags = get_byte(in);
	fault = get_byte(in);
	ret->more = flags & FLAG_MORE;
	ret->oneway = flags & FLAG_ONEWAY;
	ret->fault = (enum gate_fault)fault;
	in->bad = in->bad || flags > (FLAG_MORE | FLAG_ONEWAY) || fault > GATE_BAD_PARAMETER ||
		  (fault == GATE_NO_METHOD ? ret->method != GATE_METHODS
					   : ret->method >= GATE_METHODS);
	if (in->bad)
		return;
	if (fault != GATE_FINE) {
		text = get_text(in, GATE_FAULT_MAX, &len);
		memcpy(ret->at_fault, text, len);
		return;
	}
	n = get_byte(in);
	in->bad = in->bad || n > GATE_VALUES_MAX;
	for (; !in->bad && ret->n < n; ret->n++)
		get_value(in, ret, &ret->values[ret->n]);
}

int gate_message_read(const uint8_t *bytes, size_t n, struct gate_message *ret)
{
	struct reader in = { bytes, n, false };
	struct gate_message message = { 0 };
	uint32_t word;

	get(&in, &word, sizeof word);
	get(&in, &message.id, sizeof message.id);
	if (in.bad || word < GATE_READY || word > GATE_ALIVE)
		return -EBADMSG;
	message.word = (enum gate_word)word;
	if (message.word == GATE_CALL)
		get_call(&in, &message.call);
	if (message.word == GATE_TAG) {
		get(&in, &message.request, sizeof message.request);
		in.bad = in.bad || !tag_request_valid(&message.request);
	}
	if (in.bad || in.left > 0)
		return -EBADMSG;
	*ret = message;
	return 0;
}

static void set_fault(struct gate_call *call, enum gate_fault fault, const char *text)
{
	call->fault = fault;
	snprintf(call->at_fault, sizeof call->at_fault, "%s", text);
	call->n = 0;
}

/* Values of @parameters, which are as @call's method wants them. */
static void take_values(const json_t *parameters, struct gate_call *call)
{
	const char *spec = gate_forms[call->method].parameters;
	struct gate_parameter known;

	for (uint8_t i = 0; gate_method_parameter(&spec, &known) && call->fault == GATE_FINE; i++) {
		const json_t *value = json_object_get(parameters, known.name);
		struct gate_value *to = &call->values[call->n];

		if (!value || json_is_null(value))
			continue;
		*to = (struct gate_value){ .index = i, .type = known.type };
		if (known.type == 's') {
			to->text = json_string_value(value);
			to->len = json_string_length(value);
		} else {
			to->number = known.type == 'b' ? json_is_true(value)
						       : json_integer_value(value);
		}
		call->n++;
		/* No name and no path is so long. Changes are, and lists are what is reported, but who may
		 * call for that is not read by the gate: others lack the right, whatever they send. */
		if (to->len > GATE_TEXT_MAX || known.type == 'a')
			set_fault(call, GATE_BAD_PARAMETER, known.name);
	}
}

int gate_message_call(const json_t *message, struct gate_call *ret)
{
	const char *name = json_string_value(json_object_get(message, "method")), *fault;
	const json_t *parameters = json_object_get(message, "parameters");
	char known[32];
	struct gate_call call = { .more = json_is_true(json_object_get(message, "more")),
				  .oneway = json_is_true(json_object_get(message, "oneway")) };

	if (!name || (parameters && !json_is_object(parameters) && !json_is_null(parameters)))
		return -EBADMSG;
	call.method = (uint16_t)gate_method_find(name);
	if (call.method == GATE_METHODS) {
		set_fault(&call, GATE_NO_METHOD, name);
	} else {
		fault = gate_method_check(parameters, gate_forms[call.method].parameters, known);
		if (fault)
			set_fault(&call, GATE_BAD_PARAMETER, fault);
		else
			take_values(parameters, &call);
	}
	*ret = call;
	return 0;
}

/* Parameter number @index of the call's method into @ret. */
static void name_of(const struct gate_call *call, unsigned index, struct gate_parameter *ret)
{
	const char *spec = gate_forms[call->method].parameters;

	for (unsigned i = 0; gate_method_parameter(&spec, ret) && i < index; i++)
		;
}

json_t *gate_message_parameters(const struct gate_call *call)
{
	json_t *object = json_object();

	for (size_t i = 0; i < call->n; i++) {
		const struct gate_value *value = &call->values[i];
		struct gate_parameter known;
		json_t *json;

		name_of(call, value->index, &known);
		json = value->type == 's' ? json_stringn(value->text, value->len)
		     : value->type == 'b' ? json_boolean(value->number)
					  : json_integer(value->number);
		if (json_object_set_new(object, known.name, json) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}
