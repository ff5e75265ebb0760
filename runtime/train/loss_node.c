/* What computes a loss: one node for all losses that go by rows, nodes of the standard for the others. */
#include "train/loss.h"
#include <string.h>

enum { OUTPUT, LABELS, WEIGHTS }; /* inputs */
enum { MEAN, GRADIENT };          /* outputs */

struct part { /* of a chunk; rounded up to what vectors like */
    double loss;
    int64_t bad; /* a row whose label is out of range, plus 1 */
    int64_t pad[2];
};

/* What all chunks need. */
struct task {
    const struct step *step;
    int64_t counted; /* rows that the mean is taken of */
};

/* What rows() is called for: a row, or of sequences a sample. */
static int64_t item_count(const struct loss *l, const struct tensor *x)
{
    return l->def->labels == LABELS_SEQUENCES ? x->dims[0] : row_count(x);
}

static int64_t item_width(const struct loss *l, const struct tensor *x)
{
    return l->def->labels == LABELS_SEQUENCES ? dims_product(x->dims, 1, x->rank) : row_width(x);
}

static int64_t items_of_chunk(const struct loss *l, const struct tensor *x)
{
    return l->def->labels == LABELS_SEQUENCES ? 1 : rows_of_chunk(x);
}

static int64_t chunks_of(const struct loss *l, const struct tensor *x)
{
    return l->def->labels == LABELS_SEQUENCES ? x->dims[0] : chunk_count(x);
}

static struct output_row item_of(const struct step *s, int64_t k)
{
    const struct loss *l = s->attrs;
    const struct tensor *x = s->in[OUTPUT], *y = s->in[LABELS];

    if (l->def->labels != LABELS_SEQUENCES)
        return row_of(x, y, k, l->logits);
    return (struct output_row){ .x = (const float *)x->data + k * item_width(l, x),
                                .n = row_width(x),
                                .steps = x->dims[1],
                                .sequence = (const int64_t *)y->data + k * y->dims[1],
                                .length = y->dims[1] };
}

/* Bytes for each sample, rounded up to what vectors like. */
static int64_t scratch_of(const struct loss *l, const struct tensor *x, const struct tensor *y)
{
    return l->def->scratch ? (l->def->scratch(x->dims[1], y->dims[1]) + 63) / 64 * 64 : 0;
}

static bool infer(struct infer *i)
{
    const struct loss *l = infer_attrs(i);
    const struct tensor *x = typed_in(i, OUTPUT), *y = typed_in(i, LABELS);
    struct tensor need = loss_labels(l, x);
    char got[TYPE_TEXT], want[TYPE_TEXT];

    if (!x->rank)
        return infer_error(i, "the output is a scalar, must have a row for each sample");
    if (l->def->labels == LABELS_SEQUENCES && y->rank == 2)
        need.dims[1] = y->dims[1]; /* any length */
    if (!same_type(y, &need))
        return infer_error(i, "the labels are %s, must be %s", tensor_text(y, got), tensor_text(&need, want));
    if (!row_count(x) || !row_width(x))
        return infer_error(i, "the output is %s: there is nothing to compare", tensor_text(x, got));
    if (typed_in(i, WEIGHTS) && (typed_in(i, WEIGHTS)->rank != 1 || typed_in(i, WEIGHTS)->dims[0] != x->dims[0]))
        return infer_error(i, "the weights are %s, must be a number for each of %lld samples",
                           tensor_text(typed_in(i, WEIGHTS), got), (long long)x->dims[0]);
    need_scratch(i, (size_t)chunks_of(l, x) * (sizeof(struct part) + (size_t)scratch_of(l, x, y)));
    return set_out(i, MEAN, F32, 0, NULL) && set_out(i, GRADIENT, F32, x->rank, x->dims);
}

static bool skips(const struct loss *l, const struct output_row *row)
{
    return l->def->skips && l->def->skips(row, l->settings);
}

static int64_t count_rows(const struct step *s)
{
    const struct loss *l = s->attrs;
    const int64_t rows = item_count(l, s->in[OUTPUT]);
    int64_t counted = 0;

    for (int64_t k = 0; l->def->skips && k < rows; k++) {
        const struct output_row row = row_of(s->in[OUTPUT], s->in[LABELS], k, l->logits);

        counted += !skips(l, &row);
    }
    return l->def->skips ? counted : rows;
}

/* What a row counts: by its sample, and in training by its class. */
static double row_weight(const struct step *s, const struct output_row *row, int64_t k)
{
    const struct loss *l = s->attrs;
    const struct tensor *x = s->in[OUTPUT], *weights = s->in[WEIGHTS];
    const int64_t class = l->class_weights && s->out[GRADIENT] ? row_class(row) : l->weighted;

    return (class < l->weighted ? l->class_weights[class] : 1) *
           (weights ? (double)((const float *)weights->data)[k / (item_count(l, x) / x->dims[0])] : 1);
}

static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct task *task = context;
    const struct step *s = task->step;
    const struct loss *l = s->attrs;
    const struct tensor *x = s->in[OUTPUT], *dx = s->out[GRADIENT];
    const int64_t rows = item_count(l, x), width = item_width(l, x), from = chunk * items_of_chunk(l, x);
    const int64_t to = from + items_of_chunk(l, x) < rows ? from + items_of_chunk(l, x) : rows;
    struct part *p = (struct part *)s->scratch + chunk;

    (void)thread;
    *p = (struct part){ 0 };
    for (int64_t k = from; k < to; k++) {
        struct loss_row r = { .row = item_of(s, k),
                              .settings = l->settings,
                              .scratch = (char *)s->scratch + chunks_of(l, x) * (int64_t)sizeof *p +
                                         chunk * scratch_of(l, x, s->in[LABELS]),
                              .gradient = dx ? (float *)dx->data + k * width : NULL };
        double weight;

        if (skips(l, &r.row)) {
            if (r.gradient)
                memset(r.gradient, 0, (size_t)width * sizeof *r.gradient);
            continue;
        }
        if (r.row.label < 0 || r.row.label >= r.row.n) {
            p->bad = k + 1;
            return;
        }
        weight = row_weight(s, &r.row, k);
        r.scale = weight * l->weight / (double)task->counted;
        p->loss += weight * l->def->rows(&r);
    }
}

/* Where no row counts the loss is 0, as Keras has it. */
static bool run(struct step *s)
{
    const struct tensor *x = s->in[OUTPUT];
    const int64_t rows = item_count(s->attrs, x), chunks = chunks_of(s->attrs, x);
    struct task task = { s, count_rows(s) };
    const struct part *parts = s->scratch;
    double loss = 0;

    pool_run(s->pool, chunks, run_chunk, &task);
    for (int64_t k = 0; k < chunks; k++) {
        if (parts[k].bad)
            return step_error(s, "label %lld of sample %lld is out of range, there are %lld classes",
                              (long long)((const int64_t *)s->in[LABELS]->data)[parts[k].bad - 1],
                              (long long)((parts[k].bad - 1) / (rows / x->dims[0])), (long long)row_width(x));
        loss += parts[k].loss;
    }
    if (s->out[MEAN])
        *(float *)s->out[MEAN]->data = task.counted ? (float)(loss / (double)task.counted) : 0;
    return true;
}

static const struct op op_loss = {
    .name = "Loss",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T output, L labels, T weights? -> T mean, T gradient?",
                                       .types = "T: f32; L: f32 i64",
                                       .attrs_size = sizeof(struct loss),
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "is where gradients start" },
                                     { 0 } },
};

static bool emit_rows(struct emitter *e, const struct loss *l, struct value *at, struct value *labels,
                      struct value *weights, bool gradient, struct loss_values *out)
{
    const bool want[] = { true, gradient };
    struct value *in[] = { at, labels, weights }, *made[2];

    if (!emit_private(e, &op_loss, l, 2, made, want, weights ? 3 : 2, in))
        return false;
    *out = (struct loss_values){ made[MEAN], at, at, made[GRADIENT] };
    return true;
}

bool loss_emit(struct emitter *e, const struct loss *l, struct value *at, struct value *labels, struct value *weights,
               bool gradient, struct loss_values *out)
{
    const struct loss_nodes n = { at, labels, l->logits, l->settings };
    struct value *mean;

    if (l->def->rows)
        return emit_rows(e, l, at, labels, weights, gradient, out);
    mean = emit(e, "ReduceMean", "keepdims=0", 1, l->def->emit(e, &n));
    *out = (struct loss_values){ mean, at, mean, gradient ? emit_scalar(e, F32, l->weight) : NULL };
    return !e->failed;
}
