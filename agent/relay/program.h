/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program as a whole: what main, reload and the control socket share. Main thread only. */
#pragma once

#include "relay/clients.h"
#include "relay/listen.h"
#include "relay/access_log.h"
#include "relay/report.h"
#include "relay/memory.h"
#include "relay/worker.h"

#include <semaphore.h>

struct control;

struct program {
	const char *config, *runtime_dir, *agent_dir;
	bool allow_root, check_only;
	struct ev_loop *loop;
	struct listen_set listening;
	struct generation *now;
	struct worker *workers;
	unsigned n_workers;
	struct clients *clients;
	struct memory *memory;
	struct access_log *log;
	struct control *control;
	bool stopping;
	char started[32], last_reload[300];
};

/* program_options.c: 0 go on, 1 done, 2 wrong. */
int program_options(struct program *program, int argc, char **argv);

/* reload.c */
MUST_CHECK int program_reload(struct program *program);

/* control.c: the varlink socket in the runtime directory. */
MUST_CHECK int control_start(struct program *program);
void control_stop(struct control *control);
