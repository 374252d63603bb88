/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a configuration: the reader must neither crash nor hang, must give an error exactly
 * if it says one, and what it accepts must print to a text that reads as the same again. The same
 * bytes as a run-time text over a file: what it accepts must mean the same when it is split into its
 * items and those are joined again.
 */
#include "model/change.h"

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
		**ret_paths = mem_copy("conf.d/more.conf");
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

static const struct conf_world world = { read_file, expand, name_id, name_id, NULL, false };

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

/* The file that run-time texts are laid over. */
static const char below[] = "bypass { private; 10.0.0.0/8; }\n"
			    "uplink u { interface eth0; table 7; }\n"
			    "binding a { address 192.0.2.1; uplink u; }\n"
			    "binding b { address 192.0.2.2; unusable use a; overflow g; limit new 1/day; }\n"
			    "group g { member a; }\n"
			    "default-binding normal;\n"
			    "policy { user 1 use a; cgroup /a port 25 use g; }\n";

/* Canonical text and suspensions of the change @text, or NULL if it has errors. */
static char *meaning(const char *text, size_t text_len)
{
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	struct only_file file = { below, strlen(below) };
	/* over an empty one, so that removing nothing is no error; then it is the bytes that are */
	const struct conf_layer layers[] = { { "empty", "", 0 }, { "change", text, text_len } };
	struct conf_world here = world;
	char *printed = NULL;
	size_t len;
	FILE *out;
	int r;

	here.context = &file;
	r = conf_read_layers("fuzz.conf", &here, layers, 2, &model, &diag);
	must((r == -EINVAL) == (diag.n_errors > 0));
	if (r < 0)
		return NULL;
	out = open_memstream(&printed, &len);
	must(out != NULL);
	conf_print(&model, out);
	for (size_t i = 0; i < model.suspended.n; i++)
		fprintf(out, "suspend %s;\n", model.suspended.at[i]);
	must(fclose(out) == 0);
	return printed;
}

static void check_items(const char *text, size_t text_len)
{
	AUTO(items_drop) struct items items = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	char *AUTO(mem_drop) want = meaning(text, text_len);
	char *AUTO(mem_drop) got = NULL;
	char *AUTO(mem_drop) joined = NULL;
	size_t len;
	FILE *out;
	int r = conf_items("change", text, text_len, &world, &items, &diag);

	must((r == -EINVAL) == (diag.n_errors > 0));
	must(!want || r == 0);
	if (!want)
		return;
	out = open_memstream(&joined, &len);
	must(out != NULL);
	for (size_t i = 0; i < items.n; i++)
		fputs(items.at[i].text, out);
	must(fclose(out) == 0);
	got = meaning(joined, len);
	must(got && strcmp(got, want) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	size_t once_len = 0, twice_len = 0;
	char *AUTO(mem_drop) once = round_trip((const char *)bytes, len, &once_len);
	char *AUTO(mem_drop) twice = NULL;

	check_items((const char *)bytes, len);
	if (!once)
		return 0;
	twice = round_trip(once, once_len, &twice_len);
	must(twice && once_len == twice_len && memcmp(once, twice, once_len) == 0);
	return 0;
}
