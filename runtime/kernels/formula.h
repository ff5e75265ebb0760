/* A formula: what an elementwise operator computes of an element. It stands once, in the operator's file (ops/formula.h
 * tells how), and the build makes of it a loop for each instruction set, of floats, and one for each other type.
 *
 * Here is what those see of it who run formulas and need not know which: chains (chain.h), what stands behind a
 * normalisation (norm_block.h), and the elementwise nodes themselves (ops/elementwise.h). */
#ifndef KILN_KERNELS_FORMULA_H
#define KILN_KERNELS_FORMULA_H

#include "kernels/kernels.h"

enum { OPERANDS = 4 };

struct numbers { /* the attributes of most elementwise operators */
    float alpha, beta;
};

/* A run of n elements, at least 1. Operand k is x[k][i * step[k]]; step is 1, or 0 for one element that all share, but
 * never 0 for every operand where n is above 1. y may be one of x. */
struct elements {
    void *y;
    const void *x[OPERANDS];
    int64_t step[OPERANDS];
    int64_t n;
    struct numbers numbers;
    const void *attrs;
    const struct kernels *k;
};
typedef void elementwise_loop(const struct elements *s);

/* Back through a formula behind a normalisation: the gradient that reaches z = (x - mean) * scale + shift from dy, the
 * gradient of the formula of z. Rows are contiguous, x, dy and the result laid out alike. */
typedef void before_f32(const float *x, const float *dy, float *to, int64_t rows, int64_t columns, const float *mean,
                        const float *scale, const float *shift, struct numbers numbers);

struct formula_loops { /* of floats, for one instruction set */
    elementwise_loop *f32;
    before_f32 *before; /* NULL where it cannot stand behind a normalisation */
};

/* The time that an element takes, in that of an addition. An exponential, and what is like it, takes several times what
 * memory takes. */
enum effort { LIGHT = 1, DIVISION = 2, EXPONENTIAL = 8 };

/* x[0] is the operand of a unary formula, x[0] and x[1] those of a binary one; a gradient's are what was saved, and
 * dy. */
struct formula {
    const char *name;
    const struct formula_loops *level[CPU_LEVELS];
    elementwise_loop *types[DTYPES]; /* of other types, by dtype; NULL where it has none */
    enum effort work;
    bool takes_one; /* may an operand be one element for all? */
    bool product;   /* x[0] * x[1] */
    /* Of unary ones; each may be NULL. The gradients, made of dy and x or y. */
    const struct formula *dx_of_x, *dx_of_y;
    const struct formula *times_x;    /* x * y, in one loop */
    bool (*rises)(struct numbers of); /* does y never fall as x rises? Where there is `before` */
};

static inline elementwise_loop *formula_f32(const struct formula *f, const struct kernels *k)
{
    return f->level[k->level]->f32;
}
static inline elementwise_loop *formula_loop(const struct formula *f, const struct kernels *k, enum dtype dtype)
{
    return dtype == F32 ? formula_f32(f, k) : f->types[dtype];
}

/* y[i] = f(x[i]); y[i] = f(p[i], q[i]). n may be 0. */
static inline void formula_of_1(const struct formula *f, const struct kernels *k, struct numbers numbers,
                                const float *x, float *y, int64_t n)
{
    formula_f32(f, k)(&(const struct elements){ .y = y, .x = { x }, .step = { 1 }, .n = n, .numbers = numbers });
}
static inline void formula_of_2(const struct formula *f, const struct kernels *k, struct numbers numbers,
                                const float *p, const float *q, float *y, int64_t n)
{
    formula_f32(f, k)(&(const struct elements){ .y = y, .x = { p, q }, .step = { 1, 1 }, .n = n, .numbers = numbers });
}

#endif
