/* SPDX-License-Identifier: ISC */
/*
 * In every program that is built with the sanitizers. At its end it looks for
 * what was leaked, and reads all writable memory of what is loaded: most of
 * that are libasan's own tables, 5.6 MB that were never touched, where nothing
 * of ours is kept. They are left out; to look there takes longer than all else
 * that a short program does. Fewer places to find a pointer in: a leak that
 * would have been seen is seen.
 */
#include <dlfcn.h>
#include <link.h>
#include <string.h>

enum { SEGMENTS_MAX = 16 };

typedef int see_fn(struct dl_phdr_info *, size_t, void *);

struct seeing {
	see_fn *see;
	void *user;
};

/* Shows an object: of libasan what its file holds, without what is zero. */
static int
show(struct dl_phdr_info *info, size_t size, void *user)
{
	const struct seeing *to = user;
	struct dl_phdr_info less = *info;
	ElfW(Phdr) segments[SEGMENTS_MAX];

	if (info->dlpi_phnum > SEGMENTS_MAX ||
	    strstr(info->dlpi_name, "/libasan.so") == NULL)
		return to->see(info, size, to->user);
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		segments[i] = info->dlpi_phdr[i];
		if (segments[i].p_type == PT_LOAD)
			segments[i].p_memsz = segments[i].p_filesz;
	}
	less.dlpi_phdr = segments;
	return to->see(&less, size, to->user);
}

/* Instead of the C library's, which it calls. */
int
dl_iterate_phdr(see_fn *see, void *user)
{
	static int (*all)(see_fn *, void *);
	struct seeing to = { see, user };

	if (all == NULL) {
		/* ISO C knows no way from one kind of pointer to the other. */
		*(void **)&all = dlsym(RTLD_NEXT, "dl_iterate_phdr");
	}
	return all == NULL ? -1 : all(show, &to);
}
