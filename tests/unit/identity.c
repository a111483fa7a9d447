/* SPDX-License-Identifier: ISC */
/*
 * Identities (spec sections 5.1 and 14): the keys of a seed, both text forms,
 * the passphrase, and costs that a file may not ask for.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing.h"

static const char rfc8032_seed[] = "9d61b19deffd5a60ba844af492ec2cc4"
				   "4449c5697b326919703bac031cae7f60";
static const char rfc8032_pk[] = "d75a980182b10ab7d54bfed3c964073a"
				 "0ee172f3daa62325af021a68f707511a";
/* The u of that point, computed by another program. */
static const char x25519_pk[] = "d85e07ec22b0ad881537c2f44d662d1a"
				"143cf830c57aca4305d85c7a90f6b62e";

static char text[1024];
static size_t len;

static void
keys_of_a_seed(void **state)
{
	uint8_t seed[32], want[32], ed25519[32], x25519[32], base[32];
	struct hf_identity *id, *fresh, *other;

	(void)state;
	unhex(seed, sizeof(seed), rfc8032_seed);
	assert_ok(hf_identity_new(&id, seed));
	hf_identity_public(ed25519, x25519, id);
	unhex(want, sizeof(want), rfc8032_pk);
	assert_memory_equal(ed25519, want, 32);
	unhex(want, sizeof(want), x25519_pk);
	assert_memory_equal(x25519, want, 32);
	assert_int_equal(crypto_scalarmult_base(base, id->kem.sk), 0);
	assert_memory_equal(base, x25519, 32);
	assert_memory_equal(id->seed, seed, 32);
	hf_identity_public(NULL, x25519, id);
	hf_identity_public(ed25519, NULL, id);
	assert_ok(hf_identity_new(&fresh, NULL));
	assert_memory_not_equal(fresh->seed, id->seed, 32);
	assert_ok(hf_identity_new(&other, NULL));
	assert_memory_not_equal(fresh->seed, other->seed, 32);
	hf_identity_free(other);
	hf_identity_free(fresh);
	hf_identity_free(id);
	hf_identity_free(NULL);
}

/* A key in memory cannot be written to. */
static void
read_only(void **state)
{
	struct hf_identity *id = identity_of(5);
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		((volatile struct hf_identity *)id)->seed[0] = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	hf_identity_free(id);
}

static void
plain_text(void **state)
{
	struct hf_identity *id = identity_of(0), *back;
	size_t need, i;

	(void)state;
	assert_ok(hf_identity_encode(text, sizeof(text), &len, id, NULL, 0));
	assert_string_equal(text,
	    "-----BEGIN HANDFAST IDENTITY-----\n"
	    "ggFYIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AAAAAAAAAAAA\n"
	    "-----END HANDFAST IDENTITY-----\n");
	assert_ok(hf_identity_decode(&back, text, len, NULL, 0));
	assert_memory_equal(back->sign_pk, id->sign_pk, 32);
	hf_identity_free(back);
	/* A passphrase that is not needed does no harm. */
	assert_ok(hf_identity_decode(&back, text, len, "x", 1));
	hf_identity_free(back);
	assert_err(hf_identity_encode(text, len, &need, id, NULL, 0),
	    HF_E_SPACE);
	assert_ok(hf_identity_encode(text, sizeof(text), &len, id, NULL, 0));
	for (i = 0; i < len - 1; i++) {
		assert_err(hf_identity_decode(&back, text, i, NULL, 0),
		    HF_E_OBJECT);
		assert_null(back);
	}
	hf_identity_free(id);
}

static void
sealed_text(void **state)
{
	struct hf_identity *id = identity_of(9), *back;
	char again[1024];
	size_t len2;

	(void)state;
	assert_ok(
	    hf_identity_encode(text, sizeof(text), &len, id, "secret", 6));
	assert_non_null(strstr(text, "BEGIN HANDFAST ENCRYPTED IDENTITY"));
	assert_ok(
	    hf_identity_encode(again, sizeof(again), &len2, id, "secret", 6));
	assert_string_not_equal(text, again);
	assert_int_equal(len, len2);
	assert_ok(hf_identity_decode(&back, text, len, "secret", 6));
	assert_memory_equal(back->seed, id->seed, 32);
	hf_identity_free(back);
	assert_err(hf_identity_decode(&back, text, len, NULL, 0),
	    HF_E_PASSPHRASE);
	assert_null(back);
	assert_err(hf_identity_decode(&back, text, len, "secret", 5),
	    HF_E_PASSPHRASE);
	assert_err(hf_identity_decode(&back, text, len, "Secret", 6),
	    HF_E_PASSPHRASE);
	assert_err(hf_identity_decode(&back, text, len, "", 0),
	    HF_E_PASSPHRASE);
	assert_err(hf_identity_encode(text, sizeof(text), &len, id, "", 0),
	    HF_E_ARG);
	assert_err(hf_identity_encode(text, sizeof(text), &len, id, again,
		       HF_PASSWORD_MAX + 1),
	    HF_E_ARG);
	hf_identity_free(id);
}

/* Decodes a file given as CBOR. */
static enum hf_err
decode_file(const char *label, const uint8_t *file, size_t file_len)
{
	struct hf_identity *id;
	enum hf_err e;

	assert_ok(
	    hf_pem_encode(text, sizeof(text), &len, label, file, file_len));
	e = hf_identity_decode(&id, text, len, "secret", 6);
	hf_identity_free(id);
	return e;
}

#define PLAIN "HANDFAST IDENTITY"
#define SEALED "HANDFAST ENCRYPTED IDENTITY"

/* The sealed form of spec section 14, made here at the least cost. */
static size_t
seal_cheaply(uint8_t *out, size_t cap)
{
	uint8_t salt[16] = { 3 }, nonce[24] = { 4 }, seed[32] = { 5 }, key[32];
	unsigned long long box_len;
	struct hf__writer w;
	size_t aad_len;

	hf__write_init(&w, out, cap);
	hf__write_list(&w, 6);
	hf__write_uint(&w, 2);
	hf__write_bytes(&w, salt, sizeof(salt));
	hf__write_uint(&w, 8);
	hf__write_uint(&w, 1);
	hf__write_bytes(&w, nonce, sizeof(nonce));
	aad_len = w.len;
	hf__write_bytes_head(&w, 48);
	assert_ok(w.err);
	assert_int_equal(crypto_pwhash(key, 32, "secret", 6, salt, 1, 8 << 20,
			     crypto_pwhash_ALG_ARGON2ID13),
	    0);
	assert_int_equal(crypto_aead_xchacha20poly1305_ietf_encrypt(out +
				 w.len,
			     &box_len, seed, 32, out, aad_len, NULL, nonce,
			     key),
	    0);
	assert_int_equal(box_len, 48);
	return w.len + 48;
}

static void
files(void **state)
{
	uint8_t file[512], good[512];
	size_t i, n;
	enum hf_err e;

	(void)state;
	/* Plain: each prefix, a byte more, another version, shapes. */
	memset(file, 0, sizeof(file));
	memcpy(file, "\x82\x01\x58\x20", 4);
	assert_ok(decode_file(PLAIN, file, 36));
	for (i = 1; i < 36; i++)
		assert_err(decode_file(PLAIN, file, i), HF_E_OBJECT);
	assert_err(decode_file(PLAIN, file, 37), HF_E_OBJECT);
	assert_err(decode_file(PLAIN, file, 500), HF_E_OBJECT);
	assert_err(decode_file(SEALED, file, 36), HF_E_OBJECT);
	for (i = 0; i < 4 * 8; i++) {
		file[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_err(decode_file(PLAIN, file, 36), HF_E_OBJECT);
		file[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	/* Sealed: a bit of each byte, and each prefix. */
	n = seal_cheaply(good, sizeof(good));
	assert_ok(decode_file(SEALED, good, n));
	assert_err(decode_file(PLAIN, good, n), HF_E_OBJECT);
	for (i = 0; i < n; i++) {
		memcpy(file, good, n);
		file[i] ^= 1;
		e = decode_file(SEALED, file, n);
		if (e != HF_E_OBJECT)
			assert_err(e, HF_E_PASSPHRASE);
	}
	for (i = 1; i < n; i++)
		assert_err(decode_file(SEALED, good, i), HF_E_OBJECT);
	/* Of another form: refused before the passphrase is tried. */
	assert_int_equal(good[1], 2);
	for (good[1] = 0; good[1] < 4; good[1]++)
		if (good[1] != 2)
			assert_err(decode_file(SEALED, good, n), HF_E_OBJECT);
}

/* The sealed form with other costs, written by hand. */
static enum hf_err
with_cost(uint64_t mib, uint64_t passes)
{
	uint8_t file[256], zeros[48] = { 0 };
	struct hf__writer w;

	hf__write_init(&w, file, sizeof(file));
	hf__write_list(&w, 6);
	hf__write_uint(&w, 2);
	hf__write_bytes(&w, zeros, 16);
	hf__write_uint(&w, mib);
	hf__write_uint(&w, passes);
	hf__write_bytes(&w, zeros, 24);
	hf__write_bytes(&w, zeros, 48);
	assert_ok(w.err);
	return decode_file(SEALED, file, w.len);
}

static void
costs(void **state)
{
	(void)state;
	assert_err(with_cost(8, 1), HF_E_PASSPHRASE);
	assert_err(with_cost(16, 10), HF_E_PASSPHRASE);
	assert_err(with_cost(7, 1), HF_E_OBJECT);
	assert_err(with_cost(0, 1), HF_E_OBJECT);
	assert_err(with_cost(8, 0), HF_E_OBJECT);
	assert_err(with_cost(8, 11), HF_E_OBJECT);
	assert_err(with_cost(1025, 1), HF_E_OBJECT);
	assert_err(with_cost((uint64_t)1 << 32, 3), HF_E_OBJECT);
	assert_err(with_cost(64, UINT64_MAX), HF_E_OBJECT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_of_a_seed),
		cmocka_unit_test(read_only),
		cmocka_unit_test(plain_text),
		cmocka_unit_test(sealed_text),
		cmocka_unit_test(files),
		cmocka_unit_test(costs),
	};

	assert_ok(hf_init());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
