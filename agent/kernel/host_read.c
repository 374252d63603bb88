/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See host_read.h. */
#include "kernel/host_read.h"

#include "base/mem.h"
#include "kernel/channel.h"
#include "kernel/meter.h"
#include "kernel/net_settings.h"
#include "kernel/ruleset.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/utsname.h>

static void read_setting(struct host *host, enum host_setting setting)
{
	long long value;
	char path[160];
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/sys/%s", host_setting_path(setting));
	file = fopen(path, "re");
	host->settings[setting] = file && fscanf(file, "%lld", &value) == 1 ? value : -1;
	if (file)
		(void)fclose(file);
}

static void read_ports(struct host *host)
{
	struct net_settings net;

	host->settings[HOST_PORT_FIRST] = host->settings[HOST_PORT_LAST] = -1;
	host->settings[HOST_PORTS] = -1;
	if (net_settings_read(&net) < 0 || net.n_ports == 0)
		return;
	host->settings[HOST_PORT_FIRST] = net.ports.first;
	host->settings[HOST_PORT_LAST] = net.ports.last;
	host->settings[HOST_PORTS] = net.n_ports;
}

static void read_drops(struct host_drops *drops)
{
	struct meter_conntrack counted;
	struct channel channel;

	if (channel_open(&channel) < 0)
		return;
	if (meter_read_conntrack(&channel, &counted) == 0)
		*drops = (struct host_drops){
			.insert_failed = counted.insert_failed, .drop = counted.drop,
			.early_drop = counted.early_drop, .known = true,
		};
	channel_drop(&channel);
}

enum host_clock host_read_clock(void)
{
	struct timex clock = { .modes = 0 };

	if (adjtimex(&clock) < 0)
		return HOST_CLOCK_UNKNOWN;
	return clock.status & STA_UNSYNC ? HOST_CLOCK_UNSYNCHRONISED : HOST_CLOCK_GOOD;
}

void host_read(const char *table, struct host *ret)
{
	struct group group, *readers = NULL;
	struct utsname name;
	char room[4096];

	(void)getgrnam_r("outbind", &group, room, sizeof room, &readers);
	*ret = (struct host){ .uid = geteuid(), .clock = host_read_clock(),
			      .readers = readers ? readers->gr_gid : (gid_t)-1 };
	if (uname(&name) == 0)
		(void)snprintf(ret->release, sizeof ret->release, "%s", name.release);
	for (int i = 0; i < HOST_SETTINGS; i++)
		if (host_setting_path((enum host_setting)i))
			read_setting(ret, (enum host_setting)i);
	read_ports(ret);
	read_drops(&ret->drops);
	ruleset_read(table, &ret->foreign);
}

void host_read_file(struct host *host, enum host_file_kind kind, const char *path)
{
	struct host_file file = { .kind = kind, .path = mem_copy(path) };
	struct stat status;

	if (stat(path, &status) < 0)
		file.error = -errno;
	else
		file.mode = status.st_mode, file.uid = status.st_uid, file.gid = status.st_gid;
	PUSH(&host->files, file);
}
