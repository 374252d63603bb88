/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service manager keeps the socket that owns the table while no agent runs (sd_pid_notify_with_fds(3),
 * FDSTORE=1), so that the table stays owned and nobody else can change or flush it meanwhile.
 */
#pragma once

/* The socket that was kept for us, now ours; 0: none. Other descriptors that were handed over are closed. */
int keep_take(void);

/* Have @fd kept until the next agent, beyond our end; nothing happens without a service manager. */
void keep_store(int fd);
