/* A session runs a graph on tensors from outside: it checks them against what the graph declares, and owns threads,
 * memory and plans. */
#ifndef KILN_RUN_SESSION_H
#define KILN_RUN_SESSION_H

#include "plan/pass.h"
#include "run/frame.h"

struct session_options {
    int threads;             /* 0: one for each CPU */
    size_t memory;           /* bytes for plans, activations and what running makes; 0 is no limit */
    uint64_t seed;           /* of random operators */
    bool exact;              /* no ways that are faster and round worse (Winograd's convolution) */
    double seconds;          /* that making a session, and each run, may take; 0 is no limit */
    struct budget *total;    /* that the session's memory is charged to, too; may be NULL */
    const struct pool *pool; /* whose threads are used, `threads` then says nothing; NULL: its own */
    size_t outputs;          /* names of values that are computed in place of the graph's outputs; 0: those */
    const char *const *output;
};

struct session {
    struct budget budget;
    struct engine engine;
    const struct graph *graph; /* as it was given, or its own: */
    struct graph *chosen;      /* for other outputs; NULL */
    struct arena arena;        /* of that */
    struct passes passes;      /* in which form it is run: another graph with the same ids, where there is one */
    struct frame *frame;
    bool *given;            /* by value id */
    struct symbol *symbols; /* places where inputs declare the same symbol */
    size_t symbol_count;
};

/* The graph must outlive the session. NULL with an error. */
struct session *session_new(const struct graph *g, const struct session_options *o, struct report *r);
void session_free(struct session *s);

/* Is `t` what input `v` declares? Symbolic dimensions are checked against each other when running. */
bool session_check(const struct value *v, const struct tensor *t, struct report *r);
/* The data must stay until the run is over. An initializer that is also an input may be set too. */
bool session_set(struct session *s, const struct value *v, const struct tensor *t, struct report *r);
/* Forgets what was set: the next run starts without. */
void session_clear(struct session *s);
bool session_run(struct session *s, struct report *r);
/* For session_describe: types as the inputs declare them, with `batch` for a first dimension that is open, and 1 for
 * others. */
bool session_set_types(struct session *s, int64_t batch, struct report *r);
/* How a run would go: of what was set only the types are looked at. False with an error. */
bool session_describe(struct session *s, struct text *out, struct report *r);
/* Output k; its memory belongs to the session, until the next run. */
const struct tensor *session_output(const struct session *s, size_t k);

#endif
