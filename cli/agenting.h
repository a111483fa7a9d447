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
/* Carries bytes until both ends have finished, and closes the connection. The
 * descriptors stay open. With `whole` they are pipes to and from a program
 * that do not block, and `out` is closed as soon as nothing more comes; it is
 * asked at the end of `in`, and where it says 0 the channel is cut. */
int agent_join(struct hf_conn *conn, const char *peer, int in, int out,
    int (*whole)(void));

#endif
