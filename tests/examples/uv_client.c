/* SPDX-License-Identifier: ISC */
/*
 * A client under libuv: lets itself in by ticket, says one line to `handfast
 * respond --echo` and prints the answer. The loop has socket and clock.
 *     uv_client SOCKET CA-CERT TICKET LINE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>
#include <handfast.h>

static uv_poll_t io;
static uv_timer_t timer;
static struct hf_session *s;
static const uint8_t *line;
static uint8_t room[65536]; /* room[at..end] was read and is not yet fed */
static size_t at, end, heard;
static int said, fd;

static void
must(enum hf_err e, const char *what)
{
	if (e == HF_OK)
		return;
	fprintf(stderr, "%s: %s\n", what, hf_error_text(e));
	exit(hf_error_exit(e));
}

static void
load(uint8_t *out, size_t *len, const char *path, const char *label)
{
	char text[2 * HF_CERT_MAX]; /* a ticket is secret: wipe, if you stay */
	FILE *f = fopen(path, "r");
	size_t n;

	must(f == NULL ? HF_E_IO : HF_OK, path);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	must(hf_pem_decode(out, HF_CERT_MAX, len, &n, label, text, n), path);
}

static enum hf_err
hear(void)
{
	enum hf_content content;
	struct hf_span data;
	enum hf_err e = hf_session_recv(s, &content, &data);

	if (e != HF_OK || content != HF_CONTENT_DATA)
		return e;
	fwrite(data.ptr, 1, data.len, stdout);
	heard += data.len;
	return heard == strlen((const char *)line) ? hf_session_close(s) :
						     HF_OK;
}

static void
on_ready(uv_poll_t *poll, int failed, int events)
{
	struct hf_span out = hf_session_output(s);
	enum hf_want want = hf_session_want(s);
	enum hf_err e = failed < 0 ? HF_E_IO : HF_OK;
	size_t used;
	ssize_t n;

	if ((events & UV_WRITABLE) != 0) {
		n = send(fd, out.ptr, out.len, MSG_NOSIGNAL);
		e = n < 0 ? HF_E_IO : hf_session_drained(s, (size_t)n);
	} else if ((events & UV_READABLE) != 0) {
		n = recv(fd, room, sizeof(room), 0);
		at = 0;
		end = n > 0 ? (size_t)n : 0;
		if (n <= 0) /* no failure after the peer's close */
			e = n < 0 ? HF_E_IO : hf_session_eof(s);
	}
	while (e == HF_OK) { /* what needs no waiting */
		want = hf_session_want(s);
		if (want == HF_WANT_TRUST) { /* the name is right */
			e = hf_session_trust(s, HF_OK);
		} else if (want == HF_WANT_RECV) {
			e = hear();
		} else if (want == HF_WANT_DONE && !said) {
			said = 1;
			e = hf_session_send(s, line,
			    strlen((const char *)line));
		} else if (at < end && want != HF_WANT_WRITE) {
			e = hf_session_feed(s, &used, room + at, end - at);
			at += used;
		} else {
			break;
		}
	}
	if (e != HF_OK) { /* a failed session has an alert for the peer */
		out = hf_session_output(s);
		(void)send(fd, out.ptr, out.len, MSG_NOSIGNAL);
		must(e, "session");
	}
	if (want == HF_WANT_CLOSED)
		uv_stop(poll->loop);
	events = want == HF_WANT_WRITE ? UV_WRITABLE : UV_READABLE;
	uv_poll_start(poll, events, on_ready);
}

static void
late(uv_timer_t *t)
{
	must(hf_session_tick(s, uv_now(t->loop), time(NULL)), "late");
}

int
main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	uint8_t bytes[HF_CERT_MAX];
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct hf_config *config;
	struct hf_trust *trust;
	size_t len;

	must(argc == 5 ? HF_OK : HF_E_ARG, "SOCKET CA-CERT TICKET LINE");
	line = (uint8_t *)argv[4];
	must(hf_init(), "init");
	must(hf_trust_new(&trust), "trust");
	load(bytes, &len, argv[2], "HANDFAST CERTIFICATE");
	must(hf_trust_add_ca(trust, bytes, len), argv[2]);
	must(hf_config_new(&config, HF_INITIATOR), "config");
	must(hf_config_trust(config, trust), "trust");
	load(bytes, &len, argv[3], "HANDFAST TICKET");
	must(hf_config_ticket(config, bytes, len), argv[3]);
	must(hf_session_new(&s, config, uv_now(loop), time(NULL)), "session");
	uv_timer_init(loop, &timer);
	strncpy(to.sun_path, argv[1], sizeof(to.sun_path) - 1);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		must(HF_E_IO, argv[1]);
	uv_poll_init(loop, &io, fd); /* from now on it does not block */
	uv_timer_start(&timer, late, 10000, 0); /* the session's default */
	on_ready(&io, 0, 0);
	uv_run(loop, UV_RUN_DEFAULT);
	hf_session_free(s);
	hf_config_free(config);
	hf_trust_free(trust);
	return 0;
}
