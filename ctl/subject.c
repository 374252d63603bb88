/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See subject.h; proc(5), /proc/PID/status and cgroups(7), /proc/PID/cgroup. */
#include "subject.h"

#include "agent.h"
#include "base/mem.h"
#include "base/process.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct subject {
	uint32_t uid, gid;
	char *cgroup;				/* NULL: it is in none of cgroup2 */
};

static void subject_drop(struct subject *subject)
{
	free(subject->cgroup);
	subject->cgroup = NULL;
}

/* File system uid and gid, the fourth number each: what a socket of the process is made with. */
static bool read_ids(FILE *file, struct subject *subject)
{
	AUTO(mem_drop) char *line = NULL;
	bool has_uid = false, has_gid = false;
	size_t room = 0;

	while (getline(&line, &room, file) >= 0) {
		has_uid |= sscanf(line, "Uid: %*u %*u %*u %u", &subject->uid) == 1;
		has_gid |= sscanf(line, "Gid: %*u %*u %*u %u", &subject->gid) == 1;
	}
	return has_uid && has_gid;
}

/* One that is there, but not in /proc, is hidden by its mount (hidepid, proc(5)). */
static int complain(struct ctl *ctl, long long pid)
{
	bool there = pid > 0 && pid <= INT_MAX && (kill((pid_t)pid, 0) == 0 || errno == EPERM);

	if (!there) {
		ctl_complain(ctl, "there is no process '%lld'", pid);
		return CTL_REFUSED;
	}
	ctl_complain(ctl, "process '%lld' is another user's, and /proc hides it from you: ask as "
		     "root, or name its user and its cgroup or unit", pid);
	return CTL_DENIED;
}

static int read_subject(struct ctl *ctl, long long pid, struct subject *ret)
{
	char path[64];
	FILE *status;
	bool known;

	(void)snprintf(path, sizeof path, "/proc/%lld/status", pid);
	status = fopen(path, "re");
	known = status && read_ids(status, ret);
	if (status)
		(void)fclose(status);
	if (known)
		ret->cgroup = process_cgroup((int)pid);
	return known ? CTL_DONE : complain(ctl, pid);
}

/* As text: so users and groups are named. */
static int add_id(struct ctl *ctl, json_t *parameters, const char *key, uint32_t id)
{
	char text[16];

	(void)snprintf(text, sizeof text, "%u", id);
	return agent_add_text(ctl, parameters, key, text);
}

int subject_add(struct ctl *ctl, json_t *parameters, long long pid, bool user, bool group)
{
	AUTO(subject_drop) struct subject subject = { 0 };
	int r = read_subject(ctl, pid, &subject);

	if (r == CTL_DONE && subject.cgroup)
		r = agent_add_text(ctl, parameters, "process_cgroup", subject.cgroup);
	if (r == CTL_DONE && user)
		r = add_id(ctl, parameters, "user", subject.uid);
	if (r == CTL_DONE && group)
		r = add_id(ctl, parameters, "group", subject.gid);
	return r;
}
