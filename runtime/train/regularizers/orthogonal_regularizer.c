/* factor times the mean |cosine| between any two rows, or columns, of a matrix. */
#include "train/regularizer.h"

enum mode { ROWS, COLUMNS };
static const char *const modes[] = { "rows", "columns", NULL };

struct settings {
    double factor, mode;
};

static enum mode mode_of(const struct penalized *p)
{
    return (enum mode)(int)((const struct settings *)p->settings)->mode;
}

static int64_t size_of(const struct penalized *p)
{
    return p->type->dims[mode_of(p) == ROWS ? 0 : 1];
}

static const char *refuses(const struct penalized *p)
{
    if (!p->type || p->type->rank != 2)
        return "is of parameters with two dimensions";
    return size_of(p) < 2 ? "needs two rows or columns to compare" : NULL;
}

/* 0 on the diagonal, else 1. */
static struct value *emit_pairs(struct emitter *e, const struct penalized *p)
{
    const int64_t n = size_of(p);
    struct tensor *t = emit_alloc(e, sizeof *t);
    struct value *v = t ? graph_value(e->graph, NULL) : NULL;

    if (!v)
        return NULL;
    *t = (struct tensor){ .dtype = p->dtype, .rank = 2, .dims = { n, n } };
    t->data = emit_alloc(e, (size_t)tensor_bytes(t));
    for (int64_t k = 0; t->data && k < n * n; k++)
        if (p->dtype == F64)
            ((double *)t->data)[k] = k / n != k % n;
        else
            ((float *)t->data)[k] = k / n != k % n;
    v->initializer = t;
    v->known = (struct known){ 2, p->dtype };
    return t->data ? v : NULL;
}

/* Vectors shorter than 1e-7 are left as short as 1e7 times themselves, as in Keras. */
static struct value *emit_penalty(struct emitter *e, const struct penalized *p)
{
    const struct settings *s = p->settings;
    const double least = 1e-14, n = (double)size_of(p);
    const int64_t along = mode_of(p) == ROWS ? 1 : 0;
    struct value *length = emit(e, "ReduceSumSquare", "keepdims=1", 2, p->x, emit_ints(e, 1, &along)), *x, *across;

    length = emit(e, "Sqrt", "", 1, emit(e, "Max", "", 2, length, penalty_number(e, p, least)));
    x = emit(e, "Div", "", 2, p->x, length);
    across = emit(e, "Transpose", "perm=[1,0]", 1, x);
    x = mode_of(p) == ROWS ? emit(e, "MatMul", "", 2, x, across) : emit(e, "MatMul", "", 2, across, x);
    x = emit(e, "ReduceL1", "keepdims=0", 1, emit(e, "Mul", "", 2, x, emit_pairs(e, p)));
    return penalty_times(e, p, s->factor / (n * (n - 1)), x);
}

const struct regularizer_def regularizer_orthogonal_regularizer = {
    .row = { "orthogonal_regularizer", "factor times the mean |cosine| of any two rows",
             (const struct spec_option[]){
                 { SPEC_FIELD(struct settings, factor), "how much of it", .high = 1e30, .fallback = .01, .bare = true },
                 { SPEC_FIELD(struct settings, mode), "as the file has the matrix", SPEC_WORD, .words = modes },
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .refuses = refuses,
    .emit = emit_penalty,
};
