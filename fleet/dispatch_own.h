/* SPDX-License-Identifier: ISC */
/*
 * The inside of a dispatcher, for its files: dispatch.c, its life;
 * dispatch_table.c, the servers and the choice among them; dispatch_ids.c, who
 * owns which session; dispatch_route.c, where a message goes; dispatch_conn.c,
 * one connection; dispatch_said.c, what is said on it; dispatch_look.c, what time brings to it; dispatch_reach.c, its
 * way to a server; dispatch_flow.c, bytes of one direction; dispatch_door.c,
 * where connections come in; dispatch_health.c, whether servers are up;
 * dispatch_times.c, how long they take; dispatch_crew.c, further threads. Nobody
 * else includes it.
 */
#ifndef FLEET_DISPATCH_OWN_H
#define FLEET_DISPATCH_OWN_H

#include "dispatch.h"
#include "server.h"

enum {
	HF__FLOW_MAX = 1 << 16, /* bytes of a direction that wait */
	HF__LOOKUPS_MAX = 256,	/* at the store at once */
	HF__TRIES_MAX = 4,	/* servers that are tried for one message */
	HF__LOOK_MS = 100,	/* how often all connections are looked at */
	HF__ALERT_MS = 1000,	/* for an alert to arrive */
	HF__SHAKE_MS = 30000,	/* for all of a handshake */
	HF__HALF_MS = 30000,	/* for the other half of a stream to end */
	HF__RECENT = 64,	/* durations that the policy goes by */
	HF__RECENT_MS = 60000,	/* and no older */
	HF__RULE_TURN = 16,	/* of so many transfers one is made */
	HF__ID_KEY = 2 + HF_SID_BYTES
};

/* A server. It outlives its entry in the table as long as it is used. */
struct hf__backend {
	struct hf_dispatch_server is;
	struct hf_dispatch *d;
	unsigned refs;
	unsigned conns;
	int listed, up, draining;
	int refuses; /* it was asked, and said an alert: others go before */
	uint64_t taken, failed;
	uint64_t seen_ms;    /* when it last answered */
	uint64_t asked_ms;   /* when it was last asked */
	uint64_t drain_due;  /* what queries may cost now */
	uint64_t drained_ms; /* when that was more */
	struct hf__check *check;
};

/* --- dispatch_flow.c --- */

struct hf__conn;
struct hf__flow;

/* One end's stream. Freed by itself when it is closed. */
struct hf__leg {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} io;
	uv_shutdown_t shutdown;
	uv_connect_t connect;
	struct hf__conn *conn; /* NULL: it is being closed */
	struct hf__flow *from; /* where what is read goes */
	int family, eof, shut, reading;
};

struct hf__chunk {
	uv_write_t req;
	struct hf__flow *flow; /* NULL: nobody waits for it */
	size_t len;
	uint8_t data[];
};

/* One direction. What has arrived and was not sent stays in buf: at most a
 * message of a handshake, or what was read at once. */
struct hf__flow {
	struct hf__conn *conn;
	struct hf__leg *to; /* NULL: nobody is there now */
	uint8_t *buf;
	size_t len, cap;
	uint64_t left;	/* of the message that is being carried */
	uint64_t bytes; /* carried */
	uint64_t at;	/* when the last were, ms */
	struct hf__chunk *sending;
	int held;	/* 1: a message waits for a decision */
	int client;	/* 1: what the initiator says */
	int drop;	/* what comes is thrown away */
	size_t discard; /* a message that goes nowhere */
};

/* Makes a leg with an open handle; NULL when memory ran out. */
struct hf__leg *hf__leg_new(uv_loop_t *loop, int family,
    struct hf__conn *conn);
/* Closes; nobody hears of it again. Accepts NULL. */
void hf__leg_close(struct hf__leg *leg, int reset);
/* Reads when the flow from it has room, and stops where not. */
void hf__leg_read(struct hf__leg *leg);
/* Carries on with what waits. */
void hf__flow_run(struct hf__flow *flow);
/* Says a few bytes of the dispatcher's own. Only between two messages. */
void hf__flow_say(struct hf__flow *flow, const uint8_t *word, size_t len);
/* 1 between two messages, with nothing on its way. */
int hf__flow_between(const struct hf__flow *flow);
/* Forgets what waits; or only what is on its way. */
void hf__flow_wipe(struct hf__flow *flow);
void hf__flow_wipe_sending(struct hf__flow *flow);
/* What waits is this. Returns 0 when memory ran out. */
int hf__flow_put(struct hf__flow *flow, const uint8_t *data, size_t len);

/* --- dispatch_conn.c --- */

enum hf__phase {
	HF__FIRST,   /* waits for a first message */
	HF__LOOKING, /* who owns the session? */
	HF__CONNECTING,
	HF__SHAKING, /* a server has the message */
	HF__CARRYING,
	HF__LEAVING, /* to another server, when a message is at its end */
	HF__SAYING,  /* an alert is on its way: the end */
	HF__OVER
};

struct hf__conn {
	struct hf_dispatch *d;
	struct hf__conn *next, *prev;
	struct hf__leg *client, *server;
	struct hf__flow up, down; /* to the server, to the initiator */
	struct hf__backend *backend, *tried[HF__TRIES_MAX];
	unsigned tried_n;
	enum hf__phase phase;
	int dispatched; /* the initiator honours a query */
	int asked;	/* a query was sent before a handshake */
	int query_due, query_sent;
	int retried; /* its server wants its message anew */
	int renewed; /* it was said anew, and cannot be again */
	int skip;    /* the message that waits goes nowhere */
	int parting; /* its server was told that it is left; 2: long enough */
	int type, answered, resumed, was_open;
	int granted;	      /* its server let it in: a confirm may come */
	int alone;	      /* its server is gone, and it was asked */
	struct hf_name scope; /* of the session's owner */
	uint8_t key_id[HF_KEY_ID_BYTES];
	const char *how;
	uint8_t sid[HF_SID_BYTES];
	uint8_t target[HF_TARGET_MAX];
	size_t target_len;
	uint8_t *first; /* a copy, until the server has answered */
	size_t first_len;
	struct hf_op *lookup;
	struct hf__source source;
	struct hf__places places;
	char text[HF_ADDRESS_TEXT];
	struct hf_address from;
	uint64_t began, due, touched, first_us; /* ms; us */
	uint64_t asked_ms;			/* when the query was sent */
	uint64_t stuck, stuck_ms; /* what its server took; since when */
	unsigned moves;
	enum hf_err err;
};

/* One end is at its end, or is broken. */
void hf__conn_eof(struct hf__flow *flow);
void hf__conn_broken(struct hf__leg *leg);
/* Something was carried: does what waits for that, and reads on. */
void hf__conn_settle(struct hf__conn *c);
void hf__conn_end(struct hf__conn *c, enum hf_err err, int reset);
/* Its server said nothing yet, and is gone or late: the message that it had
 * goes to another. 0 where that may not be. */
int hf__conn_say_again(struct hf__conn *c);
/* Where its message wants to go is known, and a copy of it is kept until a
 * server has answered. Returns 0 when memory ran out. */
int hf__conn_first(struct hf__conn *c, const struct hf_route *route,
    const uint8_t *message, size_t len);
/* Says an alert, and ends. */
void hf__conn_refuse(struct hf__conn *c, enum hf_err err, const char *why);
/* To that server; and away from the one that is. */
void hf__conn_connect(struct hf__conn *c, struct hf__backend *b);
void hf__conn_leave(struct hf__conn *c);
/* The present one is gone: its message goes to another, where that may be. */
void hf__conn_try_another(struct hf__conn *c);
/* It should go on with another server; 1 when that was asked or will be. */
int hf__conn_ask(struct hf__conn *c);

/* --- dispatch_said.c --- */

/* What a flow has found: a whole message of a handshake, or a record's head.
 * HF__ENDED: nothing of the flow may be touched. */
enum hf__verdict { HF__ENDED, HF__HOLD, HF__CARRY, HF__DISCARD };
enum hf__verdict hf__conn_message(struct hf__flow *flow, int type,
    const uint8_t *message, size_t len);
/* The stream makes no sense. */
void hf__conn_misframed(struct hf__flow *flow, enum hf_err e);
/* Wants the resume anew, which servers had and did not answer. 0 where that is
 * not possible. */
int hf__conn_renew(struct hf__conn *c);
/* Where that was so the message that waits is passed over; not while a flow's
 * bytes are gone through. */
void hf__conn_renewed(struct hf__conn *c);
/* Its session is not to go on, but begin anew on this connection. */
void hf__conn_anew(struct hf__conn *c);

/* --- dispatch_look.c --- */

/* All that time brings. */
void hf__conn_look(struct hf__conn *c, uint64_t ms);
/* Asks initiators to leave servers, for so many milliseconds. */
void hf__conns_ask(struct hf_dispatch *d, uint64_t passed);

/* --- dispatch_route.c: finds a server for the message that waits, or ends the
 * connection; the same after one that was tried. --- */

void hf__route(struct hf__conn *c);
void hf__route_again(struct hf__conn *c);

/* --- dispatch_table.c --- */

void hf__backend_release(struct hf__backend *b);
int hf__backend_serves(const struct hf__backend *b, struct hf_span target);
struct hf__backend *hf__table_owner(const struct hf_dispatch *d,
    const struct hf_name *owner);
struct hf__backend *hf__table_key(const struct hf_dispatch *d,
    struct hf_span key_id);
/* 1: this message was at that server already. */
int hf__table_tried(const struct hf__conn *c, const struct hf__backend *b);
int hf__table_has(const struct hf_dispatch *d, struct hf_span target);
/* A server that stays, serves the target and was not tried: of the scope,
 * where that is told (NULL: any); one that is up and refuses nobody, if there
 * is any. NULL for none. */
struct hf__backend *hf__table_choose(const struct hf__conn *c,
    const struct hf_name *scope);
void hf__backend_learn(struct hf__backend *b,
    const uint8_t key_id[HF_KEY_ID_BYTES]);

/* --- dispatch_ids.c: bounded; the one that was not used for longest goes --- */

struct hf__ids;
struct hf__ids *hf__ids_new(size_t n);
void hf__ids_free(struct hf__ids *ids);
/* Keeps a reference to the server. */
void hf__ids_put(struct hf__ids *ids, const uint8_t sid[HF_SID_BYTES],
    struct hf__backend *b);
struct hf__backend *hf__ids_get(struct hf__ids *ids,
    const uint8_t sid[HF_SID_BYTES]);
void hf__ids_forget(struct hf__ids *ids, const uint8_t sid[HF_SID_BYTES]);

/* --- dispatch_door.c, dispatch_health.c --- */

struct hf__gate {
	uv_poll_t poll;
	struct hf_dispatch *d;
	int fd, family, paused;
};
HF_MUST_USE enum hf_err hf__gate_open(struct hf_dispatch *d, int fd,
    int family);
void hf__gates_open(struct hf_dispatch *d);
void hf__gates_close(struct hf_dispatch *d);

/* Looks whether any server is to be asked. */
void hf__health_look(struct hf_dispatch *d, uint64_t ms);
void hf__health_stop(struct hf__backend *b);
/* By what it was seen to do. */
void hf__health_tell(struct hf__backend *b, int up);
/* It was not reached, with this error; 0: it did not take the first bytes. */
void hf__health_failed(struct hf__backend *b, int r);
/* It should have done something: it is asked at once. */
void hf__health_doubt(struct hf__backend *b);

/* --- dispatch_times.c --- */

/* The last durations of a kind. */
struct hf__recent {
	uint64_t us[HF__RECENT], at_ms[HF__RECENT];
	size_t n, next;
};
struct hf__rule {
	struct hf__recent transfer, handshake;
	unsigned turn;
};
void hf__times_add(struct hf__recent *r, struct hf_dispatch_times *all,
    uint64_t us, uint64_t ms);
/* The median, us; 0 where there are too few of the last minute. */
uint64_t hf__times_recent(const struct hf__recent *r, uint64_t ms);
/* 1: transfers are slower than handshakes now, and this is not the one that
 * is made to see whether they still are. */
int hf__rule_anew(struct hf__rule *rule, uint64_t ms);

/* --- dispatch_crew.c --- */

/* What all workers of a dispatcher count together, and judge by. */
struct hf__share {
	uv_mutex_t lock;
	unsigned conns;
	struct hf__tally sources;
	struct hf__rule rule;
};
struct hf__share *hf__share_new(void);
void hf__share_free(struct hf__share *share);
/* One more connection of that source, no more than so many of it. Returns 0
 * where it has them. */
int hf__share_enter(struct hf__places *places, struct hf__share *share,
    const struct hf__source *source, unsigned most);
void hf__share_leave(struct hf__share *share, const struct hf__places *places);
unsigned hf__share_conns(struct hf__share *share);
/* One of them took so long: it counts among the last of its kind, which is
 * one of the share's rule, and in that worker's own distribution. */
void hf__share_took(struct hf__share *share, struct hf__recent *kind,
    struct hf_dispatch_times *own, uint64_t us, uint64_t ms);
uint64_t hf__share_recent(struct hf__share *share,
    const struct hf__recent *kind, uint64_t ms);
int hf__share_anew(struct hf__share *share, uint64_t ms);

/* The other workers. Each call waits until all of them have done so. */
struct hf__crew;
enum hf_err hf__crew_configure(struct hf__crew *crew,
    const struct hf_dispatch_config *config);
void hf__crew_drain(struct hf__crew *crew, const char *server, int on);
enum hf_err hf__crew_listen(struct hf__crew *crew, int fd, int family);
/* Own counts, and theirs; what they have of that server is added. */
const struct hf_dispatch_counts *hf__crew_counts(struct hf__crew *crew,
    const struct hf_dispatch_counts *own);
void hf__crew_state(struct hf__crew *crew, struct hf_dispatch_state *state,
    size_t i);
/* Ends their threads. */
void hf__crew_stop(struct hf__crew *crew);
void hf__crew_free(struct hf__crew *crew);

struct hf_dispatch {
	uv_loop_t *loop;
	struct hf_store *store;
	struct hf_port *port;
	const struct hf_dispatch_hooks *hooks;
	void *owner;
	struct hf_dispatch_config config; /* its servers are not used */
	struct hf__backend *backend[HF_DISPATCH_SERVERS_MAX];
	size_t backends_n;
	struct hf__ids *ids;
	struct hf__gate *gate[HF_LISTENERS_MAX];
	size_t gates_n;
	struct hf__conn *conns, *dead;
	unsigned conns_n, conns_max, lookups;
	struct hf__share *share;
	struct hf__crew *crew; /* NULL: there is no other worker */
	unsigned workers;      /* all of them */
	struct hf_dispatch_counts counts;
	uv_timer_t look;
	uint64_t looked;
	uint8_t hash[16]; /* nobody can choose where he falls */
	int stopping;
	uint8_t scratch[HF__FLOW_MAX];
};

/* --- dispatch.c: a worker; whoever makes it gives it a share and a hash --- */

HF_MUST_USE enum hf_err hf__dispatch_new(struct hf_dispatch **dispatch,
    uv_loop_t *loop, struct hf_store *store,
    const struct hf_dispatch_hooks *hooks, void *owner);
void hf__dispatch_free(struct hf_dispatch *d);

#endif
