/* SPDX-License-Identifier: ISC */
/* How a fuzzer turns cryptography off and on; see fuzz_skip.c. */
#ifndef HANDFAST_FUZZ_SKIP_H
#define HANDFAST_FUZZ_SKIP_H

enum {
	SKIP_BOXES = 1,
	SKIP_STRETCH = 2, /* passwords */
	SKIP_KEYS = 4,	  /* signatures, key exchange */
	SKIP_SEALS = SKIP_BOXES | SKIP_KEYS,
	SKIP_CURVE = 8, /* with SKIP_KEYS: signatures are, but cost little */
	SKIP_REFUSED = 0xff
};

extern int fuzz_skip; /* what is skipped now */
/* Tags and signatures that were said not to verify. */
extern unsigned long fuzz_refused;

#endif
