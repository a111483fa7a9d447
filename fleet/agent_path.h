/* SPDX-License-Identifier: ISC */
/*
 * Where an agent is, and who is at the other end of its socket: for the
 * agent's files and for those of its applications.
 */
#ifndef FLEET_AGENT_PATH_H
#define FLEET_AGENT_PATH_H

#include <sys/types.h>

#include "handfast.h"

enum { HF__PATH_MAX = 4096, HF__GROUPS_MAX = 64 };

/* Who is at the other end, as the kernel says. */
struct hf__who {
	uid_t uid;
	gid_t gid;
	pid_t pid;	 /* -1 where it is not told */
	uint64_t number; /* of the process: with pidfs none has it after it;
			    0: unknown */
	gid_t group[HF__GROUPS_MAX];
	size_t groups_n;
};
HF_MUST_USE enum hf_err hf__who(struct hf__who *who, int fd);

/* The paths that hold where nothing is said. HF_E_CONFIG: there is none. */
HF_MUST_USE enum hf_err hf__agent_where(char out[HF__PATH_MAX]);
HF_MUST_USE enum hf_err hf__peers_where(char out[HF__PATH_MAX]);

/* The directory, made where there is none: nobody else's, and no link. HF_OK;
 * HF_E_POLICY; HF_E_IO, errno says why. */
HF_MUST_USE enum hf_err hf__own_directory(const char *dir, unsigned mode);
/* The same of one that is there; HF_E_NO_SESSION: there is none. */
HF_MUST_USE enum hf_err hf__look_directory(const char *dir);

/* Locks a file, or a directory, for this process until it is closed, or the
 * process ends: 0; -1 where another had it all of so many milliseconds
 * (EWOULDBLOCK), or where that cannot be. */
HF_MUST_USE int hf__lock_within(int fd, int ms);

/* Connects to an agent: only where nobody could have put another in its
 * place.
 * @return HF_OK; HF_E_ARG; HF_E_NO_AGENT; HF_E_POLICY; HF_E_IO */
HF_MUST_USE enum hf_err hf__agent_connect(int *fd, const char *path);

#endif
