#include "train/metric.h"
#include "train/metrics/registry.h"
#include <string.h>

const struct spec_row *metric_table(size_t k)
{
    return metric_registry[k] ? &metric_registry[k]->row : NULL;
}

/* -- the node -- */

enum { OUTPUT, LABELS }; /* inputs; output 0: the sums */

struct part { /* of a chunk */
    double sum[METRIC_COUNT];
};

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, OUTPUT);

    need_scratch(i, (size_t)chunk_count(x) * sizeof(struct part));
    return set_out(i, 0, F64, 1, (const int64_t[]){ METRIC_COUNT });
}

/* A label that is out of range counts nothing: the loss tells of it. */
static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct step *s = context;
    const struct loss *l = s->attrs;
    const struct tensor *x = s->in[OUTPUT];
    const int64_t rows = row_count(x), from = chunk * rows_of_chunk(x);
    const int64_t to = from + rows_of_chunk(x) < rows ? from + rows_of_chunk(x) : rows;
    struct part *p = (struct part *)s->scratch + chunk;

    (void)thread;
    *p = (struct part){ 0 };
    for (int64_t k = from; k < to; k++) {
        const struct output_row r = row_of(x, s->in[LABELS], k, l->logits);

        if (r.label >= 0 && r.label < r.n)
            for (int m = 0; m < METRIC_COUNT; m++)
                p->sum[m] += metric_registry[m]->count(&r);
    }
}

static bool run(struct step *s)
{
    const int64_t chunks = chunk_count(s->in[OUTPUT]);
    const struct part *parts = s->scratch;
    double *sum = s->out[0]->data;

    pool_run(s->pool, chunks, run_chunk, s);
    memset(sum, 0, METRIC_COUNT * sizeof *sum);
    for (int64_t k = 0; k < chunks; k++)
        for (int m = 0; m < METRIC_COUNT; m++)
            sum[m] += parts[k].sum[m];
    return true;
}

static const struct op op_metrics = {
    .name = "Metrics",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T output, L labels -> D sums",
                                       .types = "T: f32; L: f32 i64; D: f64",
                                       .attrs_size = sizeof(struct loss),
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "is only told of" },
                                     { 0 } },
};

struct value *metrics_emit(struct emitter *e, const struct loss *l, struct value *at, struct value *labels)
{
    struct value *in[] = { at, labels }, *sums;

    return emit_private(e, &op_metrics, l, 1, &sums, NULL, 2, in) ? sums : NULL;
}
