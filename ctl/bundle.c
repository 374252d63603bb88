/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See bundle.h. By libarchive. */
#include "bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <sys/stat.h>

static int write_member(struct archive *archive, const struct bundle_member *member, time_t when)
{
	struct archive_entry *entry = archive_entry_new();
	int r;

	if (!entry)
		abort();
	archive_entry_set_pathname(entry, member->path);
	archive_entry_set_filetype(entry, S_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_size(entry, (la_int64_t)member->len);
	archive_entry_set_mtime(entry, when, 0);
	r = archive_write_header(archive, entry);
	archive_entry_free(entry);
	if (r != ARCHIVE_OK)
		return r;
	return archive_write_data(archive, member->text, member->len) == (la_ssize_t)member->len
		       ? ARCHIVE_OK : ARCHIVE_FATAL;
}

int bundle_write(int fd, const struct bundle_member *members, size_t n, time_t when,
		  char reterr[static BUNDLE_ERROR])
{
	struct archive *archive = archive_write_new();
	int r, error = 0;

	if (!archive)
		abort();
	r = archive_write_set_format_pax_restricted(archive);
	if (r == ARCHIVE_OK)
		r = archive_write_add_filter_gzip(archive);
	if (r == ARCHIVE_OK)
		r = archive_write_open_fd(archive, fd);
	for (size_t i = 0; i < n && r == ARCHIVE_OK; i++)
		r = write_member(archive, &members[i], when);
	if (r == ARCHIVE_OK)
		r = archive_write_close(archive);
	if (r != ARCHIVE_OK) {
		const char *words = archive_error_string(archive);

		error = archive_errno(archive) > 0 ? archive_errno(archive) : EIO;
		(void)snprintf(reterr, BUNDLE_ERROR, "%s", words ? words : "unknown error");
		archive_write_fail(archive);
	}
	(void)archive_write_free(archive);
	return -error;
}
