/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See host_read.h. */
#include "kernel/host_read.h"

#include "base/mem.h"
#include "kernel/attributes.h"
#include "kernel/channel.h"
#include "kernel/ruleset.h"

#include <grp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/utsname.h>

static void read_setting(struct host *host, enum host_setting setting)
{
	bool second = setting == HOST_PORT_LAST;
	long long values[2];
	char path[160];
	FILE *file;
	int n = 0;

	(void)snprintf(path, sizeof path, "/proc/sys/%s", host_setting_path(setting));
	host->settings[setting] = -1;
	file = fopen(path, "re");
	if (!file)
		return;
	n = fscanf(file, "%lld %lld", &values[0], &values[1]);
	(void)fclose(file);
	if (n > second)
		host->settings[setting] = values[second];
}

static uint64_t number(struct attributes all, uint16_t type)
{
	return attributes_be32(all, type);
}

/* One message a processor. */
static int take_drops(const struct nlmsghdr *message, void *context)
{
	struct attributes all = attributes_of(message, sizeof(struct nfgenmsg));
	struct host_drops *drops = context;

	drops->known = true;
	drops->insert_failed += number(all, CTA_STATS_INSERT_FAILED);
	drops->drop += number(all, CTA_STATS_DROP);
	drops->early_drop += number(all, CTA_STATS_EARLY_DROP);
	return 0;
}

static void read_drops(struct host_drops *drops)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *request = channel_request(buffer, 0, NLM_F_DUMP);
	struct channel channel;
	int r = channel_open(&channel);

	if (r < 0)
		return;
	request->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS_CPU;
	((struct nfgenmsg *)mnl_nlmsg_get_payload(request))->nfgen_family = 0;
	if (channel_ask(&channel, request, take_drops, drops) < 0)
		*drops = (struct host_drops){ 0 };
	channel_drop(&channel);
}

static enum host_clock read_clock(void)
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
	*ret = (struct host){ .uid = geteuid(), .clock = read_clock(),
			      .readers = readers ? readers->gr_gid : (gid_t)-1 };
	if (uname(&name) == 0)
		(void)snprintf(ret->release, sizeof ret->release, "%s", name.release);
	for (int i = 0; i < HOST_SETTINGS; i++)
		read_setting(ret, (enum host_setting)i);
	read_drops(&ret->drops);
	ruleset_read(table, &ret->foreign);
}

void host_read_file(struct host *host, enum host_file_kind kind, const char *path)
{
	struct host_file file = { .kind = kind, .path = mem_text(path, strlen(path)) };
	struct stat status;

	if (stat(path, &status) < 0)
		file.error = -errno;
	else
		file.mode = status.st_mode, file.uid = status.st_uid, file.gid = status.st_gid;
	PUSH(&host->files, file);
}
