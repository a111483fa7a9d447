/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: counts its public-key work, and the passwords
 * that it stretches. Every function of libsodium that does any and that an
 * X25519 and Ed25519 program could call is here, sorted into what it costs; a
 * call that libsodium makes from within another is not counted again. The
 * counts are written to the file that HANDFAST_COUNT names when the program
 * ends, a name and a number a line. It changes no result.
 */
#include <dlfcn.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum work { DH, PAIR, SIGN, VERIFY, IDENTITY, CONVERT, POINT, STRETCH, WORKS };

static const char *const names[WORKS] = { "dh", "pair", "sign", "verify",
	"identity", "convert", "point", "stretch" };
static atomic_ulong counts[WORKS];
static _Thread_local int depth;

static void
enter(enum work work)
{
	if (depth++ == 0)
		atomic_fetch_add(&counts[work], 1);
}

static int
leave(int result)
{
	depth--;
	return result;
}

/* The function of this name behind this one. */
static void *
behind(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found == NULL) {
		fprintf(stderr, "count: no %s\n", name);
		abort();
	}
	return found;
}

__attribute__((destructor)) static void
report(void)
{
	const char *path = getenv("HANDFAST_COUNT");
	FILE *f;
	int i;

	if (path == NULL || (f = fopen(path, "w")) == NULL)
		return;
	for (i = 0; i < WORKS; i++)
		fprintf(f, "%s %lu\n", names[i], atomic_load(&counts[i]));
	(void)fclose(f);
}

typedef unsigned char u8;
typedef unsigned long long u64;

/* clang-format off */
#define COUNT(work, name, params, args)                                       \
	int name params                                                       \
	{                                                                     \
		int(*real) params;                                            \
                                                                              \
		*(void **)&real = behind(#name);                              \
		enter(work);                                                  \
		return leave(real args);                                      \
	}

/* Diffie-Hellman, by whatever name. */
COUNT(DH, crypto_scalarmult, (u8 *q, const u8 *n, const u8 *p), (q, n, p))
COUNT(DH, crypto_scalarmult_curve25519, (u8 *q, const u8 *n, const u8 *p),
    (q, n, p))
COUNT(DH, crypto_scalarmult_ed25519, (u8 *q, const u8 *n, const u8 *p),
    (q, n, p))
COUNT(DH, crypto_scalarmult_ed25519_noclamp,
    (u8 *q, const u8 *n, const u8 *p), (q, n, p))
COUNT(DH, crypto_scalarmult_ristretto255, (u8 *q, const u8 *n, const u8 *p),
    (q, n, p))
COUNT(DH, crypto_box_beforenm, (u8 *k, const u8 *pk, const u8 *sk),
    (k, pk, sk))
COUNT(DH, crypto_box_curve25519xsalsa20poly1305_beforenm,
    (u8 *k, const u8 *pk, const u8 *sk), (k, pk, sk))
COUNT(DH, crypto_box_curve25519xchacha20poly1305_beforenm,
    (u8 *k, const u8 *pk, const u8 *sk), (k, pk, sk))
COUNT(DH, crypto_kx_client_session_keys,
    (u8 rx[crypto_kx_SESSIONKEYBYTES], u8 tx[crypto_kx_SESSIONKEYBYTES],
	const u8 cpk[crypto_kx_PUBLICKEYBYTES],
	const u8 csk[crypto_kx_SECRETKEYBYTES],
	const u8 spk[crypto_kx_PUBLICKEYBYTES]),
    (rx, tx, cpk, csk, spk))
COUNT(DH, crypto_kx_server_session_keys,
    (u8 rx[crypto_kx_SESSIONKEYBYTES], u8 tx[crypto_kx_SESSIONKEYBYTES],
	const u8 spk[crypto_kx_PUBLICKEYBYTES],
	const u8 ssk[crypto_kx_SECRETKEYBYTES],
	const u8 cpk[crypto_kx_PUBLICKEYBYTES]),
    (rx, tx, spk, ssk, cpk))

/* A fresh key pair, or the public key of a private one. */
COUNT(PAIR, crypto_scalarmult_base, (u8 *q, const u8 *n), (q, n))
COUNT(PAIR, crypto_scalarmult_curve25519_base, (u8 *q, const u8 *n), (q, n))
COUNT(PAIR, crypto_scalarmult_ed25519_base, (u8 *q, const u8 *n), (q, n))
COUNT(PAIR, crypto_scalarmult_ed25519_base_noclamp, (u8 *q, const u8 *n),
    (q, n))
COUNT(PAIR, crypto_scalarmult_ristretto255_base, (u8 *q, const u8 *n), (q, n))
COUNT(PAIR, crypto_box_keypair, (u8 *pk, u8 *sk), (pk, sk))
COUNT(PAIR, crypto_box_seed_keypair, (u8 *pk, u8 *sk, const u8 *seed),
    (pk, sk, seed))
COUNT(PAIR, crypto_box_curve25519xsalsa20poly1305_keypair, (u8 *pk, u8 *sk),
    (pk, sk))
COUNT(PAIR, crypto_box_curve25519xsalsa20poly1305_seed_keypair,
    (u8 *pk, u8 *sk, const u8 *seed), (pk, sk, seed))
COUNT(PAIR, crypto_box_curve25519xchacha20poly1305_keypair, (u8 *pk, u8 *sk),
    (pk, sk))
COUNT(PAIR, crypto_box_curve25519xchacha20poly1305_seed_keypair,
    (u8 *pk, u8 *sk, const u8 *seed), (pk, sk, seed))
COUNT(PAIR, crypto_kx_keypair,
    (u8 pk[crypto_kx_PUBLICKEYBYTES], u8 sk[crypto_kx_SECRETKEYBYTES]),
    (pk, sk))
COUNT(PAIR, crypto_kx_seed_keypair,
    (u8 pk[crypto_kx_PUBLICKEYBYTES], u8 sk[crypto_kx_SECRETKEYBYTES],
	const u8 seed[crypto_kx_SEEDBYTES]),
    (pk, sk, seed))

/* Signatures. */
COUNT(SIGN, crypto_sign_detached,
    (u8 *sig, u64 *len, const u8 *m, u64 m_len, const u8 *sk),
    (sig, len, m, m_len, sk))
COUNT(SIGN, crypto_sign_ed25519_detached,
    (u8 *sig, u64 *len, const u8 *m, u64 m_len, const u8 *sk),
    (sig, len, m, m_len, sk))
COUNT(SIGN, crypto_sign,
    (u8 *sm, u64 *len, const u8 *m, u64 m_len, const u8 *sk),
    (sm, len, m, m_len, sk))
COUNT(SIGN, crypto_sign_final_create,
    (crypto_sign_state *state, u8 *sig, u64 *len, const u8 *sk),
    (state, sig, len, sk))
COUNT(VERIFY, crypto_sign_verify_detached,
    (const u8 *sig, const u8 *m, u64 m_len, const u8 *pk),
    (sig, m, m_len, pk))
COUNT(VERIFY, crypto_sign_ed25519_verify_detached,
    (const u8 *sig, const u8 *m, u64 m_len, const u8 *pk),
    (sig, m, m_len, pk))
COUNT(VERIFY, crypto_sign_open,
    (u8 *m, u64 *len, const u8 *sm, u64 sm_len, const u8 *pk),
    (m, len, sm, sm_len, pk))
COUNT(VERIFY, crypto_sign_final_verify,
    (crypto_sign_state *state, const u8 *sig, const u8 *pk),
    (state, sig, pk))

/* What an identity is made from when it is loaded. */
COUNT(IDENTITY, crypto_sign_keypair, (u8 *pk, u8 *sk), (pk, sk))
COUNT(IDENTITY, crypto_sign_seed_keypair, (u8 *pk, u8 *sk, const u8 *seed),
    (pk, sk, seed))
COUNT(IDENTITY, crypto_sign_ed25519_keypair, (u8 *pk, u8 *sk), (pk, sk))
COUNT(IDENTITY, crypto_sign_ed25519_seed_keypair,
    (u8 *pk, u8 *sk, const u8 *seed), (pk, sk, seed))
COUNT(CONVERT, crypto_sign_ed25519_pk_to_curve25519, (u8 *to, const u8 *from),
    (to, from))
COUNT(CONVERT, crypto_sign_ed25519_sk_to_curve25519, (u8 *to, const u8 *from),
    (to, from))

/* Other arithmetic on points. */
COUNT(POINT, crypto_core_ed25519_is_valid_point, (const u8 *p), (p))
COUNT(POINT, crypto_core_ed25519_add, (u8 *r, const u8 *p, const u8 *q),
    (r, p, q))
COUNT(POINT, crypto_core_ed25519_sub, (u8 *r, const u8 *p, const u8 *q),
    (r, p, q))

/* Argon2id. */
COUNT(STRETCH, crypto_pwhash,
    (u8 *const out, u64 out_len, const char *const password, u64 password_len,
	const u8 *const salt, u64 ops, size_t mem, int alg),
    (out, out_len, password, password_len, salt, ops, mem, alg))
/* clang-format on */
