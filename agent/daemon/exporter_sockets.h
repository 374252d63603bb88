/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets that the exporter accepts on. They are ours, and stay: who connects while there is no program
 * is served by the next one, and the right to give a socket to a group is given up after the first one was
 * made (privilege.h).
 */
#pragma once

#include "base/own.h"
#include "model/model.h"

#include <limits.h>

enum { EXPORTER_UNIX, EXPORTER_TCP, EXPORTER_SOCKETS };

struct exporter_sockets {
	struct metrics_settings said;		/* which there are to be */
	struct fd at[EXPORTER_SOCKETS];		/* empty: not said, or not made yet */
	char path[PATH_MAX];			/* of the Unix socket */
};

void exporter_sockets_init(struct exporter_sockets *sockets);
void exporter_sockets_drop(struct exporter_sockets *sockets);

/* Does @settings say the same ones? */
bool exporter_sockets_same(const struct exporter_sockets *sockets,
			   const struct metrics_settings *settings);
/* From now on those; the others are closed, none is made. */
void exporter_sockets_say(struct exporter_sockets *sockets,
			  const struct metrics_settings *settings);

/* Make those that are said and not there, the Unix socket in @dir. False if one could not be made: logged. */
MUST_CHECK bool exporter_sockets_open(struct exporter_sockets *sockets, const char *dir);

size_t exporter_sockets_count(const struct exporter_sockets *sockets);
/* All that are said are there. */
bool exporter_sockets_complete(const struct exporter_sockets *sockets);
