/* SPDX-License-Identifier: ISC */
/*
 * Stores for commands: opened by their URI, and their failures in words.
 */
#ifndef CLI_STORES_H
#define CLI_STORES_H

#include <jansson.h>

#include "cli.h"
#include "fleet.h"

/* A URI, or @FILE that holds one. Closed by hf_store_close(), also after a
 * failure. */
int cli_store_open(struct hf_store **store, const char *uri);
/* The same, of a store that is there already: none is made. */
int cli_store_find(struct hf_store **store, const char *uri);
/* Says what is wrong with such a URI, or with the directory that is there;
 * opens no store. Returns an exit code. */
int cli_store_check(const char *uri);
/* cli_fail(), with what the store said. */
int cli_store_fail(enum hf_err e, const struct hf_store *store,
    const char *what);
/* Prints what a store holds, as JSON; the value is given up. */
int cli_store_json(json_t *value, const char *what);
/* members.c: cluster members --store URI */
int cluster_members(const char *uri);
/* Keeps other commands with this key waiting until the descriptor is closed;
 * waits for another one that long. */
enum { CLI_SERIAL_SECONDS = 30 };
int cli_serial_lock(int *fd, const char *key);
/* In KEY.serial, 0 where there is none: the highest serial that all rings had,
 * and of a cluster's key the highest that a change was begun with. */
struct cli_serial {
	uint64_t seen, used;
};
int cli_serial_read(struct cli_serial *serial, const char *key);
int cli_serial_write(const char *key, const struct cli_serial *serial);

#endif
