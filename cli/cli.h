/* SPDX-License-Identifier: ISC */
/*
 * What the program's files share: the table of commands, messages and their
 * exit codes, files, passphrases, and loaders that turn a path into an object
 * of the library. It knows no protocol. Whoever returns `int` here returns an
 * exit code (0 is success) and has already said on stderr what was wrong.
 */
#ifndef CLI_H
#define CLI_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "handfast.h"

struct option; /* <getopt.h> */

#if defined(__GNUC__)
#define CLI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CLI_PRINTF(fmt, args)
#endif

/* Exit codes: the program's contract, see `handfast help`. */
enum cli_exit {
	CLI_OK = 0,
	CLI_USAGE = 2,
	CLI_IO = 3,
	CLI_PEER = 4,
	CLI_POLICY = 5,
	CLI_FORMAT = 6,
	CLI_TIME = 7,
	CLI_STORE = 8
};

enum {
	CLI_TIME_TEXT = 32,	  /* room for cli_time_text() */
	CLI_TEXT_MAX = 1 << 16,	  /* bytes of a key, certificate or ticket */
	CLI_USERS_MAX = 64 << 20, /* bytes of a users file */
	CLI_LIST_TEXT = 3 << 19,  /* bytes of a revocation list as text */
	CLI_TICKET_FILE = 4096,	  /* bytes of a ticket file, decoded */
	CLI_PATHS_MAX = 16	  /* --trust and --revoked files */
};

/*
 * commands
 *
 * argv[0] is the command's own word. Two-level commands look at argv[1]. Each
 * command's help text stands beside it as help_NAME.
 */
struct cli_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *brief;
	const char *text;
};
/* Ends with a NULL name. */
extern const struct cli_command cli_commands[];

int cmd_demo(int argc, char **argv);
int cmd_keygen(int argc, char **argv);
int cmd_ca(int argc, char **argv);
int cmd_cert(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_ticket(int argc, char **argv);
int cmd_cluster(int argc, char **argv);
int cmd_session(int argc, char **argv);
int cmd_store(int argc, char **argv);
int cmd_respond(int argc, char **argv);
int cmd_dispatch(int argc, char **argv);
int cmd_initiate(int argc, char **argv);
int cmd_agent(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_vectors(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_help(int argc, char **argv);

extern const char help_demo[];
extern const char help_keygen[];
extern const char help_ca[];
extern const char help_cert[];
extern const char help_user[];
extern const char help_ticket[];
extern const char help_cluster[];
extern const char help_session[];
extern const char help_store[];
extern const char help_respond[];
extern const char help_dispatch[];
extern const char help_initiate[];
extern const char help_agent[];
extern const char help_run[];
extern const char help_inspect[];
extern const char help_vectors[];
extern const char help_version[];
extern const char help_help[];

/* option.c: options of a command */

/* The command that runs. */
extern const struct cli_command *cli_running;

/* The next option, as getopt_long() says it. The first call looks through all
 * of the words for --json, which the options have by &cli_json, so that what is
 * wrong with any is said in JSON too; and for --help, which ends the program. */
int cli_option(int argc, char **argv, const char *shorts,
    const struct option *options);
/* 1 when the command that runs has an option of this name. */
int cli_has_option(const char *name);
/* A command whose second word is none of `words`. Returns CLI_USAGE. */
int cli_no_word(int argc, char **argv, const char *words);

/* term.c: words on stderr */

/* Set by --json, see cli_option(): errors become one JSON object a line, hints
 * are left out. */
extern int cli_json;
/* Set by --allow-readable-key, see cli_read_secret_file(). */
extern int cli_allow_readable;

/* Prints `handfast: error: ...`; returns exit_code. */
int cli_error(int exit_code, const char *fmt, ...) CLI_PRINTF(2, 3);
/* Prints `handfast: error: ...: <text of e> (<name of e>)`, then a hint where
 * one helps; returns hf_error_exit(e). */
int cli_fail(enum hf_err e, const char *fmt, ...) CLI_PRINTF(2, 3);
/* The same with words of the caller's alone, and no hint. */
int cli_refuse(enum hf_err e, const char *fmt, ...) CLI_PRINTF(2, 3);
/* Prints `handfast: error: ...: <strerror(errno)>`; returns CLI_IO. */
int cli_errno(const char *fmt, ...) CLI_PRINTF(1, 2);
/* Prints an error and `handfast: hint: see 'handfast help COMMAND'`; returns
 * CLI_USAGE. */
int cli_usage(const char *command, const char *fmt, ...) CLI_PRINTF(2, 3);
/* What getopt_long() found wrong: c is '?' or ':' (options begin with ':',
 * opterr is 0). Returns CLI_USAGE. */
int cli_bad_option(const char *command, int c, char **argv);
void cli_hint(const char *fmt, ...) CLI_PRINTF(1, 2);
void cli_warn(const char *fmt, ...) CLI_PRINTF(1, 2);
void cli_note(const char *fmt, ...) CLI_PRINTF(1, 2);
/* Says on a terminal, and only there, what takes a while; cli_idle(), or the
 * next words, take it away. */
void cli_busy(const char *fmt, ...) CLI_PRINTF(1, 2);
void cli_idle(void);
/* 1 when escape sequences may be written to the stream (a terminal, and
 * NO_COLOR is unset). */
int cli_color(FILE *stream);
/* Flushes stdout; CLI_IO when something could not be written. */
int cli_flush(void);

/* safe.c: text that somebody else chose, for eyes */

/* Room for what cli_safe() makes of n bytes. */
#define CLI_SAFE(n) (8 * (n) + 1)
/* The first character of UTF-8. Returns its bytes, 0 when there is none. */
size_t cli_utf8(uint32_t *point, const void *text, size_t len);
/* 1 for what drives a terminal or turns a line around: controls, marks of
 * direction, ends of lines. */
int cli_unsafe(uint32_t point);
/* The text with those as \u{XXXX}, and bytes that are no UTF-8 as \xNN.
 * Returns `out`. */
const char *cli_safe(char *out, size_t cap, const char *text);
/* A line of JSON, with those as \uXXXX. */
void cli_put_json(FILE *out, const char *json);

/* parse.c: words of the command line. `option` is named in the message. */

uint64_t cli_now(void);
/* RFC 3339 (2026-01-02T03:04:05Z), a date, or seconds since the epoch. */
int cli_time(uint64_t *out, const char *option, const char *text);
/* 90s, 15m, 8h, 30d, or plain seconds; at least one second. */
int cli_duration(uint64_t *out, const char *option, const char *text);
int cli_number(uint64_t *out, const char *option, const char *text,
    uint64_t min, uint64_t max);
/* MIB:PASSES, within what the protocol allows. */
int cli_cost(unsigned *mib, unsigned *passes, const char *option,
    const char *text);
/* 1 to HF_NAME_MAX bytes. */
int cli_name(struct hf_name *out, const char *option, const char *text);
/* The same, without @. */
int cli_realm(struct hf_name *out, const char *option, const char *text);
int cli_user_name(const char *command, const char *text);
/* Adds a path to a list of at most CLI_PATHS_MAX. */
int cli_path(const char *paths[CLI_PATHS_MAX], size_t *n, const char *option,
    const char *text);
/* UTC, as RFC 3339. Returns `out`. */
const char *cli_time_text(char out[CLI_TIME_TEXT], uint64_t seconds);
/* "soft", "proved"; "none" before the first takeover. */
const char *cli_strength(enum hf_mobility strength);

/* file.c: bytes. "-" is stdin or stdout. */

/* Reads at most max bytes; the result is NUL-terminated (not counted) and is
 * given back by cli_free_file(), which wipes it and accepts NULL. */
int cli_read_file(const char *path, size_t max, char **buf, size_t *len);
/* The same, refusing (CLI_POLICY) a file that others can read or own. */
int cli_read_secret_file(const char *path, size_t max, char **buf,
    size_t *len);
void cli_free_file(char *buf, size_t len);

enum cli_write {
	CLI_NEW,     /* refuses (CLI_POLICY) when the file exists */
	CLI_REPLACE, /* atomically, by a new file and a rename */
	/* The same, of what was read there, which stays its owner's with the
	 * mode that it had; no link; and on its disk before this returns. */
	CLI_UPDATE
};
int cli_write_file(const char *path, const void *data, size_t len,
    unsigned mode, enum cli_write how);
/* The same, as one block of text with this label. */
int cli_write_pem(const char *path, const char *label, const void *data,
    size_t len, unsigned mode, enum cli_write how);
/* Locks a file (.NAME.lock beside the path) against other writers of ours,
 * until the descriptor is closed. */
int cli_lock(int *fd, const char *path);

/* pass.c: passphrases and passwords */

/* A secret in sodium_malloc memory; NUL-terminated, len excludes it. */
struct cli_secret {
	char *text;
	size_t len;
};

/* Where one comes from: a file ("-" is stdin), a descriptor, or neither (the
 * terminal). Begin with CLI_PASS_NONE. */
struct cli_pass {
	const char *file;
	int fd; /* -1: none */
	/* For who reads more than once: what cannot be read again is kept
	 * here. NULL otherwise. */
	struct cli_secret *kept;
	int ask_no_more; /* nobody is at the terminal any longer */
};
/* clang-format off */
#define CLI_PASS_NONE { NULL, -1, NULL, 0 }
/* clang-format on */

/* 1 when a file or descriptor was given. */
int cli_pass_given(const struct cli_pass *pass);
/* 1 when one was given or kept, or there is a terminal to ask on. */
int cli_pass_available(const struct cli_pass *pass);
/* Reads the first line. From the terminal it shows the prompt, twice when
 * `confirm`. Without a terminal: CLI_USAGE and a hint. */
int cli_pass_read(struct cli_secret *secret, const struct cli_pass *pass,
    const char *prompt, int confirm);
/* The value of --passphrase-file, and of --passphrase-fd; not of both. */
int cli_pass_file(struct cli_pass *pass, const char *text);
int cli_pass_fd(struct cli_pass *pass, const char *text);
/* Reads the passphrase of a new key, if there shall be one: `ask` wants one
 * from the terminal where no source is given. */
int cli_pass_new(struct cli_secret *secret, const struct cli_pass *pass,
    int ask);
void cli_secret_free(struct cli_secret *secret);

/* load.c: files to objects of the library. An object is set on success only
 * and is the caller's to free. */

struct cli_chain {
	uint8_t store[HF_CHAIN_MAX][HF_CERT_MAX];
	struct hf_span spans[HF_CHAIN_MAX]; /* leaf first */
	size_t n;
};

#define PEM_TICKET "HANDFAST TICKET"
#define PEM_RING "HANDFAST TICKET RING"

/* Whether CLI_REPLACE may put blocks of this label, or for NULL the line of a
 * port file, in the place of what is at a path: nothing, an empty file, or one
 * of just that. Else CLI_POLICY, and the hint says what is replaced. */
int cli_may_replace(const char *path, const char *label, const char *hint);
/* cli_fail() for a text file that was read for a block of this label; says
 * what is there instead. Returns the exit code. */
int cli_fail_file(enum hf_err e, const char *path, const char *text,
    const char *label);
/* Asks for a passphrase only when the file needs one. */
int cli_load_identity(struct hf_identity **id, const char *path,
    const struct cli_pass *pass);
/* Writes a new key file, sealed when there is a passphrase. */
int cli_save_identity(const struct hf_identity *id, const char *path,
    const struct cli_secret *secret);
int cli_load_chain(struct cli_chain *chain, const char *path);
/* Reads the leaf's claims; checks nothing else. */
int cli_load_leaf(struct hf_cert_info *info, const struct cli_chain *chain,
    const char *path);
/* 1 when it is its own issuer. */
int cli_is_root(const struct hf_cert_info *info);
/* Believes the roots in the files, makes known the CAs below them, which are
 * judged as of `at`. */
int cli_load_trust(struct hf_trust **trust, const char *const *cas,
    size_t cas_n, const char *const *lists, size_t lists_n, uint64_t at);
/* A revocation list's bytes; the caller frees them. */
int cli_load_list(uint8_t **list, size_t *len, const char *path);
int cli_load_ring(struct hf_ring **ring, const char *path);
/* A ticket file's bytes; len at most CLI_TICKET_FILE. Secret: wipe it. */
int cli_load_ticket(uint8_t file[CLI_TICKET_FILE], size_t *len,
    const char *path);

/* terms.c: what a new certificate shall say, option by option */

struct cli_terms {
	struct hf_cert_info info;
	uint64_t days;
	int has_days, has_before, has_after;
};
enum cli_terms_option {
	CLI_OPT_NAME = 512,
	CLI_OPT_SUBJECT,
	CLI_OPT_USAGE,
	CLI_OPT_DAYS,
	CLI_OPT_BEFORE,
	CLI_OPT_AFTER,
	CLI_OPT_REALM,
	CLI_OPT_CLUSTER,
	CLI_OPT_COST,
	CLI_OPT_PERMIT_NAME,
	CLI_OPT_PERMIT_REALM,
	CLI_OPT_PATH_LENGTH,
	CLI_OPT_SUITE
};

void cli_terms_init(struct cli_terms *terms);
int cli_terms_option(struct cli_terms *terms, int option, const char *text);
/* Fills in the times: from now for `days` where nothing was said. */
int cli_terms_times(struct cli_terms *terms, const char *command,
    uint64_t days);
/* The suites of a certificate where none are named. */
void cli_default_suites(struct hf_cert_info *info);
/* responder,initiator,... to HF_USAGE_ bits and back. */
int cli_usage_bits(unsigned *usage, const char *option, const char *text);
const char *cli_usage_word(unsigned bit);

/* users.c: the users file. A struct may be read by many threads. */

struct cli_user {
	uint8_t name[HF_USER_MAX]; /* padded by zeros */
	uint8_t verifier[HF_KEY_BYTES];
};
struct cli_users {
	struct hf_name realm;
	unsigned mib, passes;
	struct cli_user *user; /* sorted by name */
	size_t n;
};

/* 0 when it may be a realm. */
int cli_users_realm(const char *text, size_t len);
/* MIB:PASSES, as the file has it; -1 when it is not written just so. */
int cli_users_cost(unsigned *mib, unsigned *passes, const char *text,
    size_t len);
int cli_load_users(struct cli_users **users, const char *path);
void cli_users_free(struct cli_users *users);
/* The verifier of a user, for hf_session_verify(), or NULL. Takes the same
 * steps for any name, known or not. Borrows. */
const uint8_t *cli_users_find(const struct cli_users *users, const char *name,
    size_t len);
int cli_users_save(const struct cli_users *users, const char *path,
    enum cli_write how);

/* The environment for a program that is started, for free(): without the
 * secrets of a store, without what begins as one of `without` says (NULL ends
 * them), and with room for `more` at `kept`. The texts are environ's own. NULL:
 * no memory. */
char **child_env(size_t *kept, const char *const *without, size_t more);

#endif
