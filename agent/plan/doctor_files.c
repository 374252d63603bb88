/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rights of files: who can write the configuration or the state decides who leaves from where. */
#include "plan/doctor.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *name_of(enum host_file_kind kind)
{
	switch (kind) {
	case HOST_FILE_CONFIGURATION:
		return "the configuration";
	case HOST_FILE_STATE:
		return "the state directory";
	case HOST_FILE_RUNTIME:
		return "the directory of the sockets";
	case HOST_FILE_CONTROL:
		return "the control socket";
	case HOST_FILE_TAG:
		return "the tag socket";
	}
	return "";
}

static void show(const struct host_file *file, struct findings *findings)
{
	finding_evidence(findings, "%s: mode %04o, user %u, group %u", file->path,
			 (unsigned)file->mode & 07777u, file->uid, file->gid);
}

/* The socket can be used by whoever may write to it. */
static void judge_socket(const struct host *host, const struct host_file *file,
			 struct findings *findings)
{
	if (!S_ISSOCK(file->mode)) {
		finding_add(findings, SEVERITY_ERROR, "permissions",
			    "%s is no socket: nobody can connect", name_of(file->kind));
		show(file, findings);
		finding_remedy(findings, "rm %s; systemctl restart outbindd", file->path);
	} else if (file->kind == HOST_FILE_CONTROL && file->mode & S_IWOTH) {
		finding_add(findings, SEVERITY_WARNING, "permissions",
			    "everybody can connect to the control socket, where only root and the group "
			    "outbind should");
		show(file, findings);
		finding_remedy(findings, "chmod 0660 %s", file->path);
	} else if (file->kind == HOST_FILE_CONTROL && host->readers != (gid_t)-1 &&
		   (file->gid != host->readers || !(file->mode & S_IWGRP))) {
		finding_add(findings, SEVERITY_WARNING, "permissions",
			    "the group outbind cannot connect to the control socket");
		show(file, findings);
		finding_remedy(findings, "chgrp outbind %s; chmod 0660 %s", file->path, file->path);
	}
}

static void judge_file(const struct host *host, const struct host_file *file,
		       struct findings *findings)
{
	bool sticky = S_ISDIR(file->mode) && file->mode & S_ISVTX;

	if (file->uid != 0 && file->uid != host->uid) {
		finding_add(findings, SEVERITY_WARNING, "permissions",
			    "%s belongs to user %u, who can change what it says", name_of(file->kind),
			    file->uid);
		show(file, findings);
		finding_remedy(findings, "chown root %s", file->path);
	} else if (file->mode & (S_IWGRP | S_IWOTH) && !sticky) {
		finding_add(findings, SEVERITY_WARNING, "permissions",
			    "%s can be written by others than root", name_of(file->kind));
		show(file, findings);
		finding_remedy(findings, "chmod go-w %s", file->path);
	}
}

void doctor_files(const struct doctor *doctor, struct findings *findings)
{
	const struct host *host = doctor->host;

	for (size_t i = 0; i < host->files.n; i++) {
		const struct host_file *file = &host->files.at[i];

		if (file->error < 0) {
			finding_add(findings, SEVERITY_WARNING, "permissions",
				    "%s cannot be looked at: %s", name_of(file->kind),
				    strerror(-file->error));
			finding_evidence(findings, "%s", file->path);
		} else if (file->kind == HOST_FILE_CONTROL || file->kind == HOST_FILE_TAG) {
			judge_socket(host, file, findings);
		} else {
			judge_file(host, file, findings);
		}
	}
	if (host->readers == (gid_t)-1)
		finding_add(findings, SEVERITY_NOTE, "permissions",
			    "there is no group outbind: only root can ask the agent anything");
}
