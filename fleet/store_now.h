/* SPDX-License-Identifier: ISC */
/*
 * Operations on a store for those of this library who can be told of the
 * answer before the call returns: nothing waits for the loop's next turn then.
 */
#ifndef FLEET_STORE_NOW_H
#define FLEET_STORE_NOW_H

#include "fleet.h"

/* As hf_port_get() and hf_port_swap(); `done` may be called at once, where the
 * engine need not wait. *op: what is under way; NULL: it was told. Returns 0
 * where nothing could be asked. With `quietly` an engine may leave out the
 * notice to others, who have nothing to do because of it. */
int hf__port_get_now(struct hf_op **op, struct hf_port *port,
    struct hf_span key, hf_store_done *done, void *arg);
int hf__port_swap_now(struct hf_op **op, struct hf_port *port,
    struct hf_span key, struct hf_span expected, struct hf_span next,
    uint64_t expires, int quietly, hf_store_done *done, void *arg);

#endif
