/* SPDX-License-Identifier: ISC */
/*
 * The constants of handfast.h by their names, for who cannot read a header;
 * tests/sh/embed.sh holds the list to it. Results have names of their own,
 * in error.c.
 */
#include <string.h>

#include "internal.h"

#define CONSTANTS(X)                \
	X(HF_VERSION_PROTOCOL)      \
	X(HF_SEED_BYTES)            \
	X(HF_KEY_BYTES)             \
	X(HF_SID_BYTES)             \
	X(HF_KEY_ID_BYTES)          \
	X(HF_CTI_BYTES)             \
	X(HF_ORIGIN_BYTES)          \
	X(HF_FINGERPRINT_BYTES)     \
	X(HF_NAME_MAX)              \
	X(HF_USER_MAX)              \
	X(HF_PASSWORD_MAX)          \
	X(HF_TARGET_MAX)            \
	X(HF_NAMES_MAX)             \
	X(HF_CHAIN_MAX)             \
	X(HF_CERT_MAX)              \
	X(HF_TICKET_MAX)            \
	X(HF_LIST_MAX)              \
	X(HF_SUITES_MAX)            \
	X(HF_EXTENSIONS_MAX)        \
	X(HF_MESSAGE_MAX)           \
	X(HF_PLAINTEXT_MAX)         \
	X(HF_RECORD_MAX)            \
	X(HF_EXPORT_MAX)            \
	X(HF_ENTRY_MAX)             \
	X(HF_REST_MAX)              \
	X(HF_SCOPES_MAX)            \
	X(HF_SCOPE_TARGETS_MAX)     \
	X(HF_GENERATIONS_MAX)       \
	X(HF_SOURCE_MAX)            \
	X(HF_CHANNELS_MAX)          \
	X(HF_LABEL_MAX)             \
	X(HF_CREDIT_FIRST)          \
	X(HF_CREDIT_MAX)            \
	X(HF_QUANTUM)               \
	X(HF_FRAMES_MIN)            \
	X(HF_INITIATOR)             \
	X(HF_RESPONDER)             \
	X(HF_USAGE_RESPONDER)       \
	X(HF_USAGE_INITIATOR)       \
	X(HF_USAGE_CA)              \
	X(HF_USAGE_SERVER)          \
	X(HF_USAGE_CLUSTER)         \
	X(HF_METHOD_CERTIFICATE)    \
	X(HF_METHOD_PASSWORD)       \
	X(HF_METHOD_PLAIN_PASSWORD) \
	X(HF_METHOD_TICKET)         \
	X(HF_MOVES_NOT)             \
	X(HF_MOVES_SOFT)            \
	X(HF_MOVES_PROVED)          \
	X(HF_WANT_READ)             \
	X(HF_WANT_WRITE)            \
	X(HF_WANT_ADMIT)            \
	X(HF_WANT_TRUST)            \
	X(HF_WANT_STATE)            \
	X(HF_WANT_COMMIT)           \
	X(HF_WANT_RECV)             \
	X(HF_WANT_DONE)             \
	X(HF_WANT_CLOSED)           \
	X(HF_WANT_FAILED)           \
	X(HF_ADMIT)                 \
	X(HF_ADMIT_COOKIE)          \
	X(HF_ADMIT_REPLAY)          \
	X(HF_ADMIT_LIMIT)           \
	X(HF_CONTENT_DATA)          \
	X(HF_CONTENT_CLOSE)         \
	X(HF_CONTENT_ACK)           \
	X(HF_CONTENT_CHANNEL)       \
	X(HF_CONTENT_TICKET)        \
	X(HF_CONTENT_QUERY)         \
	X(HF_CONTENT_REFRESH)       \
	X(HF_COMMIT_TICKET)         \
	X(HF_COMMIT_CLAIM)          \
	X(HF_COMMIT_CONFIRM)        \
	X(HF_RING_MAX)              \
	X(HF_OWNER_TOKEN_BYTES)     \
	X(HF_CLEAR_BYTES)           \
	X(HF_REASON_NONE)           \
	X(HF_REASON_CANCELLED)      \
	X(HF_REASON_REFUSED)        \
	X(HF_REASON_FAILED)         \
	X(HF_REASON_LIMIT)          \
	X(HF_REASON_GONE)           \
	X(HF_REASON_SHUTDOWN)       \
	X(HF_REASON_IDLE)           \
	X(HF_REASON_MOVED)          \
	X(HF_REASON_LOST)           \
	X(HF_REASON_RESTARTED)      \
	X(HF_NEWS_OPENED)           \
	X(HF_NEWS_READABLE)         \
	X(HF_NEWS_WRITABLE)         \
	X(HF_NEWS_FINISHED)         \
	X(HF_NEWS_ENDED)            \
	X(HF_NEWS_OVER)             \
	X(HF_LIMIT_FAILURE)

static const struct {
	const char *name;
	int32_t value;
} constants[] = {
#define ROW(name) { #name, (int32_t)(name) },
	CONSTANTS(ROW)
#undef ROW
};

int64_t
hf_constant(const char *name)
{
	size_t i;

	for (i = 0; name != NULL && i < HF__ARRAY_N(constants); i++)
		if (strcmp(constants[i].name, name) == 0)
			return constants[i].value;
	return -1;
}
