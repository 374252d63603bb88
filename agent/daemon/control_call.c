/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dispatch. methods.def is dispatch table, access table and parameter list at once; the rights of
 * a peer come from its credentials when it connected, never from a message. What the gate has parsed
 * takes the same way: it becomes parameters again, and they are checked again. The interface
 * org.varlink.service (https://varlink.org/Service) is answered here too.
 */
#include "daemon/control_call.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "proto/varlink.h"

#include <string.h>

struct method {					/* name and parameters: gate_forms, same index */
	enum peer_right needs;
	method_run *run;
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

static const struct method methods[GATE_METHODS] = {
	[GATE_METHOD_get_info] = { PEER_NONE, get_info },
	[GATE_METHOD_get_interface] = { PEER_NONE, get_interface },
#define METHOD(name, right, run, parameters) [GATE_METHOD_##run] = { right, method_##run },
#include "daemon/methods.def"
#undef METHOD
};

/* Run method @i. @fault: name of a parameter that is known to be wrong, or NULL. */
static void run(size_t i, enum peer_right right, const char *fault, struct call *call)
{
	char name[32];

	if (right < methods[i].needs) {
		const char *needs = methods[i].needs == PEER_ADMIN  ? "root"
				  : methods[i].needs == PEER_REPORT ? "root or user outbind-dns"
								    : "root or group outbind";

		if (log_allowed(&call->agent->doors.log))
			log_event(EVENT_CONTROL_DENIED, "method=%s uid=%u needs=\"%s\"",
				  gate_forms[i].name, call->agent->asked_by, needs);
		method_fail(call, OUTBIND_ERROR("PermissionDenied"),
			    json_pack("{s:s}", "needs", needs));
		return;
	}
	if (!fault)
		fault = gate_method_check(call->parameters, gate_forms[i].parameters, name);
	if (fault)
		method_fail_parameter(call, fault);
	else
		methods[i].run(call);
}

static json_t *json_interface(const char *name, size_t len)
{
	AUTO(mem_drop) char *interface = mem_text(name, len);

	return method_json(interface);
}

static void fail_unknown(struct call *call, const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t len = dot ? (size_t)(dot - name) : strlen(name);

	if ((len == strlen(VARLINK_INTERFACE) && strncmp(name, VARLINK_INTERFACE, len) == 0) ||
	    (len == 19 && strncmp(name, "org.varlink.service", len) == 0))
		method_fail(call, SERVICE_ERROR("MethodNotFound"),
			    json_pack("{s:o}", "method", method_json(name)));
	else
		method_fail(call, SERVICE_ERROR("InterfaceNotFound"),
			    json_pack("{s:o}", "interface", json_interface(name, len)));
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

/* What becomes of a call that was run. */
static void finish(struct call *call, bool more, bool oneway, struct reply *ret)
{
	if (call->stream)
		begin_stream(call, more, oneway);
	if (oneway) {
		answer_drop(&call->answer);
		*ret = (struct reply){ 0 };
		return;
	}
	ret->message = call->answer.waits ? NULL : message_of(&call->answer);
	ret->stream = call->stream;
}

int control_call(struct agent *agent, enum peer_right right, const json_t *message,
		 struct reply *ret)
{
	const char *name = json_string_value(json_object_get(message, "method"));
	const json_t *parameters = json_object_get(message, "parameters");
	struct call call = { .agent = agent };
	json_t *none = json_object();
	size_t i;

	if (!name || (parameters && !json_is_object(parameters) && !json_is_null(parameters))) {
		json_decref(none);
		return -EBADMSG;
	}
	call.parameters = json_is_object(parameters) ? parameters : none;
	i = gate_method_find(name);
	if (i < GATE_METHODS)
		run(i, right, NULL, &call);
	else
		fail_unknown(&call, name);
	finish(&call, json_is_true(json_object_get(message, "more")),
	       json_is_true(json_object_get(message, "oneway")), ret);
	json_decref(none);
	return 0;
}

int control_call_gated(struct agent *agent, enum peer_right right, const struct gate_call *asked,
		       struct reply *ret)
{
	struct call call = { .agent = agent };
	json_t *parameters = gate_message_parameters(asked);

	if (!parameters)
		return -EBADMSG;
	call.parameters = parameters;
	if (asked->fault == GATE_NO_METHOD)
		fail_unknown(&call, asked->at_fault);
	else
		run(asked->method, right, asked->fault == GATE_FINE ? NULL : asked->at_fault,
		    &call);
	finish(&call, asked->more, asked->oneway, ret);
	json_decref(parameters);
	return 0;
}
