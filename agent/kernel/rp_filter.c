/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See rp_filter.h. Of rp_filter the higher one of "all" and the interface's counts, of src_valid_mark
 * either (include/linux/inetdevice.h, IN_DEV_RPFILTER and IN_DEV_SRC_VMARK). One small file a link
 * is read, none where "all" is loose; netlink tells the first value but not the second.
 */
#include "kernel/rp_filter.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { STRICT = 1, LOOSE = 2 };			/* values of rp_filter */

static int read_setting(const char *interface, const char *setting)
{
	char path[128], digit = '0';
	int fd;

	snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/%s", interface, setting);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, &digit, 1) != 1)
		digit = '0';
	close(fd);
	return digit - '0';
}

void rp_filter_read(struct link *links, size_t n)
{
	int all = read_setting("all", "rp_filter");
	bool marks = read_setting("all", "src_valid_mark") != 0;

	for (size_t i = 0; i < n && all != LOOSE; i++) {
		int own = read_setting(links[i].name, "rp_filter");

		links[i].strict = (own > all ? own : all) == STRICT;
		links[i].answer_marked =
			links[i].strict &&
			(marks || read_setting(links[i].name, "src_valid_mark") != 0);
	}
}
