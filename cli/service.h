/* SPDX-License-Identifier: ISC */
/*
 * One generation of a responder's configuration: all that SIGHUP reads anew.
 * Threads read it; nobody changes it after serve_load().
 */
#ifndef CLI_SERVICE_H
#define CLI_SERVICE_H

#include "serve.h"

struct generation {
	struct hf_identity *identity;
	struct cli_chain chain;
	struct hf_cert_info leaf;
	struct hf_trust *trust;
	struct hf_ring *ring;
	struct cli_users *users;
	struct hf_vault *vault; /* NULL: its sessions do not move */
	uint64_t granted_until; /* then its first grant is void; 0: none */
	struct hf_address forward[HF_ADDRESSES_MAX];
	size_t forward_n;
};

/* vault.c: the grants of this server, where it has a store. */
int vault_load(struct generation *g);
void vault_warn_expiry(const struct generation *g, uint64_t now);

#endif
