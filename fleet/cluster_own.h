/* SPDX-License-Identifier: ISC */
/*
 * A cluster's key over its store, and one change of it, for cluster.c and
 * cluster_change.c.
 */
#ifndef FLEET_CLUSTER_OWN_H
#define FLEET_CLUSTER_OWN_H

#include "member.h"

enum { HF__RINGS_MAX = 64 };

struct hf_cluster {
	struct hf_store *store;
	const struct hf_identity *id;
	struct hf_span cert;
	struct hf_name name;
	uint64_t now;
	uint64_t least; /* what all rings have, at least; none lower counts */
	uint64_t used;	/* the highest that a change was begun with */
	enum hf_err (*remember)(void *arg, uint64_t used);
	void *remember_arg;
	uint64_t serial; /* of the next ring: above all others */
	struct hf_name ring[HF__RINGS_MAX];
	size_t ring_n;
	int anew; /* a store without a ring is begun again */
};

struct hf__change {
	enum hf_err (*once)(struct hf_cluster *c, struct hf__change *ch);
	struct hf_span cert;		 /* of who comes or goes */
	const struct hf_keygrant *admit; /* the scope that it comes to */
	struct hf_member who;
	struct hf__seen record; /* his, as it was read */
	const char *scope;	/* whose grants are counted; NULL: of all */
	int comes, goes;
	int *known;    /* who goes had a record, by any of the tries */
	int fresh;     /* a new generation: 1 of the scope, 2 of all */
	int cut_off;   /* the others are refused from now on */
	int unchanged; /* the serial stays */
	int made;      /* the last ring is new, under the next serial */
	size_t n;      /* grants made */
};

/* A ring, which stands where its scope's belongs, and is not an old one. */
HF_MUST_USE enum hf_err hf__ring_load(struct hf_keygrant *ring,
    struct hf__seen *seen, const struct hf_cluster *c, const char *scope);
/* Puts it in the place of what was seen there; `seen` is what is there then. */
HF_MUST_USE enum hf_err hf__ring_save(struct hf_cluster *c,
    struct hf_keygrant *ring, struct hf__seen *seen);
/* Whether there is a ring that the cluster does not know of: HF_E_FENCED. */
HF_MUST_USE enum hf_err hf__ring_overlooked(const struct hf_cluster *c);
/* One more generation, the newest, above all that was ever given out; the
 * oldest beyond the limit goes. */
void hf__ring_generation(struct hf_keygrant *ring, uint32_t above);
/* Before anything is signed under it: what a change that stops has given is
 * void by the next one, also where that does not see it. */
HF_MUST_USE enum hf_err hf__cluster_begin(struct hf_cluster *c,
    uint64_t serial);
/* All of a change but the records. HF_E_FENCED: somebody else was at work. */
HF_MUST_USE enum hf_err hf__cluster_alter(struct hf_cluster *c,
    struct hf__change *ch);

#endif
