#include "ops/features.h"
#include "ops/convert.h"
#include "ops/rank.h"
#include "ops/rows.h"
#include "ops/view.h"

bool features_of(struct infer *i, int k, int64_t *rows, int64_t *features)
{
    const struct tensor *x = typed_in(i, k);

    if (x->rank != 1 && x->rank != 2)
        return infer_error(i, "'X' has %d dimensions, must have 1 or 2", x->rank);
    *rows = x->rank == 1 ? 1 : x->dims[0];
    *features = x->dims[x->rank - 1];
    return true;
}

bool features_fit(struct infer *i, int k, int64_t features, int64_t *rows)
{
    int64_t got = 0;

    if (!features_of(i, k, rows, &got))
        return false;
    return got == features ||
           infer_error(i, "'X' has %lld features, must have %lld", (long long)got, (long long)features);
}

/* -- a node -- */

static enum dtype wide(enum dtype dtype)
{
    return dtype == F64 ? F64 : F32;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    const int64_t features = *(const int64_t *)infer_attrs(i);
    int64_t rows = 0;

    if (!features_fit(i, 0, features, &rows))
        return false;
    if (wide(x->dtype) == x->dtype)
        return view_out(i, 2, (const int64_t[]){ rows, features });
    return set_out(i, 0, wide(x->dtype), 2, (const int64_t[]){ rows, features });
}

static enum dtype told(const struct node *n, int k)
{
    const enum dtype from = known_input(n, 0).dtype;

    (void)k;
    return from ? wide(from) : UNDEFINED;
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[0], *y = s->out[0];

    if (x->dtype != y->dtype)
        convert_between(x->dtype, y->dtype)(x->data, y->data, tensor_count(x));
    return true;
}

static bool gradient(struct backward *b)
{
    const struct tensor *x = type_in(b, 0);

    if (wants(b, 0))
        give(b, 0, emit_reshape(emitter_of(b), upstream(b, 0), x->rank, x->dims));
    return backward_ok(b);
}

static bool batch_independent(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    return types[0]->rank == 2 && rows_of_first(n, types, rows);
}

static const struct op feature_rows = {
    .name = "FeatureRows",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T1 Y",
                                       .types = "T: f32 f64 i32 i64; T1: f32 f64",
                                       .attrs_size = sizeof(int64_t),
                                       .rank = rank_of_matrix,
                                       .dtype = told,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .batch_independent = batch_independent },
                                     { 0 } },
};

struct value *emit_features(struct emitter *e, struct value *x, int64_t features)
{
    int64_t *attrs = emit_alloc(e, sizeof *attrs);
    struct value *y = NULL;

    if (attrs) {
        *attrs = features;
        emit_private(e, &feature_rows, attrs, 1, &y, NULL, 1, &x);
    }
    return y;
}
