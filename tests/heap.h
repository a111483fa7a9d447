/* SPDX-License-Identifier: ISC */
/*
 * Memory that fails, and memory that is watched: the program's malloc() and
 * its kin, and the mapping by which libsodium gets guarded memory. One file of
 * a program includes it; with a sanitizer, which has malloc() for itself, it
 * is not there.
 */
#ifndef HANDFAST_HEAP_H
#define HANDFAST_HEAP_H

#include <stdlib.h> /* says whether this is glibc */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define HAVE_HEAP 1

#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "handfast.h"

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void __libc_free(void *);

enum { SECRETS_MAX = 64, SECRET_BYTES = 16 };

static struct {
	long live;	  /* blocks */
	unsigned long n;  /* allocations since it was armed */
	unsigned long at; /* this one fails; 0: none */
	int all;	  /* and all that follow */
	uint8_t secret[SECRETS_MAX][SECRET_BYTES];
	size_t secrets;
	unsigned long found; /* blocks freed with a secret in them */
} heap;

static int
refused(void)
{
	if (heap.at == 0)
		return 0;
	heap.n++;
	return heap.all ? heap.n >= heap.at : heap.n == heap.at;
}

void *
malloc(size_t n)
{
	void *ptr = refused() ? NULL : __libc_malloc(n);

	heap.live += ptr != NULL;
	return ptr;
}

void *
calloc(size_t n, size_t size)
{
	void *ptr = refused() ? NULL : __libc_calloc(n, size);

	heap.live += ptr != NULL;
	return ptr;
}

void *
realloc(void *old, size_t n)
{
	void *ptr = refused() ? NULL : __libc_realloc(old, n);

	heap.live += ptr != NULL && old == NULL;
	return ptr;
}

void
free(void *ptr)
{
	size_t i;

	if (ptr == NULL)
		return;
	heap.live--;
	for (i = 0; i < heap.secrets; i++)
		if (memmem(ptr, malloc_usable_size(ptr), heap.secret[i],
			SECRET_BYTES) != NULL) {
			heap.found++;
			break;
		}
	__libc_free(ptr);
}

/* As libsodium maps memory for keys, by this name whatever the size of files
 * is. */
void *heap_mmap(void *, size_t, int, int, int, long) __asm__("mmap");
int heap_munmap(void *, size_t) __asm__("munmap");

void *
heap_mmap(void *at, size_t len, int protection, int flags, int fd, long offset)
{
	void *ptr;

	if ((flags & MAP_ANONYMOUS) != 0 && refused())
		return MAP_FAILED;
	/* The system call takes its arguments in another way on each
	 * processor; the C library knows, under its other name. */
	ptr = mmap64(at, len, protection, flags, fd, offset);
	heap.live += ptr != MAP_FAILED;
	return ptr;
}

int
heap_munmap(void *at, size_t len)
{
	heap.live--;
	return (int)syscall(SYS_munmap, at, len);
}

/* What f says where allocation n is refused, and with `all` every one behind
 * it; heap.n tells how many it wanted. */
static inline enum hf_err
heap_refuse(enum hf_err (*f)(void), unsigned long n, int all)
{
	enum hf_err e;

	heap.n = 0;
	heap.all = all;
	heap.at = n;
	e = f();
	heap.at = 0;
	return e;
}

#endif
#endif
