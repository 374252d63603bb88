/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc says of a process, for who may look: the agent is not among them. */
#pragma once

/*
 * process_cgroup - the path of its cgroup2, the line "0::/path" of cgroups(7), malloc'd
 * NULL: it is in none, is not there, or /proc hides it.
 */
char *process_cgroup(int pid);
