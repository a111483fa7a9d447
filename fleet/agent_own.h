/* SPDX-License-Identifier: ISC */
/*
 * The inside of an agent, for its files: agent.c, its life and its door;
 * agent_app.c, one application as it is heard, agent_words.c, as it is told, and
 * agent_gone.c, as it goes; agent_held.c, the session with one peer; agent_reach.c, how that is
 * connected, and agent_place.c and agent_rest.c, where it rests.
 */
#ifndef FLEET_AGENT_OWN_H
#define FLEET_AGENT_OWN_H

#include <sys/queue.h>

#include "peers.h"

enum {
	HF__APP_READ = 1 << 16,	  /* bytes, of one application at once */
	HF__APP_WINDOW = 1 << 18, /* of a channel, not read by it yet */
	HF__APP_SEND = 1 << 17,	  /* of a channel, not sent to the peer yet */
	HF__APP_FIRST_MS = 5000,  /* for the first frame to be whole */
	HF__APPS_MAX = 4096,  /* connections: further ones wait to be taken */
	HF__APPS_USER = 1024, /* of one user, one peer or another */
	HF__LOOK_MS = 250,    /* how often all times are looked at */
	HF__END_MS = 2000     /* for a session to end in order */
};

struct hf__held;

/* --- agent_app.c, agent_words.c, agent_gone.c: one application --------------------------------- */

enum hf__app_phase {
	HF__APP_FIRST,	 /* has not said what it wants */
	HF__APP_WAITING, /* for the session */
	HF__APP_CARRIED, /* has a channel */
	HF__APP_SAYING,	 /* the last words are on their way */
	HF__APP_LEFT,	 /* it is gone, the peer has not answered yet */
	HF__APP_OVER
};

struct hf__app {
	struct hf_agent *agent;
	LIST_ENTRY(hf__app) of_agent;
	struct hf__app *beside; /* who waits for the same session */
	uv_poll_t poll;
	int fd, events;
	int trusted; /* no leave is needed */
	struct hf__who who;
	enum hf__wire_stage stage; /* of what it says */
	enum hf__app_phase phase;
	uint64_t began_ms;
	uint64_t said_ms; /* its last words; with `lost`: when it took some */
	uint64_t lost_ms; /* with `lost`: when that was */
	struct hf__held *held;
	const struct hf__entry *entry;
	struct hf_channel *channel; /* NULL: none, or no more */
	struct hf__flow *flow;	    /* its process */
	TAILQ_ENTRY(hf__app) line;  /* of those who flood */
	int in_line;
	unsigned share;	  /* channels of the same process */
	int shut;	  /* its socket is closed */
	int finished;	  /* it sends nothing more */
	int end_told;	  /* it knows that the peer does not */
	enum hf_err lost; /* why its session ended, where that ended
				       its channel: what came is told first */
	enum hf_err err;  /* why it is over */
	int reason;
	uint64_t in, out; /* bytes of data */
	uint8_t *part;	  /* of a frame, HF__WIRE_MAX */
	size_t part_len;
	uint8_t *words; /* to be written */
	size_t words_at, words_len, words_cap;
};

/* Takes a connected socket, which is closed in any case. */
void hf__app_begin(struct hf_agent *agent, int fd, int trusted);
/* The session is there: a channel, and what is known of it. */
void hf__app_carry(struct hf__app *app);
/* What is new about its channel. */
void hf__app_news(struct hf__app *app, unsigned news);
/* Tells it what the session is now. */
void hf__app_inform(struct hf__app *app);
/* Tells it why, and lets it go. */
void hf__app_end(struct hf__app *app, enum hf_err err, int reason);
/* The session of its channel has ended: it is told, behind what had come. */
void hf__app_lose(struct hf__app *app, enum hf_err err);
/* Lets it go at once, its channel too; what it has of that counts until the
 * peer has answered. */
void hf__app_drop(struct hf__app *app);
/* Nothing of its channel is waited for. */
void hf__app_forget(struct hf__app *app);
/* It is sent away without a word. */
void hf__app_gone(struct hf__app *app, enum hf_err err, int reason);
/* It closed its socket: in order, or for a reason that it may have said. */
void hf__app_went(struct hf__app *app);
/* It hears nothing any more: it has gone too, unless it may. */
void hf__app_deaf(struct hf__app *app);
/* It has heard its peer's end, and may go when it has said its own; but where
 * the agent is its own it waits for what it said to be sent. */
int hf__app_may_go(const struct hf__app *app);
/* Waits for what can be done with it now. */
void hf__app_watch(struct hf__app *app);
/* Puts a frame of no data behind what waits. 0: no memory. */
int hf__app_say(struct hf__app *app, const struct hf__wire *wire);
/* Writes what waits, and what the channel has. */
void hf__app_write(struct hf__app *app);
/* It has stood in line: reads and writes what it would have. */
void hf__app_turn(struct hf__app *app);

/* --- agent_pace.c: processes, and the line of those who flood -------------------- */

enum {
	HF__COST_OPEN = 1 << 14, /* of a connection, as if it were bytes */
	HF__COST_FRAME = 32	 /* of a frame, beside its bytes */
};

struct hf__flow {
	LIST_ENTRY(hf__flow) of_agent;
	TAILQ_ENTRY(hf__flow) said; /* of those who talk */
	pid_t pid;
	uint64_t number;
	uid_t uid;
	unsigned apps;	  /* connections, also those that were left */
	unsigned in_line; /* of them */
	int floods, talks;
	uint64_t unpaid, at_ms; /* what it owes, and at which time */
	uint64_t talked_ms;
};

/* The process of a connection, one more of which it has. NULL: no memory. */
struct hf__flow *hf__flow_of(struct hf_agent *agent,
    const struct hf__who *who);
void hf__flow_leave(struct hf_agent *agent, struct hf__flow *flow);
/* Its process pays. */
void hf__pace_pay(struct hf__app *app, size_t cost);
/* The same for what was said or heard: where it does not flood it talks. */
void hf__pace_said(struct hf__app *app, size_t cost);
/* 1: it stands in line, and has its turn when that has come. */
int hf__pace_waits(struct hf__app *app);
/* It stands in no line any more. */
void hf__pace_leave(struct hf__app *app);
/* 1: its process has enough connections in line. */
int hf__pace_crowd(const struct hf__app *app);
/* How much its process may read at once, at most so much. */
size_t hf__pace_turn(struct hf__app *app, size_t most);
void hf__pace_look(struct hf_agent *agent, uint64_t now);
void hf__pace_end(struct hf_agent *agent);

/* --- agent_held.c: the session with one peer -------------------------------------- */

enum hf__rests {
	HF__RESTS_NO_MORE, /* no object is there, or not this session's */
	HF__RESTS,
	HF__RESTS_NOT /* none could be made of what it is now */
};

struct hf__held {
	struct hf_agent *agent;
	LIST_ENTRY(hf__held) of_agent;
	struct hf__entry *entry;
	int listed; /* new channels come here */
	enum hf_agent_state state;
	struct hf__app *waiting; /* in the order in which they came */
	unsigned apps;		 /* who has, or waits for, a channel */
	struct hf_mux *mux;
	int dirty;	   /* there is something to send */
	uint64_t quiet_ms; /* since when nobody uses it */
	enum hf_err last;
	uint64_t opened, handshakes, resumes, in, out;
	enum hf_mobility strength;
	uint64_t epoch;
	struct hf_name responder;
	uint8_t sid[HF_SID_BYTES];
	/* agent_reach.c */
	struct hf_link *link;	    /* NULL: none */
	struct hf_session *session; /* one that may move outlives its link */
	struct hf__look_up *look_up;
	struct hf_stretch *stretch;
	struct hf_address at[HF__ADDRESSES * HF_ADDRESSES_MAX];
	size_t at_n, at_next, tried;
	uv_connect_t connect;
	uint64_t connect_by; /* 0, or until when */
	uint64_t again_at;   /* 0, or when to try again */
	uint64_t broken_ms;  /* since when it has no connection */
	int connected, refused, ending;
	int elsewhere;	   /* the server asks for it */
	enum hf_err first; /* why the first address failed */
	/* agent_rest.c */
	enum hf__rests rested;
	uint64_t rested_at; /* own records, when it was put to rest */
	uint64_t rest_by;   /* 0, or the agent ends: until when it may take */
};

/* The session for that entry: the one that there is, or a new one. NULL: no
 * memory. */
struct hf__held *hf__held_find(struct hf_agent *agent,
    struct hf__entry *entry);
/* The application waits for the session, which begins where there is none, and
 * for the end of the loop's round: what else that brings may be its end. */
void hf__held_join(struct hf__held *held, struct hf__app *app);
/* The round has ended: whoever waits gets a channel, where it is open still. */
void hf__held_carry(struct hf__held *held);
/* Its peer has closed it: who came in the same moment waits for the next one. */
void hf__held_closed(struct hf__held *held);
/* It uses it no more. */
void hf__held_leave(struct hf__held *held, struct hf__app *app);
/* It is open: whoever waits gets a channel. */
void hf__held_opened(struct hf__held *held);
/* There is none, and will be none: whoever waits, or has a channel, is told. */
void hf__held_failed(struct hf__held *held, enum hf_err err);
/* Every channel is over. */
void hf__held_cut(struct hf__held *held, enum hf_err err);
/* Ends the session in order; its channels are over. */
void hf__held_end(struct hf__held *held, enum hf_err err, int reason);
/* Frees it, when nothing of it is left: 1. */
int hf__held_free(struct hf__held *held);
/* There is something to send, when the loop has come round. */
void hf__held_touch(struct hf__held *held);
/* Fills in what is told of it; held may be NULL. */
void hf__held_state(struct hf__wire *wire, const struct hf__entry *entry,
    const struct hf__held *held);

/* --- agent_reach.c ------------------------------------------------------------------ */

/* Begins a session, or goes on with the one that is broken. */
void hf__reach_begin(struct hf__held *held);
/* Leaves a server that asks for it; who waits then has it go on. */
void hf__reach_elsewhere(struct hf__held *held);
/* The session is not wanted any more: it ends, in order where it is open. */
void hf__reach_end(struct hf__held *held);
/* The agent ends: the session is put to rest where it can, else ends so. */
void hf__reach_leave(struct hf__held *held);
void hf__reach_tell(struct hf__held *held, int what, enum hf_err err);
/* Whatever has a time. */
void hf__reach_look(struct hf__held *held, uint64_t now);
/* 1 when nothing is under way. */
int hf__reach_quiet(const struct hf__held *held);

/* --- agent_place.c, agent_rest.c: sessions at rest, where the file names a
 *     place for them --- */

/* A new file of that name, and nobody else's; one that was there is gone. */
HF_MUST_USE enum hf_err hf__rest_file(int dir, const char *name,
    const uint8_t *ptr, size_t len);

/* Puts it to rest: 1 when it is. */
int hf__rest_put(struct hf__held *held);
/* Wakes what rests for that peer, if anything does, and takes it away. */
void hf__rest_take(struct hf__held *held);
/* What rests of it is taken away: it will send, or has ended. */
void hf__rest_drop(struct hf__held *held);
/* The same of a peer that has no session. */
void hf__rest_remove(struct hf_agent *agent, const char *peer);
/* Its session may have sent something by itself. */
void hf__rest_moved(struct hf__held *held);
/* 1 when nothing else is to be looked at: the agent ends. */
int hf__rest_look(struct hf__held *held, uint64_t now);
/* Removes what nobody takes any more: objects for peers that the file does not
 * have, and what was left half written. */
void hf__rest_tidy(struct hf_agent *agent);
void hf__rest_end(struct hf_agent *agent);

/* --- agent.c ------------------------------------------------------------------------- */

struct hf_agent {
	uv_loop_t *loop;
	struct hf_peers *peers;
	void (*told)(void *owner, const struct hf_agent_event *event);
	void *owner;
	LIST_HEAD(, hf__held) held;
	LIST_HEAD(, hf__app) apps;
	unsigned apps_n;
	uv_poll_t door;
	uv_timer_t look;
	/* agent_pace.c */
	uv_timer_t rest;
	LIST_HEAD(, hf__flow) flows;
	TAILQ_HEAD(, hf__flow) talk; /* in the order of their last words */
	TAILQ_HEAD(, hf__app) line;
	unsigned floods, flows_left; /* processes that flood; without an app */
	int64_t purse;
	int64_t worked_us; /* when the last rest ended */
	int crowded;	   /* the door rests too */
	uv_check_t round;
	int listening, door_fd, deaf, stopping, alone;
	int rest_dir, rest_lock;
	uint8_t *rest_key; /* sodium_malloc memory; NULL: nothing rests */
	uint8_t scratch[HF_LINK_SCRATCH];
	uint8_t in[HF__APP_READ + HF__WIRE_MAX];
	uint8_t last[2 * HF__WIRE_MAX]; /* of who is gone */
};

uint64_t hf__agent_ms(void);
/* How many applications with that entry's name are of the same process, and of
 * the same user. */
void hf__agent_count(unsigned *of_process, unsigned *of_user,
    const struct hf_agent *agent, const struct hf__app *app, const char *peer);
/* A channel of that process has come or gone: its turn is for all of them. */
void hf__agent_share(struct hf_agent *agent, const struct hf__app *app);
void hf__agent_tell(struct hf_agent *agent,
    const struct hf_agent_event *event);
/* Who stands at the door may come in again. */
void hf__agent_knocks(struct hf_agent *agent);
/* An application is gone, or a session. */
void hf__agent_left(struct hf_agent *agent);

#endif
