/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An agent on a fake kernel, with a configuration in memory and a state directory of its own. */
#pragma once

#include "daemon/agent.h"
#include "fake_kernel.h"

struct lab {
	struct fake_kernel fake;
	struct options options;
	struct state state;
	struct conf_world world;
	struct agent agent;
	struct monitor *monitor;		/* hears every event */
	const char *conf;			/* text of the configuration */
	struct outcome out;			/* of the last call */
	char dir[64];
	int fail_step; /* enum state_step at which the disk is full, or -1 */
};

void lab_init(struct lab *lab);
void lab_drop(struct lab *lab);

/* For cmocka: a lab on the heap, where the host has @addresses ("A B ..."), started with @conf unless
 * that is NULL; and its end. */
int lab_setup(void **state, const char *addresses, const char *conf);
int lab_teardown(void **state);

/* Start or reload with @conf; what came of it is in lab->out. */
int lab_start(struct lab *lab, const char *conf);
int lab_reload(struct lab *lab, const char *conf);

/* The agent dies and another one comes: memory is lost, kernel and state files stay. */
void lab_kill(struct lab *lab);

/* Text of the file of numbers, malloc'd. */
char *lab_marks(struct lab *lab);

/* Statements of the file of what was changed at run time, malloc'd; "" if there is none. */
char *lab_runtime(struct lab *lab);

/* Mark of a binding in force, or 0. */
uint32_t lab_mark(const struct lab *lab, const char *binding);
