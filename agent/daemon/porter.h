/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's side of a gate (gate/gate_run.h): starts it, hands it the connections of those who are not
 * root, and hears from it what they ask. Who a connection belongs to, and so what it may, is never said
 * by the gate: it is what the owner of the id knows of it.
 */
#pragma once

#include "gate/gate_message.h"

struct sd_event;
struct porter;

/*
 * porter_hear - of the owner of a connection
 * @message: GATE_CALL or GATE_TAG, of which one at a time comes until porter_next(); GATE_GARBAGE or
 *           GATE_CLOSED: the owner calls porter_leave(). Also if the gate has ended.
 */
typedef void porter_hear(void *owner, const struct gate_message *message);

struct porter_state { int pid; uint64_t ended; bool ready; };	/* pid 0: it is not running */

/* Start a gate for @peers, a word for the log. 0 or -errno; what goes wrong later is logged. */
MUST_CHECK int porter_open(struct sd_event *event, const char *peers, struct porter **ret);

/*
 * porter_admit - have the gate read a connection
 * @word: GATE_OPEN_CONTROL or GATE_OPEN_TAG
 * @fd:   stays the owner's, who answers by it
 * @ret:  its id, never 0
 * 0; -ESRCH: there is no gate at the moment; -EBUSY: no place.
 */
MUST_CHECK int porter_admit(struct porter *porter, enum gate_word word, int fd, porter_hear *hear,
			    void *owner, uint64_t *ret);

/* The call was answered: read the next one. */
void porter_next(struct porter *porter, uint64_t id);

/* The owner is done with it; nothing more is heard. */
void porter_leave(struct porter *porter, uint64_t id);

struct porter_state porter_state(const struct porter *porter);	/* accepts NULL */
void porter_close(struct porter *porter);			/* accepts NULL; ends the gate */
