/* A model that says itself how it is trained: --training of `kiln convert`. */
#ifndef KILN_TOOLS_STEPS_H
#define KILN_TOOLS_STEPS_H

#include "tools.h"

enum { MOST_STEP_TARGETS = 16 };

struct step_options {
    bool training, lower;
    const char *optimizer;
    size_t losses, frozen;
    const char *loss[MOST_STEP_TARGETS]; /* "[OUTPUT=]NAME..." */
    const char *freeze[MOST_STEP_TARGETS];
    int64_t batch; /* 0: it was not said */
    uint64_t seed;
    bool seeded;
};

extern const struct argp step_arguments;

/* Takes the place of *model; false with an error. */
bool step_model(struct command *c, kiln_model **model, const struct step_options *o);

#endif
