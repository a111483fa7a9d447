/* SPDX-License-Identifier: ISC */
/*
 * One certificate at a time: each rule of spec section 5.2 by its exact error
 * (threats A15, A16, A18), with the rest of the certificate valid and signed.
 * For chains see trust.c, for issuing issue.c.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

#define H (-65537)

/* A map as encoded entries in their order. */
struct entry {
	int64_t key;
	uint8_t value[700];
	size_t len;
};

struct map {
	struct entry entry[16];
	size_t n;
};

enum action { SET, DROP, TWICE, FIRST };

/* One change to a valid certificate: claim, or entry of the handfast map. */
struct change {
	int64_t claim, sub;
	enum action action;
	const char *hex;
	enum hf_err e;
};

static struct hf_identity *ca;

static void
put(struct map *m, int64_t key, const char *hex)
{
	struct entry *e = &m->entry[m->n++];

	e->key = key;
	e->len = unhex(e->value, sizeof(e->value), hex);
}

static const char x25519[] =
    "a101a301012004215820"
    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
static const char ed25519[] =
    "a101a301012006215820"
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/* Claims and handfast map of a responder's certificate, or a CA's. */
static void template(struct map *claims, struct map *inner, int for_ca)
{
	claims->n = inner->n = 0;
	put(claims, 1, "6743412074657374");		  /* "CA test" */
	put(claims, 2, "6e7365727665722e6578616d706c65"); /* server.example */
	put(claims, 4, "1a6b49d200");
	put(claims, 5, "1a6a49d200");
	put(claims, 6, "1a6a49d200");
	put(claims, 7, "5000112233445566778899aabbccddeeff");
	put(claims, 8, for_ca ? ed25519 : x25519);
	if (!for_ca)
		put(inner, 2, "820102");
	put(inner, -1, for_ca ? "04" : "01");
}

static size_t
place(const struct map *m, int64_t key)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (m->entry[i].key == key ||
		    (key < 0 ? m->entry[i].key < key :
			       m->entry[i].key < 0 || m->entry[i].key > key))
			break;
	return i;
}

static void
change_map(struct map *m, int64_t key, enum action action, const char *hex)
{
	size_t i = action == FIRST ? 0 : place(m, key);
	int present = i < m->n && m->entry[i].key == key;

	if (action == DROP) {
		assert_true(present);
		m->n--;
		memmove(&m->entry[i], &m->entry[i + 1],
		    (m->n - i) * sizeof(m->entry[0]));
		return;
	}
	if (!present || action != SET) {
		memmove(&m->entry[i + 1], &m->entry[i],
		    (m->n - i) * sizeof(m->entry[0]));
		m->n++;
	}
	m->entry[i].key = key;
	if (hex != NULL)
		m->entry[i].len =
		    unhex(m->entry[i].value, sizeof(m->entry[i].value), hex);
}

static void
write_map(struct hf__writer *w, const struct map *m)
{
	uint8_t *room;
	size_t i;

	hf__write_map(w, m->n);
	for (i = 0; i < m->n; i++) {
		hf__write_int(w, m->entry[i].key);
		if ((room = hf__write_room(w, m->entry[i].len)) != NULL)
			memcpy(room, m->entry[i].value, m->entry[i].len);
	}
}

static void
sign(struct blob *out, const struct map *claims, const struct map *inner)
{
	struct map all = *claims;
	struct hf__writer w;
	uint8_t payload[4096];

	all.entry[all.n].key = H;
	hf__write_init(&w, all.entry[all.n].value,
	    sizeof(all.entry[all.n].value));
	write_map(&w, inner);
	all.entry[all.n].len = w.len;
	if (inner->n > 0)
		all.n++;
	assert_ok(w.err);
	hf__write_init(&w, payload, sizeof(payload));
	write_map(&w, &all);
	assert_ok(w.err);
	assert_ok(hf__sign1_make(out->bytes, sizeof(out->bytes), &out->len, ca,
	    "handfast/1 certificate", payload, w.len));
}

static void
try(const struct change *c, int for_ca)
{
	struct map claims, inner;
	struct hf_cert_info info;
	struct blob cert;
	enum hf_err e;

	template(&claims, &inner, for_ca);
	if (c->claim == H)
		change_map(&inner, c->sub, c->action, c->hex);
	else
		change_map(&claims, c->claim, c->action, c->hex);
	sign(&cert, &claims, &inner);
	e = hf_cert_read(&info, cert.bytes, cert.len);
	if (e != c->e)
		fail_msg("%d %d %s: %s, not %s", (int)c->claim, (int)c->sub,
		    c->hex == NULL ? "" : c->hex, hf_error_name(e),
		    hf_error_name(c->e));
}

#define HEX8 "6161616161616161"
#define HEX64 HEX8 HEX8 HEX8 HEX8 HEX8 HEX8 HEX8 HEX8
#define HEX255 \
	HEX64 HEX64 HEX64 HEX8 HEX8 HEX8 HEX8 HEX8 HEX8 HEX8 "61616161616161"

static void
names_and_times(void **state)
{
	static const struct change changes[] = {
		/* iss and sub */
		{ 1, 0, DROP, NULL, HF_E_OBJECT },
		{ 2, 0, DROP, NULL, HF_E_OBJECT },
		{ 1, 0, TWICE, "6161", HF_E_CBOR },
		{ 2, 0, TWICE, "6161", HF_E_CBOR }, /* two subs */
		{ 2, 0, SET, "60", HF_E_OBJECT },
		{ 2, 0, SET, "6161", HF_OK },
		{ 2, 0, SET, "78ff" HEX255, HF_OK },
		{ 2, 0, SET, "790100" HEX255 "61", HF_E_OBJECT },
		{ 2, 0, SET, "4161", HF_E_OBJECT },
		{ 2, 0, SET, "816161", HF_E_OBJECT },
		{ 2, 0, SET, "63610062", HF_E_OBJECT },
		{ 2, 0, SET, "62610a", HF_E_OBJECT },
		{ 2, 0, SET, "62617f", HF_E_OBJECT },
		{ 2, 0, SET, "62c328", HF_E_OBJECT },
		{ 2, 0, SET, "62c3bc", HF_OK },
		{ 2, 0, SET, "7f6161ff", HF_E_CBOR },
		{ 2, 0, SET, "780161", HF_E_CBOR },
		/* exp */
		{ 4, 0, DROP, NULL, HF_E_OBJECT },
		{ 4, 0, TWICE, "00", HF_E_CBOR },
		{ 4, 0, SET, "fb41dad27480000000", HF_E_CBOR },
		{ 4, 0, SET, "fa4ed693a4", HF_E_CBOR },
		{ 4, 0, SET, "20", HF_E_OBJECT },
		{ 4, 0, SET, "3a6b49d200", HF_E_OBJECT },
		{ 4, 0, SET, "c249010000000000000000", HF_E_CBOR },
		{ 4, 0, SET, "c11a6b49d200", HF_E_CBOR },
		{ 4, 0, SET, "1bffffffffffffffff", HF_E_OBJECT },
		{ 4, 0, SET, "1b0020000000000001", HF_E_OBJECT },
		{ 4, 0, SET, "1b0020000000000000", HF_OK },
		{ 4, 0, SET, "1b000000006b49d200", HF_E_CBOR },
		{ 4, 0, SET, "6a31373939393939393939", HF_E_OBJECT },
		{ 4, 0, SET, "1a6a49d201", HF_OK },
		{ 4, 0, SET, "1a6a49d200", HF_E_OBJECT }, /* = nbf */
		{ 4, 0, SET, "1a6a49d1ff", HF_E_OBJECT }, /* < nbf */
		{ 4, 0, SET, "f6", HF_E_OBJECT },
		/* nbf and iat */
		{ 5, 0, DROP, NULL, HF_E_OBJECT },
		{ 5, 0, SET, "00", HF_OK },
		{ 5, 0, SET, "20", HF_E_OBJECT },
		{ 5, 0, SET, "1b0020000000000001", HF_E_OBJECT },
		{ 6, 0, DROP, NULL, HF_E_OBJECT },
		{ 6, 0, SET, "00", HF_OK },
		{ 6, 0, SET, "1b0020000000000001", HF_E_OBJECT },
		/* cti */
		{ 7, 0, DROP, NULL, HF_E_OBJECT },
		{ 7, 0, SET, "4f00112233445566778899aabbccddee", HF_E_OBJECT },
		{ 7, 0, SET, "5100112233445566778899aabbccddeeff00",
		    HF_E_OBJECT },
		{ 7, 0, SET, "7030313233343536373839616263646566",
		    HF_E_OBJECT },
	};
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(changes); i++) {
		try(&changes[i], 0);
		try(&changes[i], 1);
	}
}

static void
unknown_claims(void **state)
{
	static const struct change changes[] = {
		/* aud is not for certificates, of whatever type */
		{ 3, 0, SET, "6161", HF_E_OBJECT },
		{ 3, 0, SET, "816161", HF_E_OBJECT },
		/* unknown: critical below zero, else skipped, strictly */
		{ -1, 0, SET, "00", HF_E_OBJECT },
		{ -65536, 0, SET, "00", HF_E_OBJECT },
		{ 0, 0, SET, "00", HF_OK },
		{ 9, 0, SET, "a1616183f6f5820102", HF_OK },
		{ 65537, 0, SET, "6161", HF_OK },
		{ 9, 0, SET, "1801", HF_E_CBOR },
		{ 9, 0, SET, "f90000", HF_E_CBOR },
		{ 9, 0, SET, "62c328", HF_E_CBOR },
		{ 9, 0, SET, "a201000100", HF_E_CBOR },
		{ 9, 0, SET, "8181818181818100", HF_OK },
		{ 9, 0, SET, "818181818181818100", HF_E_CBOR },
		{ 9, 0, FIRST, "00", HF_E_CBOR },
		{ 5, 0, FIRST, "00", HF_E_CBOR },
		{ H, 9, SET, "81818181818100", HF_OK },
		{ H, 9, SET, "8181818181818100", HF_E_CBOR },
		{ H, 6, SET, "00", HF_OK },
		{ H, 0, SET, "00", HF_OK },
		{ H, -5, SET, "00", HF_E_OBJECT },
		{ H, -65537, SET, "00", HF_E_OBJECT },
		{ H, -1, FIRST, "01", HF_E_CBOR },
		{ H, -1, TWICE, "01", HF_E_CBOR },
	};
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(changes); i++) {
		try(&changes[i], 0);
		try(&changes[i], 1);
	}
}

#define X31 "31313131313131313131313131313131313131313131313131313131313131"

static void
keys(void **state)
{
	static const struct change leaf[] = {
		{ 8, 0, DROP, NULL, HF_E_OBJECT },
		{ 8, 0, TWICE, x25519, HF_E_CBOR },
		{ 8, 0, SET, "a0", HF_E_OBJECT },
		{ 8, 0, SET, "a101a301012004215820" X31 "31", HF_OK },
		/* with a private key, a kid, an alg */
		{ 8, 0, SET, "a101a401012004215820" X31 "31235820" X31 "31",
		    HF_E_OBJECT },
		{ 8, 0, SET, "a101a401010241302004215820" X31 "31",
		    HF_E_OBJECT },
		{ 8, 0, SET, "a101a4010103272004215820" X31 "31",
		    HF_E_OBJECT },
		/* kty, curve, length, order */
		{ 8, 0, SET, "a101a301002004215820" X31 "31", HF_E_OBJECT },
		{ 8, 0, SET, "a101a301022004215820" X31 "31", HF_E_OBJECT },
		{ 8, 0, SET, "a101a301042004215820" X31 "31", HF_E_OBJECT },
		{ 8, 0, SET, "a101a301012006215820" X31 "31", HF_E_OBJECT },
		{ 8, 0, SET, "a101a301012005215820" X31 "31", HF_E_OBJECT },
		{ 8, 0, SET, "a101a30101200421581f" X31, HF_E_OBJECT },
		{ 8, 0, SET, "a101a301012004215821" X31 "3131", HF_E_OBJECT },
		{ 8, 0, SET, "a101a301012158203131313131313131" X31 "312004",
		    HF_E_OBJECT },
		{ 8, 0, SET, "a101a201012004", HF_E_OBJECT },
		{ 8, 0, SET, "a101a22004215820" X31 "31", HF_E_OBJECT },
		/* other confirmation methods (RFC 8747) */
		{ 8, 0, SET, "a1034130", HF_E_OBJECT },
		{ 8, 0, SET, "a201a301012004215820" X31 "31034130",
		    HF_E_OBJECT },
	};
	static const struct change authority[] = {
		{ 8, 0, SET, ed25519, HF_OK },
		{ 8, 0, SET, x25519, HF_E_OBJECT },
		/* A18: neutral, order 2, 4 and 8, y = p, p + 1, 2^255 - 1,
		 * not on the curve */
		{ 8, 0, SET,
		    "a101a30101200621582001000000000000000000000000000000"
		    "00000000000000000000000000000000",
		    HF_E_OBJECT },
		{ 8, 0, SET,
		    "a101a301012006215820ecffffffffffffffffffffffffffffff"
		    "ffffffffffffffffffffffffffffff7f",
		    HF_E_OBJECT },
		{ 8, 0, SET,
		    "a101a30101200621582000000000000000000000000000000000"
		    "00000000000000000000000000000000",
		    HF_E_OBJECT },
		{ 8, 0, SET,
		    "a101a301012006215820c7176a703d4dd84fba3c0b760d10670f"
		    "2a2053fa2c39ccc64ec7fd7792ac037a",
		    HF_E_OBJECT },
		{ 8, 0, SET,
		    "a101a30101200621582026e8958fc2b227b045c3f489f2ef98f0"
		    "d5dfac05d3c63339b13802886d53fc05",
		    HF_E_OBJECT },
		{ 8, 0, SET,
		    "a101a301012006215820edffffffffffffffffffffffffffffff"
		    "ffffffffffffffffffffffffffffff7f",
		    HF_E_OBJECT },
		{ 8, 0, SET,
		    "a101a301012006215820eeffffffffffffffffffffffffffffff"
		    "ffffffffffffffffffffffffffffff7f",
		    HF_E_OBJECT },
		{ 8, 0, SET,
		    "a101a301012006215820ffffffffffffffffffffffffffffffff"
		    "ffffffffffffffffffffffffffffffff",
		    HF_E_OBJECT },
		{ 8, 0, SET,
		    "a101a30101200621582002000000000000000000000000000000"
		    "00000000000000000000000000000000",
		    HF_E_OBJECT },
	};
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(leaf); i++)
		try(&leaf[i], 0);
	for (i = 0; i < HF__ARRAY_N(authority); i++)
		try(&authority[i], 1);
}

static void
handfast_map(void **state)
{
	static const struct change leaf[] = {
		{ H, -1, DROP, NULL, HF_E_OBJECT },
		{ H, 2, DROP, NULL, HF_E_OBJECT },
		{ H, -1, SET, "00", HF_E_OBJECT },
		{ H, -1, SET, "03", HF_OK },
		{ H, -1, SET, "0b", HF_OK },
		{ H, -1, SET, "05", HF_E_OBJECT }, /* ca with responder */
		{ H, -1, SET, "11", HF_E_OBJECT }, /* cluster with it */
		{ H, -1, SET, "14", HF_E_OBJECT },
		{ H, -1, SET, "04", HF_E_OBJECT }, /* the wrong key */
		{ H, -1, SET, "1820", HF_E_OBJECT },
		{ H, -1, SET, "20", HF_E_OBJECT },
		{ H, -1, SET, "4101", HF_E_OBJECT },
		{ H, 1, SET, "80", HF_E_OBJECT },
		{ H, 1, SET, "816161", HF_OK },
		{ H, 1, SET, "8160", HF_E_OBJECT },
		{ H, 1, SET, "6161", HF_E_OBJECT },
		{ H, 1, SET, "8861616161616161616161616161616161", HF_OK },
		{ H, 1, SET, "89616161616161616161616161616161616161",
		    HF_E_OBJECT },
		{ H, 2, SET, "80", HF_E_OBJECT },
		{ H, 2, SET, "8119ffff", HF_OK },
		{ H, 2, SET, "811a00010000", HF_E_OBJECT },
		{ H, 2, SET, "8120", HF_E_OBJECT },
		{ H, 2, SET, "880102030405060708", HF_OK },
		{ H, 2, SET, "89010203040506070809", HF_E_OBJECT },
		{ H, 3, SET, "6161", HF_OK },
		{ H, 3, SET, "60", HF_E_OBJECT },
		{ H, 3, SET, "790100" HEX255 "61", HF_E_OBJECT },
		{ H, 3, SET, "63614062", HF_E_OBJECT }, /* a@b */
		{ H, 3, SET, "6140", HF_E_OBJECT },
		{ H, 4, SET, "82184002", HF_OK },
		{ H, 4, SET, "821904000a", HF_OK },
		{ H, 4, SET, "82183f02", HF_E_OBJECT },
		{ H, 4, SET, "8219040102", HF_E_OBJECT },
		{ H, 4, SET, "82184001", HF_E_OBJECT },
		{ H, 4, SET, "8218400b", HF_E_OBJECT },
		{ H, 4, SET, "811840", HF_E_OBJECT },
		{ H, 4, SET, "8318400201", HF_E_OBJECT },
		{ H, 5, SET, "6161", HF_OK },
		{ H, 5, SET, "60", HF_E_OBJECT },
		/* for a CA only */
		{ H, -2, SET, "00", HF_E_OBJECT },
		{ H, -3, SET, "816161", HF_E_OBJECT },
		{ H, -4, SET, "816161", HF_E_OBJECT },
	};
	static const struct change authority[] = {
		{ H, -1, SET, "10", HF_OK }, /* a cluster's */
		{ H, -1, SET, "01", HF_E_OBJECT },
		{ H, -1, SET, "14", HF_E_OBJECT },
		{ H, -2, SET, "00", HF_OK },
		{ H, -2, SET, "03", HF_OK },
		{ H, -2, SET, "04", HF_E_OBJECT },
		{ H, -2, SET, "20", HF_E_OBJECT },
		{ H, -3, SET, "816161", HF_OK },
		{ H, -3, SET, "80", HF_E_OBJECT },
		{ H, -3, SET, "8160", HF_E_OBJECT },
		{ H, -4, SET, "816161", HF_OK },
		{ H, -4, SET, "80", HF_E_OBJECT },
		{ H, -4, SET, "82616163614062", HF_E_OBJECT },
		{ H, -4, SET, "826140ff", HF_E_OBJECT }, /* the first */
		{ H, -4, SET, "826161ff", HF_E_CBOR },
		{ H, 3, SET, "6161", HF_OK },
	};
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(leaf); i++)
		try(&leaf[i], 0);
	for (i = 0; i < HF__ARRAY_N(authority); i++)
		try(&authority[i], 1);
}

/* A cluster's key certifies nobody, so it permits nothing. */
static void
cluster(void **state)
{
	static const struct {
		int64_t key;
		const char *hex;
	} cases[] = { { -2, "00" }, { -3, "816161" }, { -4, "816161" } };
	struct map claims, inner;
	struct hf_cert_info info;
	struct blob cert;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		template(&claims, &inner, 1);
		change_map(&inner, -1, SET, "10");
		sign(&cert, &claims, &inner);
		assert_ok(hf_cert_read(&info, cert.bytes, cert.len));
		change_map(&inner, cases[i].key, SET, cases[i].hex);
		sign(&cert, &claims, &inner);
		assert_err(hf_cert_read(&info, cert.bytes, cert.len),
		    HF_E_OBJECT);
	}
}

/* No claims, too many bytes, another header. */
static void
around_the_claims(void **state)
{
	struct map claims, inner, none = { .n = 0 };
	uint8_t payload[HF_CERT_MAX];
	struct hf_cert_info info;
	struct hf__sign1 cose;
	struct blob cert;

	(void)state;
	sign(&cert, &none, &none);
	assert_err(hf_cert_read(&info, cert.bytes, cert.len), HF_E_OBJECT);
	template(&claims, &inner, 0);
	sign(&cert, &claims, &none);
	assert_err(hf_cert_read(&info, cert.bytes, cert.len), HF_E_OBJECT);
	sign(&cert, &claims, &inner);
	assert_ok(hf_cert_read(&info, cert.bytes, cert.len));
	cert.bytes[cert.len] = 0;
	assert_err(hf_cert_read(&info, cert.bytes, cert.len + 1), HF_E_CBOR);

	/* A kid beside it; a byte after the claims; claims that are a list. */
	assert_ok(hf__sign1_read(&cose, cert.bytes, cert.len));
	memcpy(payload, cose.payload.ptr, cose.payload.len);
	payload[cose.payload.len] = 0;
	assert_ok(hf__sign1_make(cert.bytes, sizeof(cert.bytes), &cert.len, ca,
	    "handfast/1 certificate", payload, cose.payload.len + 1));
	assert_err(hf_cert_read(&info, cert.bytes, cert.len), HF_E_CBOR);
	sign(&cert, &claims, &inner);
	assert_int_equal(cert.bytes[5], 0xa0);
	memmove(cert.bytes + 9, cert.bytes + 6, cert.len - 6);
	memcpy(cert.bytes + 5, "\xa1\x04\x41k", 4);
	assert_err(hf_cert_read(&info, cert.bytes, cert.len + 3), HF_E_OBJECT);
	assert_ok(hf__sign1_make(cert.bytes, sizeof(cert.bytes), &cert.len, ca,
	    "handfast/1 certificate", (const uint8_t *)"\x80", 1));
	assert_err(hf_cert_read(&info, cert.bytes, cert.len), HF_E_OBJECT);
}

/* A certificate with so many bytes in a claim nobody knows. */
static void
make_filled(struct blob *cert, size_t filler)
{
	struct map claims, inner;
	uint8_t payload[HF_CERT_MAX];
	struct hf__writer w;
	size_t i;

	template(&claims, &inner, 0);
	hf__write_init(&w, payload, sizeof(payload));
	hf__write_map(&w, claims.n + 2);
	for (i = 0; i < claims.n; i++) {
		hf__write_int(&w, claims.entry[i].key);
		memcpy(hf__write_room(&w, claims.entry[i].len),
		    claims.entry[i].value, claims.entry[i].len);
	}
	hf__write_int(&w, 9);
	hf__write_bytes_head(&w, filler);
	memset(hf__write_room(&w, filler), 0, filler);
	hf__write_int(&w, H);
	write_map(&w, &inner);
	assert_ok(w.err);
	assert_ok(hf__sign1_make(cert->bytes, sizeof(cert->bytes), &cert->len,
	    ca, "handfast/1 certificate", payload, w.len));
}

static void
largest(void **state)
{
	struct hf_cert_info info;
	struct blob cert;
	size_t filler = 1500;

	(void)state;
	do {
		make_filled(&cert, ++filler);
		assert_err(hf_cert_read(&info, cert.bytes, cert.len),
		    cert.len <= HF_CERT_MAX ? HF_OK : HF_E_OBJECT);
	} while (cert.len <= HF_CERT_MAX);
	assert_int_equal(cert.len, HF_CERT_MAX + 1);
}

static void
what_it_says(void **state)
{
	static const uint8_t cti[] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
		0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
	struct map claims, inner;
	struct hf_cert_info info;
	struct blob cert;

	(void)state;
	template(&claims, &inner, 0);
	change_map(&inner, 1, SET, "82616263616263");
	change_map(&inner, 3, SET, "657265616c6d");
	change_map(&inner, 4, SET, "82188003");
	change_map(&inner, 5, SET, "67636c7573746572");
	change_map(&inner, -1, SET, "09");
	sign(&cert, &claims, &inner);
	assert_ok(hf_cert_read(&info, cert.bytes, cert.len));
	assert_string_equal(info.issuer.text, "CA test");
	assert_string_equal(info.subject.text, "server.example");
	assert_int_equal(info.subject.len, 14);
	assert_int_equal(info.names_n, 2);
	assert_string_equal(info.names[0].text, "b");
	assert_string_equal(info.names[1].text, "abc");
	assert_string_equal(info.realm.text, "realm");
	assert_string_equal(info.cluster.text, "cluster");
	assert_int_equal(info.permitted_names_n, 0);
	assert_int_equal(info.permitted_realms_n, 0);
	assert_memory_equal(info.cti, cti, sizeof(cti));
	assert_int_equal(info.key[0], 0xde);
	assert_int_equal(info.not_after, 0x6b49d200);
	assert_int_equal(info.not_before, 0x6a49d200);
	assert_int_equal(info.issued, 0x6a49d200);
	assert_int_equal(info.usage, HF_USAGE_RESPONDER | HF_USAGE_SERVER);
	assert_int_equal(info.path_length, -1);
	assert_int_equal(info.suites_n, 2);
	assert_int_equal(info.suites[1], 2);
	assert_int_equal(info.cost_mib, 128);
	assert_int_equal(info.cost_passes, 3);
}

static void
named(void **state)
{
	static const struct {
		const char *name;
		int is;
	} names[] = { { "server.example", 1 }, { "b", 1 }, { "abc", 1 },
		{ "cluster", 1 }, { "realm", 0 }, { "CA test", 0 },
		{ "server.exampl", 0 }, { "server.example.", 0 },
		{ "Server.example", 0 }, { "example", 0 }, { "", 0 },
		{ "a", 0 } };
	struct map claims, inner;
	struct hf_cert_info info;
	struct hf__cert c;
	struct blob cert;
	size_t i;

	(void)state;
	template(&claims, &inner, 0);
	change_map(&inner, 1, SET, "82616263616263");
	change_map(&inner, 3, SET, "657265616c6d");
	change_map(&inner, 5, SET, "67636c7573746572");
	sign(&cert, &claims, &inner);
	assert_ok(hf_cert_read(&info, cert.bytes, cert.len));
	assert_ok(hf__cert_parse(&c, cert.bytes, cert.len));
	for (i = 0; i < HF__ARRAY_N(names); i++) {
		assert_int_equal(hf_cert_named(&info, names[i].name),
		    names[i].is);
		assert_int_equal(hf__cert_named(&c, names[i].name,
				     strlen(names[i].name)),
		    names[i].is);
	}
}

static void
every_prefix(void **state)
{
	struct map claims, inner;
	struct hf_cert_info info;
	struct blob cert;
	uint8_t *exact;
	size_t i;

	(void)state;
	template(&claims, &inner, 0);
	sign(&cert, &claims, &inner);
	for (i = 0; i < cert.len; i++) {
		exact = malloc(i + 1);
		assert_non_null(exact);
		memcpy(exact, cert.bytes, i);
		assert_err(hf_cert_read(&info, exact, i), HF_E_CBOR);
		free(exact);
	}
	assert_ok(hf_cert_read(&info, cert.bytes, cert.len));
}

static int
set_up(void **state)
{
	(void)state;
	assert_ok(hf_init());
	ca = identity_of(1);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	hf_identity_free(ca);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_times),
		cmocka_unit_test(unknown_claims),
		cmocka_unit_test(keys),
		cmocka_unit_test(handfast_map),
		cmocka_unit_test(cluster),
		cmocka_unit_test(around_the_claims),
		cmocka_unit_test(largest),
		cmocka_unit_test(what_it_says),
		cmocka_unit_test(named),
		cmocka_unit_test(every_prefix),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
