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
/* Puts a value in the place of whatever is there. */
HF_MUST_USE enum hf_err hf__member_put(struct hf_store *store,
    struct hf_span key, struct hf_span value, uint64_t expires);
/* A member's record. @return HF_OK or HF_E_OBJECT */
HF_MUST_USE enum hf_err hf__member_read(struct hf_member *m,
    struct hf_span value);

#endif
