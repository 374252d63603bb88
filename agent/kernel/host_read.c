/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See host_read.h. */
#include "kernel/host_read.h"

#include "base/mem.h"
#include "kernel/attributes.h"
#include "kernel/channel.h"
#include "kernel/net_settings.h"
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
		read_setting(ret, (enum host_setting)i);
	read_ports(ret);
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
