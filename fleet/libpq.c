/* SPDX-License-Identifier: ISC */
/* libpq, loaded when it is wanted. */
#include <pthread.h>

#include "libpq.h"

#define OF(name) "PQ" #name, offsetof(struct hf__pq, name)
static const struct hf_symbol symbols[] = {
	{ OF(clear) },
	{ OF(cmdTuples) },
	{ OF(connectPoll) },
	{ OF(connectStartParams) },
	{ OF(conninfoFree) },
	{ OF(conninfoParse) },
	{ OF(consumeInput) },
	{ OF(enterPipelineMode) },
	{ OF(errorMessage) },
	{ OF(escapeIdentifier) },
	{ OF(finish) },
	{ OF(flush) },
	{ OF(freemem) },
	{ OF(getResult) },
	{ OF(getisnull) },
	{ OF(getlength) },
	{ OF(getvalue) },
	{ OF(isBusy) },
	{ OF(nfields) },
	{ OF(notifies) },
	{ OF(ntuples) },
	{ OF(pipelineSync) },
	{ OF(resultErrorField) },
	{ OF(resultStatus) },
	{ OF(sendPrepare) },
	{ OF(sendQuery) },
	{ OF(sendQueryParams) },
	{ OF(sendQueryPrepared) },
	{ OF(setNoticeReceiver) },
	{ OF(setnonblocking) },
	{ OF(socket) },
	{ OF(status) },
};
enum { SYMBOLS = sizeof(symbols) / sizeof(symbols[0]) };
_Static_assert(SYMBOLS ==
	offsetof(struct hf__pq, end) / sizeof(void (*)(void)),
    "each member has its symbol");

struct hf__pq hf__pq;

const char *
hf__pq_load(void)
{
	static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
	static int loaded;
	const char *why = NULL;

	(void)pthread_mutex_lock(&turn);
	if (!loaded)
		why = hf_library_load(&hf__pq, "libpq.so.5", symbols, SYMBOLS);
	loaded = why == NULL;
	(void)pthread_mutex_unlock(&turn);
	return why;
}
