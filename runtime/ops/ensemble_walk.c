#include "kernels/loop.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/ensemble.h"
#include "ops/ensemble_tests.h"
#include "ops/features.h"
#include <math.h>
#include <string.h>

/* -- votes -- */

static void add_vote(enum aggregate how, double *score, double weight)
{
    if (how == AGGREGATE_MIN)
        *score = *score <= weight ? *score : weight;
    else if (how == AGGREGATE_MAX)
        *score = *score >= weight ? *score : weight;
    else
        *score += weight;
}

static void add_votes(const struct ensemble *e, int32_t leaf, double *scores)
{
    for (int32_t k = e->first_vote[leaf]; k < e->first_vote[leaf + 1]; k++)
        add_vote(e->aggregate, &scores[e->votes[k].target], e->votes[k].weight);
}

static void begin_scores(const struct ensemble *e, double *scores, int64_t rows)
{
    const bool extreme = e->aggregate == AGGREGATE_MIN || e->aggregate == AGGREGATE_MAX;

    for (int64_t k = 0; k < rows * e->targets; k++)
        scores[k] = extreme ? (double)NAN : 0; /* nothing is less or greater: nobody has voted */
}

/* What nobody has voted for is 0. */
static void end_scores(const struct ensemble *e, double *scores)
{
    for (int64_t t = 0; t < e->targets; t++) {
        if (e->aggregate == AGGREGATE_AVERAGE)
            scores[t] /= (double)e->trees;
        else if (e->aggregate != AGGREGATE_SUM && isnan(scores[t]))
            scores[t] = 0;
        if (e->base)
            scores[t] += e->base[t];
    }
}

/* -- trees -- */

enum { TOGETHER = 8 }; /* walks at once, so that one does not wait for another's memory */

static int32_t number_in(float value) /* its bits */
{
    int32_t number;

    memcpy(&number, &value, sizeof number);
    return number;
}

#define T      float
#define TEST   test_f32
#define NUMBER number_in(n->value)
#define SUFFIX _f32
#include "ops/ensemble_walk_body.h"
#define T      double
#define TEST   test_f64
#define NUMBER (int32_t) n->value
#define SUFFIX _f64
#include "ops/ensemble_walk_body.h"

/* -- rows -- */

/* All rows of a block go through a tree before the next one, which stays in the cache meanwhile. */
static int64_t rows_of_block(const struct ensemble *e, int64_t rows)
{
    const int64_t most = greater(TOGETHER, CORE_CACHE / 4 / (int64_t)sizeof(double) / e->targets);

    return lesser(most, rows <= 64 ? 16 : lesser(256, greater(64, divide_up(rows, ENOUGH_JOBS))));
}

/* For each thread: scores, and rows in the type of the tests where they are of another one. */
struct block_bytes {
    int64_t scores, features;
};

static bool block_bytes(const struct ensemble *e, const struct tensor *x, int64_t rows, struct block_bytes *b)
{
    const int64_t block = rows_of_block(e, rows), width = (int64_t)dtype_size(e->dtype);

    b->features = 0;
    if (!mul_size(block * (int64_t)sizeof(double), e->targets, &b->scores) ||
        (x->dtype != e->dtype && !mul_size(block * width, x->dims[x->rank - 1], &b->features)) ||
        b->scores > INT64_MAX / 4 || b->features > INT64_MAX / 4)
        return false;
    b->scores = (int64_t)aligned((size_t)b->scores);
    b->features = (int64_t)aligned((size_t)b->features);
    return true;
}

bool ensemble_infer(struct infer *i, const struct ensemble *e, int64_t *rows)
{
    const struct tensor *x = typed_in(i, 0);
    int64_t features, bytes;
    struct block_bytes b;

    if (!features_of(i, 0, rows, &features))
        return false;
    if (features < e->features)
        return infer_error(i, "'X' has %lld features, and %s looks at feature %lld", (long long)features, e->widest,
                           (long long)e->features - 1);
    if (!block_bytes(e, x, *rows, &b) || !mul_size(b.scores + b.features, infer_threads(i), &bytes))
        return infer_error(i, "more targets than can be scored");
    need_scratch(i, to_size(bytes));
    return true;
}

struct job {
    struct step *step;
    const struct ensemble *e;
    ensemble_finish *finish;
    int64_t rows, features, block;
    struct block_bytes bytes;
};

/* Integers become floats, as they do in onnxruntime and the reference, whatever is compared. */
static void convert_by_float(enum dtype dtype, const char *from, double *to, int64_t n)
{
    enum { PIECE = 256 };
    float floats[PIECE];

    for (int64_t k = 0; k < n; k += PIECE) {
        convert_between(dtype, F32)(from + (size_t)k * dtype_size(dtype), floats, lesser(PIECE, n - k));
        convert_between(F32, F64)(floats, to + k, lesser(PIECE, n - k));
    }
}

static const void *block_of(const struct job *j, int64_t row, int64_t rows, void *scratch)
{
    const struct tensor *x = j->step->in[0];
    const char *const from = (const char *)x->data + (size_t)(row * j->features) * dtype_size(x->dtype);
    const int64_t n = rows * j->features;

    if (x->dtype == j->e->dtype)
        return from;
    if (j->e->dtype == F32)
        convert_between(x->dtype, F32)(from, scratch, n);
    else
        convert_by_float(x->dtype, from, scratch, n);
    return scratch;
}

static void walk_block(void *context, int64_t block, int thread)
{
    const struct job *j = context;
    const struct ensemble *e = j->e;
    const int64_t first = block * j->block, rows = lesser(j->block, j->rows - first);
    char *const scratch = scratch_at(j->step, (size_t)(thread * (j->bytes.scores + j->bytes.features)));
    double *const scores = (double *)scratch;
    const void *const x = block_of(j, first, rows, scratch + j->bytes.scores);

    begin_scores(e, scores, rows);
    if (e->dtype == F64)
        walk_rows_f64(e, x, rows, j->features, scores);
    else
        walk_rows_f32(e, x, rows, j->features, scores);
    for (int64_t k = 0; k < rows; k++) {
        end_scores(e, scores + k * e->targets);
        j->finish(j->step, first + k, scores + k * e->targets);
    }
}

void ensemble_run(struct step *s, const struct ensemble *e, ensemble_finish *finish)
{
    const struct tensor *x = s->in[0];
    struct job j = { .step = s, .e = e, .finish = finish, .rows = x->rank == 1 ? 1 : x->dims[0] };

    j.features = x->dims[x->rank - 1];
    j.block = rows_of_block(e, j.rows);
    block_bytes(e, x, j.rows, &j.bytes);
    pool_run(s->pool, divide_up(j.rows, j.block), walk_block, &j);
}
