/* SPDX-License-Identifier: ISC */
/*
 * A client and a server for what stands between them: messages have the form
 * and the size of handfast's, and nothing in them. They use as little time as
 * they can.
 */
#ifndef CARRY_H
#define CARRY_H

#include <sys/types.h>

/* Ends the program with a word of what failed. */
void carry_must(int ok, const char *what);
int carry_free_port(void);
/* Connected to that port of 127.0.0.1 within so many milliseconds. */
int carry_connect_wait(int port, int ms);

/* Starts a server in a process of its own; returns its port. It throws away
 * what comes on a connection that said 's', and echoes on one that said 'e'. */
int carry_serve(pid_t *pid);

/* A connection whose handshake is over. */
int carry_open(int port, int kind);
/* One small record there and back. */
void carry_trip(int fd);

/* For about half a second each: bytes a second over a few connections; the
 * median of a round trip; connections a second, with a handshake and one record
 * there and back. */
double carry_bytes(int port);
double carry_trips_us(int port);
double carry_connections(int port);

#endif
