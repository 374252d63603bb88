/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules as the kernel keeps them. libnftables compiles a template's text into a scratch table
 * that is dormant (no hook of it is registered, no packet meets it); its sets, counters, chains and
 * rules are read back and can then be written under another name, in one transaction with elements
 * and by our own socket: libnftables can do neither of these.
 */
#pragma once

#include "kernel/batch.h"

struct messages { struct nlmsghdr **at; size_t n, room; };	/* owned, as the kernel sent them */

struct skeleton { struct messages sets, counters, chains, rules; };

void skeleton_drop(struct skeleton *skeleton);

/*
 * skeleton_compile - compile @text, whose table is called @scratch and has `flags dormant`
 * A scratch table that a crashed predecessor left is replaced. Returns 0, -EINVAL with
 * libnftables' words in @reterr, or the errno of reading it back.
 */
MUST_CHECK int skeleton_compile(const char *text, const char *scratch, struct channel *channel,
				struct skeleton *ret, struct kernel_error *reterr);

/* Messages that make the same in the table of @batch. Base chains register their hooks. */
void skeleton_sets(const struct skeleton *skeleton, struct batch *batch);
void skeleton_chains(const struct skeleton *skeleton, struct batch *batch);	/* and rules */
