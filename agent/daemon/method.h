/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a control method sees: one call, and the three ways to answer it. */
#pragma once

#include "daemon/agent.h"

#include <jansson.h>

enum peer_right { PEER_NONE, PEER_READ, PEER_REPORT, PEER_ADMIN };	/* each has those before */

/* An answer: parameters alone, or an error's name and its parameters. Owned. */
struct answer {
	const char *error;			/* static text; NULL: a reply */
	json_t *parameters;
	bool continues;				/* another answer to the same call follows */
	bool waits;				/* of a stream: there is nothing to say yet */
};

/*
 * A call answered in pieces: the next piece is made when the one before it was written. One that
 * has nothing yet answers with @waits and nothing else, and is asked again after control_wake() (for
 * whatever reason that was called). Without `more` in the call it must wait until it has the only
 * answer there will be. A peer that goes away frees its stream.
 */
struct stream {
	void (*next)(struct stream *stream, struct agent *agent, struct answer *ret);
	void (*free)(struct stream *stream);
	bool more;				/* the caller takes several; set before the first next() */
	bool slow;				/* a piece takes about a millisecond: one a turn of the loop */
};

struct call {
	struct agent *agent;
	const json_t *parameters; /* an object; types were checked against methods.def */
	struct answer answer;
	struct stream *stream;
};

typedef void method_run(struct call *call);

#define METHOD(name, right, run, parameters) void method_##run(struct call *call);
#include "daemon/methods.def"
#undef METHOD

void answer_drop(struct answer *answer);
void answer_refuse(struct answer *answer, const char *text);	/* KernelRefused, at no place */

/* Set the answer; @parameters is taken over (a failed json_pack() ends the process). */
void method_reply(struct call *call, json_t *parameters);
void method_fail(struct call *call, const char *error, json_t *parameters);
void method_stream(struct call *call, struct stream *stream);

void method_fail_unknown(struct call *call, const char *binding);
void method_fail_outcome(struct call *call, int r, const struct outcome *out);
/* The same, or if @r is 0 how much work it was: operations and microseconds. */
void method_reply_outcome(struct call *call, int r, const struct outcome *out);
void method_fail_parameter(struct call *call, const char *name);

/* A parameter, or NULL / false if it was left out. */
const char *method_text(const struct call *call, const char *name);
bool method_true(const struct call *call, const char *name);
bool method_number(const struct call *call, const char *name, json_int_t *ret);

/* A number of @least to @most into *@value, which stays if it was left out. False with the answer set:
 * it is another one. */
MUST_CHECK bool method_number_within(struct call *call, const char *name, json_int_t least,
				     json_int_t most, json_int_t *value);

/* JSON string of @text; bytes that are not UTF-8 become '?'. NULL gives null. */
json_t *method_json(const char *text);

/* RFC 3339 with milliseconds, UTC. */
json_t *method_json_time(const struct timespec *time);
/* Suspend or resume the implicit default, and answer as SuspendBinding does. */
void method_suspend_default(struct call *call, bool on);

/* What suspending (@on) or resuming @binding would change; NO_INDEX: what no rule claims. */
void method_try_suspend(struct call *call, uint32_t binding, bool on);

/* Answer "text: string" with @text, which is taken over, in pieces if it is long. One long one at a
 * time: Busy if another client is being sent one. */
void method_stream_text(struct call *call, char *text);

/* NotFound: there is no @what called @name. */
void method_fail_not_found(struct call *call, const char *what, const char *name);

/* True and the number, if @text is one that fits an id. */
bool method_is_id(const char *text, uint32_t *ret);

/* The sender that parameters unit, cgroup, pid (at most one of them), user and group say, into @packet.
 * False with the answer set. */
struct packet;
MUST_CHECK bool method_take_sender(struct call *call, struct packet *packet);

/* Index of the binding, or -ESRCH with the answer set. NO_INDEX: the implicit default. */
MUST_CHECK int method_binding(struct call *call, const char *name, uint32_t *ret);

json_t *method_json_rule(const struct model *model, const struct rule *rule);
json_t *method_json_default(const struct model *model);	/* as a rule; null if nothing is said */
json_t *method_json_warmup(const struct agent *agent, const struct binding *binding);	/* or null */
json_t *method_json_problems(const struct problems *problems);
json_t *method_json_counters(struct agent *agent);	/* types of org.outbind.varlink */
json_t *method_json_census(const struct agent *agent);
struct differences;
json_t *method_json_differences(const struct differences *differences,
				const struct overlay *overlay);
json_t *method_json_domains(const struct binding *binding);	/* of sender-domain */
json_t *method_json_require(const struct binding *binding);	/* as it is written, or null */
const struct listing *method_listing(struct agent *agent);

#define OUTBIND_ERROR(name)	"org.outbind." name
#define SERVICE_ERROR(name)	"org.varlink.service." name
