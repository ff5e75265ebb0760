#include "ops/elementwise.h"
#include "ops/convert.h"
#include <stdio.h>
#include <string.h>

enum {
    BLOCK = 256, /* elements converted at a time, on the stack */
    TILE = 256   /* elements that a short operand is repeated to, on the stack */
};

/* -- shapes -- */

/* What is left of the shapes: dims[0] is the innermost. The steps are in elements; that of the innermost dimension is 0
 * or 1. */
struct spread {
    int rank; /* at least 1 */
    int64_t dims[MAX_RANK], step[MAX_RANK][OPERANDS], total;
    /* An operand that goes round and round along the innermost dimension: after how many elements; 0 for all others. */
    int64_t period[OPERANDS], tile;
};

/* The step of x along dimension d of y, as far as x has it; *dense is the product of x's dimensions so far. */
static int64_t step_along(const struct tensor *x, const struct tensor *y, int d, int64_t *dense)
{
    const int axis = d - (y->rank - x->rank);
    const int64_t dim = axis < 0 ? 1 : x->dims[axis], step = *dense;

    *dense *= dim;
    return dim == 1 ? 0 : step;
}

/* Dimensions of 1 are dropped; one that goes on where the one inside it ends, in every operand, is merged with it. */
static void collapse(struct spread *s, const struct tensor *y, int inputs, const struct tensor *const *x)
{
    int64_t dense[OPERANDS] = { 1, 1, 1, 1 };

    s->rank = 0;
    s->total = 1;
    for (int d = y->rank - 1; d >= 0; d--) {
        int64_t step[OPERANDS] = { 0 };
        bool merges = s->rank > 0;

        for (int k = 0; k < inputs; k++)
            step[k] = step_along(x[k], y, d, &dense[k]);
        if (y->dims[d] == 1)
            continue;
        s->total *= y->dims[d];
        for (int k = 0; k < inputs && merges; k++)
            merges = step[k] == s->step[s->rank - 1][k] * s->dims[s->rank - 1];
        if (merges) {
            s->dims[s->rank - 1] *= y->dims[d];
            continue;
        }
        s->dims[s->rank] = y->dims[d];
        for (int k = 0; k < OPERANDS; k++)
            s->step[s->rank][k] = step[k];
        s->rank++;
    }
    if (!s->rank) { /* a single element */
        s->rank = 1;
        s->dims[0] = 1;
        for (int k = 0; k < OPERANDS; k++)
            s->step[0][k] = 1;
    }
}

/* A short innermost dimension, along which some operands go on with the next one outside it and others start again
 * ([N, H, W, C] with [C]), is merged with it: those that start again are laid out a few times in a row. */
static void repeat(struct spread *s, int inputs)
{
    const int64_t period = s->dims[0];

    if (s->rank < 2 || period > TILE / 2)
        return;
    for (int k = 0; k < inputs; k++) {
        bool again = s->step[0][k] == 1;

        for (int d = 1; d < s->rank; d++)
            again &= s->step[d][k] == 0;
        s->period[k] = again ? period : 0;
        if (!again && s->step[0][k] * period != s->step[1][k]) {
            memset(s->period, 0, sizeof s->period);
            return;
        }
    }
    s->dims[0] *= s->dims[1];
    s->tile = (TILE / period + 1) * period < s->dims[0] ? (TILE / period + 1) * period : s->dims[0];
    s->rank--;
    for (int d = 1; d < s->rank; d++) {
        s->dims[d] = s->dims[d + 1];
        memcpy(s->step[d], s->step[d + 1], sizeof s->step[d]);
    }
}

/* -- running -- */

struct elementwise_job {
    const struct elementwise *e;
    struct spread spread;
    struct elements span; /* whole: where operands and output begin */
    int inputs;
    size_t size[OPERANDS], y_size;
    convert_loop *into[OPERANDS], *from; /* NULL: the loop takes what is stored */
    bool converts;
    int64_t chunk;
};

/* A run whose types are not those of the loop, in blocks. */
static void run_converted(const struct elementwise_job *j, const struct elements *whole)
{
    uint64_t x[OPERANDS][BLOCK], y[BLOCK];

    for (int64_t at = 0; at < whole->n; at += BLOCK) {
        struct elements s = *whole;

        s.n = whole->n - at < BLOCK ? whole->n - at : BLOCK;
        for (int k = 0; k < j->inputs; k++) {
            s.x[k] = (const char *)whole->x[k] + (size_t)(at * whole->step[k]) * j->size[k];
            if (j->into[k]) {
                j->into[k](s.x[k], x[k], whole->step[k] ? s.n : 1);
                s.x[k] = x[k];
            }
        }
        s.y = j->from ? (void *)y : (char *)whole->y + (size_t)at * j->y_size;
        j->e->loop(&s);
        if (j->from)
            j->from(y, (char *)whole->y + (size_t)at * j->y_size, s.n);
    }
}

/* A run that no operand varies in (one that is still to come made the output larger) is computed once: loops need not
 * expect it. */
static void run(const struct elementwise_job *j, struct elements *s)
{
    const int64_t n = s->n;
    bool constant = n > 1;

    for (int k = 0; k < j->inputs; k++)
        constant &= !s->step[k];
    if (constant)
        s->n = 1;
    if (j->converts)
        run_converted(j, s);
    else
        j->e->loop(s);
    for (int64_t k = 1; k < n && constant; k++)
        memcpy((char *)s->y + (size_t)k * j->y_size, s->y, j->y_size);
    s->n = n;
}

static void fill_tile(const struct elementwise_job *j, int operand, char *tile)
{
    const size_t bytes = (size_t)j->spread.period[operand] * j->size[operand];

    for (int64_t at = 0; at < j->spread.tile; at += j->spread.period[operand], tile += bytes)
        memcpy(tile, j->span.x[operand], bytes);
}

static void run_chunk(void *context, int64_t index, int thread)
{
    const struct elementwise_job *j = context;
    const struct spread *sp = &j->spread;
    uint64_t tile[OPERANDS][2 * TILE];
    int64_t at = index * j->chunk, rest = at, i[MAX_RANK], offset[OPERANDS] = { 0 };
    const int64_t end = sp->total - at < j->chunk ? sp->total : at + j->chunk;

    (void)thread;
    for (int k = 0; k < j->inputs; k++)
        if (sp->period[k])
            fill_tile(j, k, (char *)tile[k]);
    for (int d = 0; d < sp->rank; d++) {
        i[d] = rest % sp->dims[d];
        rest /= sp->dims[d];
        for (int k = 0; k < j->inputs; k++)
            offset[k] += i[d] * sp->step[d][k];
    }
    while (at < end) {
        struct elements s = j->span;

        s.n = sp->dims[0] - i[0] < end - at ? sp->dims[0] - i[0] : end - at;
        s.y = (char *)j->span.y + (size_t)at * j->y_size;
        for (int k = 0; k < j->inputs; k++) {
            s.x[k] = (const char *)j->span.x[k] + (size_t)offset[k] * j->size[k];
            s.step[k] = sp->step[0][k];
            if (sp->period[k]) {
                const int64_t phase = i[0] % sp->period[k];

                s.x[k] = (const char *)tile[k] + (size_t)phase * j->size[k];
                s.n = s.n < sp->tile - phase ? s.n : sp->tile - phase;
            }
        }
        run(j, &s);
        at += s.n;
        i[0] += s.n;
        for (int k = 0; k < j->inputs; k++)
            offset[k] += s.n * sp->step[0][k];
        for (int d = 0; d + 1 < sp->rank && i[d] == sp->dims[d]; d++) {
            i[d] = 0;
            i[d + 1]++;
            for (int k = 0; k < j->inputs; k++)
                offset[k] += sp->step[d + 1][k] - sp->dims[d] * sp->step[d][k];
        }
    }
}

/* A tile has room for elements of up to 8 bytes. */
static bool all_words(const struct elementwise_job *j)
{
    for (int k = 0; k < j->inputs; k++)
        if (j->size[k] > sizeof(uint64_t))
            return false;
    return true;
}

static convert_loop *conversion(enum dtype from, enum dtype to)
{
    return from == to ? NULL : convert_between(from, to);
}

bool elementwise(struct step *s, const struct elementwise *e, struct tensor *y, int inputs,
                 const struct tensor *const *x)
{
    struct elementwise_job j = {
        .e = e, .inputs = inputs, .span = e->span, .chunk = e->chunk ? e->chunk : CHUNK_CHEAP
    };

    if (!y || tensor_count(y) == 0)
        return true;
    collapse(&j.spread, y, inputs, x);
    for (int k = 0; k < inputs; k++) {
        const enum dtype as = e->x_as[k] ? e->x_as[k] : dtype_compute(x[k]->dtype);

        j.span.x[k] = x[k]->data;
        j.size[k] = dtype_size(x[k]->dtype);
        j.into[k] = conversion(x[k]->dtype, as);
        j.converts |= j.into[k] != NULL;
    }
    j.span.y = y->data;
    j.y_size = dtype_size(y->dtype);
    j.from = conversion(e->y_as ? e->y_as : dtype_compute(y->dtype), y->dtype);
    j.converts |= j.from != NULL;
    if (all_words(&j))
        repeat(&j.spread, inputs);
    j.span.k = s->k;
    pool_run(s->pool, (j.spread.total - 1) / j.chunk + 1, run_chunk, &j);
    return true;
}

/* Where libm is called for each element, chunks are smaller. */
static int64_t chunk_of(enum dtype as)
{
    return as == F32 ? CHUNK_KERNEL : CHUNK_LIBM;
}

bool unary_run(struct step *s, const struct formula *f, struct numbers numbers)
{
    const enum dtype as = dtype_compute(s->in[0]->dtype);
    const struct elementwise e = { .loop = formula_loop(f, s->k, as),
                                   .chunk = chunk_of(as),
                                   .span = { .numbers = numbers, .attrs = s->attrs } };

    return elementwise(s, &e, s->out[0], 1, s->in);
}

bool unary_grad_run(struct step *s, const struct formula *f, struct numbers numbers)
{
    const enum dtype as = dtype_compute(s->in[0]->dtype);
    const struct elementwise e = { .loop = formula_loop(f, s->k, as),
                                   .chunk = chunk_of(as),
                                   .span = { .numbers = numbers, .attrs = s->attrs } };
    const struct tensor *const saved_and_dy[] = { s->in[1], s->in[0] };

    return elementwise(s, &e, s->out[0], 2, saved_and_dy);
}

bool binary_run(struct step *s, const struct formula *f)
{
    const struct elementwise e = { .loop = formula_loop(f, s->k, dtype_compute(s->in[0]->dtype)) };

    return elementwise(s, &e, s->out[0], 2, s->in);
}

static bool has_zero(const struct tensor *t)
{
    static const char zero[8];
    const size_t size = dtype_size(t->dtype);
    const int64_t n = tensor_count(t);

    for (int64_t k = 0; k < n; k++)
        if (memcmp((const char *)t->data + (size_t)k * size, zero, size) == 0)
            return true;
    return false;
}

bool divisor_fits(struct step *s)
{
    if (!dtype_is_float(s->in[1]->dtype) && s->out[0] && tensor_count(s->out[0]) && has_zero(s->in[1]))
        return step_error(s, "'B' holds a 0, by which integers cannot be divided");
    return true;
}

bool copy_run(struct step *s)
{
    if (s->out[0] && s->out[0]->data != s->in[0]->data && tensor_bytes(s->in[0]) > 0)
        memmove(s->out[0]->data, s->in[0]->data, (size_t)tensor_bytes(s->in[0]));
    return true;
}

bool variadic_run(struct step *s, const struct formula *f)
{
    const struct elementwise e = { .loop = formula_loop(f, s->k, dtype_compute(s->in[0]->dtype)) };
    const int inputs = s->node->inputs;
    bool ok;

    if (inputs == 1)
        return copy_run(s);
    ok = elementwise(s, &e, s->out[0], 2, s->in);
    for (int k = 2; k < inputs && ok; k++) {
        const struct tensor *const pair[] = { s->out[0], s->in[k] };

        ok = elementwise(s, &e, s->out[0], 2, pair);
    }
    return ok;
}

/* -- chains -- */

bool chain_numbers(const struct node *n, struct chain_step *s)
{
    s->numbers = *(const struct numbers *)n->attrs;
    return true;
}

bool chain_constant(const struct node *n, int k, float *value)
{
    const struct tensor *const t = k < n->inputs ? value_constant(n->in[k]) : NULL;

    if (!t || t->dtype != F32 || tensor_count(t) != 1)
        return false;
    *value = *(const float *)t->data;
    return true;
}

/* -- plan -- */

bool unary_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    char got[TYPE_TEXT], need[TYPE_TEXT];

    for (int k = 1; k < infer_inputs(i); k++)
        if (typed_in(i, k) && !same_shape(typed_in(i, k), x))
            return infer_error(i, "input %d is %s, must have the shape of %s", k, tensor_text(typed_in(i, k), got),
                               tensor_text(x, need));
    may_reuse(i, 0, 0);
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

bool broadcast_infer(struct infer *i, int first, enum dtype dtype)
{
    int64_t dims[MAX_RANK];
    int rank = 0;

    for (int k = first; k < infer_inputs(i); k++) {
        char text[TYPE_TEXT], other[TYPE_TEXT];
        struct tensor before = { .dtype = dtype, .rank = rank };

        for (int d = 0; d < rank; d++)
            before.dims[d] = dims[d];
        if (typed_in(i, k) && !broadcast(&rank, dims, typed_in(i, k)))
            return infer_error(
                i, "input %d, %s, does not broadcast with the inputs before it, %s: dimensions must agree or be 1", k,
                tensor_text(typed_in(i, k), text), tensor_text(&before, other));
    }
    return set_out(i, 0, dtype, rank, dims);
}

/* The output may take the memory of an input that is as big. Not with more than two: the first pair is written before
 * the third is read. */
bool binary_infer(struct infer *i)
{
    if (!broadcast_infer(i, 0, typed_in(i, 0)->dtype))
        return false;
    for (int k = 0; k < infer_inputs(i) && infer_inputs(i) == 2; k++)
        if (typed_out(i, 0) && same_type(typed_in(i, k), typed_out(i, 0)))
            may_reuse(i, 0, k);
    return true;
}

bool variadic_infer(struct infer *i)
{
    if (infer_inputs(i) == 1)
        view_of(i, 0, 0);
    return binary_infer(i);
}

bool compare_infer(struct infer *i)
{
    return broadcast_infer(i, 0, BOOL);
}

/* -- differentiate -- */

bool unary_gradient(struct backward *b, const struct op *grad, struct value *saved)
{
    struct value *const in[] = { upstream(b, 0), saved };
    struct value *dx = NULL;

    if (wants(b, 0) && emit_private(emitter_of(b), grad, attrs_of(b), 1, &dx, NULL, 2, in))
        give(b, 0, dx);
    return backward_ok(b);
}

/* With m[k] = 1 where input k is the greatest, or the least: dx[k] = dy * m[k] / sum(m). */
bool extremum_gradient(struct backward *b)
{
    const int inputs = node_of(b)->inputs;
    struct emitter *e = emitter_of(b);
    struct value *share = upstream(b, 0), *ties = NULL, **mask;
    char to[16];

    if (inputs == 1) {
        give(b, 0, share);
        return backward_ok(b);
    }
    mask = emit_alloc(e, (size_t)inputs * sizeof *mask);
    if (!mask)
        return backward_ok(b);
    snprintf(to, sizeof to, "to=%d", (int)type_out(b, 0)->dtype);
    for (int k = 0; k < inputs; k++)
        mask[k] = emit(e, "Cast", to, 1, emit(e, "Equal", "", 2, forward_in(b, k), forward_out(b, 0)));
    if (emit_many(e, "Sum", "", 1, &ties, inputs, mask))
        share = emit(e, "Div", "", 2, share, ties);
    for (int k = 0; k < inputs; k++)
        if (wants(b, k))
            give_unbroadcast(b, k, emit(e, "Mul", "", 2, share, mask[k]));
    return backward_ok(b);
}

/* -- test -- */

#define CASES(sign)                                                                                                    \
    { "f32[2,3,4]" sign, "", "f32[2,3,4]", 1 }, { "f64[5,7]" sign, "", "f64[5,7]", 1 },                                \
        { "f16[3,5]" sign, "", "f16[3,5]", 0 }, { "bf16[600]" sign, "", "bf16[600]", 0 },                              \
        { "f32[]" sign, "", "f32[]", 1 }, { "f32[0,3]", "", "f32[0,3]", 0 }, { "f64[1000]" sign, "", "f64[1000]", 0 }, \
        { "f32[40001]" sign, "", "f32[40001]", 0 },                                                                    \
    {                                                                                                                  \
        0                                                                                                              \
    }

const struct op_case unary_cases[] = { CASES("") }, unary_cases_positive[] = { CASES("+") };

const struct op_case unary_cases_within_1[] = {
    { "f32[5]~", "", "f32[5]", 1 },
    { "f32[2,6]{-.95,-.6,-.3,-.05,0,.01,.2,.5,.7,.9,.4,-.8}", "", "f32[2,6]", 1 },
    { "f64[5]{-.99,-.25,0,.5,.98}", "", "f64[5]", 1 },
    { "f64[4]{-1.5,2,nan,-inf}", "", "f64[4]", 0 },
    { "f32[6]{1,-1,1.5,-2,nan,inf}", "", "f32[6]", 0 },
    { "f32[]{.3}", "", "f32[]", 1 },
    { "f16[5]{-1,-.5,0,.5,1}", "", "f16[5]", 0 },
    { "bf16[600]", "", "bf16[600]", 0 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { "f32[40001]", "", "f32[40001]", 0 },
    { 0 },
};

const struct op_case rounding_cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 0 },
    { "f64[9]{-2.5,-1.5,-0.5,-0.2,0.5,1.5,2.5,1e300,-inf}", "", "f64[9]", 0 },
    { "f32[6]{0.49999997,-0.49999997,8388609,-1.5,nan,inf}", "", "f32[6]", 0 },
    { "f16[3,5]{-1,-.75,-.5,-.25,0,.25,.5,.75,1,1.25,1.5,1.75,2,2.5,3.5}", "", "f16[3,5]", 0 },
    { "f32[]", "", "f32[]", 0 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { "f32[40001]", "", "f32[40001]", 0 },
    { 0 },
};

const struct op_case rounding_cases_1[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 0 },
    { "f64[3]{-2.5,-0.5,1.5}", "consumed_inputs=[0]", "f64[3]", 0 },
    { 0 },
};

const struct op_case arithmetic_cases[] = {
    { "f32[2,3,4] f32[2,3,4]", "", "f32[2,3,4]", 3 },
    { "f64[5,7] f64[7]", "", "f64[5,7]", 3 },
    { "f64[3,1,5] f64[4,1]", "", "f64[3,4,5]", 3 },
    { "f32[2,3,4,5] f32[3,1,1]", "", "f32[2,3,4,5]", 3 },
    { "f32[] f32[3,5]", "", "f32[3,5]", 3 },
    { "f16[3,5] f16[3,1]", "", "f16[3,5]", 0 },
    { "bf16[600] bf16[1]", "", "bf16[600]", 0 },
    { "i8[7] i8[7]", "", "i8[7]", 0 },
    { "u16[2,3] u16[2,1]", "", "u16[2,3]", 0 },
    { "i64[2,3] i64[]", "", "i64[2,3]", 0 },
    { "f32[0,3] f32[1,3]", "", "f32[0,3]", 0 },
    { "f32[] f32[]", "", "f32[]", 3 },
    { 0 },
};

const struct op_case extremum_cases[] = {
    { "f32[2,3,4]~ f32[2,3,4]~", "", "f32[2,3,4]", 3 },
    { "f64[5,7]~ f64[7]~", "", "f64[5,7]", 3 },
    { "f64[3,1,5] f64[4,1] f64[5]", "", "f64[3,4,5]", 7 },
    { "f64[1] f64[1] f64[6]~", "", "f64[6]", 0 },
    { "f64[5,7]~", "", "f64[5,7]", 1 },
    { "f32[3,5]~ f32[]", "", "f32[3,5]", 0 },
    { "f16[3,5] f16[3,1] f16[5]", "", "f16[3,5]", 0 },
    { "bf16[600] bf16[1]", "", "bf16[600]", 0 },
    { "i8[7] i8[7]", "", "i8[7]", 0 },
    { "u16[2,3] u16[2,1]", "", "u16[2,3]", 0 },
    { "i64[2,3] i64[]", "", "i64[2,3]", 0 },
    { "u64[3]{200,1,100} u64[3]{2,3,4}", "", "u64[3]", 0 },
    { "f32[0,3] f32[1,3]", "", "f32[0,3]", 0 },
    { 0 },
};

const struct op_case comparison_cases[] = {
    { "f32[2,3,4] f32[2,3,4]", "", "bool[2,3,4]", 0 },
    { "f64[3,1,5] f64[4,1]", "", "bool[3,4,5]", 0 },
    { "f16[600] f16[1]", "", "bool[600]", 0 },
    { "bf16[3,5] bf16[3,1]", "", "bool[3,5]", 0 },
    { "i8[7] i8[7]", "", "bool[7]", 0 },
    { "u16[2,3] u16[2,1]", "", "bool[2,3]", 0 },
    { "i64[2,3] i64[]", "", "bool[2,3]", 0 },
    { "u64[3]{200,1,3} u64[3]{2,3,4}", "", "bool[3]", 0 },
    { "f32[0,3] f32[1,3]", "", "bool[0,3]", 0 },
    { 0 },
};

const struct op_case comparison_cases_1[] = {
    { "f32[3,5] f32[3,5]", "", "bool[3,5]", 0 },
    { "f64[2,3]{1,0,0,1,1,0} f64[2]{1,0}", "broadcast=1 axis=0", "bool[2,3]", 0 },
    { 0 },
};

const struct op_case logical_cases[] = {
    { "bool[3,5] bool[3,5]", "", "bool[3,5]", 0 },     { "bool[2,3]{1,0,0,1,1,0} bool[3]{1,0,1}", "", "bool[2,3]", 0 },
    { "bool[3,1,5] bool[4,1]", "", "bool[3,4,5]", 0 }, { "bool[] bool[600]", "", "bool[600]", 0 },
    { "bool[0,3] bool[1,3]", "", "bool[0,3]", 0 },     { 0 },
};

const struct op_case bitwise_cases[] = {
    { "i8[4]{-128,-1,0,127} i8[4]{127,5,3,-2}", "", "i8[4]", 0 },
    { "u8[3]{0,200,255} u8[]{15}", "", "u8[3]", 0 },
    { "i16[3,1,5] i16[4,1]", "", "i16[3,4,5]", 0 },
    { "u16[600] u16[1]", "", "u16[600]", 0 },
    { "i32[2,3] i32[3]", "", "i32[2,3]", 0 },
    { "u32[] u32[]", "", "u32[]", 0 },
    { "i64[0,3] i64[1,3]", "", "i64[0,3]", 0 },
    { "u64[7] u64[7]", "", "u64[7]", 0 },
    { 0 },
};

const struct op_case logical_cases_1[] = {
    { "bool[3,5] bool[3,5]", "", "bool[3,5]", 0 },
    { "bool[2,3]{1,0,0,1,1,0} bool[2]{1,0}", "broadcast=1 axis=0", "bool[2,3]", 0 },
    { 0 },
};
