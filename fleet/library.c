/* SPDX-License-Identifier: ISC */
/* Libraries that are loaded when they are wanted. */
#include <sys/mman.h>

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "library.h"

const char *
hf_library_load(void *table, const char *file, const struct hf_symbol *symbols,
    size_t n)
{
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL), *found;
	const char *why;
	size_t i;

	for (i = 0; library != NULL && i < n; i++) {
		if ((found = dlsym(library, symbols[i].name)) == NULL)
			break;
		/* ISO C knows no way from one kind of pointer to the other. */
		memcpy((char *)table + symbols[i].at, &found, sizeof(found));
	}
	if (library != NULL && i == n)
		return mprotect(table, HF_TABLE_BYTES, PROT_READ) == 0 ?
		    NULL :
		    strerror(errno);
	why = dlerror();
	return why != NULL ? why : "it lacks a function";
}
