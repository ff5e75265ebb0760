/* Losses in operators of the standard, for a file. */
#include "ops/equation.h"
#include "ops/expansion.h"
#include "ops/rank.h"
#include "train/loss.h"
#include <math.h>

struct spelling {
    struct emitter *e;
    const struct loss *l;
    struct value *at, *labels, *weights;
    struct value *counts; /* bool, by row: what is skipped does not; NULL: all do */
};

static bool has_classes(const struct loss *l)
{
    return l->def->labels == LABELS_CLASSES;
}

/* Rows whose label is ignored are taken for class 0, and left out of the mean. */
static void find_ignored(struct spelling *a)
{
    struct emitter *e = a->e;
    int64_t ignored;

    if (!loss_ignores(a->l->def, a->l->settings, &ignored) || !has_classes(a->l))
        return;
    a->counts = emit(e, "Not", "", 1, emit(e, "Equal", "", 2, a->labels, emit_scalar(e, I64, (double)ignored)));
    a->labels = emit(e, "Where", "", 3, a->counts, a->labels, emit_scalar(e, I64, 0));
    a->counts = emit_unsqueezed(e, a->counts, -1);
}

/* The labels as numbers. */
static struct value *numbers(struct spelling *a, struct equation *s)
{
    static const struct tensor two = { .dtype = F32, .rank = 1, .dims = { 2 } };
    const double smoothing = spec_value(&a->l->def->row, a->l->settings, "label_smoothing");
    struct emitter *e = a->e;

    if (has_classes(a->l))
        return emit(e, "OneHot", "axis=-1", 3, a->labels, emit_scalar(e, I64, (double)a->l->width),
                    emit_constant(e, &two, (const float[]){ 0, 1 }));
    if (!(smoothing > 0))
        return a->labels;
    equation_value(s, "t", a->labels);
    equation_number(s, "classes", a->l->def->along_classes ? (double)a->l->width : 2);
    equation_emit(s, "t = t * (1 - label_smoothing) + label_smoothing / classes");
    return equation_result(s, "t");
}

/* The rows' weights, by sample and by class. */
static struct value *weighted(struct spelling *a, struct value *rows)
{
    const struct loss *l = a->l;
    struct emitter *e = a->e;
    const int rank = known_of(a->at).rank;

    if (l->class_weights) {
        struct tensor type = { .dtype = F32, .rank = 1, .dims = { l->width } };
        float *of = emit_alloc(e, (size_t)l->width * sizeof *of);

        for (int64_t k = 0; of && k < l->width; k++)
            of[k] = k < l->weighted ? (float)l->class_weights[k] : 1;
        if (of)
            rows = emit(e, "Mul", "", 2, rows,
                        emit_unsqueezed(e, emit(e, "Gather", "", 2, emit_constant(e, &type, of), a->labels), -1));
    }
    if (a->weights) {
        struct value *w = a->weights;

        for (int d = 1; d < rank; d++)
            w = emit_unsqueezed(e, w, d);
        rows = emit(e, "Mul", "", 2, rows, w);
    }
    return rows;
}

static struct value *mean(struct spelling *a, struct value *rows)
{
    struct emitter *e = a->e;
    struct value *counted;

    if (!a->counts)
        return emit(e, "ReduceMean", "keepdims=0", 1, rows);
    rows = emit(e, "Where", "", 3, a->counts, rows, emit_scalar(e, F32, 0));
    counted = emit(e, "ReduceSum", "keepdims=0", 1, emit_cast(e, a->counts, F32));
    return emit(e, "Div", "", 2, emit(e, "ReduceSum", "keepdims=0", 1, rows),
                emit(e, "Max", "", 2, counted, emit_scalar(e, F32, 1)));
}

bool loss_spell(struct emitter *e, const struct loss *l, struct value *at, struct value *labels, struct value *weights,
                struct loss_values *out)
{
    struct spelling a = { .e = e, .l = l, .at = at, .labels = labels, .weights = weights };
    struct equation s = { .e = e, .dtype = F32 };
    struct value *all;

    if (!l->def->rows)
        return loss_emit(e, l, at, labels, weights, true, out);
    if (!l->def->spelled || (l->class_weights && !has_classes(l))) {
        e->failed = true;
        return fail(e->report, KILN_UNSUPPORTED, NULL, "loss '%s'%s cannot be written in operators of the standard",
                    l->def->row.name, l->def->spelled ? " with weights of classes" : "");
    }
    find_ignored(&a);
    equation_settings(&s, l->def->row.options, l->settings);
    equation_value(&s, "x", at);
    equation_value(&s, "t", numbers(&a, &s));
    if (!equation_emit(&s, l->def->spelled(l->settings, l->logits)))
        return false;
    all = mean(&a, weighted(&a, equation_result(&s, "loss")));
    *out = (struct loss_values){ all, at, all, emit_scalar(e, F32, l->weight) };
    return !e->failed;
}
