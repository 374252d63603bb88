/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside tagging: what both versions of the protocol need of each other. tag.c has version 1. */
#pragma once

#include "daemon/tag.h"

struct refusal { const char *code, *text; };	/* code NULL: none */

/* May @peer use @binding (NO_INDEX: the implicit default)? Where only its cgroup can tell, that is looked
 * for (tag_allow.c); once found it is known for as long as the connection lasts. */
struct refusal tag_check_allowed(const struct agent *agent, struct tag_peer *peer,
				 uint32_t binding);

/* Families that the socket can send in, into @ret; or why it cannot be marked. */
struct refusal tag_check_socket(int fd, bool ret[static FAMILIES]);
/* Our bits of its mark become @mark. 0 or -errno. */
MUST_CHECK int tag_set_mark(int fd, struct fwmark mask, struct fwmark mark);
/* Whose addresses @binding has now in a family: its own, or those of who stands in. */
uint32_t tag_source(const struct plan *plan, uint32_t binding, enum family family);
/* The next address that @binding has now, from *@next on, which is 0 at first; NULL: no more. */
const struct ip *tag_address(const struct agent *agent, uint32_t binding, enum family family,
			     uint32_t *next);
size_t tag_refuse(struct refusal refusal, char reply[static TAG_REPLY_MAX]);

/* tag_second.c: ASK and TAG of version 2. */
size_t tag_answer_second(struct agent *agent, struct tag_peer *peer,
			 const struct tag_request *request, const struct fd *fd, size_t n_fds,
			 char reply[static TAG_REPLY_MAX]);
