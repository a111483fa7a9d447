/* SPDX-License-Identifier: ISC */
/*
 * What the files behind `vectors verify` share. They alone of cli/ see the
 * inside of proto/: a vector states secrets that no public function hands out,
 * and the verifier recomputes each by the function that the library uses.
 *
 * A vector is a JSON object: id, kind, inputs, and what follows from them. Its
 * kind's function reads the inputs and puts the rest; then the two objects
 * must be the same.
 */
#ifndef CLI_VECTORS_H
#define CLI_VECTORS_H

#include <jansson.h>

#include "cli.h"
#include "session.h"

enum {
	VEC_FIELD = 160,       /* room for where a fault is */
	VEC_TEXT = 240,	       /* and for what it is */
	VEC_LIST_MAX = 8,      /* entries of a list of objects in hex */
	VEC_FILE_MAX = 8 << 20 /* bytes of a file of vectors */
};

struct vec_chunk;

/* One vector under way. */
struct vec {
	const json_t *told;	  /* as the file has it; borrowed */
	json_t *out;		  /* what the kind's function puts */
	struct vec_chunk *chunks; /* memory that ends with the vector */
	int failed;		  /* the first fault stands in: */
	char field[VEC_FIELD], text[VEC_TEXT];
	int skipped; /* needs a suite that this processor lacks */
};

/* vectors_kinds.c: the result of one vector is in *v; its text fields stay
 * until vec_done(). */
void vec_check(struct vec *v, const json_t *told);
void vec_done(struct vec *v);

/* vectors_compare.c: the first place where two values differ is the fault. */
void vec_compare(struct vec *v, const json_t *told, const json_t *found);

/* vectors_json.c: reading inputs. What is not as it must be is a fault of the
 * vector; the readers then give zero, so that one look at v->failed after
 * several of them is enough. */
void vec_fault(struct vec *v, const char *field, const char *fmt, ...)
    CLI_PRINTF(3, 4);
/* Memory until vec_done(), zeroed; never NULL. */
void *vec_alloc(struct vec *v, size_t size);
/* The member is there and of that type, or it is a fault; NULL. */
const json_t *vec_get(struct vec *v, const json_t *in, const char *key,
    json_type type);
int vec_is_null(const json_t *in, const char *key);
/* Takes the next of some words, separated by blanks; one that begins with a
 * question mark is optional. False at the end. */
bool vec_word(char word[VEC_FIELD], bool *optional, const char **words);
/* The object's members are exactly these words. */
void vec_members(struct vec *v, const json_t *in, const char *names);
/* Lower-case hex; the bytes live until vec_done(). */
struct hf_span vec_unhex(struct vec *v, const json_t *value, const char *name);
struct hf_span vec_hex(struct vec *v, const json_t *in, const char *key);
/* Exactly len bytes of it. */
void vec_hex_into(uint8_t *out, size_t len, struct vec *v, const json_t *in,
    const char *key);
/* At most VEC_LIST_MAX of them; how many. */
size_t vec_hex_list(struct hf_span spans[VEC_LIST_MAX], struct vec *v,
    const json_t *in, const char *key);
uint64_t vec_uint(struct vec *v, const json_t *in, const char *key,
    uint64_t max);
const char *vec_text(struct vec *v, const json_t *in, const char *key);
/* NULL for null. */
const char *vec_text_or_null(struct vec *v, const json_t *in, const char *key);
bool vec_bool(struct vec *v, const json_t *in, const char *key);
/* Absent and null are the empty name. */
void vec_name(struct hf_name *out, struct vec *v, const json_t *in,
    const char *key);
/* Whether the array of texts holds this one. */
int vec_holds(const json_t *array, const char *text);

/* vectors_json.c: writing. */
json_t *vec_json_hex(const void *ptr, size_t len);
json_t *vec_json_text(struct hf_span text);
/* Sets a member; the value is taken over. */
void vec_put(struct vec *v, json_t *to, const char *key, json_t *value);
void vec_put_hex(struct vec *v, json_t *to, const char *key, const void *ptr,
    size_t len);
void vec_put_uint(struct vec *v, json_t *to, const char *key, uint64_t value);
/* A text file as the list of its lines. */
void vec_put_lines(struct vec *v, json_t *to, const char *key,
    const char *text);
void vec_append(struct vec *v, json_t *array, json_t *value);

/* vectors_random.c: draws from a list. */
struct vec_draws {
	struct vec *v;
	const char *name; /* of the list */
	const json_t *list;
	size_t next;
};

void vec_random_install(void);
/* From here to vec_random_end() the library's randomness is the list; outside
 * it is the system's. */
void vec_random_begin(struct vec_draws *draws);
void vec_random_end(void);
/* All of the list must have been drawn. */
void vec_draws_init(struct vec_draws *draws, struct vec *v, const char *name);
void vec_draws_done(const struct vec_draws *draws);

/* vectors_side.c: one side of a connection, made from what it is told. */
struct vec_side {
	struct vec *v;
	const char *name; /* "initiator" or "responder" */
	const json_t *told, *app;
	enum hf_role role;
	uint64_t ms, now;
	struct hf_config *config;
	struct hf_identity *id;
	struct hf_trust *trust;
	struct hf_ring *ring;
	struct hf_vault *vault; /* responder: its sessions may move */
	struct hf_session *s;
	struct vec_draws draws;
	json_t *received; /* records, in order */
	json_t *entries;  /* that it had written to its store, in order */
	json_t *opened;	  /* responder: what the last request gave */
	struct hf__pair prekey; /* responder: of the offer */
};

enum hf_err vec_side_make(struct vec_side *side, struct vec *v,
    enum hf_role role, const json_t *told, const char *random);
void vec_side_free(struct vec_side *side);
/* Begins: an initiator's first message is put out. Where a session does not
 * even begin, s stays NULL. */
enum hf_err vec_side_start(struct vec_side *side);
/* Feeds bytes, answers all that the session asks, takes records. */
enum hf_err vec_side_feed(struct vec_side *side, const uint8_t *data,
    size_t len);
enum hf_err vec_side_send(struct vec_side *side, unsigned type,
    struct hf_span data);
enum hf_err vec_side_reconnect(struct vec_side *side);
enum hf_err vec_side_reroute(struct vec_side *side, const char *target);
enum hf_err vec_side_checkpoint(struct vec_side *side);
/* As the specification's section 11 calls it. */
const char *vec_side_state(const struct vec_side *side);

/* vectors_config.c: each sets what it can from side->told. A ticket is read
 * when the side is made, all else of a token when it starts. */
enum hf_err vec_set_common(struct vec_side *side);
enum hf_err vec_set_ticket(struct vec_side *side, const json_t *token);
enum hf_err vec_set_initiator(struct vec_side *side);
enum hf_err vec_set_responder(struct vec_side *side);
/* 1 for a suite of the vectors that this processor lacks. */
int vec_lacks_suite(uint64_t suite);
enum hf_err vec_trust_make(struct hf_trust **trust, struct vec *v,
    const json_t *in);
enum hf_err vec_ring_make(struct hf_ring **ring, struct vec *v,
    const json_t *keys);

/* vectors_answer.c: what the application says, as the vector has it. */
enum hf_err vec_answer(struct vec_side *side);
/* Its lists are what they must be, also those that are never asked. */
void vec_answer_check(struct vec_side *side);

/* vectors_memo.c: hf_password_stretch() and Argon2id, once for an input. */
enum hf_err vec_stretch(uint8_t out[HF_KEY_BYTES], const char *password,
    const char *realm, const char *user, unsigned mib, unsigned passes);
enum hf_err vec_argon2(uint8_t out[32], const char *password,
    const uint8_t salt[crypto_pwhash_SALTBYTES], unsigned mib,
    unsigned passes);

/* vectors_inside.c: what a message was made of. */
/* Of a request: by the initiator that has sent it, or the responder that has
 * just opened it (message NULL) with the prekey that it then wiped. */
json_t *vec_inside_request(struct vec *v, const struct hf_session *s,
    const struct hf__pair *prekey, struct hf_span message);
/* Of a grant, by the initiator that shall read it; the whole of its keys. */
struct vec_grant {
	uint8_t session_key[32], sid[HF_SID_BYTES], master[32];
	json_t *inside;
};
void vec_inside_grant(struct vec_grant *grant, struct vec *v,
    const struct hf_session *s, struct hf_span message);
/* BLAKE2b-256(key = session key || chain, "handfast/1 master" || th2). */
void vec_master(uint8_t master[32], const uint8_t session_key[32],
    const uint8_t chain[32], const uint8_t th2[32]);
json_t *vec_keys_json(struct vec *v, const struct hf__suite *suite,
    const struct hf__secrets *secrets, const struct hf__traffic *initiator,
    const struct hf__traffic *responder);

/* vectors_cert.c */
json_t *vec_info_json(struct vec *v, const struct hf_cert_info *info);

/* vectors_issue.c: all of a signed object; label is its external_aad. */
void vec_put_signed(struct vec *v, struct hf_span made, const char *label,
    const uint8_t pk[32]);

/* vectors_entry.c: a vault of scopes as a vector tells them; may be made in
 * part when there is an error. */
enum hf_err vec_vault_make(struct hf_vault **vault, struct vec *v,
    const char *cluster, const char *owner, const json_t *scopes);
json_t *vec_mark_json(const struct hf__mark *mark);
void vec_mark_read(struct hf__mark *mark, struct vec *v, const json_t *in,
    const char *key);
json_t *vec_state_json(struct vec *v, const struct hf__stored *s);

/* vectors_shake.c: a message's type by name. */
const char *vec_type_name(unsigned type);

/* One function a kind: HF_OK and what follows from the inputs in v->out, or
 * the library's error; or a fault. */
typedef enum hf_err vec_kind(struct vec *v);
vec_kind vec_handshake, vec_session; /* _shake.c, _steps.c */
vec_kind vec_schedule, vec_exporter, vec_record, vec_record_open;
vec_kind vec_identity, vec_identity_encrypted, vec_identity_read;
vec_kind vec_ring_read, vec_text_read; /* _file.c */
vec_kind vec_request, vec_request_read, vec_certificate, vec_certificate_read;
vec_kind vec_chain, vec_list, vec_list_add; /* _cert.c, _issue.c */
vec_kind vec_ticket, vec_ticket_accept, vec_ticket_file_read;
vec_kind vec_password, vec_cookie, vec_cookie_judge, vec_hpke, vec_cbor;
vec_kind vec_takeover;			    /* _move.c */
vec_kind vec_key_grant, vec_key_grant_open; /* _grant.c */
vec_kind vec_entry, vec_entry_open;	    /* _entry.c */
vec_kind vec_rest, vec_rest_open;	    /* _rest.c */
vec_kind vec_route, vec_counter;	    /* _route.c, _counter.c */
vec_kind vec_channel, vec_agent_frames;	    /* _channel.c, _agent.c */

#endif
