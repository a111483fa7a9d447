/* SPDX-License-Identifier: ISC */
/*
 * Files of words, values and braces, as libconfuse reads them: whole files
 * alone. What the words mean belongs to whoever reads them.
 */
#ifndef FLEET_CONF_H
#define FLEET_CONF_H

#include <confuse.h>

#include "agent.h"

enum { HF_CONF_MAX = 1 << 20 }; /* bytes of such a file */

/* Where a file is wrong. */
struct hf_conf_fault {
	int line; /* 0: it is no line's */
	char what[HF_WHY_MAX / 2];
};

/* From the text of a file (`len` bytes, and a NUL behind them) to what it says
 * of `options`, which end with CFG_END(). A text that ends inside a block, a
 * list, a string or a comment was cut, and is not taken. To be given back by
 * hf_conf_free(). Any thread may call both.
 * @return HF_OK; HF_E_CONFIG for what it says; HF_E_MEMORY */
HF_MUST_USE enum hf_err hf_conf_parse(cfg_t **cfg, cfg_opt_t *options,
    const char *text, size_t len, struct hf_conf_fault *fault);
/* Accepts NULL. */
void hf_conf_free(cfg_t *cfg);

#endif
