/* SPDX-License-Identifier: ISC */
/*
 * Files of words that were cut: whatever ends inside something is refused, and
 * the same text with its rest is taken; where a file is wrong is told.
 */
#include <string.h>

#include "conf.h"
#include "testing.h"

static enum hf_err
parse(struct hf_conf_fault *fault, const char *text, size_t len)
{
	cfg_opt_t block[] = { CFG_STR("word", NULL, CFGF_NONE),
		CFG_STR_LIST("list", NULL, CFGF_NONE), CFG_END() };
	cfg_opt_t top[] = { CFG_STR("word", NULL, CFGF_NONE),
		CFG_STR_LIST("list", NULL, CFGF_NONE),
		CFG_SEC("block", block, CFGF_MULTI | CFGF_TITLE), CFG_END() };
	enum hf_err e;
	cfg_t *cfg;

	e = hf_conf_parse(&cfg, top, text, len, fault);
	assert_true((cfg != NULL) == (e == HF_OK));
	hf_conf_free(cfg);
	return e;
}

static void
taken(const char *text)
{
	struct hf_conf_fault fault;

	assert_int_equal(parse(&fault, text, strlen(text)), HF_OK);
	assert_string_equal(fault.what, "");
}

static void
refused_bytes(const char *text, size_t len, int line, const char *words)
{
	struct hf_conf_fault fault;

	assert_int_equal(parse(&fault, text, len), HF_E_CONFIG);
	assert_string_equal(fault.what, words);
	assert_int_equal(fault.line, line);
}

static void
refused(const char *text, int line, const char *words)
{
	refused_bytes(text, strlen(text), line, words);
}

#define INSIDE "the file ends inside a block or a comment: is all of it there?"
#define EARLY "premature end of file"

static void
cut(void **state)
{
	(void)state;
	taken("");
	taken("block a {}");
	taken("block a { word = x }\n# the-file-ends-here = true");
	taken("word = x # no more");
	taken("word = x\\");
	taken("/* { */ block a { word = '{' }");
	taken("block a { word = \"the-file-ends-here = true\" }");
	refused("block a {", 1, INSIDE);
	refused("block a {\n\tword = x\n", 2, INSIDE);
	refused("block a {\n\tword = x # }", 2, INSIDE);
	refused("block a {}\nblock b { list = {x}", 2, INSIDE);
	refused("/* and so on", 1, INSIDE);
	refused("block a { /* }\n", 1, INSIDE);
	refused("word = x /* the-file-ends-here = true", 1, INSIDE);
	refused("list = {x", 2, EARLY);
	refused("block a { list = {\"x\"", 2, EARLY);
	refused("word = \"x", 2, EARLY);
	refused("word = \"x\\", 2, EARLY);
	refused("word = 'x\n }", 3, "unterminated string constant");
	refused("word =", 2, EARLY);
	refused("word", 2, EARLY);
	refused("block", 2, EARLY);
	refused("block a", 2, EARLY);
}

/* What comes behind a file is no word that one can have. */
static void
own_end(void **state)
{
	static const char words[] = "no such option 'the-file-ends-here'";

	(void)state;
	refused("the-file-ends-here = true\n", 1, words);
	refused("the-file-ends-here = true\nblock a {", 1, words);
	refused("block a {\nthe-file-ends-here = true\n}", 2, words);
	refused("\"the-file\\x2dends-here\" = true\n/*", 1, words);
}

/* Each file is read as if it were the first, whatever the last one was. */
static void
after(void **state)
{
	static const char *const bad[] = { "word = \"x", "word = 'x", "/*",
		"word = \"\\999\"", "block a {", "# x" };
	struct hf_conf_fault fault;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(&fault, bad[i], strlen(bad[i])),
		    i == 5 ? HF_OK : HF_E_CONFIG);
		taken("word = x");
		refused("words = x", 1, "no such option 'words'");
	}
}

static void
nul(void **state)
{
	(void)state;
	refused_bytes("word = x\n\0block a {", 19, 1, "a NUL in it");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut),
		cmocka_unit_test(own_end),
		cmocka_unit_test(after),
		cmocka_unit_test(nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
