/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See gate_methods.h. methods.def is the one list: what a method needs is checked twice by it, here
 * by the process that reads what peers wrote, and by the agent that runs the method.
 */
#include "gate/gate_methods.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

const struct gate_form gate_forms[GATE_METHODS] = {
	[GATE_METHOD_get_info] = { "org.varlink.service.GetInfo", "" },
	[GATE_METHOD_get_interface] = { "org.varlink.service.GetInterfaceDescription",
					"interface:s" },
#define METHOD(name, right, run, parameters) \
	[GATE_METHOD_##run] = { "org.outbind." #name, parameters },
#include "daemon/methods.def"
#undef METHOD
};

size_t gate_method_find(const char *name)
{
	size_t i = 0;

	while (i < GATE_METHODS && strcmp(gate_forms[i].name, name) != 0)
		i++;
	return i;
}

bool gate_method_parameter(const char **spec, struct gate_parameter *ret)
{
	size_t len = strcspn(*spec, ":?");

	if (!**spec)
		return false;
	snprintf(ret->name, sizeof ret->name, "%.*s", (int)len, *spec);
	ret->optional = (*spec)[len] == '?';
	ret->type = (*spec)[len + 1];
	*spec += len + 2;
	*spec += **spec == ' ';
	return true;
}

static bool has_type(const json_t *value, char type)
{
	if (type == 'b')
		return json_is_boolean(value);
	if (type == 'a')
		return json_is_array(value);
	return type == 'i' ? json_is_integer(value) : json_is_string(value);
}

/* No parameter is misspelt: what we do not know is refused, not ignored. */
static const char *find_unknown(const json_t *parameters, const char *spec)
{
	void *at = json_object_iter((json_t *)(uintptr_t)parameters);

	for (; at; at = json_object_iter_next((json_t *)(uintptr_t)parameters, at)) {
		const char *key = json_object_iter_key(at), *rest = spec;
		struct gate_parameter known;
		bool found = false;

		while (!found && gate_method_parameter(&rest, &known))
			found = strcmp(known.name, key) == 0;
		if (!found)
			return key;
	}
	return NULL;
}

const char *gate_method_check(const json_t *parameters, const char *spec, char buffer[static 32])
{
	const char *rest = spec;
	struct gate_parameter known;
	size_t n = 0;

	while (gate_method_parameter(&rest, &known)) {
		const json_t *value = json_object_get(parameters, known.name);

		n += value != NULL;
		if (json_is_null(value) && known.optional)
			continue;
		if (value ? !has_type(value, known.type) : !known.optional) {
			memcpy(buffer, known.name, sizeof known.name);
			return buffer;
		}
	}
	return n == json_object_size(parameters) ? NULL : find_unknown(parameters, spec);
}
