/* What the parts of training_program.c share. */
#ifndef KILN_TRAIN_TRAINING_BUILD_H
#define KILN_TRAIN_TRAINING_BUILD_H

#include "plan/pass.h"
#include "train/training_program.h"

/* A graph under construction. */
struct build {
    struct trainer *trainer;
    struct training_program *program;
    struct emitter e;
    struct report *report;
    struct value **state;  /* by state: in this graph; float where the file's type is float16 or bfloat16 */
    struct value **moved;  /* likewise: a statistic, as the latest node that moves it leaves it; NULL: none has yet */
    struct value **slots;  /* of the trainable ones, one after the other */
    bool *learns, *frozen; /* by value id of the model: its parameter trains, or is frozen */
    bool open;             /* only running tells some sizes, which are not given */
};

/* An input of the graph that the file does not have. */
struct value *build_input(struct build *b, const char *name, const struct tensor *type);
/* By value id: what comes from outside, for this batch size; rank UNKNOWN for all others. */
struct tensor *build_types_given(struct build *b, struct arena *scratch);
/* The types of all values for this batch size. */
struct program *build_types(struct build *b);
/* What passes are right without gradients, or before them. What is trained and what is evaluated compute the same. */
bool build_rewrite(struct build *b, enum pass_time time);
bool build_gradients(struct build *b, const struct forward_part *f);
/* Inputs for slots and the rate. */
bool build_slots(struct build *b);
struct optimizer_inputs build_optimizer_inputs(const struct build *b);
/* What the optimiser must know of parameters: whether they can still be saved, how fast they learn. */
bool build_bounds(struct build *b, struct optimizer_inputs *to);

/* -- training_program_written.c */

/* The rest of a step that is written, behind its losses. */
bool build_written_step(struct build *b);

#endif
