/* Chains: elementwise steps that follow each other, done block by block, so that what lies between them never leaves
 * the first cache: each operand is read once, each result written once, however many steps there are.
 *
 * A step is a formula (formula.h); operands are inputs of the chain, of any shape that broadcasts, and results of
 * earlier steps. Steps whose results have another shape than the rest (sigmoid of a [N,1,1,C] that then scales a
 * [N,H,W,C]) are a stage of their own, done before. The bits are those of the steps done one after the other. */
#ifndef KILN_KERNELS_CHAIN_H
#define KILN_KERNELS_CHAIN_H

#include "kernels/formula.h"
#include "tensor/tensor.h"

enum {
    CHAIN_STEPS = 16,
    CHAIN_INPUTS = 8,
    CHAIN_OUTPUTS = 4,
    CHAIN_NOTHING = -1,
    CHAIN_BLOCK = 1024 /* floats: a few blocks fit the first cache together */
};

/* An operand is the number of an input, or CHAIN_INPUTS + the number of an earlier step. Gradients have what was saved
 * for p and dy for q. */
static inline bool chain_is_step(int operand)
{
    return operand >= CHAIN_INPUTS;
}

struct chain_step {
    const struct formula *formula;
    int p, q; /* q is CHAIN_NOTHING for the unary ones */
    struct numbers numbers;
};

struct chain {
    enum dtype dtype; /* of all inputs and results: formulas have loops for float alone so far */
    int inputs, steps, outputs;
    struct chain_step step[CHAIN_STEPS];
    int output[CHAIN_OUTPUTS]; /* numbers of steps */
};

/* How a stage sees a value: element by element; as one number; as a number, or a row, for each long run of elements, at
 * which blocks end; as a short row that comes again and again (laid out a few times in a row, once); or in any other
 * way (laid out for each block). */
enum chain_form { CHAIN_FULL, CHAIN_ONE, CHAIN_RUNS, CHAIN_ROW, CHAIN_SPREAD };

struct chain_source {
    int value; /* as an operand */
    enum chain_form form;
    int rank; /* of what is left when dimensions that go on in each other are merged; [0] is the innermost */
    int64_t dims[MAX_RANK], step[MAX_RANK];
    int64_t at;      /* of its buffer, in floats */
    int64_t rows_at; /* of the one for chain_rows */
};

struct chain_code {
    struct chain_step step; /* whose p and q are numbers of codes of this stage, or CHAIN_STEPS + a source's */
    int number;             /* of the step */
    int place;              /* of the block for its result; CHAIN_NOTHING: it has whole memory */
    int64_t rows_at;        /* of its block for chain_rows, in floats */
};

struct chain_stage {
    int64_t total;
    int code, codes, source, sources;
};

/* A chain for certain shapes. */
struct chain_plan {
    struct tensor type[CHAIN_STEPS]; /* of the results: chain.dtype, no data */
    int stages;
    struct chain_stage stage[CHAIN_STEPS];
    struct chain_code code[CHAIN_STEPS];
    struct chain_source source[2 * CHAIN_STEPS];
    int64_t kept[CHAIN_STEPS];     /* where whole results lie that are no output, in floats; CHAIN_NOTHING for others */
    int64_t kept_size, block_size; /* floats: of all of these, of the blocks of one thread */
    int64_t chunk;                 /* elements of a piece of work */
    double work;                   /* of an element: about so many operations of a product take as long */
};

/* `in` tells types and shapes. `wanted[k]`: is output k to be written? False where an input is not of the chain's type,
 * that has no loops, or shapes do not broadcast. */
bool chain_plan(struct chain_plan *c, const struct chain *chain, const struct tensor *const *in, const bool *wanted);
/* Afterwards, if chain_rows is to be called. */
void chain_plan_rows(struct chain_plan *c);
/* Bytes, 64-byte aligned. */
size_t chain_scratch(const struct chain_plan *c, int threads);
/* May the result of this step be written where the input lies? */
bool chain_may_share(const struct chain_plan *c, int step, int input);
/* out[k] is output k, NULL where it is not wanted. */
void chain_run(const struct chain_plan *c, const struct chain *chain, const struct kernels *k, struct pool *pool,
               const float *const *in, float *const *out, void *scratch);

/* The same for a part of the last stage, for those who have it in the cache: elements [from, from + n). Stages before
 * it have been done by chain_prepare. */
struct chain_task {
    const struct chain_plan *plan;
    const struct kernels *k;
    const float *in[CHAIN_INPUTS];
    float *whole[CHAIN_STEPS]; /* by step; NULL: in blocks only */
    float *blocks;
};
void chain_prepare(struct chain_task *t, const struct chain_plan *c, const struct chain *chain, const struct kernels *k,
                   struct pool *pool, const float *const *in, float *const *out, void *scratch);
void chain_part(const struct chain_task *t, int64_t from, int64_t n, int thread);
/* For rows of n elements, `stride` apart, of which the first begins at `from`. Short ones are laid side by side. Where
 * `y` is not NULL, it is input 0 of these rows, already side by side, and n at most CHAIN_BLOCK. */
void chain_rows(const struct chain_task *t, const float *y, int64_t from, int64_t rows, int64_t n, int64_t stride,
                int thread);

#endif
