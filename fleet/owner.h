/* SPDX-License-Identifier: ISC */
/*
 * The inside of owners: one for each session of a responder that has a store.
 * Its calls belong to the loop of its link.
 */
#ifndef FLEET_OWNER_H
#define FLEET_OWNER_H

#include "fleet.h"

enum { HF__OWNER_KEY_BYTES = 2 + HF_SID_BYTES };

struct hf_owner;

/* All are borrowed; the policy is copied. */
HF_MUST_USE enum hf_err hf_owner_new(struct hf_owner **owner, uv_loop_t *loop,
    struct hf_port *port, struct hf_link *link, const struct hf_vault *vault,
    const struct hf_checkpoint_policy *policy);
/* The link has ended: in order, both directions closed, or not. Frees. */
void hf_owner_end(struct hf_owner *owner, int in_order);
/* The link's hooks of the same names. */
void hf_owner_state(struct hf_owner *owner);
void hf_owner_store(struct hf_owner *owner, struct hf_span entry);
void hf_owner_moved(struct hf_owner *owner);
/* The keys have changed: from now on these, borrowed. 0: it goes on with the
 * others. */
int hf_owner_vault(struct hf_owner *owner, const struct hf_vault *vault);
/* An entry names a newer key than there is: `renew` sees to it that keys are
 * read again, gives those that have come by hf_owner_vault(), and returns 0 where
 * none will come. */
typedef int hf__owner_renew(void *arg);
void hf_owner_renew(struct hf_owner *owner, hf__owner_renew *renew, void *arg);
/* Who is told what became of each checkpoint. */
typedef void hf__owner_stored(enum hf_err err);
void hf_owner_stored(struct hf_owner *owner, hf__owner_stored *stored);
/* Somebody may have taken the session over: looks, and then lets go. */
void hf_owner_look(struct hf_owner *owner);
/* Stores what there is and asks the peer to go elsewhere. */
void hf_owner_hand_over(struct hf_owner *owner);
/* Whether it was asked, and what is to go on was in the store then. */
int hf_owner_handed_over(const struct hf_owner *owner);
/* The key under which a session stands in a store. */
void hf__owner_key(uint8_t key[HF__OWNER_KEY_BYTES], struct hf_span sid);

#endif
