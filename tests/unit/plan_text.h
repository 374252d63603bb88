/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan's sets, written out as text and compared: "KEY[-END][=VALUE][@ORIGIN]", fields joined by
 * dots, rows by spaces. Marks are numbers here, as the mask begins at bit 0.
 */
#pragma once

#include "plan_support.h"

#include "plan/plan_rows.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static inline size_t print_field(char *out, enum field_kind kind, bool interval, const uint8_t *at)
{
	struct ip ip = { .len = kind == FIELD_IPV4 ? 4 : 16 };
	char text[IP_TEXT];
	uint64_t id;

	switch (kind) {
	case FIELD_NONE:
		return 0;
	case FIELD_HOST32:
		sprintf(out, "%u", interval ? be32toh(get_host32(at)) : get_host32(at));
		return 4;
	case FIELD_CGROUP:
		memcpy(&id, at, sizeof id);
		sprintf(out, "%" PRIu64, interval ? be64toh(id) : id);
		return 8;
	case FIELD_IPV4:
	case FIELD_IPV6:
		memcpy(ip.octet, at, ip.len);
		sprintf(out, "%s", ip_print(&ip, text));
		return ip.len;
	case FIELD_HOST16:
		sprintf(out, "%u", at[0] | at[1] << 8);
		return 2;
	case FIELD_PROTOCOL:
		sprintf(out, "%u", at[0]);
		return 4;
	case FIELD_PORT:
		sprintf(out, "%u", at[0] * 256u + at[1]);
		return 4;
	case FIELD_COUNT_OVER:
		sprintf(out, "over %u", get_host32(at));
		return 4;
	case FIELD_QUOTA_OVER:
		sprintf(out, "over %u on day %u", get_host32(at), get_host32(at + 4));
		return 8;
	case FIELD_RATE_OVER:
		sprintf(out, "over %u in %u s, burst %u", get_host32(at), get_host32(at + 4),
			get_host32(at + 8));
		return 12;
	case FIELD_RANGE4:
	case FIELD_RANGE6:
		ip.len = kind == FIELD_RANGE4 ? 4 : 16;
		memcpy(ip.octet, at, ip.len);
		sprintf(out, "%s", ip_print(&ip, text));
		memcpy(ip.octet, at + ip.len, ip.len);
		sprintf(out + strlen(out), "-%s", ip_print(&ip, text));
		return ip.len * 2u;
	case FIELD_INTERFACE:
		sprintf(out, "%.16s", (const char *)at);
		return 16;
	}
	return 0;
}

static inline void print_key(char *out, const struct set_shape *shape, const uint8_t *at)
{
	for (int i = 0; i < FIELDS_MAX && shape->key[i] != FIELD_NONE; i++) {
		if (i)
			strcat(out, ".");
		at += print_field(out + strlen(out), shape->key[i], shape->interval, at);
	}
}

static inline const char *print_set(const struct plan *plan, enum set_id set)
{
	static char out[1 << 16];
	const struct set_shape *shape = &plan_shapes[set];

	out[0] = '\0';
	for (size_t i = 0; i < plan->sets[set].n; i++) {
		const uint8_t *row = plan->sets[set].at + i * shape->row_len;
		char key[160] = "", end[160] = "";

		print_key(key, shape, row);
		if (shape->interval)
			print_key(end, shape, row_end(shape, row));
		sprintf(out + strlen(out), "%s%s", i ? " " : "", key);
		if (shape->interval && strcmp(key, end) != 0)
			sprintf(out + strlen(out), "-%s", end);
		if (shape->value != FIELD_NONE) {
			strcat(out, "=");
			print_field(out + strlen(out), shape->value, false, row_value(shape, row));
		}
		if (row_origin(shape, row) != NO_INDEX)
			sprintf(out + strlen(out), "@%u", row_origin(shape, row));
	}
	return out;
}

#define CHECK_SET(world, set, want) do { \
		const char *got_ = print_set(&(world)->plan, set); \
		if (strcmp(got_, want) != 0) \
			fail_msg("%s: got %s\nwant %s", plan_shapes[set].name, got_, want); \
	} while (0)

static inline void build(struct world *world)
{
	plan_drop(&world->plan);
	if (world_build(world, &world->plan) < 0)
		fail_msg("%s", world->diag.n ? world->diag.at[0].text : "no message");
}

/* Bindings 0 default, 1 a, 2 b, 3 c, 4 d; addresses in order of the text. */
static inline void usable_world(struct world *world)
{
	world_init(world);
	world_binding(world, "default", "192.0.2.1 2001:db8::1");
	world_binding(world, "a", "192.0.2.2 2001:db8::2");
	world_binding(world, "b", "192.0.2.3 192.0.2.4");
	world_binding(world, "c", "192.0.2.5");
	world_binding(world, "d", "2001:db8::6");
	world->model.bindings.at[1].interface = "eth0";
	world->model.bindings.at[2].unusable = UNUSABLE_USE;
	world->model.bindings.at[2].unusable_use = 3;
	world->model.bindings.at[3].unusable = UNUSABLE_USE;
	world->model.bindings.at[3].unusable_use = 0;
}
