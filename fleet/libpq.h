/* SPDX-License-Identifier: ISC */
/*
 * What store_postgres*.c use of libpq, which is loaded when the first store of
 * that kind is opened: `hf__pq.clear(r)` is PQclear(r).
 */
#ifndef FLEET_LIBPQ_H
#define FLEET_LIBPQ_H

#include <postgresql/libpq-fe.h>

#include "library.h"

struct hf__pq {
	_Alignas(HF_TABLE_BYTES) __typeof__(PQclear) *clear;
	__typeof__(PQcmdTuples) *cmdTuples;
	__typeof__(PQconnectPoll) *connectPoll;
	__typeof__(PQconnectStartParams) *connectStartParams;
	__typeof__(PQconninfoFree) *conninfoFree;
	__typeof__(PQconninfoParse) *conninfoParse;
	__typeof__(PQconsumeInput) *consumeInput;
	__typeof__(PQenterPipelineMode) *enterPipelineMode;
	__typeof__(PQerrorMessage) *errorMessage;
	__typeof__(PQescapeIdentifier) *escapeIdentifier;
	__typeof__(PQfinish) *finish;
	__typeof__(PQflush) *flush;
	__typeof__(PQfreemem) *freemem;
	__typeof__(PQgetResult) *getResult;
	__typeof__(PQgetisnull) *getisnull;
	__typeof__(PQgetlength) *getlength;
	__typeof__(PQgetvalue) *getvalue;
	__typeof__(PQisBusy) *isBusy;
	__typeof__(PQnfields) *nfields;
	__typeof__(PQnotifies) *notifies;
	__typeof__(PQntuples) *ntuples;
	__typeof__(PQpipelineSync) *pipelineSync;
	__typeof__(PQresultErrorField) *resultErrorField;
	__typeof__(PQresultStatus) *resultStatus;
	__typeof__(PQsendPrepare) *sendPrepare;
	__typeof__(PQsendQuery) *sendQuery;
	__typeof__(PQsendQueryParams) *sendQueryParams;
	__typeof__(PQsendQueryPrepared) *sendQueryPrepared;
	__typeof__(PQsetNoticeReceiver) *setNoticeReceiver;
	__typeof__(PQsetnonblocking) *setnonblocking;
	__typeof__(PQsocket) *socket;
	__typeof__(PQstatus) *status;
	char end[];
};

/* For all threads, once hf__pq_load() has returned NULL. */
extern struct hf__pq hf__pq;
/* Otherwise why it could not be loaded; the next call tries again. */
const char *hf__pq_load(void);

#endif
