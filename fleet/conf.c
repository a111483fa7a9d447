/* SPDX-License-Identifier: ISC */
/*
 * libconfuse takes the end of a file for the end of any block in it, so that a
 * file that was cut says less than its writer meant, and is taken. Here a file
 * is read twice: as it is, which tells its faults, and with a word behind it
 * that is known outside of blocks alone, which tells whether it was cut.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"

/* It is no option when a file is read as it is: no file can have it. */
#define END "the-file-ends-here"
#define END_LINE END " = true\n"

/* libconfuse reads one file at a time, and whom to tell has no owner. */
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static struct hf_conf_fault *told;

static void say(cfg_t *cfg, const char *fmt, va_list ap)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 0)))
#endif
    ;

static void
say(cfg_t *cfg, const char *fmt, va_list ap)
{
	told->line = cfg->line;
	(void)vsnprintf(told->what, sizeof(told->what), fmt, ap);
}

static enum hf_err
no_memory(struct hf_conf_fault *fault)
{
	fault->line = 0;
	(void)snprintf(fault->what, sizeof(fault->what), "out of memory");
	return HF_E_MEMORY;
}

/* NULL where it cannot be read; of a fault in it something is said, but
 * without memory maybe nothing. */
static cfg_t *
parse(cfg_opt_t *options, const char *text)
{
	cfg_t *cfg = cfg_init(options, CFGF_NONE);

	if (cfg == NULL)
		return NULL;
	(void)cfg_set_error_function(cfg, say);
	if (cfg_parse_buf(cfg, text) == CFG_SUCCESS)
		return cfg;
	(void)cfg_free(cfg);
	return NULL;
}

/* The options, and the one that comes behind every file. */
static cfg_opt_t *
with_end(const cfg_opt_t *options)
{
	const cfg_opt_t end[] = { CFG_BOOL(END, cfg_false, CFGF_NONE),
		CFG_END() };
	cfg_opt_t *all;
	size_t n = 0;

	while (options[n].name != NULL)
		n++;
	if ((all = calloc(n + 2, sizeof(*all))) == NULL)
		return NULL;
	memcpy(all, options, n * sizeof(*all));
	memcpy(all + n, end, sizeof(end));
	return all;
}

static int
last_line(const char *text)
{
	int n = 1;

	while ((text = strchr(text, '\n')) != NULL && *++text != '\0')
		n++;
	return n;
}

/* `body` has room for a line behind its `len` bytes. */
static enum hf_err
parse_twice(cfg_t **cfg, cfg_opt_t *options, cfg_opt_t *more, char *body,
    size_t len, struct hf_conf_fault *fault)
{
	/* What is last may be a comment. */
	if (len > 0 && body[len - 1] != '\n')
		body[len++] = '\n';
	body[len] = '\0';
	if ((*cfg = parse(options, body)) == NULL)
		return *fault->what == '\0' ? no_memory(fault) : HF_E_CONFIG;
	(void)cfg_free(*cfg);
	memcpy(body + len, END_LINE, sizeof(END_LINE));
	if ((*cfg = parse(more, body)) == NULL && *fault->what == '\0')
		return no_memory(fault);
	if (*cfg != NULL && cfg_getbool(*cfg, END))
		return HF_OK;
	if (*cfg != NULL)
		(void)cfg_free(*cfg);
	*cfg = NULL;
	body[len] = '\0';
	fault->line = last_line(body);
	(void)snprintf(fault->what, sizeof(fault->what),
	    "the file ends inside a block or a comment: is all of it there?");
	return HF_E_CONFIG;
}

enum hf_err
hf_conf_parse(cfg_t **cfg, cfg_opt_t *options, const char *text, size_t len,
    struct hf_conf_fault *fault)
{
	cfg_opt_t *more = with_end(options);
	char *body = malloc(len + 1 + sizeof(END_LINE));
	enum hf_err e;

	*cfg = NULL;
	memset(fault, 0, sizeof(*fault));
	if (more == NULL || body == NULL) {
		e = no_memory(fault);
	} else if (memchr(text, '\0', len) != NULL) {
		fault->line = last_line(text);
		(void)snprintf(fault->what, sizeof(fault->what),
		    "a NUL in it");
		e = HF_E_CONFIG;
	} else {
		memcpy(body, text, len);
		(void)pthread_mutex_lock(&one);
		told = fault;
		e = parse_twice(cfg, options, more, body, len, fault);
		(void)pthread_mutex_unlock(&one);
	}
	free(more);
	free(body);
	return e;
}

/* That takes libconfuse's reader away, too. */
void
hf_conf_free(cfg_t *cfg)
{
	(void)pthread_mutex_lock(&one);
	if (cfg != NULL)
		(void)cfg_free(cfg);
	(void)pthread_mutex_unlock(&one);
}
