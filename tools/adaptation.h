/* Making a file a network that trains: what `kiln adapt` and its short form, `kiln convert --trainable`, share. */
#ifndef KILN_TOOLS_ADAPTATION_H
#define KILN_TOOLS_ADAPTATION_H

#include "tools.h"

enum { ADAPT_MOST = 64 }; /* choices, and outputs that train */

struct adapt_request {
    kiln_adapt_options options; /* but for the data, choices and outputs */
    const char *data;           /* a SPEC; NULL: none */
    int64_t limit;
    const char *normalize; /* NULL: nothing */
    const char *head;      /* a file; NULL: none */
    const char *names[ADAPT_MOST], *choices[ADAPT_MOST], *outputs[ADAPT_MOST];
    const char *report; /* a file for all that was found, as JSON; NULL: none */
    int threads;
    struct limits limits;
};

/* --calibrate, --limit, --normalize, --epsilon, --momentum, --threads, and the limits, as children of a verb's argp,
 * whose parser gives them its request at ARGP_KEY_INIT: state->child_inputs[0]. */
extern const struct argp_child adaptation_options[];
/* One of several children. */
#define ADAPTATION_OPTIONS                                                                                             \
    {                                                                                                                  \
        &adaptation_argp, 0, "What the file does not tell:", 8                                                         \
    }
extern const struct argp adaptation_argp;

/* Takes "NAME=CHOICE"; the option's error ends the command. */
void adapt_add_choice(struct adapt_request *q, char *arg, struct argp_state *state);
/* *m becomes the adapted model; what was found is told, and written to the report. False with an error. */
bool adapt_model(struct command *c, kiln_model **m, struct adapt_request *q);

/* One line to stderr where a file that was not adapted has BatchNormalization that training would not see. */
void adapt_hint(struct command *c, const kiln_model *m);

#endif
