/* SPDX-License-Identifier: ISC */
/*
 * In the place of the engines whose client library this build does not have.
 */
#include "store.h"

#ifndef HF_WITH_REDIS
const struct hf__remote *const hf__store_redis = NULL;
#endif
#ifndef HF_WITH_POSTGRES
const struct hf__remote *const hf__store_postgres = NULL;
#endif
