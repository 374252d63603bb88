/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See process.h. */
#include "base/process.h"

#include "base/mem.h"
#include "base/own.h"

#include <stdio.h>
#include <string.h>

char *process_cgroup(int pid)
{
	AUTO(mem_drop) char *line = NULL;
	char path[64], *found = NULL;
	size_t room = 0;
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	while (!found && getline(&line, &room, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) == 0)
			found = mem_copy(line + 3);
	}
	(void)fclose(file);
	return found;
}
