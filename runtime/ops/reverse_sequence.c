/* ReverseSequence, https://onnx.ai/onnx/operators/onnx__ReverseSequence.html
 *
 *   y[t, b] = t < n ? x[n - 1 - t, b] : x[t, b], n = sequence_lens[b]        the gradient is the same of dy
 *
 * for time_axis 0 and batch_axis 1; or the other way about. A sequence may have no element. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <stdio.h>
#include <string.h>

enum { INPUT, LENGTHS }; /* inputs */

struct reversal {
    int time; /* axis; the other one of 0 and 1 is the batch */
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    const int64_t batch = attr_int(p, "batch_axis", 1), time = attr_int(p, "time_axis", 0);

    ((struct reversal *)attrs)->time = time != 0;
    return (batch == 0 && time == 1) || (batch == 1 && time == 0) ||
           parse_error(p, "batch_axis is %lld and time_axis %lld, must be 0 and 1 or 1 and 0", (long long)batch,
                       (long long)time);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct reversal *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, INPUT), *lengths = typed_in(i, LENGTHS);

    if (x->rank < 2)
        return infer_error(i, "'input' has %d dimensions, must have at least 2", x->rank);
    if (lengths->rank != 1 || lengths->dims[0] != x->dims[!a->time]) {
        char text[TYPE_TEXT];

        return infer_error(i, "'sequence_lens' is %s, must be int64[%lld], one for each sequence",
                           tensor_text(lengths, text), (long long)x->dims[!a->time]);
    }
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

/* -- run -- */

struct reverse_job {
    const struct tensor *x;
    const int64_t *lengths;
    char *y;
    int64_t items, per_chunk; /* slices: what is behind the first two dimensions */
    size_t slice;
    int time;
};

static void chunk(void *context, int64_t k, int thread)
{
    const struct reverse_job *j = context;
    const int64_t first = k * j->per_chunk, end = j->items - first < j->per_chunk ? j->items : first + j->per_chunk;
    const int64_t inner = j->x->dims[1];

    (void)thread;
    for (int64_t item = first; item < end; item++) {
        const int64_t a = item / inner, b = item % inner, t = j->time ? b : a, n = j->lengths[j->time ? a : b];
        const int64_t from = t < n ? n - 1 - t : t;

        memcpy(j->y + (size_t)item * j->slice,
               (const char *)j->x->data + (size_t)(j->time ? a * inner + from : from * inner + b) * j->slice, j->slice);
    }
}

static bool run(struct step *s)
{
    const struct reversal *a = s->attrs;
    const struct tensor *x = s->in[INPUT];
    struct reverse_job j = { .x = x, .lengths = s->in[LENGTHS]->data, .y = s->out[0]->data, .time = a->time };

    for (int64_t b = 0; b < x->dims[!a->time]; b++)
        if (j.lengths[b] < 0 || j.lengths[b] > x->dims[a->time])
            return step_error(s, "sequence_lens[%lld] is %lld, must be in [0, %lld]", (long long)b,
                              (long long)j.lengths[b], (long long)x->dims[a->time]);
    if (!tensor_count(x))
        return true;
    j.slice = (size_t)dims_product(x->dims, 2, x->rank) * dtype_size(x->dtype);
    j.items = x->dims[0] * x->dims[1];
    j.per_chunk = JOB_ELEMENTS * (int64_t)sizeof(float) / (int64_t)j.slice + 1;
    pool_run(s->pool, divide_up(j.items, j.per_chunk), chunk, &j);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct reversal *a = attrs_of(b);
    char text[48];

    snprintf(text, sizeof text, "batch_axis=%d time_axis=%d", !a->time, a->time);
    if (wants(b, INPUT))
        give(b, INPUT, emit(emitter_of(b), "ReverseSequence", text, 2, upstream(b, 0), forward_in(b, LENGTHS)));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[4,3] i64[3]{4,2,1}", "", "f32[4,3]", 1 },
    { "f64[3,4,2] i64[3]{0,3,4}", "batch_axis=0 time_axis=1", "f64[3,4,2]", 1 },
    { "f64[4,3,2,2] i64[3]{2,3,4}", "batch_axis=1 time_axis=0", "f64[4,3,2,2]", 1 },
    { "str[2,1] i64[1]{2}", "", "str[2,1]", 0 },
    { "c128[2,2] i64[2]{2,1}", "", "c128[2,2]", 0 },
    { "f32[0,2] i64[2]{0,0}", "", "f32[0,2]", 0 },
    { 0 },
};

static const struct op_case cases_28[] = {
    { "f32[4,3] i64[3]{4,2,1}", "", "f32[4,3]", 1 },
    { "bf16[3,4,2] i64[3]{0,3,4}", "batch_axis=0 time_axis=1", "bf16[3,4,2]", 0 },
    { 0 },
};

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T input, I sequence_lens -> T Y", .types = "T: " list "; I: i64",              \
        .attrs_size = sizeof(struct reversal), .parse = parse, .rank = rank_of_input, .infer = infer, .run = run,      \
        .gradient = gradient, .flags = OP_MOVES, .cases = tests                                                        \
    }

const struct op op_reverse_sequence = {
    .name = "ReverseSequence",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(28, "all bf16", cases_28), ROW(10, "all", cases), { 0 } },
};
