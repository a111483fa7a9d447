/* SPDX-License-Identifier: ISC */
/*
 * A connection that is not shared: an agent of this process's own, in a thread,
 * with one application and one peer. So whatever holds for a shared connection
 * holds for this one, by the same code.
 */
#include <sys/socket.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent.h"
#include "agent_private.h"

struct hf__private {
	pthread_t thread;
	uv_loop_t loop;
	struct hf_agent *agent;
};

static void *
work(void *arg)
{
	struct hf__private *p = arg;

	(void)uv_run(&p->loop, UV_RUN_DEFAULT);
	return NULL;
}

/* Signals are the application's. */
static int
begin_thread(struct hf__private *p)
{
	sigset_t all, before;
	int r;

	(void)sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return -1;
	r = pthread_create(&p->thread, NULL, work, p);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

static void
discard(struct hf__private *p)
{
	hf_agent_stop(p->agent);
	(void)uv_run(&p->loop, UV_RUN_DEFAULT);
	hf_agent_free(p->agent);
	(void)uv_loop_close(&p->loop);
	free(p);
}

enum hf_err
hf__private_start(struct hf__private **out, int *fd, const char *path,
    const char *peer)
{
	char why[HF_WHY_MAX];
	struct hf_peers *peers;
	struct hf__private *p;
	enum hf_err e;
	int pair[2];

	if ((e = hf_peers_read(&peers, path, peer, why)) != HF_OK)
		return e;
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		hf_peers_free(peers);
		return HF_E_MEMORY;
	}
	if (uv_loop_init(&p->loop) != 0) {
		hf_peers_free(peers);
		free(p);
		return HF_E_IO;
	}
	if ((e = hf_agent_new(&p->agent, &p->loop, peers, NULL, NULL)) !=
	    HF_OK) {
		hf_peers_free(peers);
		(void)uv_loop_close(&p->loop);
		free(p);
		return e;
	}
	/* Neither end waits in a call: an application's waits in poll(). */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		pair) != 0) {
		discard(p);
		return HF_E_IO;
	}
	if ((e = hf_agent_serve(p->agent, pair[1])) != HF_OK ||
	    begin_thread(p) != 0) {
		(void)close(pair[0]);
		discard(p);
		return e == HF_OK ? HF_E_IO : e;
	}
	*fd = pair[0];
	*out = p;
	return HF_OK;
}

void
hf__private_end(struct hf__private *p)
{
	if (p == NULL)
		return;
	(void)pthread_join(p->thread, NULL);
	hf_agent_free(p->agent);
	(void)uv_loop_close(&p->loop);
	free(p);
}
