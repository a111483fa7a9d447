/* SPDX-License-Identifier: ISC */
/*
 * A lane: a session, or one channel of a session, as what a sink serves. It
 * knows which of the two it is, so that no sink needs to.
 */
#include "serve.h"

struct hf_session *
lane_session(const struct lane *lane)
{
	return hf_link_session(lane->conn->link);
}

/* There is room: whoever sends asks lane_full() between his pieces, which are
 * no larger than half of what a channel holds. */
void
lane_send(struct lane *lane, const uint8_t *data, size_t len)
{
	size_t taken;

	if (lane->channel == NULL) {
		hf_link_send(lane->conn->link, data, len);
		return;
	}
	if (hf_channel_send(lane->channel, &taken, data, len) != HF_OK ||
	    taken < len) {
		lane_abort(lane, HF_E_SPACE);
		return;
	}
	hf_link_pump(lane->conn->link);
}

int
lane_full(const struct lane *lane)
{
	if (lane->channel == NULL)
		return hf_link_queued(lane->conn->link) > HF_LINK_HIGH;
	return hf_channel_unsent(lane->channel) > CARRY_PIECE;
}

void
lane_pause(struct lane *lane)
{
	lane->held = 1;
	if (lane->channel == NULL)
		hf_link_pause(lane->conn->link);
}

void
lane_resume(struct lane *lane)
{
	lane->held = 0;
	if (lane->channel == NULL)
		hf_link_resume(lane->conn->link);
	else
		carry_deliver(lane);
}

void
lane_close(struct lane *lane)
{
	if (lane->channel == NULL) {
		hf_link_close(lane->conn->link);
		return;
	}
	/* HF_E_STATE: it has ended, which is told. */
	if (hf_channel_finish(lane->channel) == HF_OK)
		hf_link_pump(lane->conn->link);
}

/* A channel is let go: the mux sends what waits, and takes nothing more. */
void
lane_finish(struct lane *lane, uint64_t ms)
{
	if (lane->channel == NULL) {
		hf_link_finish(lane->conn->link, ms);
		return;
	}
	lane_close(lane);
	carry_over(lane);
}

void
lane_cut(struct lane *lane, enum hf_err err, uint64_t ms)
{
	if (lane->channel == NULL) {
		hf_link_cut(lane->conn->link, err, ms);
		return;
	}
	if (hf_channel_cut(lane->channel, HF_REASON_FAILED) == HF_OK)
		hf_link_pump(lane->conn->link);
	carry_over(lane);
}

void
lane_abort(struct lane *lane, enum hf_err err)
{
	if (lane->channel == NULL) {
		hf_link_abort(lane->conn->link, err);
		return;
	}
	if (hf_channel_reset(lane->channel, HF_REASON_FAILED) == HF_OK)
		hf_link_pump(lane->conn->link);
	carry_over(lane);
}
