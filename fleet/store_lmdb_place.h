/* SPDX-License-Identifier: ISC */
/*
 * What a directory must have for LMDB, for store_lmdb.c.
 */
#ifndef FLEET_STORE_LMDB_PLACE_H
#define FLEET_STORE_LMDB_PLACE_H

#include "fleet.h"

/* What a number says that LMDB or the system gave. */
const char *hf__lmdb_words(int r);
/* Whether LMDB was there before: what cannot be looked at is for opening. */
int hf__lmdb_is_there(const char *dir);
/* Where there is one: it is ours alone. */
HF_MUST_USE enum hf_err hf__lmdb_judge(const char *dir, const char **reason);
/* Makes it where it is missing, and judges it. */
HF_MUST_USE enum hf_err hf__lmdb_directory(const char *dir,
    const char **reason);
/* Before LMDB is opened: room for what it touches then. 0, or an error number;
 * *locks: its file of locks, or -1. Who closes it, while LMDB has it open, gives
 * up LMDB's locks. */
int hf__lmdb_room(int *locks, const char *dir);
/* And when it is: for all of that file. */
int hf__lmdb_room_mapped(int locks);
/* Whether a page of it never comes from a device. */
int hf__lmdb_in_memory(const char *dir);

#endif
