/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a configuration: the reader must neither crash nor hang, must give an error exactly
 * if it says one, and what it accepts must print to a text that reads as the same again.
 */
#include "model/conf.h"

#include "base/mem.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct only_file { const char *text; size_t len; };

static int read_file(void *context, const char *path, char **ret_text, size_t *ret_len)
{
	const struct only_file *file = context;

	if (strcmp(path, "fuzz.conf") != 0 && strcmp(path, "conf.d/more.conf") != 0)
		return -ENOENT;
	*ret_text = mem_text(file->text, file->len);
	*ret_len = file->len;
	return 0;
}

static int expand(void *context, const char *pattern, char ***ret_paths)
{
	(void)context;
	*ret_paths = mem_zero(2, sizeof **ret_paths);
	if (strlen(pattern) > 8)
		**ret_paths = mem_text("conf.d/more.conf", strlen("conf.d/more.conf"));
	return 0;
}

static int name_id(void *context, const char *name, uint32_t *ret_id)
{
	(void)context;
	if (name[0] == 'x')
		return -ESRCH;
	*ret_id = (uint32_t)strlen(name);
	return 0;
}

static const struct conf_world world = { read_file, expand, name_id, name_id, NULL };

static void must(bool true_here)
{
	if (!true_here)
		abort();
}

/* Canonical text of what @text says, or NULL if it has errors. */
static char *round_trip(const char *text, size_t len, size_t *ret_len)
{
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	struct only_file file = { text, len };
	struct conf_world here = world;
	char *printed = NULL;
	FILE *out;
	int r;

	here.context = &file;
	r = conf_read("fuzz.conf", &here, &model, &diag);
	must((r == -EINVAL) == (diag.n_errors > 0));
	if (r < 0)
		return NULL;
	out = open_memstream(&printed, ret_len);
	must(out != NULL);
	conf_print(&model, out);
	must(fclose(out) == 0);
	return printed;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	size_t once_len = 0, twice_len = 0;
	char *AUTO(mem_drop) once = round_trip((const char *)bytes, len, &once_len);
	char *AUTO(mem_drop) twice = NULL;

	if (!once)
		return 0;
	twice = round_trip(once, once_len, &twice_len);
	must(twice && once_len == twice_len && memcmp(once, twice, once_len) == 0);
	return 0;
}
