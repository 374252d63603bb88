/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside kernel/ only: adding and removing addresses. Contracts in kernel.h. */
#pragma once

#include "base/types.h"
#include "kernel/channel.h"

MUST_CHECK int addresses_add(struct channel *route, const struct ip *ip, uint32_t link);
MUST_CHECK int addresses_remove(struct channel *route, const struct ip *ip, uint32_t link);
