#include "ops/class_labels.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/rank.h"
#include "ops/rows.h"
#include <string.h>

/* -- read -- */

bool class_labels_parse(struct parse *p, const char *numbers, const char *strings, struct class_labels *out)
{
    const struct attr *i = attr_list(p, numbers, ATTR_INTS), *s = attr_list(p, strings, ATTR_STRINGS);
    const struct attr *of = s && s->count ? s : i;

    if (i && i->count && s && s->count)
        return parse_error(p, "both '%s' and '%s' are given, must be one of them", numbers, strings);
    if (!of || !of->count)
        return parse_error(p, "attribute '%s' or '%s' is missing", numbers, strings);
    *out = (struct class_labels){ .dtype = of == s ? STRING : I64, .count = (int64_t)of->count };
    if (of == s)
        out->labels = parse_strings(p, of->count, of->strings);
    else
        out->labels = attr_int64s(p, numbers, &out->count);
    return out->labels;
}

void class_label_put(const struct class_labels *l, int64_t k, struct tensor *y, int64_t row)
{
    const size_t size = dtype_size(l->dtype);

    memcpy((char *)y->data + (size_t)row * size, (const char *)l->labels + (size_t)k * size, size);
}

int64_t greatest_score(const double *scores, int64_t n)
{
    int64_t at = 0;

    for (int64_t k = 1; k < n; k++)
        if (scores[k] > scores[at])
            at = k;
    return at;
}

/* -- a node -- */

static bool infer(struct infer *i)
{
    const struct class_labels *l = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    int64_t bytes;

    if (!mul_size(x->dims[1], infer_threads(i) * (int64_t)sizeof(double), &bytes))
        return infer_error(i, "%lld scores are more than can be compared", (long long)x->dims[1]);
    need_scratch(i, to_size(bytes));
    return set_out(i, 0, l->dtype, 1, x->dims);
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return ((const struct class_labels *)n->attrs)->dtype;
}

static int64_t rows_of_chunk(int64_t scores)
{
    return JOB_ELEMENTS / (scores + 1) + 1;
}

static void chunk(void *context, int64_t k, int thread)
{
    const struct step *s = context;
    const struct class_labels *l = s->attrs;
    const struct tensor *x = s->in[0];
    const int64_t n = x->dims[1], each = rows_of_chunk(n), end = lesser(x->dims[0], (k + 1) * each);
    double *const scores = (double *)s->scratch + thread * n;

    for (int64_t row = k * each; row < end; row++) {
        convert_between(x->dtype, F64)((const char *)x->data + (size_t)(row * n) * dtype_size(x->dtype), scores, n);
        class_label_put(l, n == 1 && l->count == 2 ? scores[0] > 0 : greatest_score(scores, n), s->out[0], row);
    }
}

static bool run(struct step *s)
{
    pool_run(s->pool, divide_up(s->in[0]->dims[0], rows_of_chunk(s->in[0]->dims[1])), chunk, s);
    return true;
}

static const struct op class_label = {
    .name = "ClassLabel",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T scores -> T1 labels",
                                       .types = "T: f32 f64; T1: i64 str",
                                       .attrs_size = sizeof(struct class_labels),
                                       .rank = rank_of_vector,
                                       .dtype = told,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = zero_gradient,
                                       .batch_independent = rows_of_first },
                                     { 0 } },
};

struct value *emit_class_labels(struct emitter *e, struct value *scores, const struct class_labels *l)
{
    struct value *y;

    return emit_private(e, &class_label, l, 1, &y, NULL, 1, &scores) ? y : NULL;
}
