/* SPDX-License-Identifier: ISC */
/*
 * What a dispatcher says of itself: as JSON, and in the text format that
 * Prometheus reads. It counts nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatching.h"

static const struct {
	const char *name, *help;
	size_t at;
} counters[] = {
#define COUNT(name, help)                                              \
	{                                                              \
#name, help, offsetof(struct hf_dispatch_counts, name) \
	}
	COUNT(accepted, "connections taken"),
	COUNT(refused_source, "connections of a source beyond its share"),
	COUNT(refused_first, "first messages that were malformed"),
	COUNT(late, "first messages that did not come in time"),
	COUNT(idle, "connections closed for being idle"),
	COUNT(no_target, "first messages for a target of no server"),
	COUNT(no_server, "first messages when no server of theirs was up"),
	COUNT(unknown_key, "requests to a key of no server"),
	COUNT(affinity, "resumes sent to the owner of the session"),
	COUNT(transfers, "resumes sent to another server of its scope"),
	COUNT(balanced, "first messages sent by balance"),
	COUNT(by_key, "requests sent by their key"),
	COUNT(anew, "resumes sent back, as handshakes were faster"),
	COUNT(overdue, "times that a server did not take or answer in time"),
	COUNT(renewed, "resumes wanted anew: no server answered them"),
	COUNT(lookups, "questions to the store"),
	COUNT(lookups_found, "questions to the store that it answered"),
	COUNT(lookups_skipped, "questions not asked: too many under way"),
	COUNT(queries, "queries sent"),
	COUNT(moves, "sessions that went on elsewhere on their connection"),
	COUNT(rescued, "connections asked to move as their server was gone"),
	COUNT(lost, "connections cut as their server was gone"),
	COUNT(in, "bytes carried to servers"),
	COUNT(out, "bytes carried to initiators"),
#undef COUNT
};
enum { COUNTERS = sizeof(counters) / sizeof(counters[0]) };

static uint64_t
value(const struct hf_dispatch_counts *c, size_t i)
{
	uint64_t v;

	memcpy(&v, (const uint8_t *)c + counters[i].at, sizeof(v));
	return v;
}

/* The shortest time within which that share of all was done; us. */
static uint64_t
share(const struct hf_dispatch_times *t, unsigned percent)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < HF_DISPATCH_BUCKETS && t->n > 0; i++)
		if ((n += t->bucket[i]) * 100 >= t->n * percent)
			return hf_dispatch_bucket_us(i);
	return 0;
}

/* Nothing takes no time: of too few there is no median. */
static json_t *
us_of(uint64_t us)
{
	return us == 0 ? json_null() : json_integer((json_int_t)us);
}

/* The whole distribution: how many were done within so many microseconds, and
 * not within half of that. */
static json_t *
times(const struct hf_dispatch_times *t, uint64_t recent_us)
{
	json_t *buckets = json_array();
	size_t i;

	for (i = 0; i < HF_DISPATCH_BUCKETS; i++)
		if (t->bucket[i] > 0)
			(void)json_array_append_new(buckets,
			    json_pack("[I,I]",
				(json_int_t)hf_dispatch_bucket_us(i),
				(json_int_t)t->bucket[i]));
	return json_pack("{s:I,s:o,s:o,s:o,s:o}", "count", (json_int_t)t->n,
	    "median_us_at_most", us_of(share(t, 50)), "p99_us_at_most",
	    us_of(share(t, 99)), "recent_median_us", us_of(recent_us),
	    "within_us", buckets);
}

json_t *
dispatch_json(const struct hf_dispatch *d)
{
	const struct hf_dispatch_counts *c = hf_dispatch_counts(d);
	json_t *root = json_object(), *servers = json_array();
	struct hf_dispatch_state s;
	uint64_t transfer, handshake;
	size_t i;

	for (i = 0; hf_dispatch_state(&s, d, i); i++)
		(void)json_array_append_new(servers,
		    json_pack("{s:s,s:s,s:s,s:b,s:b,s:I,s:I,s:I}", "name",
			s.name, "address", s.address, "scope", s.scope, "up",
			s.up, "draining", s.draining, "connections",
			(json_int_t)s.conns, "taken", (json_int_t)s.taken,
			"failed", (json_int_t)s.failed));
	(void)json_object_set_new(root, "connections",
	    json_integer(hf_dispatch_conns(d)));
	(void)json_object_set_new(root, "servers", servers);
	for (i = 0; i < COUNTERS; i++)
		(void)json_object_set_new(root, counters[i].name,
		    json_integer((json_int_t)value(c, i)));
	hf_dispatch_recent(&transfer, &handshake, d);
	(void)json_object_set_new(root, "transfer",
	    times(&c->transfer, transfer));
	(void)json_object_set_new(root, "handshake",
	    times(&c->handshake, handshake));
	return root;
}

static void
histogram(FILE *f, const char *name, const struct hf_dispatch_times *t)
{
	uint64_t n = 0;
	size_t i;

	(void)fprintf(f, "# TYPE handfast_dispatch_%s_seconds histogram\n",
	    name);
	for (i = 0; i + 1 < HF_DISPATCH_BUCKETS; i++)
		(void)fprintf(f,
		    "handfast_dispatch_%s_seconds_bucket{le=\"%.6f\"} %llu\n",
		    name, (double)hf_dispatch_bucket_us(i) / 1e6,
		    (unsigned long long)(n += t->bucket[i]));
	(void)fprintf(f,
	    "handfast_dispatch_%s_seconds_bucket{le=\"+Inf\"} %llu\n"
	    "handfast_dispatch_%s_seconds_sum %.6f\n"
	    "handfast_dispatch_%s_seconds_count %llu\n",
	    name, (unsigned long long)t->n, name, (double)t->sum_us / 1e6,
	    name, (unsigned long long)t->n);
}

/* A label's value: what would end it is escaped. */
static void
label(FILE *f, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			(void)fputc('\\', f);
		(void)fputc(*text == '\n' ? ' ' : *text, f);
	}
}

static void
per_server(FILE *f, const struct hf_dispatch *d, const char *name, int which)
{
	struct hf_dispatch_state s;
	size_t i;

	(void)fprintf(f, "# TYPE handfast_dispatch_server_%s gauge\n", name);
	for (i = 0; hf_dispatch_state(&s, d, i); i++) {
		(void)fprintf(f, "handfast_dispatch_server_%s{server=\"",
		    name);
		label(f, s.name);
		(void)fprintf(f, "\"} %u\n",
		    which == 0	   ? (unsigned)s.up :
			which == 1 ? (unsigned)s.draining :
				     s.conns);
	}
}

char *
dispatch_metrics(const struct hf_dispatch *d)
{
	const struct hf_dispatch_counts *c = hf_dispatch_counts(d);
	char *text = NULL;
	size_t i, len;
	FILE *f;

	if ((f = open_memstream(&text, &len)) == NULL)
		return NULL;
	for (i = 0; i < COUNTERS; i++)
		(void)fprintf(f,
		    "# HELP handfast_dispatch_%s_total %s\n"
		    "# TYPE handfast_dispatch_%s_total counter\n"
		    "handfast_dispatch_%s_total %llu\n",
		    counters[i].name, counters[i].help, counters[i].name,
		    counters[i].name, (unsigned long long)value(c, i));
	(void)fprintf(f,
	    "# TYPE handfast_dispatch_connections gauge\n"
	    "handfast_dispatch_connections %u\n",
	    hf_dispatch_conns(d));
	per_server(f, d, "up", 0);
	per_server(f, d, "draining", 1);
	per_server(f, d, "connections", 2);
	histogram(f, "transfer", &c->transfer);
	histogram(f, "handshake", &c->handshake);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
