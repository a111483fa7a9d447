/* SPDX-License-Identifier: ISC */
/*
 * A CA's directory, opened: its key, its chain, the paths of its files; and
 * sets of certificate ids. For ca.c and cert.c.
 */
#ifndef CADIR_H
#define CADIR_H

#include "cli.h"

#define PEM_CERT "HANDFAST CERTIFICATE"
#define PEM_LIST "HANDFAST REVOCATION LIST"

struct cadir_paths {
	char key[4096], cert[4096], list[4096];
};

struct cadir {
	struct cadir_paths paths;
	struct hf_identity *id;
	struct cli_chain chain; /* its own certificate first */
	struct hf_cert_info info;
};

int cadir_paths(struct cadir_paths *paths, const char *dir);
int cadir_load(struct cadir *ca, const char *dir, const struct cli_pass *pass);
void cadir_free(struct cadir *ca);
/* CLI_OK when the chain's leaf was issued by this CA, and is not its own. */
int cadir_issued(const struct cadir *ca, const struct cli_chain *chain,
    const char *path);

/* verify.c: `cert verify`; argv[0] is the word verify. */
int cert_verify(int argc, char **argv);

struct idset {
	uint8_t *ids; /* n of HF_CTI_BYTES */
	size_t n;
};
int idset_add(struct idset *set, const uint8_t cti[HF_CTI_BYTES]);
/* Sorts, and drops what is there twice. */
void idset_sort(struct idset *set);

#endif
