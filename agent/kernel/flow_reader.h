/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections piece by piece; see struct flow_reader, and kernel.h for the two ways to get one. */
#pragma once

#include "kernel/connections.h"

MUST_CHECK int flow_reader_dump(struct fwmark mask, const struct fwmark *mark,
				struct flow_reader **ret);
MUST_CHECK int flow_reader_follow(struct fwmark mask, struct flow_reader **ret);
