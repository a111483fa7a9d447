/* SPDX-License-Identifier: ISC */
/*
 * The inside of a file of peers, for peers.c, which reads it, credentials.c,
 * which reads what it names, and for the agent.
 */
#ifndef FLEET_PEERS_H
#define FLEET_PEERS_H

#include "agent.h"
#include "agent_path.h"
#include "agent_wire.h"

enum {
	HF__ADDRESSES = 8, /* of a peer, as text */
	HF__FILES = 16,	   /* of one kind */
	HF__ALLOWED = 64,  /* users, or groups */
	HF__USER_NAME = 64
};

/* A secret in sodium_malloc memory. */
struct hf__secret {
	char *text;
	size_t len;
};

/* One peer of the file. */
struct hf__entry {
	char name[HF__WIRE_PEER_MAX + 1];
	struct hf_peers *file;
	char *address[HF__ADDRESSES];
	size_t addresses_n;
	char *trust[HF__FILES], *revoked[HF__FILES];
	size_t trust_n, revoked_n;
	char *expect, *realm, *target; /* NULL: none */
	char *identity, *certificate, *user, *password_file, *ticket, *known;
	int dispatched, everyone;
	uint64_t idle_ms; /* 0: it stays open */
	uint64_t connect_ms, retry_ms;
	unsigned channels, user_channels; /* of a process, of a user */
	uid_t uid[HF__ALLOWED];
	gid_t gid[HF__ALLOWED];
	size_t uids_n, gids_n;
	/* What the files hold. */
	struct hf_trust *trusted;
	struct hf_identity *key;
	struct hf_config *config;
	struct hf__secret password;
};

struct hf_peers {
	char *dir; /* of the file; ends with a slash */
	char socket[HF_AGENT_PATH];
	char *store, *store_key;  /* NULL: none */
	char user[HF__USER_NAME]; /* "": the one that it is */
	int log_json, sandbox;
	int top_only;  /* no peers were wanted */
	unsigned refs; /* the agent and the sessions that use it */
	size_t n;
	struct hf__entry entry[HF_PEERS_MAX];
};

struct hf__entry *hf__peers_find(struct hf_peers *peers, const char *name,
    size_t len);
/* peers_allow.c: the users and groups of a section, and 1 where the file lets
 * him have the peer. */
struct cfg_t;
HF_MUST_USE enum hf_err hf__entry_read_allowed(struct hf__entry *entry,
    struct cfg_t *section, char why[HF_WHY_MAX]);
int hf__entry_allows(const struct hf__entry *entry, const struct hf__who *who);

/* credentials.c: from the files to a configuration, or says why not. */
HF_MUST_USE enum hf_err hf__entry_load(struct hf__entry *entry,
    char why[HF_WHY_MAX]);
/* Wipes what was loaded. */
void hf__entry_unload(struct hf__entry *entry);
/* Says why, and returns the error. */
enum hf_err hf__why(char why[HF_WHY_MAX], enum hf_err e, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
/* Reads a file of at most max bytes, NUL-terminated, to be given back by
 * hf__file_free(). A secret must be this user's and closed to others; any other
 * is only not to be changed by others. */
HF_MUST_USE enum hf_err hf__file_read(char **buf, size_t *len,
    const char *path, size_t max, int secret, char why[HF_WHY_MAX]);
void hf__file_free(char *buf, size_t len);

#endif
