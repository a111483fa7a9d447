/* SPDX-License-Identifier: ISC */
/*
 * The demo's two halves: demo.c runs the processes, demo_text.c knows what
 * to say about them.
 */
#ifndef CLI_DEMO_H
#define CLI_DEMO_H

#include "cli.h"

enum { DEMO_ACTS = 3, DEMO_ARGS = 8, DEMO_LOG = 1 << 16 };

/* One session: who, with which token. */
struct demo_act {
	const char *who, *title, *token;
	const char *args[DEMO_ARGS]; /* of initiate */
	/* What each message carries, by its name. */
	struct {
		const char *name, *text;
	} says[6];
	const char *note;
};
extern const struct demo_act demo_acts[DEMO_ACTS];

/* Reads a file of the demo's directory as text; 0 when it cannot. */
int demo_read(char *buf, size_t cap, const char *name);
void demo_begin(const char *address, long pid, long responder);
/* A table of the messages, from the traces of both sides. */
void demo_show(const struct demo_act *act, unsigned n, const char *ours,
    const char *theirs);
void demo_finish(void);

#endif
