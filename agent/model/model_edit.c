/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See model_edit.h. Strings go to the arena of the model, addresses to the end of its array. */
#include "model/model_edit.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

static const char *keep(struct model *to, const char *text)
{
	return text ? arena_text(&to->arena, text, strlen(text)) : NULL;
}

static struct where move(struct where where, uint32_t file, uint32_t lines)
{
	return where.line ? (struct where){ file, where.line + lines, where.column }
			  : (struct where){ 0 };
}

static const struct allow *keep_allows(struct model *to, const struct binding *binding)
{
	size_t size = binding->n_allows * sizeof *binding->allows;
	struct allow *allows;

	if (size == 0)
		return NULL;
	allows = memcpy(arena_alloc(&to->arena, size), binding->allows, size);
	for (uint32_t i = 0; i < binding->n_allows; i++) {
		allows[i].path = keep(to, allows[i].path);
		allows[i].text = keep(to, allows[i].text);
	}
	return allows;
}

void model_edit_put(struct model *to, uint32_t slot, const struct model *from, uint32_t index,
		    uint32_t file, uint32_t lines, struct model_edit *ret)
{
	struct binding binding = from->bindings.at[index];
	const struct address *addresses = from->addresses.at + binding.first_address;

	*ret = (struct model_edit){ .slot = slot, .n_bindings = to->bindings.n,
				    .n_addresses = to->addresses.n };
	assert(!binding.group && !binding.limits && !binding.warmup && !binding.probe &&
	       !binding.sender);
	if (slot < to->bindings.n)
		ret->before = to->bindings.at[slot];
	binding.name = ret->before.name ? ret->before.name : keep(to, binding.name);
	binding.ehlo = keep(to, binding.ehlo);
	binding.ehlo6 = keep(to, binding.ehlo6);
	binding.interface = keep(to, binding.interface);
	binding.allows = keep_allows(to, &binding);
	binding.where = move(binding.where, file, lines);
	binding.where_unusable = move(binding.where_unusable, file, lines);
	binding.where_overflow = move(binding.where_overflow, file, lines);
	binding.first_address = (uint32_t)to->addresses.n;
	for (uint32_t i = 0; i < binding.n_addresses; i++) {
		struct address address = addresses[i];

		address.binding = slot;
		address.where = move(address.where, file, lines);
		PUSH(&to->addresses, address);
	}
	if (slot == to->bindings.n)
		model_add_binding(to, &binding);
	else if (ret->before.name)
		to->bindings.at[slot] = binding;
	else
		model_reuse_binding(to, slot, &binding);
}

void model_edit_remove(struct model *model, uint32_t slot, struct model_edit *ret)
{
	*ret = (struct model_edit){ .slot = slot, .n_bindings = model->bindings.n,
				    .n_addresses = model->addresses.n,
				    .before = model->bindings.at[slot] };
	model_remove_binding(model, slot);
}

void model_edit_undo(struct model *model, const struct model_edit *edit)
{
	bool is_there = model->bindings.at[edit->slot].name != NULL;

	if (is_there && edit->before.name)
		model->bindings.at[edit->slot] = edit->before;
	else if (is_there)
		model_remove_binding(model, edit->slot);
	else
		model_reuse_binding(model, edit->slot, &edit->before);
	model->bindings.n = edit->n_bindings;
	model->addresses.n = edit->n_addresses;
}
