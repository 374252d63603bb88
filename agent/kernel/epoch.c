/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See epoch.h; names as in nft-templates/outbind.nft. */
#include "kernel/epoch.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <sys/socket.h>

const char epoch_list[] = "1, 2, 3, 4";

static_assert(sizeof epoch_list == sizeof "1" + (EPOCHS - 1) * 3, "all epochs, and no more");

#define CURRENT(nm) { .name = nm, .key = { FIELD_PROTOCOL }, .key_len = 1, .row_len = 1 }

static const struct set_shape epoch_shape = {
	.name = "epoch", .key = { FIELD_PROTOCOL }, .value = FIELD_HOST32, .key_len = 1, .data_len = 4,
	.row_len = 5,
};
static const struct set_shape current_shapes[EPOCHS] = {
	CURRENT("current_1"), CURRENT("current_2"), CURRENT("current_3"), CURRENT("current_4"),
};
static const struct set_shape settled_shape = {
	.name = "settled", .key = { FIELD_HOST32, FIELD_PROTOCOL }, .interval = true, .key_len = 8,
	.row_len = 16,
};

unsigned epoch_next(unsigned epoch)
{
	return epoch % EPOCHS + 1;
}

void epoch_rows(unsigned epoch, struct epoch_row ret[static EPOCH_ROWS])
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };	/* as nfproto has them, too */
	uint32_t host = epoch, net = htonl(epoch);
	struct epoch_row *row = ret;

	for (size_t i = 0; i < 2; i++) {
		*row = (struct epoch_row){ &epoch_shape, { families[i] } };
		memcpy(row++->row + epoch_shape.key_len, &host, sizeof host);
		*row++ = (struct epoch_row){ &current_shapes[epoch - 1], { families[i] } };
	}
	*row = (struct epoch_row){ .shape = &settled_shape };
	for (size_t i = 0; i < 2; i++) {	/* as nft compares ranges; nothing is between the families */
		memcpy(row->row + i * settled_shape.key_len, &net, sizeof net);
		row->row[i * settled_shape.key_len + sizeof net] = families[i];
	}
}
