/* SPDX-License-Identifier: ISC */
/*
 * What the files behind `handfast dispatch` share.
 */
#ifndef CLI_DISPATCHING_H
#define CLI_DISPATCHING_H

#include <jansson.h>

#include "dispatch.h"
#include "serve.h"

enum {
	DISPATCH_LISTEN_MAX = HF_LISTENERS_MAX,
	DISPATCH_PATH = 108, /* of a unix socket */
	DISPATCH_REPLY_MAX = 1 << 18
};

/* dispatch_file.c: a configuration file as it was read. */
struct dispatch_file {
	struct hf_dispatch_config config;
	char listen[DISPATCH_LISTEN_MAX][256];
	size_t listen_n;
	char control[DISPATCH_PATH];
	char metrics[256]; /* an address */
	char store[512];
	char user[64]; /* empty: the one that it is */
	int sandbox;
	int log_json;
};
/* Faults are told with file and line; CLI_FORMAT. */
int dispatch_file_read(struct dispatch_file *file, const char *path);

/* dispatch_check.c: what of a file that was read would keep a dispatcher from
 * beginning, as far as that can be said without listening and connecting. */
int dispatch_check(const struct dispatch_file *file);

/* dispatch_begin.c: where it listens, and what it gives up. */
struct doors {
	int fd[DISPATCH_LISTEN_MAX];
	struct hf_address bound[DISPATCH_LISTEN_MAX];
	size_t n;
	int given; /* by whoever started it, in the place of `listen` */
};
/* cli_address(), of a file. */
int dispatch_address(struct hf_address at[HF_ADDRESSES_MAX], size_t *n,
    const char *what, const char *text);
int doors_bind(struct doors *doors, const struct dispatch_file *file);
int doors_open(struct doors *doors, struct hf_dispatch *dispatch);
void doors_remove(struct doors *doors);
/* Before there are threads: the user, and which files may be changed. */
int dispatch_confine(const struct dispatch_file *file, const char *port_file);
/* When all is open: system calls, of all threads. */
void dispatch_confine_calls(const struct dispatch_file *file);

/* dispatch_control.c: a socket on which the dispatcher is told, and asked. */
struct control;
int control_open(struct control **control, uv_loop_t *loop, const char *path,
    struct hf_dispatch *dispatch);
void control_close(struct control *control);

/* dispatch_http.c: metrics and status for those who watch. */
struct http;
int http_open(struct http **http, uv_loop_t *loop, const char *address,
    const struct hf_dispatch *dispatch);
/* An address of a unix socket or of the loopback, or says that it is not. */
int http_where(struct hf_address *at, const char *address);
/* The library for it; or says that it is not here. */
int http_load(void);
void http_close(struct http *http);

/* dispatch_words.c: what a dispatcher says of itself. */
json_t *dispatch_json(const struct hf_dispatch *dispatch);
/* Prometheus' text format; the caller frees. NULL when memory ran out. */
char *dispatch_metrics(const struct hf_dispatch *dispatch);

/* dispatch_ask.c: the commands that ask one that runs. */
int dispatch_ask(int argc, char **argv);

#endif
