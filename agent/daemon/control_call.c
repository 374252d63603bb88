/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dispatch. methods.def is dispatch table, access table and parameter list at once; the rights of
 * a peer come from its credentials when it connected, never from a message. The interface
 * org.varlink.service (https://varlink.org/Service) is answered here too.
 */
#include "daemon/control_call.h"

#include "daemon/log.h"
#include "proto/varlink.h"

#include <stdio.h>
#include <string.h>

struct method {
	const char *name;
	enum peer_right needs;
	method_run *run;
	const char *parameters;
};

static const char service_description[] =
	"# The Varlink Service Interface is provided by every varlink service. It\n"
	"# describes the service and the interfaces it implements.\n"
	"interface org.varlink.service\n\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n  product: string,\n  version: string,\n  url: string,\n"
	"  interfaces: []string\n)\n\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n\n"
	"error InterfaceNotFound (interface: string)\n"
	"error MethodNotFound (method: string)\n"
	"error MethodNotImplemented (method: string)\n"
	"error InvalidParameter (parameter: string)\n"
	"error PermissionDenied ()\n"
	"error ExpectedMore ()\n";

static void get_info(struct call *call)
{
	method_reply(call, json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "outbind",
				     "product", "outbindd", "version", OUTBIND_VERSION, "url", "",
				     "interfaces", "org.varlink.service", VARLINK_INTERFACE));
}

static void get_interface(struct call *call)
{
	const char *name = method_text(call, "interface"), *text = NULL;

	if (strcmp(name, VARLINK_INTERFACE) == 0)
		text = varlink_description;
	else if (strcmp(name, "org.varlink.service") == 0)
		text = service_description;
	if (text)
		method_reply(call, json_pack("{s:s}", "description", text));
	else
		method_fail(call, SERVICE_ERROR("InterfaceNotFound"),
			    json_pack("{s:s}", "interface", name));
}

static const struct method methods[] = {
	{ "org.varlink.service.GetInfo", PEER_NONE, get_info, "" },
	{ "org.varlink.service.GetInterfaceDescription", PEER_NONE, get_interface, "interface:s" },
#define METHOD(name, right, run, parameters) \
	{ VARLINK_INTERFACE "." #name, right, method_##run, parameters },
#include "daemon/methods.def"
#undef METHOD
};

static bool has_type(const json_t *value, char type)
{
	if (type == 'b')
		return json_is_boolean(value);
	if (type == 'a')
		return json_is_array(value);
	return type == 'i' ? json_is_integer(value) : json_is_string(value);
}

/* Every parameter that @spec names is there and of its type, in @call; the number of them that are
 * there in *ret_n. False with the answer set if not. */
static bool check_named(struct call *call, const char *spec, size_t *ret_n)
{
	size_t n = 0;

	while (*spec) {
		char name[32];
		size_t len = strcspn(spec, ":?");
		bool optional = spec[len] == '?';
		const json_t *value;

		snprintf(name, sizeof name, "%.*s", (int)len, spec);
		value = json_object_get(call->parameters, name);
		n += value != NULL;
		if (value && json_is_null(value) && optional)
			value = NULL;
		if (value ? !has_type(value, spec[len + 1]) : !optional) {
			method_fail_parameter(call, name);
			return false;
		}
		spec += len + 2;
		spec += *spec == ' ';
	}
	*ret_n = n;
	return true;
}

/* No parameter is misspelt: what we do not know is refused, not ignored. */
static bool check_unknown(struct call *call, const char *spec)
{
	void *at = json_object_iter((json_t *)(uintptr_t)call->parameters);

	for (; at; at = json_object_iter_next((json_t *)(uintptr_t)call->parameters, at)) {
		const char *key = json_object_iter_key(at), *found = spec;
		size_t len = strlen(key);

		while (*found && !(strncmp(found, key, len) == 0 && strchr(":?", found[len]))) {
			found += strcspn(found, " ");
			found += *found == ' ';
		}
		if (!*found || len == 0) {
			method_fail_parameter(call, key);
			return false;
		}
	}
	return true;
}

static void run(const struct method *method, enum peer_right right, struct call *call)
{
	size_t n = 0;

	if (right < method->needs) {
		const char *needs = method->needs == PEER_ADMIN	? "root"
				    : method->needs == PEER_REPORT ? "root or user outbind-dns"
								   : "root or group outbind";

		log_event(EVENT_CONTROL_DENIED, "method=%s needs=\"%s\"", method->name, needs);
		method_fail(call, OUTBIND_ERROR("PermissionDenied"),
			    json_pack("{s:s}", "needs", needs));
		return;
	}
	if (!check_named(call, method->parameters, &n))
		return;
	if (n != json_object_size(call->parameters) && !check_unknown(call, method->parameters))
		return;
	method->run(call);
}

static void fail_unknown(struct call *call, const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t len = dot ? (size_t)(dot - name) : strlen(name);

	if ((len == strlen(VARLINK_INTERFACE) && strncmp(name, VARLINK_INTERFACE, len) == 0) ||
	    (len == 19 && strncmp(name, "org.varlink.service", len) == 0))
		method_fail(call, SERVICE_ERROR("MethodNotFound"),
			    json_pack("{s:s}", "method", name));
	else
		method_fail(call, SERVICE_ERROR("InterfaceNotFound"),
			    json_pack("{s:s%}", "interface", name, len));
}

static void dispatch(const char *name, enum peer_right right, struct call *call)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strcmp(methods[i].name, name) == 0) {
			run(&methods[i], right, call);
			return;
		}
	}
	fail_unknown(call, name);
}

/* Takes what is in @answer. */
static json_t *message_of(struct answer *answer)
{
	json_t *message = json_object();

	if (answer->error)
		json_object_set_new(message, "error", json_string(answer->error));
	json_object_set_new(message, "parameters", answer->parameters);
	if (answer->continues)
		json_object_set_new(message, "continues", json_true());
	*answer = (struct answer){ 0 };
	return message;
}

json_t *control_call_next(struct agent *agent, struct stream *stream, bool *ret_last)
{
	struct answer answer = { 0 };

	stream->next(stream, agent, &answer);
	*ret_last = !answer.continues && !answer.waits;
	return answer.waits ? NULL : message_of(&answer);
}

/* A stream's first piece; without `more` it must be the only one. Nobody waits for a oneway call. */
static void begin_stream(struct call *call, bool more, bool oneway)
{
	struct stream *stream = call->stream;

	stream->more = more && !oneway;
	stream->next(stream, call->agent, &call->answer);
	if (call->answer.continues && !stream->more)
		method_fail(call, SERVICE_ERROR("ExpectedMore"), json_object());
	if (oneway || (!call->answer.continues && !call->answer.waits)) {
		stream->free(stream);
		call->stream = NULL;
	}
}

int control_call(struct agent *agent, enum peer_right right, const json_t *message,
		 struct reply *ret)
{
	const char *name = json_string_value(json_object_get(message, "method"));
	const json_t *parameters = json_object_get(message, "parameters");
	bool oneway = json_is_true(json_object_get(message, "oneway"));
	bool more = json_is_true(json_object_get(message, "more"));
	struct call call = { .agent = agent };
	json_t *none = json_object();

	if (!name || (parameters && !json_is_object(parameters) && !json_is_null(parameters))) {
		json_decref(none);
		return -EBADMSG;
	}
	call.parameters = json_is_object(parameters) ? parameters : none;
	dispatch(name, right, &call);
	if (call.stream)
		begin_stream(&call, more, oneway);
	json_decref(none);
	if (oneway) {
		answer_drop(&call.answer);
		*ret = (struct reply){ 0 };
		return 0;
	}
	ret->message = call.answer.waits ? NULL : message_of(&call.answer);
	ret->stream = call.stream;
	return 0;
}
