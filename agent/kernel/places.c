/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See places.h. Three chained hash tables over the same nodes: the keys are a path, a watch number
 * and a cgroup id. A place without a watch or an id is not in that table, since zero and -1 would
 * all land in one bucket.
 */
#include "kernel/places.h"

#include "base/mem.h"
#include "model/model.h"

#include <stdio.h>
#include <string.h>

enum { BY_PATH, BY_WATCH, BY_ID, KEYS };

static uint64_t hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;	/* FNV-1a */

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
	return hash ^ hash >> 32;
}

static uint64_t hash_number(uint64_t number)
{
	number *= 0x9e3779b97f4a7c15u;
	return number ^ number >> 32;
}

static bool is_entered(const struct place *place, int key)
{
	return key == BY_PATH || (key == BY_WATCH ? place->watch >= 0 : place->id != 0);
}

static struct place **bucket_of(const struct places *places, const struct place *place, int key)
{
	uint64_t hash = key == BY_PATH	  ? hash_text(place->path)
			: key == BY_WATCH ? hash_number((uint64_t)place->watch)
					  : hash_number(place->id);

	return &places->buckets[key][hash & (places->room - 1)];
}

static void enter(struct places *places, struct place *place, int key)
{
	struct place **bucket;

	if (!is_entered(place, key))
		return;
	bucket = bucket_of(places, place, key);
	place->next[key] = *bucket;
	*bucket = place;
}

static void leave(struct places *places, struct place *place, int key)
{
	struct place **at;

	if (!is_entered(place, key))
		return;
	at = bucket_of(places, place, key);
	while (*at && *at != place)
		at = &(*at)->next[key];
	if (*at)
		*at = place->next[key];
	place->next[key] = NULL;
}

static void grow(struct places *places)
{
	struct places bigger = { .n = places->n, .room = places->room ? places->room * 2 : 64 };

	for (int key = 0; key < KEYS; key++)
		bigger.buckets[key] = mem_zero(bigger.room, sizeof *bigger.buckets[key]);
	for (int key = 0; key < KEYS; key++) {
		for (size_t i = 0; i < places->room; i++) {
			struct place *next;

			for (struct place *p = places->buckets[key][i]; p; p = next) {
				next = p->next[key];
				enter(&bigger, p, key);
			}
		}
		free(places->buckets[key]);
	}
	*places = bigger;
}

struct place *places_find(const struct places *places, const char *path)
{
	if (!places->room)
		return NULL;
	struct place *p = places->buckets[BY_PATH][hash_text(path) & (places->room - 1)];

	while (p && strcmp(p->path, path) != 0)
		p = p->next[BY_PATH];
	return p;
}

struct place *places_by_watch(const struct places *places, int watch)
{
	if (!places->room || watch < 0)
		return NULL;
	size_t bucket = hash_number((uint64_t)watch) & (places->room - 1);
	struct place *p = places->buckets[BY_WATCH][bucket];

	while (p && p->watch != watch)
		p = p->next[BY_WATCH];
	return p;
}

struct place *places_by_id(const struct places *places, uint64_t id)
{
	if (!places->room || !id)
		return NULL;
	struct place *p = places->buckets[BY_ID][hash_number(id) & (places->room - 1)];

	while (p && p->id != id)
		p = p->next[BY_ID];
	return p;
}

struct place *places_add(struct places *places, const char *mount_prefix, const char *path)
{
	struct place *place = places_find(places, path);

	if (place)
		return place;
	if (places->n >= places->room)
		grow(places);
	place = mem_zero(1, sizeof *place);
	if (asprintf(&place->full, "%s%s", mount_prefix, path) < 0)
		abort();
	place->path = place->full + strlen(mount_prefix);
	place->watch = -1;
	place->client = place->exec = NO_INDEX;
	enter(places, place, BY_PATH);
	places->n++;
	return place;
}

void places_set_watch(struct places *places, struct place *place, int watch)
{
	leave(places, place, BY_WATCH);
	place->watch = watch;
	enter(places, place, BY_WATCH);
}

void places_set_id(struct places *places, struct place *place, uint64_t id)
{
	leave(places, place, BY_ID);
	place->id = id;
	enter(places, place, BY_ID);
}

static void place_free(struct place *place)
{
	free(place->full);
	free(place);
}

void places_remove(struct places *places, struct place *place)
{
	for (int key = 0; key < KEYS; key++)
		leave(places, place, key);
	places->n--;
	place_free(place);
}

void places_each(const struct places *places, void (*visit)(struct place *place, void *context),
		 void *context)
{
	for (size_t i = 0; i < places->room; i++)
		for (struct place *p = places->buckets[BY_PATH][i]; p; p = p->next[BY_PATH])
			visit(p, context);
}

void places_drop(struct places *places)
{
	for (size_t i = 0; i < places->room; i++) {
		struct place *next;

		for (struct place *p = places->buckets[BY_PATH][i]; p; p = next) {
			next = p->next[BY_PATH];
			place_free(p);
		}
	}
	for (int key = 0; key < KEYS; key++)
		free(places->buckets[key]);
	*places = (struct places){ 0 };
}
