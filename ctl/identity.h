/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sender identity checks: whom they are about, and what came out, for people and programs. */
#pragma once

#include "base/arena.h"
#include "ctl.h"
#include "dns/dns_run.h"
#include "model/model.h"

#include <jansson.h>

enum { IDENTITY_EXPAND = 256 };			/* addresses of a routed prefix that are checked */

struct identity_list {				/* borrows domains from the model; the rest is its own */
	struct arena arena;
	struct { struct identity_subject *at; size_t n, room; } subjects;
	struct { const char **at; size_t n, room; } blocklists, domains;
	struct ip resolver;			/* len 0: resolv.conf */
	uint16_t port;
	size_t skipped;				/* prefixes that have too many addresses */
};

void identity_list_drop(struct identity_list *list);

/*
 * identity_list_model - the bindings of a configuration, and what its dns stanza says
 * @names: @n of them; 0: all bindings
 *
 * CTL_DONE, or CTL_USAGE for a name that no binding has.
 */
MUST_CHECK int identity_list_model(struct ctl *ctl, const struct model *model, char **names,
				   size_t n, struct identity_list *ret);

/* The same of the running agent: CTL_DONE, or another code, said. */
MUST_CHECK int identity_list_agent(struct ctl *ctl, char **names, size_t n,
				   struct identity_list *ret);

/* One more subject for each address of @prefix; @like has everything but the address. */
void identity_list_add(struct identity_list *list, const struct identity_subject *like,
		       const struct prefix *prefix);

/* "a.example,b.example" in the place of what the stanza says; CTL_USAGE if it is no list of domains. */
MUST_CHECK int identity_list_domains(struct ctl *ctl, const char *text, struct identity_list *list);
MUST_CHECK int identity_list_blocklists(struct ctl *ctl, const char *text,
					struct identity_list *list);
/* "192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]:5353" */
MUST_CHECK int identity_list_resolver(struct ctl *ctl, const char *text,
				      struct identity_list *list);

struct identity_row {				/* one result, kept */
	enum identity_state state[IDENTITY_CHECKS];
	char *text[IDENTITY_CHECKS];		/* NULL: nothing to say */
	char *name;				/* of the address, or NULL */
};

struct identity_rows {
	const struct identity_list *list;
	struct identity_row *at;		/* by subject */
	struct dns_summary summary;
	size_t n_bad, n_unknown, n_good;
};

void identity_rows_drop(struct identity_rows *rows);

/* Run the checks, with a bar on a terminal. @seconds: for all of it. CTL_DONE, or CTL_REFUSED. */
MUST_CHECK int identity_rows_run(struct ctl *ctl, const struct identity_list *list, double seconds,
				 struct identity_rows *ret);

/* Hand them to the agent, and show what it was handed last. */
MUST_CHECK int identity_rows_report(struct ctl *ctl, const struct identity_rows *rows);
MUST_CHECK int identity_rows_last(struct ctl *ctl, const struct arguments *args);

/* The worst of all checks of a row. */
enum identity_state identity_row_worst(const struct identity_row *row);

/* One row as the control interface has it. */
json_t *identity_row_json(const struct identity_subject *subject, const struct identity_row *row);
struct table;
void identity_row_add_state(struct table *table, enum identity_state state);
void identity_rows_print(const struct ctl *ctl, const struct identity_rows *rows);
