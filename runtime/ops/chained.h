/* A chain (ops/fused.h) at the end of an operator that makes products (op_def.take_chain): it is run on parts of the
 * result, by the thread that made them, or where that cannot be, behind it: when all of the result is there.
 *
 * Input 0 of the chain is the result; its inputs 1, 2 ... are the node's inputs `at`, at + 1 ...; what it makes is the
 * node's output 0. */
#ifndef KILN_OPS_CHAINED_H
#define KILN_OPS_CHAINED_H

#include "kernels/gemm.h"
#include "ops/fused.h"

struct chained {
    struct chain_plan plan;
    bool behind;
    size_t result;  /* bytes of scratch for the result, where it cannot lie in the output */
    size_t scratch; /* bytes of scratch for the chain */
    /* All of it is done by gemm(): the input of the chain that is added, 0 for none, and then max(0, .). */
    bool taken, relu;
    int residual;
};

enum chained_by { CHAINED_BEHIND, CHAINED_PARTS, CHAINED_ROWS }; /* rows: parts of some columns of some rows */

/* Sets the type of the output. `own` is that of the result, `by` how its parts come; it is run so where it neither
 * makes the result larger nor wants parts of it elsewhere. */
bool chained_infer(struct infer *i, struct chained *c, const struct fused *f, int at, const struct tensor *own,
                   enum chained_by by);

struct chained_run {
    const struct chained *plan;
    struct chain_task task; /* for parts, where it is not run behind */
    const float *in[CHAIN_INPUTS];
    float *out;
    void *memory;
};

/* `y` is where the result will lie, `memory` the chain's scratch. */
void chained_begin(struct chained_run *r, const struct step *s, const struct chained *c, const struct fused *f, int at,
                   const float *y, void *memory);
/* The result is there. */
void chained_end(const struct chained_run *r, const struct step *s, const struct fused *f);

/* `comma`: what stands before the first step. */
void chained_tell(const struct chained *c, const struct fused *f, const char *comma, struct text *out);

/* -- Gemm and MatMul: scratch is the result, where it lies there, the chain's, and that of gemm() -- */

/* The output's type, the scratch, and the step's plan. `f` NULL: no chain. */
bool chained_gemm_infer(struct infer *i, const struct fused *f, int at, const struct tensor *own, struct gemm *g);
/* Where g.c is. */
void *chained_product(const struct step *s);
/* The product and the chain. */
void chained_gemm(struct step *s, const struct fused *f, int at, struct gemm *g);

#endif
