/* SPDX-License-Identifier: ISC */
/*
 * Textual encodings (RFC 7468): exact text, every length, several blocks, and
 * nothing forgiven inside one.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

#define BEGIN "-----BEGIN X-----\n"
#define END "-----END X-----\n"
#define LINE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static uint8_t out[512];
static size_t len, used;

static enum hf_err
decode(const char *text)
{
	return hf_pem_decode(out, sizeof(out), &len, &used, "X", text,
	    strlen(text));
}

static void
exact_text(void **state)
{
	uint8_t data[49];
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	assert_ok(hf_pem_encode(text, sizeof(text), &len,
	    "HANDFAST CERTIFICATE", data, sizeof(data)));
	assert_string_equal(text,
	    "-----BEGIN HANDFAST CERTIFICATE-----\n"
	    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
	    "\nMA==\n-----END HANDFAST CERTIFICATE-----\n");
	assert_int_equal(len, strlen(text));
	/* Just enough room, one byte less, none. */
	assert_ok(hf_pem_encode(text, len + 1, &used, "HANDFAST CERTIFICATE",
	    data, sizeof(data)));
	assert_int_equal(used, len);
	assert_err(hf_pem_encode(text, len, &used, "HANDFAST CERTIFICATE",
		       data, sizeof(data)),
	    HF_E_SPACE);
	assert_int_equal(used, len + 1);
	assert_err(hf_pem_encode(NULL, 0, &used, "HANDFAST CERTIFICATE", data,
		       sizeof(data)),
	    HF_E_SPACE);
	assert_int_equal(used, len + 1);
	assert_err(hf_pem_encode(text, sizeof(text), &len, "X", data, 0),
	    HF_E_ARG);
	assert_err(hf_pem_encode(text, sizeof(text), &len, "", data, 1),
	    HF_E_ARG);
}

static void
every_length(void **state)
{
	uint8_t data[300];
	size_t n, text_len;
	char text[600];

	(void)state;
	randombytes_buf(data, sizeof(data));
	for (n = 1; n <= sizeof(data); n++) {
		assert_ok(hf_pem_encode(text, sizeof(text), &text_len, "X",
		    data, n));
		assert_int_equal(text_len, strlen(text));
		assert_ok(decode(text));
		assert_int_equal(len, n);
		assert_int_equal(used, text_len);
		assert_memory_equal(out, data, n);
		/* Room for exactly that much, and less. */
		assert_ok(
		    hf_pem_decode(out, n, &len, &used, "X", text, text_len));
		assert_err(hf_pem_decode(out, n - 1, &len, &used, "X", text,
			       text_len),
		    HF_E_SPACE);
		assert_int_equal(len, n);
	}
}

static void
several_blocks(void **state)
{
	/* Not const: gcc 12 then gets strlen() of its tails wrong. */
	static char text[] = "words\n-----BEGIN Y-----\nnot base64\n"
			     "-----END Y-----\n" BEGIN "YQ==\n" END
			     "more\r\n-----BEGIN X-----\r\n"
			     "Yg==\r\n-----END X-----\r\nlast words";
	const char *at = text;

	(void)state;
	assert_ok(decode(at));
	assert_int_equal(len, 1);
	assert_int_equal(out[0], 'a');
	at += used;
	assert_memory_equal(at, "more", 4);
	assert_ok(decode(at));
	assert_int_equal(out[0], 'b');
	at += used;
	assert_string_equal(at, "last words");
	assert_err(decode(at), HF_E_OBJECT);
	assert_int_equal(used, strlen(at)); /* none was left */
	assert_int_equal(len, 0);
	/* A bad one: used tells where it begins. */
	assert_err(decode("x\n" BEGIN "Y\n" END BEGIN "YQ==\n" END),
	    HF_E_OBJECT);
	assert_int_equal(used, 2);
	/* Without a newline at the very end. */
	assert_ok(decode(BEGIN "YQ==\n-----END X-----"));
}

static void
nothing_forgiven(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"YQ==",
		BEGIN,
		BEGIN END,
		BEGIN "\n" END,
		BEGIN "YQ==\n",
		BEGIN "YQ==",
		BEGIN "YQ==\n-----END Y-----\n",
		BEGIN "YQ==\n-----END X----\n",
		BEGIN "YQ==\n -----END X-----\n",
		BEGIN "YQ==-----END X-----\n",
		BEGIN "YQ==\n\n" END,
		BEGIN "\nYQ==\n" END,
		BEGIN "Proc-Type: 4\n\nYQ==\n" END,
		BEGIN " YQ==\n" END,
		BEGIN "YQ== \n" END,
		BEGIN "YQ==\r\r\n" END,
		BEGIN "YQ= =\n" END,
		BEGIN "YQ\n" END,
		BEGIN "YQ=\n" END,
		BEGIN "YQ===\n" END,
		BEGIN "YR==\n" END, /* bits left over are not zero */
		BEGIN "YWJ=\n" END,
		BEGIN "Y===\n" END,
		BEGIN "====\n" END,
		BEGIN "Y!==\n" END,
		BEGIN "YQ-_\n" END, /* the other alphabet */
		BEGIN "YQ==YQ==\n" END,
		BEGIN "YQ==\nYQ==\n" END,
		BEGIN "YWJj\nYWJj\n" END, /* a short line before the last */
		BEGIN LINE "A\n" END,
		BEGIN LINE "AAAA\n" END,
		BEGIN LINE "\n\n" END,
		BEGIN BEGIN "YQ==\n" END END,
		"-----BEGIN X----\nYQ==\n" END,
		"----BEGIN X-----\nYQ==\n" END,
		" " BEGIN "YQ==\n" END,
		"-----BEGIN XX-----\nYQ==\n-----END XX-----\n",
		"-----BEGIN X -----\nYQ==\n-----END X -----\n",
		"-----BEGIN x-----\nYQ==\n-----END x-----\n",
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(bad); i++) {
		memset(out, 0xee, sizeof(out));
		if (decode(bad[i]) != HF_E_OBJECT)
			fail_msg("case %d is taken: %s", (int)i, bad[i]);
		assert_int_equal(len, 0);
		/* Nothing of a refused block is left behind. */
		for (k = 0; k < 8; k++)
			assert_true(out[k] == 0xee || out[k] == 0);
	}
	assert_ok(decode(BEGIN LINE "\n" END));
	assert_int_equal(len, 48);
	assert_ok(decode(BEGIN LINE "\nAAAA\n" END));
	assert_ok(decode(BEGIN "YWI=\n" END));
	assert_ok(decode(BEGIN "Y+/9\n" END));
}

/* Each of the 256 bytes in each of four places: the alphabet's 64 alone are
 * taken, and padding where it may stand. */
static void
every_letter(void **state)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char around[] = BEGIN "AAAA\n" END;
	char text[sizeof(around)];
	size_t place;
	int c, good;

	(void)state;
	for (place = 0; place < 4; place++)
		for (c = 0; c < 256; c++) {
			memcpy(text, around, sizeof(text));
			text[sizeof(BEGIN) - 1 + place] = (char)c;
			good = memchr(alphabet, c, sizeof(alphabet) - 1) !=
				NULL ||
			    (c == '=' && place == 3);
			assert_err(hf_pem_decode(out, sizeof(out), &len, &used,
				       "X", text, sizeof(text) - 1),
			    good ? HF_OK : HF_E_OBJECT);
		}
}

static void
every_prefix(void **state)
{
	static const char text[] = "note\n" BEGIN LINE "\nYQ==\n" END;
	char *exact;
	size_t i;

	(void)state;
	/* The last newline is not needed. */
	for (i = 0; i < sizeof(text) - 2; i++) {
		exact = malloc(i + 1);
		assert_non_null(exact);
		memcpy(exact, text, i);
		assert_err(hf_pem_decode(out, sizeof(out), &len, &used, "X",
			       exact, i),
		    HF_E_OBJECT);
		free(exact);
	}
	assert_ok(decode(text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_text),
		cmocka_unit_test(every_length),
		cmocka_unit_test(several_blocks),
		cmocka_unit_test(nothing_forgiven),
		cmocka_unit_test(every_letter),
		cmocka_unit_test(every_prefix),
	};

	assert_ok(hf_init());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
