/* SPDX-License-Identifier: ISC */
/*
 * Tokens (spec sections 4.4.1 and 6): their encoding by exact bytes and exact
 * errors, user names, and stretched passwords against another program's.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

static struct hf_span
span(const char *text)
{
	return (struct hf_span){ (const uint8_t *)text, strlen(text) };
}

static enum hf_err
read_bytes(struct hf__token *t, const uint8_t *ptr, size_t len)
{
	struct hf__reader r;

	hf__read_init(&r, ptr, len);
	hf__token_read(&r, t);
	return hf__read_end(&r);
}

static enum hf_err
read_hex(const char *hex)
{
	static uint8_t buf[4096];
	struct hf__token t;

	return read_bytes(&t, buf, unhex(buf, sizeof(buf), hex));
}

/* Writes the token, compares with hex, reads it back. */
static struct hf__token
there_and_back(const struct hf__token *t, const char *hex)
{
	static uint8_t buf[16384], want[256];
	struct hf__token back;
	struct hf__writer w;
	size_t i, len;

	hf__write_init(&w, buf, sizeof(buf));
	hf__token_write(&w, t);
	assert_ok(w.err);
	if (hex != NULL) {
		len = unhex(want, sizeof(want), hex);
		assert_int_equal(w.len, len);
		assert_memory_equal(buf, want, len);
	}
	for (i = 0; i < w.len; i++)
		assert_err(read_bytes(&back, buf, i), HF_E_CBOR);
	assert_ok(read_bytes(&back, buf, w.len));
	assert_int_equal(back.method, t->method);
	return back;
}

#define K32 "2222222222222222222222222222222222222222222222222222222222222222"

static void
all_kinds(void **state)
{
	struct hf__token t = { .method = HF_METHOD_CERTIFICATE }, back;
	uint8_t cert[HF_CERT_MAX] = { 0 };
	size_t i;

	(void)state;
	t.chain[0] = span("leaf");
	t.chain[1] = span("ca");
	t.chain_n = 2;
	back = there_and_back(&t, "820182446c656166426361");
	assert_int_equal(back.chain_n, 2);
	assert_memory_equal(back.chain[0].ptr, "leaf", 4);
	assert_int_equal(back.chain[1].len, 2);
	t.chain_n = HF_CHAIN_MAX;
	for (i = 0; i < HF_CHAIN_MAX; i++)
		t.chain[i] = (struct hf_span){ cert, sizeof(cert) };
	back = there_and_back(&t, NULL);
	assert_int_equal(back.chain_n, HF_CHAIN_MAX);

	t = (struct hf__token){ .method = HF_METHOD_PASSWORD,
		.user = span("al"),
		.password = span("\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""
				 "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"") };
	back = there_and_back(&t, "830262616c5820" K32);
	assert_int_equal(back.password.len, 32);
	assert_int_equal(back.user.len, 2);

	t = (struct hf__token){ .method = HF_METHOD_PLAIN_PASSWORD,
		.user = span("al"),
		.password = span("p\xc3\xbc") };
	back = there_and_back(&t, "830362616c6370c3bc");
	assert_int_equal(back.password.len, 3);

	t = (struct hf__token){ .method = HF_METHOD_TICKET,
		.ticket = span("tt") };
	back = there_and_back(&t, "8204427474");
	assert_int_equal(back.ticket.len, 2);
	assert_int_equal(back.chain_n, 0);
}

static void
form(void **state)
{
	static const struct {
		const char *hex;
		enum hf_err e;
	} cases[] = {
		/* kinds */
		{ "80", HF_E_SHAPE },
		{ "8101", HF_E_SHAPE },
		{ "01", HF_E_SHAPE },
		{ "a1014100", HF_E_SHAPE },
		{ "82004100", HF_E_TOKEN },
		{ "82054100", HF_E_TOKEN },
		{ "8105", HF_E_TOKEN },
		{ "841818f6f6f6", HF_E_TOKEN },
		{ "821bffffffffffffffff00", HF_E_TOKEN },
		{ "82084100", HF_E_TOKEN },
		{ "82204100", HF_E_SHAPE },
		{ "8241414100", HF_E_SHAPE },
		{ "82f900004100", HF_E_CBOR },
		{ "8218014100", HF_E_CBOR },
		/* certificate */
		{ "8201814100", HF_OK },
		{ "820180", HF_E_SHAPE },
		{ "82018140", HF_E_SHAPE },
		{ "82014100", HF_E_SHAPE },
		{ "8201816100", HF_E_SHAPE },
		{ "8201844100410041004100", HF_OK },
		{ "82018541004100410041004100", HF_E_SHAPE },
		{ "830181410000", HF_E_SHAPE },
		{ "820181410000", HF_E_CBOR },
		/* passwords: count, user, length */
		{ "8302616120", HF_E_SHAPE },
		{ "82026161", HF_E_SHAPE },
		{ "840261615820" K32 "00", HF_E_SHAPE },
		{ "830261615820" K32, HF_OK },
		{ "83026161581f2222222222222222222222222222222222222222"
		  "2222222222222222222222",
		    HF_E_SHAPE },
		{ "830261615821" K32 "22", HF_E_SHAPE },
		{ "8302616178202222222222222222222222222222222222222222"
		  "222222222222222222222222",
		    HF_E_SHAPE },
		{ "8302605820" K32, HF_E_SHAPE },
		{ "830241615820" K32, HF_E_SHAPE },
		{ "830261415820" K32, HF_E_SHAPE }, /* A */
		{ "830261205820" K32, HF_E_SHAPE }, /* space */
		{ "830262c3bc5820" K32, HF_E_SHAPE },
		{ "830261615820", HF_E_CBOR },
		{ "830361616162", HF_OK },
		{ "8303616160", HF_E_SHAPE },
		{ "830361614162", HF_E_SHAPE },
		{ "83036161610a", HF_E_SHAPE },
		{ "830361616100", HF_E_SHAPE },
		{ "8303616162c328", HF_E_SHAPE },
		{ "830361416162", HF_E_SHAPE },
		/* ticket */
		{ "82044100", HF_OK },
		{ "820440", HF_E_SHAPE },
		{ "82046100", HF_E_SHAPE },
		{ "8204f6", HF_E_SHAPE },
		{ "8304410000", HF_E_SHAPE },
	};
	enum hf_err e;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(cases); i++)
		if ((e = read_hex(cases[i].hex)) != cases[i].e)
			fail_msg("%s: %s, not %s", cases[i].hex,
			    hf_error_name(e), hf_error_name(cases[i].e));
}

/* The largest of each, and one byte more. */
static void
sizes(void **state)
{
	static uint8_t text[HF_CERT_MAX + 1], buf[4096];
	struct hf__token t, back;
	struct hf__writer w;
	size_t i;
	static const struct {
		enum hf_method method;
		size_t max;
	} cases[] = { { HF_METHOD_CERTIFICATE, HF_CERT_MAX },
		{ HF_METHOD_PLAIN_PASSWORD, HF_PASSWORD_MAX },
		{ HF_METHOD_TICKET, HF_TICKET_MAX } };

	(void)state;
	memset(text, 'a', sizeof(text));
	for (i = 0; i < HF__ARRAY_N(cases) * 2; i++) {
		t = (struct hf__token){ .method = cases[i / 2].method,
			.chain_n = 1,
			.user = span("a") };
		t.chain[0] = t.password = t.ticket =
		    (struct hf_span){ text, cases[i / 2].max + i % 2 };
		hf__write_init(&w, buf, sizeof(buf));
		hf__token_write(&w, &t);
		assert_ok(w.err);
		assert_err(read_bytes(&back, buf, w.len),
		    i % 2 == 0 ? HF_OK : HF_E_SHAPE);
	}
}

static void
user_names(void **state)
{
	char name[2] = { 0 };
	const char *allowed = "abcdefghijklmnopqrstuvwxyz0123456789._@+-";
	char longest[HF_USER_MAX + 1];
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		name[0] = (char)c;
		assert_err(hf_user_check(name, 1),
		    c != 0 && strchr(allowed, c) != NULL ? HF_OK : HF_E_ARG);
	}
	assert_err(hf_user_check("", 0), HF_E_ARG);
	assert_err(hf_user_check("a\0b", 3), HF_E_ARG);
	memset(longest, 'z', sizeof(longest));
	assert_ok(hf_user_check(longest, HF_USER_MAX));
	assert_err(hf_user_check(longest, HF_USER_MAX + 1), HF_E_ARG);
}

/* Computed with argon2-cffi and Python's hashlib. */
static void
stretched(void **state)
{
	char realm[HF_NAME_MAX + 1] = { 0 }, user[HF_USER_MAX + 1] = { 0 };
	const struct {
		const char *password, *realm, *user;
		unsigned mib, passes;
		const char *stretched, *verifier;
	} cases[] = {
		{ "correct horse", "example", "alice", 0, 0,
		    "6f5180c912f1c7ae2e952fc1c9c29598"
		    "eb012af6a08aa9c00c8e2c2e0f666b5b",
		    "f12e75a35b394dc893c031ec7070bc31"
		    "68691fc8939da986bc1e3b6ca60e3eac" },
		{ "correct horse", "example", "alice", 64, 2,
		    "6f5180c912f1c7ae2e952fc1c9c29598"
		    "eb012af6a08aa9c00c8e2c2e0f666b5b",
		    "f12e75a35b394dc893c031ec7070bc31"
		    "68691fc8939da986bc1e3b6ca60e3eac" },
		{ "p\xc3\xa4ssw\xc3\xb6rd", "", "a@b.c+d-e_f", 64, 3,
		    "aa7e35d5414f3c3ed320381baae35715"
		    "457659bc47e3b62da721a13e1fafd734",
		    "6f369c656a5b02ac7424165bc3885981"
		    "add63b4f9206c187f5813226dc4295bf" },
		{ "p", realm, user, 65, 2,
		    "a35081c877f0020dd22817084b7fa641"
		    "25749570df9ac487cc6bc15de081466e",
		    "f25ad8bc585a89e516b0315d4941d1d8"
		    "0db3f36c8b2e2bae56c99f379867360a" },
	};
	uint8_t got[32], want[32];
	size_t i;

	(void)state;
	memset(realm, 'r', HF_NAME_MAX);
	memset(user, 'u', HF_USER_MAX);
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		assert_ok(hf_password_stretch(got, cases[i].password,
		    strlen(cases[i].password), cases[i].realm, cases[i].user,
		    cases[i].mib, cases[i].passes));
		unhex(want, sizeof(want), cases[i].stretched);
		assert_memory_equal(got, want, 32);
		assert_ok(hf_password_verifier(got, want));
		unhex(want, sizeof(want), cases[i].verifier);
		assert_memory_equal(got, want, 32);
	}
}

static void
stretch_arguments(void **state)
{
	static char huge[HF_PASSWORD_MAX + 2];
	char realm[HF_NAME_MAX + 2];
	uint8_t out[32];

	(void)state;
	memset(huge, 'p', sizeof(huge) - 1);
	memset(realm, 'r', sizeof(realm));
	realm[HF_NAME_MAX + 1] = '\0';
	assert_err(hf_password_stretch(out, "p", 0, "r", "u", 0, 0), HF_E_ARG);
	assert_err(hf_password_stretch(out, huge, HF_PASSWORD_MAX + 1, "r",
		       "u", 0, 0),
	    HF_E_ARG);
	assert_ok(
	    hf_password_stretch(out, huge, HF_PASSWORD_MAX, "r", "u", 0, 0));
	assert_err(hf_password_stretch(out, "p", 1, realm, "u", 0, 0),
	    HF_E_ARG);
	assert_err(hf_password_stretch(out, "p", 1, "a@b", "u", 0, 0),
	    HF_E_ARG);
	assert_err(hf_password_stretch(out, "p", 1, "r", "", 0, 0), HF_E_ARG);
	assert_err(hf_password_stretch(out, "p", 1, "r", "U", 0, 0), HF_E_ARG);
	assert_err(hf_password_stretch(out, "p", 1, "r", "u", 63, 2),
	    HF_E_ARG);
	assert_err(hf_password_stretch(out, "p", 1, "r", "u", 1025, 2),
	    HF_E_ARG);
	assert_err(hf_password_stretch(out, "p", 1, "r", "u", 64, 1),
	    HF_E_ARG);
	assert_err(hf_password_stretch(out, "p", 1, "r", "u", 64, 11),
	    HF_E_ARG);
	assert_err(hf_password_stretch(out, "p", 1, "r", "u", 0, 2), HF_E_ARG);
	assert_err(hf_password_stretch(out, "p", 1, "r", "u", 64, 0),
	    HF_E_ARG);
}

/* The Argon2id below all this is the one of the reference code. */
static void
public_argon2(void **state)
{
	json_t *cases = test_data_json("argon2/phc_argon2id_hashtests.json");
	json_t *one;
	const char *encoded, *password;
	char wrong[256];
	size_t i;

	(void)state;
	test_data_counted(json_array_size(cases), 8);
	json_array_foreach(cases, i, one) {
		encoded = json_string_value(json_object_get(one, "encoded"));
		password = json_string_value(json_object_get(one, "password"));
		assert_int_equal(crypto_pwhash_str_verify(encoded, password,
				     strlen(password)),
		    0);
		assert_in_range(strlen(encoded), 10, sizeof(wrong) - 1);
		memcpy(wrong, encoded, strlen(encoded) + 1);
		wrong[strlen(encoded) - 3] ^= 1;
		assert_int_not_equal(crypto_pwhash_str_verify(wrong, password,
					 strlen(password)),
		    0);
	}
	json_decref(cases);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds),
		cmocka_unit_test(form),
		cmocka_unit_test(sizes),
		cmocka_unit_test(user_names),
		cmocka_unit_test(stretched),
		cmocka_unit_test(stretch_arguments),
		cmocka_unit_test(public_argon2),
	};

	assert_ok(hf_init());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
