/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: makes chosen calls of the system fail or do
 * less. What shall happen stands in the file that HANDFAST_FAULT names, and
 * may be changed while the program runs; there it is also counted. It does not
 * know what the calls are for.
 *
 * HANDFAST_AS: so many bytes may the process still map from its start on.
 * HANDFAST_FILES: so many descriptors may it have.
 */
/* Both open() and open64() stand here, and mmap() by its own name. */
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
ssize_t __read_chk(int, void *, size_t, size_t);

enum { SHORT = -1 }; /* one byte is moved */

/* The file. tests/faults/faults.py has the same. */
struct control {
	char call[16];	      /* "" for none */
	char kind[8];	      /* of descriptor; "any" */
	int32_t what;	      /* errno, or SHORT */
	uint32_t first, last; /* which of these calls, from 1 */
	atomic_uint seen, hit;
	char where[256]; /* who made the last that was hit */
};

static struct control none, *control = &none;

/* --- what fails ------------------------------------------------------------- */

static const char *
kind_of(int fd)
{
	struct stat st;
	int saved = errno;

	if (fd == 2)
		return "stderr";
	if (fstat(fd, &st) != 0) {
		errno = saved;
		return "closed";
	}
	if (S_ISSOCK(st.st_mode))
		return "socket";
	if (S_ISDIR(st.st_mode))
		return "dir";
	if (S_ISREG(st.st_mode))
		return "file";
	return fd <= 1 ? "stdio" : "other";
}

static void
note(const char *call, void *caller)
{
	const char *object;
	Dl_info info;

	if (dladdr(caller, &info) == 0)
		return;
	object = strrchr(info.dli_fname, '/');
	(void)snprintf(control->where, sizeof(control->where), "%s %s+%#lx %s",
	    call, object == NULL ? info.dli_fname : object + 1,
	    (unsigned long)((char *)caller - (char *)info.dli_fbase),
	    info.dli_sname == NULL ? "?" : info.dli_sname);
}

/* 0, or what shall happen to this call; an errno is set already. */
static int
fault(const char *call, int fd, void *caller)
{
	struct control *c = control;
	uint32_t n;

	if (c->call[0] == '\0' || strcmp(c->call, call) != 0 ||
	    (strcmp(c->kind, "any") != 0 && strcmp(c->kind, kind_of(fd)) != 0))
		return 0;
	n = atomic_fetch_add(&c->seen, 1) + 1;
	if (n < c->first || n > c->last)
		return 0;
	note(call, caller);
	atomic_fetch_add(&c->hit, 1);
	if (c->what != SHORT)
		errno = c->what;
	return c->what;
}

#define FAULT(call, fd) fault((call), (fd), __builtin_return_address(0))
#define NO_FD (-1)

/* What the environment allows beyond what is there already. */
static void
limit(int resource, const char *name, rlim_t already)
{
	const char *more = getenv(name);
	struct rlimit limit;

	if (more == NULL)
		return;
	limit.rlim_cur = limit.rlim_max = already + strtoul(more, NULL, 10);
	if (setrlimit(resource, &limit) != 0)
		abort();
}

/* Bytes that are mapped. */
static rlim_t
mapped(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f != NULL && fscanf(f, "%lu", &pages) != 1)
		abort();
	if (f != NULL)
		(void)fclose(f);
	return pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("HANDFAST_FAULT");
	void *map;
	int fd;

	/* Those that it starts are left alone. */
	if (strcmp(program_invocation_short_name, "handfast") != 0)
		return;
	limit(RLIMIT_AS, "HANDFAST_AS", mapped());
	if (path != NULL && (fd = open(path, O_RDWR | O_CLOEXEC)) != -1) {
		map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
		(void)close(fd);
		if (map != MAP_FAILED)
			control = map;
	}
	limit(RLIMIT_NOFILE, "HANDFAST_FILES", 0);
}

/* The function behind one of these. */
#define BEHIND(name) \
	(__extension__(__typeof__(&(name))) dlsym(RTLD_NEXT, #name))

/* --- bytes -------------------------------------------------------------------- */

ssize_t
read(int fd, void *buf, size_t len)
{
	int f = FAULT("read", fd);

	if (f > 0)
		return -1;
	return BEHIND(read)(fd, buf, f == SHORT && len > 0 ? 1 : len);
}

ssize_t
__read_chk(int fd, void *buf, size_t len, size_t room)
{
	int f = FAULT("read", fd);

	if (f > 0)
		return -1;
	return BEHIND(
	    __read_chk)(fd, buf, f == SHORT && len > 0 ? 1 : len, room);
}

ssize_t
write(int fd, const void *buf, size_t len)
{
	int f = FAULT("write", fd);

	if (f > 0)
		return -1;
	return BEHIND(write)(fd, buf, f == SHORT && len > 0 ? 1 : len);
}

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	struct iovec one = n > 0 ? iov[0] : (struct iovec){ NULL, 0 };
	int f = FAULT("write", fd);

	if (f > 0)
		return -1;
	if (f != SHORT || one.iov_len == 0)
		return BEHIND(writev)(fd, iov, n);
	one.iov_len = 1;
	return BEHIND(writev)(fd, &one, 1);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (FAULT("write", fd) > 0)
		return -1;
	return BEHIND(sendmsg)(fd, message, flags);
}

ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
	if (FAULT("read", fd) > 0)
		return -1;
	return BEHIND(recvmsg)(fd, message, flags);
}

/* --- files -------------------------------------------------------------------- */

static int
open_mode(int flags, va_list args)
{
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, int) : 0;
}

int
open(const char *path, int flags, ...)
{
	va_list args;
	int mode;

	va_start(args, flags);
	mode = open_mode(flags, args);
	va_end(args);
	if (FAULT("open", NO_FD) > 0)
		return -1;
	return BEHIND(open)(path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	va_list args;
	int mode;

	va_start(args, flags);
	mode = open_mode(flags, args);
	va_end(args);
	if (FAULT("open", NO_FD) > 0)
		return -1;
	return BEHIND(open64)(path, flags, mode);
}

int
mkostemp64(char *template, int flags)
{
	return FAULT("open", NO_FD) > 0 ? -1 :
					  BEHIND(mkostemp64)(template, flags);
}

/* It is closed, and then says that something was lost. */
int
close(int fd)
{
	int f = FAULT("close", fd), r = BEHIND(close)(fd);

	if (f > 0)
		errno = f;
	return f > 0 ? -1 : r;
}

int
fsync(int fd)
{
	return FAULT("fsync", fd) > 0 ? -1 : BEHIND(fsync)(fd);
}

int
fdatasync(int fd)
{
	return FAULT("fsync", fd) > 0 ? -1 : BEHIND(fdatasync)(fd);
}

int
ftruncate64(int fd, off64_t len)
{
	return FAULT("truncate", fd) > 0 ? -1 : BEHIND(ftruncate64)(fd, len);
}

int
fchmod(int fd, mode_t mode)
{
	return FAULT("fchmod", fd) > 0 ? -1 : BEHIND(fchmod)(fd, mode);
}

int
flock(int fd, int operation)
{
	return FAULT("flock", fd) > 0 ? -1 : BEHIND(flock)(fd, operation);
}

int
rename(const char *from, const char *to)
{
	return FAULT("rename", NO_FD) > 0 ? -1 : BEHIND(rename)(from, to);
}

int
mkdir(const char *path, mode_t mode)
{
	return FAULT("mkdir", NO_FD) > 0 ? -1 : BEHIND(mkdir)(path, mode);
}

/* --- sockets, and the rest -------------------------------------------------------- */

int
socket(int domain, int type, int protocol)
{
	return FAULT("socket", NO_FD) > 0 ?
	    -1 :
	    BEHIND(socket)(domain, type, protocol);
}

int
connect(int fd, __CONST_SOCKADDR_ARG at, socklen_t len)
{
	return FAULT("connect", NO_FD) > 0 ? -1 : BEHIND(connect)(fd, at, len);
}

int
bind(int fd, __CONST_SOCKADDR_ARG at, socklen_t len)
{
	return FAULT("bind", NO_FD) > 0 ? -1 : BEHIND(bind)(fd, at, len);
}

int
listen(int fd, int backlog)
{
	return FAULT("listen", NO_FD) > 0 ? -1 : BEHIND(listen)(fd, backlog);
}

int
accept4(int fd, __SOCKADDR_ARG at, socklen_t *len, int flags)
{
	return FAULT("accept", NO_FD) > 0 ?
	    -1 :
	    BEHIND(accept4)(fd, at, len, flags);
}

int
pipe2(int fds[2], int flags)
{
	return FAULT("pipe", NO_FD) > 0 ? -1 : BEHIND(pipe2)(fds, flags);
}

/* libuv takes a short read and a hang-up for the end; where bytes are left, a
 * kernel that gives single ones would not have said so yet. */
int
epoll_pwait(int ep, struct epoll_event *events, int max, int timeout,
    const sigset_t *mask)
{
	int i, left, n = BEHIND(epoll_pwait)(ep, events, max, timeout, mask);

	for (i = 0; control->what == SHORT && i < n; i++)
		if ((events[i].events & EPOLLHUP) != 0 &&
		    ioctl(events[i].data.fd, FIONREAD, &left) == 0 && left > 0)
			events[i].events &= ~(unsigned)EPOLLHUP;
	return n;
}

int
epoll_wait(int ep, struct epoll_event *events, int max, int timeout)
{
	return epoll_pwait(ep, events, max, timeout, NULL);
}

pid_t
fork(void)
{
	return FAULT("fork", NO_FD) > 0 ? -1 : BEHIND(fork)();
}

ssize_t
getrandom(void *buf, size_t len, unsigned flags)
{
	return FAULT("random", NO_FD) > 0 ? -1 :
					    BEHIND(getrandom)(buf, len, flags);
}

/* --- memory --------------------------------------------------------------------- */

void *
malloc(size_t n)
{
	return FAULT("memory", NO_FD) > 0 ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return FAULT("memory", NO_FD) > 0 ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *old, size_t n)
{
	return FAULT("memory", NO_FD) > 0 ? NULL : __libc_realloc(old, n);
}

/* As libsodium does for keys, and for Argon2id. */
void *
mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	if ((flags & MAP_ANONYMOUS) != 0 && FAULT("memory", NO_FD) > 0)
		return MAP_FAILED;
	return BEHIND(mmap)(at, len, protection, flags, fd, offset);
}
