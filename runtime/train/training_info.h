/* Training as a file says it itself, in its training_info (TrainingInfoProto of https://onnx.ai/onnx/repo-docs/IR.html).
 *
 * A step runs, for each training_info in the order of the file, the main graph and the algorithm as one graph, and then
 * assigns what its update_binding names, all at once; the next one sees that. What is assigned to are initializers, of the
 * main graph or of the algorithm: the state, which lasts from step to step. An initialization assigns by its own binding. */
#ifndef KILN_TRAIN_TRAINING_INFO_H
#define KILN_TRAIN_TRAINING_INFO_H

#include "base/map.h"
#include "model/model.h"
#include "run/session.h"

/* An initializer that something is assigned to. */
struct info_state {
    const char *name;
    size_t info;         /* the training_info whose algorithm it is of; INFO_MAIN: of the main graph */
    struct tensor value; /* numbers, in memory of its own */
    void *next;          /* as much: what comes is put together here, then both change places */
};
#define INFO_MAIN SIZE_MAX

/* What one graph of a training_info assigns. */
struct info_run {
    struct model *model; /* the graph that is run, as a model: its inputs are those of the step, and the state */
    struct session *session;
    size_t bindings;
    struct info_binding {
        struct info_state *state;
        size_t output; /* of the session's */
    } * binding;
    size_t sources; /* where the graph's inputs come from */
    struct info_source {
        const struct value *value;
        const struct info_state *state; /* NULL: from input `input` of the training */
        size_t input;
    } * source;
    bool *bound; /* by output: something is assigned from it */
};

struct training_info {
    struct budget budget;
    struct arena arena;
    const struct model *model;                   /* as it was given */
    size_t count;                                /* of the file's training_info */
    struct info_run *initialization, *algorithm; /* [count]; no session where there is nothing to be run */
    size_t inputs;                               /* of a step, each name once: */
    const struct value **input;                  /* those of the main graph first, then those of the algorithms */
    size_t main_inputs;
    size_t states, updated;   /* the first `updated` are what steps assign to, in the order of their update_bindings */
    struct info_state *state; /* [states] */
    struct map *names;        /* [1 + count] to the states of the main graph, and of each algorithm */
    size_t results;           /* outputs of algorithms that nothing is assigned from, such as losses */
    struct info_result {
        const char *name;
        size_t info, output;
    } * result;
    int64_t steps;
};

/* The model must outlive it. The options' outputs are not looked at. NULL with an error: that there is no training_info,
 * too. */
struct training_info *training_info_new(const struct model *m, const struct session_options *o, struct report *r);
void training_info_free(struct training_info *t);
/* Assigns what the initializations compute. */
bool training_info_initialize(struct training_info *t, struct report *r);
/* A step on x[k] for input k. Whole or not at all: an update of another type than the initializer's, or one that is not
 * finite where that was, is an error, and changes nothing. */
bool training_info_step(struct training_info *t, const struct tensor *x, struct report *r);
/* Result k of the latest step. */
const struct tensor *training_info_result(const struct training_info *t, size_t k);
/* NULL: there is none of that name. Of several the main graph's, then the first. */
const struct info_state *training_info_find(const struct training_info *t, const char *name);
/* What the graphs of a training_info call so: the main graph's, or its algorithm's own. */
struct info_state *training_info_state(const struct training_info *t, const char *name, size_t info);
/* The model with the values that the state has now; not built. */
struct model *training_info_export(const struct training_info *t, struct report *r);

#endif
