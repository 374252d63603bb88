/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One generation of the configuration: the model, the numbers its bindings have, and what they and
 * the facts were compiled to. They are made, put in force and freed together. */
#pragma once

#include "daemon/outcome.h"
#include "model/change.h"
#include "plan/number.h"
#include "plan/plan.h"

struct quick;

struct generation {
	struct model model;
	uint32_t *numbers;			/* by binding */
	struct quick *quick;			/* see quick.h; made when first needed */
	struct plan plan; /* desired, and once committed: what the kernel has */
};

void generation_drop(struct generation *generation);
void generation_free(struct generation *generation);	/* on the heap; accepts NULL */

/* Read and number @n layers on top of the configuration at @path; the plan stays empty. @numbers is
 * updated, also if it fails. 0, or -EINVAL with the problems in @out. */
MUST_CHECK int generation_read(const char *path, const struct conf_world *world,
			       const struct conf_layer *layers, size_t n,
			       struct numbers *numbers, struct generation *ret,
			       bool *ret_changed, struct outcome *out);

/* Compile with @facts into *@ret_plan. 0, or a negative errno with the problems in @out. */
MUST_CHECK int generation_plan(const struct generation *generation, const struct facts *facts,
			       struct plan *ret_plan, struct outcome *out);

/* Configuration alone: read, number and compile as if no fact were known. */
MUST_CHECK int generation_check(const char *path, const struct conf_world *world,
				const struct conf_layer *layers, size_t n, struct outcome *out);
