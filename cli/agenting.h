/* SPDX-License-Identifier: ISC */
/*
 * What the files behind `handfast agent`, `handfast run` and `initiate
 * --shared` share.
 */
#ifndef CLI_AGENTING_H
#define CLI_AGENTING_H

#include "agent.h"
#include "cli.h"
#include "conn.h"

/* agent_ask.c: the commands that ask one that runs. */
int agent_ask(int argc, char **argv);

/* agent_join.c: two descriptors joined to a connection, there and back. */

/* Which connection is wanted. */
struct agent_want {
	const char *peer, *agent, *peers;
	unsigned flags; /* enum hf_conn_flags */
};
/* Opens it, or says why not. */
int agent_open(struct hf_conn **conn, const struct agent_want *want);
/* What a program behind a channel is told of: its output has ended, of which the
 * peer hears next; the channel has, in order or not, and the pipes are closed
 * next. */
struct agent_program {
	void (*output_ended)(void);
	void (*over)(int cut);
};
/* Carries bytes until both ends have finished, and closes the connection. The
 * descriptors stay open; a program's are pipes that do not block, and are
 * closed, `out` as soon as nothing more comes. */
int agent_join(struct hf_conn *conn, const char *peer, int in, int out,
    const struct agent_program *program);

#endif
