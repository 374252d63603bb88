/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See scope.h. A job's end is told by a signal, which is subscribed to before the job is made. */
#include "scope.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

enum { PATIENCE_S = 30 };

struct job {
	char path[256];				/* "" until it is known */
	char result[32];			/* "" until it has ended; systemd's word */
	char ended[256], ended_result[32];	/* the last job that ended, maybe before ours was known */
};

static int on_removed(sd_bus_message *message, void *context, sd_bus_error *error)
{
	struct job *job = context;
	const char *path, *unit, *result;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	(void)snprintf(job->ended, sizeof job->ended, "%s", path);
	(void)snprintf(job->ended_result, sizeof job->ended_result, "%s", result);
	if (strcmp(path, job->path) == 0)
		(void)snprintf(job->result, sizeof job->result, "%s", result);
	return 0;
}

static int put_properties(sd_bus_message *call, const char *slice, pid_t pid)
{
	int r = sd_bus_message_open_container(call, 'a', "(sv)");

	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "Description", "s",
					  "command of outbindctl exec");
	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "Slice", "s", slice);
	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "CollectMode", "s", "inactive-or-failed");
	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "PIDs", "au", 1, (uint32_t)pid);
	if (r >= 0)
		r = sd_bus_message_close_container(call);
	return r < 0 ? r : sd_bus_message_append(call, "a(sa(sv))", 0);
}

static int call_start(sd_bus *bus, const char *name, const char *slice, pid_t pid, struct job *job,
		      sd_bus_error *error)
{
	sd_bus_message *call = NULL, *reply = NULL;
	const char *path;
	int r = sd_bus_message_new_method_call(bus, &call, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
					       "StartTransientUnit");

	if (r >= 0)
		r = sd_bus_message_append(call, "ss", name, "fail");
	if (r >= 0)
		r = put_properties(call, slice, pid);
	if (r >= 0)
		r = sd_bus_call(bus, call, (uint64_t)PATIENCE_S * 1000000, error, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r >= 0) {
		(void)snprintf(job->path, sizeof job->path, "%s", path);
		if (strcmp(job->ended, path) == 0)
			(void)snprintf(job->result, sizeof job->result, "%s", job->ended_result);
	}
	sd_bus_message_unref(call);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 0;
}

static int wait_for(sd_bus *bus, const struct job *job)
{
	time_t end = time(NULL) + PATIENCE_S;
	int r = 0;

	while (r >= 0 && !job->result[0]) {
		r = sd_bus_process(bus, NULL);
		if (r == 0 && time(NULL) > end)
			return -ETIMEDOUT;
		if (r == 0)
			r = sd_bus_wait(bus, 1000000);
	}
	return r < 0 ? r : 0;
}

static int start(sd_bus *bus, const char *name, const char *slice, pid_t pid, struct job *job,
		 sd_bus_error *error)
{
	int r = sd_bus_match_signal(bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved",
				    on_removed, job);

	if (r >= 0)
		r = sd_bus_call_method(bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe",
				       error, NULL, "");
	if (r >= 0)
		r = call_start(bus, name, slice, pid, job, error);
	return r < 0 ? r : wait_for(bus, job);
}

int scope_start(const char *name, const char *slice, pid_t pid, char *reterr, size_t room)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct job job = { 0 };
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r < 0)
		(void)snprintf(reterr, room, "cannot reach the system bus: %s", strerror(-r));
	else
		r = start(bus, name, slice, pid, &job, &error);
	if (r == 0 && strcmp(job.result, "done") != 0) {
		(void)snprintf(reterr, room, "the job ended as '%s'", job.result);
		r = -ECANCELED;
	} else if (r < 0 && bus) {
		(void)snprintf(reterr, room, "%s", error.message ? error.message : strerror(-r));
	}
	if (sd_bus_error_has_name(&error, "org.freedesktop.systemd1.UnitExists"))
		r = -EEXIST;
	sd_bus_error_free(&error);
	sd_bus_flush_close_unref(bus);
	return r;
}
