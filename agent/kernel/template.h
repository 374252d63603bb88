/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft-templates/ to nft text: placeholders and repetition, nothing else. Pure but for reading the
 * file of --template. */
#pragma once

#include "kernel/kernel.h"

/*
 * template_load - text of the template
 * @path: a file, or NULL for the template inside the program
 * Returns 0 with a malloc'd text, or -errno of the file.
 */
MUST_CHECK int template_load(const char *path, char **ret_text);

/* Digest of a template's text: what the table it made is recognised by. */
void template_digest(const char *text, char ret_digest[static DIGEST_TEXT]);

/*
 * template_expand - nft text of table @table for the mask and the sizes of @plan
 * @flags: a line for the head of the table, "flags dormant;" or ""
 *
 * Returns 0 with a malloc'd text, or -EINVAL with the line and what is wrong in @reterr.
 */
MUST_CHECK int template_expand(const char *text, const char *table, const char *flags,
			       const struct plan *plan, char **ret_text,
			       struct kernel_error *reterr);

struct template_name { const char *name, *value; };	/* {{name}} and what it stands for */

/* The same of another template, with @n names of the caller's. */
MUST_CHECK int template_fill(const char *text, const struct template_name *names, size_t n,
			     char **ret_text, struct kernel_error *reterr);

extern const char template_capture_text[];	/* nft-templates/capture.nft */

/* `size` of a hash set that holds @n elements now: room to double, a power of two. */
size_t template_set_size(size_t n);
