/* SPDX-License-Identifier: ISC */
/*
 * An agent inside this process, for one connection that is not shared.
 */
#ifndef FLEET_AGENT_PRIVATE_H
#define FLEET_AGENT_PRIVATE_H

#include "handfast.h"

struct hf__private;

/* Reads the file of peers and begins a thread that works at the other end of
 * *fd, which speaks the agent's protocol.
 * @return HF_OK; as hf_peers_read(); HF_E_IO; HF_E_MEMORY */
HF_MUST_USE enum hf_err hf__private_start(struct hf__private **own, int *fd,
    const char *path, const char *peer);
/* After *fd was closed: waits for the thread. Accepts NULL. */
void hf__private_end(struct hf__private *own);

#endif
