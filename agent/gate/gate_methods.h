/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and parameters of the control methods, numbered as both sides of the gate count them. */
#pragma once

#include "base/own.h"

#include <jansson.h>
#include <stdbool.h>

enum gate_method {
	GATE_METHOD_get_info, GATE_METHOD_get_interface,	/* org.varlink.service */
#define METHOD(name, right, run, parameters) GATE_METHOD_##run,
#include "daemon/methods.def"
#undef METHOD
	GATE_METHODS
};

struct gate_form { const char *name, *parameters; };	/* parameters: as methods.def has them */
extern const struct gate_form gate_forms[GATE_METHODS];

struct gate_parameter {
	char name[32];
	char type;				/* s, i, b or a: not for the gate */
	bool optional;
};

/* Number of the method of this name, or GATE_METHODS. */
size_t gate_method_find(const char *name);

/* Take the next parameter off *@spec; false at its end. */
bool gate_method_parameter(const char **spec, struct gate_parameter *ret);

/*
 * gate_method_check - are @parameters, an object, what @spec asks for: all there, of their type, none unknown
 * Returns NULL if they are, else the name of one that is not: in @buffer, or a key of @parameters.
 */
const char *gate_method_check(const json_t *parameters, const char *spec, char buffer[static 32]);
