/* SPDX-License-Identifier: ISC */
/*
 * Where a cluster's members and their keys stand in its store, for member.c
 * and cluster.c.
 *
 *     r/SCOPE      the cluster's own copy of a scope's keys
 *     m/ID         a member: its scopes, and its certificate
 *     g/ID/SCOPE   the grant of a scope for a member
 */
#ifndef FLEET_MEMBER_H
#define FLEET_MEMBER_H

#include "fleet.h"

enum { HF__MEMBER_KEY_TEXT = HF_STORE_KEY_MAX + 1 };

/* A store's key of two or three parts: without an id, or without a scope. Of
 * length 0 when it is too long. */
struct hf_span hf__member_key(char out[HF__MEMBER_KEY_TEXT], char kind,
    const char *id, const char *scope);
/* What stood in a place when it was read: its hash, zero for nothing. */
struct hf__seen {
	uint8_t hash[HF_KEY_BYTES];
};
/* As hf_store_get(); and what was seen. */
HF_MUST_USE enum hf_err hf__member_get(struct hf_store *store,
    struct hf_span key, uint8_t value[HF_STORE_VALUE_MAX], size_t *len,
    struct hf__seen *seen);
/* Puts a value in the place of what was seen, and `seen` is that value then.
 * @return HF_OK; HF_E_FENCED: something else is there now; HF_E_STORE */
HF_MUST_USE enum hf_err hf__member_put(struct hf_store *store,
    struct hf_span key, struct hf__seen *seen, struct hf_span value,
    uint64_t expires);
/* A member's record. @return HF_OK or HF_E_OBJECT */
HF_MUST_USE enum hf_err hf__member_read(struct hf_member *m,
    struct hf_span value);

#endif
