/* SPDX-License-Identifier: ISC */
/*
 * Log lines: one a session, on stderr, of key=value pairs or one JSON object.
 * It knows how to write values so that nothing a peer chose can look like
 * another line or pair; what they mean it does not know. A line leaves in one
 * write, so that threads do not mix theirs.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "serve.h"

atomic_int log_json;

/* Room is kept for the end of a line. */
static void
put(struct log_line *l, const char *text, size_t len)
{
	if (len > sizeof(l->text) - 4 - l->len)
		len = sizeof(l->text) - 4 - l->len;
	memcpy(l->text + l->len, text, len);
	l->len += len;
}

static int
plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') ||
	    (c != '\0' && strchr("._@+:/[]-", c) != NULL);
}

static void
key(struct log_line *l, const char *name)
{
	if (l->json) {
		if (l->text[l->len - 1] != '{')
			put(l, ",", 1);
		put(l, "\"", 1);
		put(l, name, strlen(name));
		put(l, "\":", 2);
		return;
	}
	if (l->len > 0)
		put(l, " ", 1);
	put(l, name, strlen(name));
	put(l, "=", 1);
}

/* Bytes outside printable ASCII are escaped as \xNN. */
static int
text_form(char form[8], size_t *used, const uint8_t *p)
{
	*used = 1;
	if (*p < 0x20 || *p >= 0x7f || *p == '"' || *p == '\\')
		return snprintf(form, 8, "\\x%02x", *p);
	return snprintf(form, 8, "%c", *p);
}

/* Characters stay what they are, unless they would drive a terminal; a byte
 * that belongs to none is said to be one. */
static int
json_form(char form[8], size_t *used, const uint8_t *p, size_t n)
{
	uint32_t c;

	if ((*used = cli_utf8(&c, p, n)) == 0) {
		*used = 1;
		return snprintf(form, 8, "\\\\x%02x", *p);
	}
	if (c == '"' || c == '\\' || cli_unsafe(c))
		return snprintf(form, 8, "\\u%04x", (unsigned)c);
	return snprintf(form, 8, "%.*s", (int)*used, (const char *)p);
}

static void
quoted(struct log_line *l, const uint8_t *p, size_t n)
{
	/* A value that would leave no room for others is cut. */
	size_t used, end = sizeof(l->text) - (sizeof(l->text) - l->len) / 4;
	char form[8];
	int len;

	put(l, "\"", 1);
	for (; n > 0 && l->len < end; p += used, n -= used) {
		len = l->json ? json_form(form, &used, p, n) :
				text_form(form, &used, p);
		if (len > 0)
			put(l, form, (size_t)len);
	}
	put(l, "\"", 1);
}

void
log_begin(struct log_line *l, const char *event)
{
	l->len = 0;
	l->json = log_json;
	if (l->json)
		put(l, "{", 1);
	log_text(l, "event", event);
}

void
log_bytes(struct log_line *l, const char *name, struct hf_span value)
{
	size_t i;

	if (value.len == 0)
		return;
	key(l, name);
	for (i = 0; i < value.len && plain(value.ptr[i]); i++)
		continue;
	if (i == value.len && !l->json)
		put(l, (const char *)value.ptr, value.len);
	else
		quoted(l, value.ptr, value.len);
}

void
log_text(struct log_line *l, const char *name, const char *value)
{
	struct hf_span span;

	if (value == NULL)
		return;
	span.ptr = (const uint8_t *)value;
	span.len = strlen(value);
	log_bytes(l, name, span);
}

void
log_number(struct log_line *l, const char *name, uint64_t value)
{
	char text[24];
	int n;

	key(l, name);
	n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	if (n > 0)
		put(l, text, (size_t)n);
}

void
log_end(struct log_line *l)
{
	if (l->json)
		l->text[l->len++] = '}';
	l->text[l->len++] = '\n';
	/* A log that cannot be written stops no session. */
	if (write(STDERR_FILENO, l->text, l->len) < 0)
		return;
}

static void
open_object(struct log_line *l, const char *name)
{
	key(l, name);
	put(l, "{", 1);
}

static void
close_object(struct log_line *l)
{
	put(l, "}", 1);
}

/* What is traced is no event: as JSON it is in an object of its own name, as
 * the other words are. */
static void
trace_begin(struct log_line *l)
{
	l->len = 0;
	l->json = 1;
	put(l, "{", 1);
	open_object(l, "trace");
}

static void
trace_end(struct log_line *l)
{
	close_object(l);
	log_end(l);
}

static void
trace_json(int sent, const char *name, size_t bytes, uint64_t us)
{
	struct log_line l;

	trace_begin(&l);
	log_text(&l, "way", sent ? "sent" : "received");
	log_text(&l, "message", name);
	log_number(&l, "bytes", bytes);
	log_number(&l, "us", us);
	trace_end(&l);
}

void
log_trace(int sent, int type, size_t bytes, uint64_t ns)
{
	static const char *const names[] = { "hello", "offer", "retry",
		"request", "grant", "confirm", "resume", "resumed", "alert",
		"query" };
	const char *name = "record";
	char line[128];
	int n;

	if (type >= 0 && type < (int)(sizeof(names) / sizeof(names[0])))
		name = names[type];
	if (cli_json) {
		trace_json(sent, name, bytes, (ns + 500) / 1000);
		return;
	}
	n = snprintf(line, sizeof(line), "trace: %s %s %zu bytes %llu us\n",
	    sent ? "sent" : "received", name, bytes,
	    (unsigned long long)((ns + 500) / 1000));
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

static void
digests_json(const char *sid, const uint64_t count[2],
    char hex[2][2 * HF_KEY_BYTES + 1])
{
	static const char *const sender[2] = { "initiator", "responder" };
	struct log_line l;
	size_t i;

	trace_begin(&l);
	log_text(&l, "sid", sid);
	for (i = 0; i < 2; i++) {
		open_object(&l, sender[i]);
		log_number(&l, "records", count[i]);
		log_text(&l, "digest", hex[i]);
		close_object(&l);
	}
	trace_end(&l);
}

void
log_digests(const struct hf_session *session)
{
	char sid[2 * HF_SID_BYTES + 1], hex[2][2 * HF_KEY_BYTES + 1],
	    line[300];
	static const enum hf_role sender[2] = { HF_INITIATOR, HF_RESPONDER };
	uint8_t digest[HF_KEY_BYTES];
	struct hf_span id;
	uint64_t count[2];
	size_t i;
	int n;

	for (i = 0; i < 2; i++) {
		if (session == NULL ||
		    hf_session_digest(digest, &count[i], session, sender[i]) !=
			HF_OK)
			return;
		sodium_bin2hex(hex[i], sizeof(hex[i]), digest, sizeof(digest));
	}
	id = hf_session_id(session);
	sodium_bin2hex(sid, sizeof(sid), id.ptr, id.len);
	if (cli_json) {
		digests_json(sid, count, hex);
		return;
	}
	n = snprintf(line, sizeof(line),
	    "trace: digest %s initiator %llu %s responder %llu %s\n", sid,
	    (unsigned long long)count[0], hex[0], (unsigned long long)count[1],
	    hex[1]);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}
