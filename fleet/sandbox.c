/* SPDX-License-Identifier: ISC */
/*
 * What a program that stands before others gives up when it has all that it
 * needs: the user that it was, files that it need not write, programs that it
 * need not run, and system calls that it does not make. Where the kernel or
 * the build has none of it, it says so and goes on.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdint.h>
#include <unistd.h>

#ifdef HF_WITH_SECCOMP
#include <seccomp.h>
#endif

#include "fleet.h"

/* --- the user --------------------------------------------------------------------- */

enum hf_err
hf_user_become(const char *name)
{
	const struct passwd *pw;

	errno = 0;
	if ((pw = getpwnam(name)) == NULL)
		return errno == 0 ? HF_E_ARG : HF_E_IO;
	if (getuid() == pw->pw_uid && geteuid() == pw->pw_uid)
		return HF_OK;
	if (initgroups(name, pw->pw_gid) != 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
		return HF_E_IO;
	/* There is no way back. */
	if (pw->pw_uid != 0 && (setuid(0) == 0 || geteuid() != pw->pw_uid)) {
		errno = EPERM;
		return HF_E_IO;
	}
	return HF_OK;
}

/* --- Landlock ----------------------------------------------------------------------- */

/* As in linux/landlock.h, which may be older than the kernel. The calls have
 * these numbers on every machine. */
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };
enum { VERSION = 1, PATH_BENEATH = 1 };
enum {
	EXECUTE = 1 << 0,
	WRITE_FILE = 1 << 1,
	REMOVE_FILE = 1 << 5,
	MAKE_REG = 1 << 8,
	MAKE_SOCK = 1 << 9,
	CHANGES = 0x1ff0,  /* whatever is removed or made */
	REFER = 1 << 13,   /* from version 2 on */
	TRUNCATE = 1 << 14 /* from version 3 on */
};

struct ruleset {
	uint64_t handled;
};
struct beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

static int
allow(int ruleset, const char *dir, uint64_t rights)
{
	struct beneath rule = { .allowed = rights };
	long r;

	if ((rule.fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	r = syscall(ADD_RULE, ruleset, PATH_BENEATH, &rule, 0);
	(void)close(rule.fd);
	return r == 0 ? 0 : -1;
}

int
hf_sandbox_files(const char *const *dirs, size_t n)
{
	uint64_t rights = WRITE_FILE | REMOVE_FILE | MAKE_REG | MAKE_SOCK;
	struct ruleset rules = { EXECUTE | WRITE_FILE | CHANGES };
	int version, fd, failed = 0;
	size_t i;

	version = (int)syscall(CREATE_RULESET, NULL, 0, VERSION);
	if (version <= 0)
		return 0;
	if (version >= 2)
		rules.handled |= REFER;
	if (version >= 3) {
		rules.handled |= TRUNCATE;
		rights |= TRUNCATE;
	}
	fd = (int)syscall(CREATE_RULESET, &rules, sizeof(rules), 0);
	if (fd == -1)
		return -1;
	for (i = 0; i < n && !failed; i++)
		failed = allow(fd, dirs[i], rights) != 0;
	if (!failed)
		failed = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		    syscall(RESTRICT_SELF, fd, 0) != 0;
	(void)close(fd);
	return failed ? -1 : version;
}

/* --- seccomp ------------------------------------------------------------------------ */

#if defined(HF_WITH_SECCOMP) && !defined(__SANITIZE_ADDRESS__)
/* Of streams and of a loop; of memory, threads and time; of files: a store's,
 * a configuration's, those that name hosts. */
static const char *const calls[] = { "accept", "accept4", "bind", "close",
	"connect", "dup", "dup2", "dup3", "epoll_create1", "epoll_ctl",
	"epoll_pwait", "epoll_wait", "eventfd2", "fcntl", "fcntl64",
	"getpeername", "getsockname", "getsockopt", "ioctl", "listen", "pipe2",
	"poll", "ppoll", "read", "readv", "recv", "recvfrom", "recvmmsg",
	"recvmsg", "select", "pselect6", "send", "sendmmsg", "sendmsg",
	"sendto", "setsockopt", "shutdown", "socket", "socketcall",
	"socketpair", "splice", "write", "writev", "brk", "clock_getres",
	"clock_gettime", "clock_gettime64", "clock_nanosleep", "exit",
	"exit_group", "futex", "futex_time64", "get_robust_list", "getegid",
	"geteuid", "getgid", "getpid", "getppid", "getrandom", "getresgid",
	"getresuid", "getrlimit", "gettid", "gettimeofday", "getuid",
	"madvise", "membarrier", "mlock", "mmap", "mmap2", "mprotect",
	"mremap", "msync", "munlock", "munmap", "nanosleep", "prctl",
	"prlimit64", "restart_syscall", "rseq", "rt_sigaction",
	"rt_sigprocmask", "rt_sigreturn", "sched_getaffinity", "sched_yield",
	"set_robust_list", "sigaltstack", "sigreturn", "sysinfo", "tgkill",
	"time", "uname", "access", "faccessat", "faccessat2", "chmod",
	"fchmod", "fdatasync", "flock", "fstat", "fstat64", "fstatfs", "fsync",
	"ftruncate", "getcwd", "getdents64", "lseek", "lstat", "lstat64",
	"newfstatat", "open", "openat", "pread64", "preadv", "pwrite64",
	"pwritev", "readlink", "readlinkat", "rename", "renameat", "renameat2",
	"stat", "stat64", "statfs", "statx", "umask", "unlink", "unlinkat" };

/* A thread may be made, a process not. Which of both clone3 makes stands where
 * no filter sees it: libc does without it. */
static int
allow_threads(scmp_filter_ctx filter)
{
#ifdef __s390__
	enum { FLAGS = 1 };
#else
	enum { FLAGS = 0 };
#endif
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
	    SCMP_SYS(clone3), 0);

	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone),
		    1,
		    SCMP_CMP(FLAGS, SCMP_CMP_MASKED_EQ, CLONE_THREAD,
			CLONE_THREAD));
	return r;
}

int
hf_sandbox_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	size_t i;
	int nr, r;

	if (filter == NULL)
		return 0;
	/* For the threads that there are, too. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = allow_threads(filter);
	for (i = 0; r == 0 && i < sizeof(calls) / sizeof(calls[0]); i++) {
		nr = seccomp_syscall_resolve_name(calls[i]);
		if (nr == __NR_SCMP_ERROR || nr < 0)
			continue; /* not on this machine */
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 0);
	}
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r == 0;
}
#else
int
hf_sandbox_calls(void)
{
	return 0;
}
#endif
