/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See number.h. Entries stay in the order in which they came, an open-addressing hash of names
 * finds them; a removed binding keeps its entry as retired. Their text is number_text.c.
 */
#include "plan/number.h"

#include "base/mem.h"

#include <string.h>
#include <xxhash.h>

enum { KEY_ROOM = sizeof NUMBERS_UPLINK + NAME_MAX_BYTES };

void numbers_drop(struct numbers *numbers)
{
	for (size_t i = 0; i < numbers->n; i++)
		free(numbers->at[i].name);
	free(numbers->at);
	free(numbers->index);
	*numbers = (struct numbers){ 0 };
}

/* Slot of a name in the index: its entry's, or the free one where it belongs. */
static size_t slot_of(const struct numbers *numbers, const char *name, size_t len)
{
	size_t mask = numbers->index_room - 1;
	size_t slot = XXH3_64bits(name, len) & mask;

	for (; numbers->index[slot] != 0; slot = (slot + 1) & mask) {
		const char *there = numbers->at[numbers->index[slot] - 1].name;

		if (strncmp(there, name, len) == 0 && there[len] == '\0')
			break;
	}
	return slot;
}

static void index_entry(struct numbers *numbers, size_t entry)
{
	const char *name = numbers->at[entry].name;

	numbers->index[slot_of(numbers, name, strlen(name))] = (uint32_t)entry + 1;
}

/* Make the index anew with room for @n names, none of which is there twice. */
static void index_all(struct numbers *numbers, size_t n)
{
	size_t room = 64;

	while (room < n * 2)
		room *= 2;
	free(numbers->index);
	numbers->index = mem_zero(room, sizeof *numbers->index);
	numbers->index_room = room;
	for (size_t i = 0; i < numbers->n; i++)
		index_entry(numbers, i);
}

static void add_entry(struct numbers *numbers, const char *name, size_t len, uint32_t number,
		      uint64_t retired)
{
	numbers->at = mem_grow(numbers->at, &numbers->room, numbers->n + 1, sizeof *numbers->at);
	numbers->at[numbers->n].name = mem_text(name, len);
	numbers->at[numbers->n].number = number;
	numbers->at[numbers->n++].retired = retired;
}

struct giving {					/* one numbers_assign() */
	struct numbers *numbers;
	uint32_t capacity;
	uint8_t *taken;				/* by number, up to n_taken */
	size_t n_taken;
	size_t next;				/* lowest number that may be fresh */
	struct oldest { uint64_t retired; size_t entry; } *oldest;
	size_t n_oldest, next_oldest;
	struct fwmark mask;
	bool changed, renamed;
	bool exhausted;				/* what is free is carried: -EBUSY */
};

static int by_retired(const void *left, const void *right)
{
	const struct oldest *a = left, *b = right;

	return a->retired < b->retired ? -1 : a->retired > b->retired;
}

/* Leave out what is still carried; all of it if that cannot be told. */
static void drop_carried(struct giving *giving)
{
	const struct numbers *numbers = giving->numbers;
	struct fwmark *AUTO(mem_drop) marks = mem_zero(giving->n_oldest, sizeof *marks);
	bool *AUTO(mem_drop) carried = mem_zero(giving->n_oldest, sizeof *carried);
	size_t n = 0;

	for (size_t i = 0; i < giving->n_oldest; i++)
		marks[i].host = numbers->at[giving->oldest[i].entry].number
				<< __builtin_ctz(giving->mask.host);
	if (numbers->ask(numbers->context, giving->mask, marks, giving->n_oldest, carried) < 0)
		giving->n_oldest = 0;
	for (size_t i = 0; i < giving->n_oldest; i++)
		if (!carried[i])
			giving->oldest[n++] = giving->oldest[i];
	giving->n_oldest = n;
}

/* Retired entries whose number fits the mask, the one retired longest ago first. */
static void gather_oldest(struct giving *giving)
{
	const struct numbers *numbers = giving->numbers;

	giving->oldest = mem_zero(numbers->n, sizeof *giving->oldest);
	for (size_t i = 0; i < numbers->n; i++)
		if (numbers->at[i].retired != 0 && numbers->at[i].number <= giving->capacity)
			giving->oldest[giving->n_oldest++] =
				(struct oldest){ numbers->at[i].retired, i };
	qsort(giving->oldest, giving->n_oldest, sizeof *giving->oldest, by_retired);
	if (numbers->ask && giving->n_oldest > 0)
		drop_carried(giving);
}

/* A number that nobody ever had, or 0. */
static uint32_t fresh(struct giving *giving)
{
	while (giving->next < giving->n_taken && giving->taken[giving->next])
		giving->next++;
	if (giving->next >= giving->n_taken)
		return 0;
	giving->changed = true;
	return (uint32_t)giving->next++;
}

/* Can @number be given, and did nobody ever have it; counts as given from now on. */
static bool is_fresh(struct giving *giving, uint32_t number)
{
	const struct numbers *numbers = giving->numbers;

	if (number > giving->capacity)
		return false;
	for (size_t i = 0; i < numbers->n; i++)
		if (numbers->at[i].number == number)
			return false;
	if (number < giving->n_taken)
		giving->taken[number] = 1;
	return giving->changed = true;
}

/*
 * An uplink's number that nobody ever had, or 0: one with few bits, since in the data path each bit
 * costs an element for each binding of the uplink (steer_bit).
 */
static uint32_t fresh_uplink(struct giving *giving)
{
	uint32_t top = 1;

	while (top <= giving->capacity / 2)
		top *= 2;
	for (uint32_t high = top; high > 0; high /= 2)
		if (is_fresh(giving, high))
			return high;
	for (uint32_t high = top; high > 0; high /= 2)
		for (uint32_t low = high / 2; low > 0; low /= 2)
			if (is_fresh(giving, high + low))
				return high + low;
	return 0;
}

/*
 * The entry retired longest ago whose number nothing carries; the caller gives it to somebody else.
 * NO_INDEX if there is none: the mask has room for all bindings, but not now.
 */
static uint32_t reuse(struct giving *giving)
{
	if (!giving->oldest)
		gather_oldest(giving);
	giving->exhausted = giving->next_oldest == giving->n_oldest;
	if (giving->exhausted)
		return NO_INDEX;
	giving->changed = giving->renamed = true;
	return (uint32_t)giving->oldest[giving->next_oldest++].entry;
}

/* A number for a name that has no entry. */
static uint32_t give(struct giving *giving, const char *name, bool uplink)
{
	struct numbers *numbers = giving->numbers;
	uint32_t number = uplink ? fresh_uplink(giving) : 0;
	uint32_t entry;

	if (number == 0)
		number = fresh(giving);
	if (number != 0) {
		add_entry(numbers, name, strlen(name), number, 0);
		if (!giving->renamed)
			index_entry(numbers, numbers->n - 1);
		return number;
	}
	entry = reuse(giving);
	if (entry == NO_INDEX)
		return 0;
	free(numbers->at[entry].name);
	numbers->at[entry].name = mem_copy(name);
	numbers->at[entry].retired = 0;
	return numbers->at[entry].number;
}

/* Another number for an entry whose own does not fit the mask any more. */
static uint32_t give_again(struct giving *giving, size_t entry)
{
	struct numbers *numbers = giving->numbers;
	uint32_t number = fresh(giving);

	if (number == 0) {			/* swap: the retired name takes the one that is no use */
		uint32_t old = reuse(giving);

		if (old == NO_INDEX)
			return 0;
		number = numbers->at[old].number;
		numbers->at[old].number = numbers->at[entry].number;
	}
	return numbers->at[entry].number = number;
}

/* Which numbers fresh() must not give: enough of them to have one left for each thing. */
static void note_taken(struct giving *giving, size_t n_things)
{
	const struct numbers *numbers = giving->numbers;
	size_t most = numbers->n + n_things;

	giving->n_taken = (most < giving->capacity ? most : giving->capacity) + 1;
	giving->taken = mem_zero(giving->n_taken, 1);
	giving->next = 1;
	for (size_t i = 0; i < numbers->n; i++)
		if (numbers->at[i].number < giving->n_taken)
			giving->taken[numbers->at[i].number] = 1;
}

static size_t n_things(const struct model *model)
{
	return model->bindings.n + model->uplinks.n;
}

/* The name under which a thing's number is kept: bindings first, then uplinks; @room for the latter. */
static const char *key_of(const struct model *model, size_t i, char room[static KEY_ROOM])
{
	if (i < model->bindings.n)
		return model->bindings.at[i].name;
	snprintf(room, KEY_ROOM, NUMBERS_UPLINK "%s",
		 model->uplinks.at[i - model->bindings.n].name);
	return room;
}

/* Entry of everything that needs one, or NO_INDEX; who is gone is retired, who came back is not. */
static uint32_t *match(struct giving *giving, const struct model *model)
{
	struct numbers *numbers = giving->numbers;
	uint8_t *AUTO(mem_drop) seen = mem_zero(numbers->n, 1);
	uint32_t *entries = mem_zero(n_things(model), sizeof *entries);
	char room[KEY_ROOM];

	for (size_t i = 0; i < n_things(model); i++) {
		const char *name = key_of(model, i, room);
		uint32_t found = name ? numbers->index[slot_of(numbers, name, strlen(name))] : 0;

		entries[i] = found == 0 ? NO_INDEX : found - 1;
		if (found == 0)
			continue;
		seen[found - 1] = 1;
		giving->changed = giving->changed || numbers->at[found - 1].retired != 0;
		numbers->at[found - 1].retired = 0;
	}
	for (size_t i = 0; i < numbers->n; i++)
		if (!seen[i] && numbers->at[i].retired == 0) {
			numbers->at[i].retired = ++numbers->retirements;
			giving->changed = true;
		}
	return entries;
}

int numbers_assign(struct numbers *numbers, const struct model *model, uint32_t **ret_numbers,
		   bool *ret_changed)
{
	struct giving giving = { .numbers = numbers,
				 .capacity = model_mask_capacity(model->mask),
				 .mask = model->mask };
	size_t n = n_things(model);
	char room[KEY_ROOM];
	uint32_t *entries;

	if (n > giving.capacity)
		return -ENOSPC;
	if (numbers->index_room < (numbers->n + n) * 2 || numbers->index_room == 0)
		index_all(numbers, numbers->n + n);
	entries = match(&giving, model);
	note_taken(&giving, n);
	for (size_t i = 0; i < n && !giving.exhausted; i++) {	/* entries become numbers in place */
		uint32_t entry = entries[i];

		if (!key_of(model, i, room))
			entries[i] = 0;		/* removed */
		else if (entry == NO_INDEX)
			entries[i] = give(&giving, key_of(model, i, room),
					  i >= model->bindings.n);
		else if (numbers->at[entry].number > giving.capacity)
			entries[i] = give_again(&giving, entry);
		else
			entries[i] = numbers->at[entry].number;
	}
	if (giving.renamed)
		index_all(numbers, numbers->n);
	free(giving.taken);
	free(giving.oldest);
	if (giving.exhausted) {
		free(entries);
		return -EBUSY;
	}
	numbers->highest = 0;
	*ret_numbers = entries;
	*ret_changed = giving.changed;
	return 0;
}

static uint32_t highest_of(const struct numbers *numbers)
{
	uint32_t highest = numbers->highest;

	for (size_t i = 0; numbers->highest == 0 && i < numbers->n; i++)
		if (numbers->at[i].number > highest)
			highest = numbers->at[i].number;
	return highest;
}

uint32_t numbers_give(struct numbers *numbers, const char *name, uint32_t capacity, bool *ret_new)
{
	uint32_t found;

	if (numbers->index_room < (numbers->n + 1) * 2)
		index_all(numbers, numbers->n * 2 + 64);
	found = numbers->index[slot_of(numbers, name, strlen(name))];
	*ret_new = found == 0;
	if (found != 0) {
		numbers->at[found - 1].retired = 0;
		return numbers->at[found - 1].number <= capacity ? numbers->at[found - 1].number
								 : 0;
	}
	numbers->highest = highest_of(numbers);
	if (numbers->highest >= capacity)
		return 0;
	add_entry(numbers, name, strlen(name), ++numbers->highest, 0);
	index_entry(numbers, numbers->n - 1);
	return numbers->highest;
}

void numbers_retire(struct numbers *numbers, const char *name, bool retired)
{
	uint32_t found = numbers->index_room
				 ? numbers->index[slot_of(numbers, name, strlen(name))] : 0;

	if (found != 0)
		numbers->at[found - 1].retired = retired ? ++numbers->retirements : 0;
}

/* Decimal digits up to @end, without sign or leading zero; moves *@at behind them. */

bool numbers_enter(struct numbers *numbers, const char *name, size_t len, uint32_t number,
		   uint64_t retired)
{
	if (numbers->index_room < (numbers->n + 1) * 2)
		index_all(numbers, numbers->n * 2 + 64);
	if (numbers->index[slot_of(numbers, name, len)] != 0)
		return false;
	add_entry(numbers, name, len, number, retired);
	index_entry(numbers, numbers->n - 1);
	if (retired > numbers->retirements)
		numbers->retirements = retired;
	return true;
}
