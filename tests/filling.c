/* SPDX-License-Identifier: ISC */
/*
 * See filling.h.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "filling.h"

struct hf_span
filling_key(uint8_t key[18], unsigned long n)
{
	uint8_t hash[16];

	(void)crypto_generichash(hash, sizeof(hash), (const uint8_t *)&n,
	    sizeof(n), NULL, 0);
	key[0] = 's';
	key[1] = '/';
	memcpy(key + 2, hash, 16);
	return (struct hf_span){ key, 18 };
}

struct hf_span
filling_entry(uint8_t entry[FILLING_ENTRY], unsigned long n,
    unsigned long version)
{
	uint8_t seed[randombytes_SEEDBYTES] = { 0 };

	memcpy(seed, &n, sizeof(n));
	memcpy(seed + 8, &version, sizeof(version));
	randombytes_buf_deterministic(entry, FILLING_ENTRY, seed);
	return (struct hf_span){ entry, FILLING_ENTRY };
}

static unsigned long waiting;

/* Of what takes minutes it is said how far it is. */
static void
say(unsigned long n, unsigned long of)
{
	if (of >= 10 * FILLING_SAID && n % FILLING_SAID == 0)
		(void)fprintf(stderr, "   %lu of %lu sessions\n", n, of);
}

static void
stored(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	(void)arg;
	(void)value;
	(void)len;
	waiting--;
	if (e == HF_OK)
		return;
	(void)fprintf(stderr, "filling: %s\n", hf_error_name((int)e));
	exit(1);
}

void
filling(struct hf_port *port, uv_loop_t *loop, unsigned long from,
    unsigned long to)
{
	const struct hf_span nothing = { NULL, 0 };
	uint8_t key[18], entry[FILLING_ENTRY];

	while (from < to || waiting > 0) {
		while (from < to && waiting < FILLING_AT_ONCE) {
			if (hf_port_swap(port, filling_key(key, from), nothing,
				filling_entry(entry, from, 1),
				(uint64_t)time(NULL) + 86400, stored,
				NULL) == NULL) {
				(void)fprintf(stderr, "filling: full\n");
				exit(1);
			}
			waiting++;
			say(++from, to);
		}
		(void)uv_run(loop, UV_RUN_ONCE);
	}
}
