/* The confusion matrix, counted as a metric is: a number for each pair of classes, [label][prediction]. */
#include "train/confusion.h"
#include "train/training_program.h"
#include <string.h>

static int64_t classes_of(int64_t width)
{
    return width == 1 ? 2 : width;
}

static int64_t size(const void *settings, int64_t width)
{
    (void)settings;
    return classes_of(width) * classes_of(width);
}

static void count(const struct output_row *r, const void *settings, double *sums)
{
    const int64_t taken = row_predicted(r);

    (void)settings;
    if (taken >= 0)
        sums[row_class(r) * classes_of(r->n) + taken]++;
}

static const struct metric_def metric_confusion = {
    .row = { "confusion", "how often each class is taken for each", NULL },
    .size = size,
    .count = count,
    .of_logits = true,
    .as_loss = true,
};

int64_t confusion_classes(const struct trainer *t, size_t k)
{
    const struct loss *l = &t->targets[k].loss;

    return l->def->labels >= LABELS_NUMBERS || l->several ? 0 : classes_of(l->width);
}

static bool check(const struct trainer *t, size_t k, struct report *r)
{
    enum { MOST = 1 << 14 };
    const char *output = t->targets[k].output->name;
    const int64_t classes = confusion_classes(t, k);

    if (t->targets[k].loss.several)
        return fail(r, KILN_BAD_ARGUMENT, NULL,
                    "the samples of output '%s' may be of several classes at once: one is not taken for another",
                    output);
    if (!classes)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "output '%s' has no classes, its loss is %s", output,
                    t->targets[k].loss.def->row.name);
    return classes <= MOST ||
           fail(r, KILN_UNSUPPORTED, NULL, "output '%s' has %lld classes, a confusion matrix is of at most %d", output,
                (long long)classes, (int)MOST);
}

/* The program that evaluates is made anew, with what it counts. */
static void count_by(struct trainer *t, size_t k, const struct metrics *m, double *sums)
{
    training_program_free(t, t->evaluation);
    t->evaluation = NULL;
    t->targets[k].evaluated = m;
    t->result[k].metric = sums;
}

bool confusion_begin(struct confusion *c, struct trainer *t, size_t k, struct report *r)
{
    double *sums;

    *c = (struct confusion){ .trainer = t, .target = k, .before = t->result[k].metric, .memory.budget = &t->budget };
    if (!check(t, k, r) || !metrics_add(&c->metrics, &t->targets[k].metrics, &metric_confusion, &c->memory, r))
        return false;
    sums = arena_array(&c->memory, (size_t)c->metrics.sums, sizeof *sums, r);
    if (!sums)
        return false;
    c->classes = confusion_classes(t, k);
    count_by(t, k, &c->metrics, sums);
    return true;
}

void confusion_read(const struct confusion *c, const double *sums, int64_t *matrix)
{
    const struct metric *last = &c->metrics.each[c->metrics.count - 1];

    for (int64_t k = 0; k < last->size; k++)
        matrix[k] = (int64_t)sums[last->at + k];
}

void confusion_end(struct confusion *c)
{
    const struct metrics *m = &c->trainer->targets[c->target].metrics;
    const double *sums = c->trainer->result[c->target].metric;

    if (sums != c->before) {
        memcpy(c->before, sums, (size_t)m->sums * sizeof *sums); /* what the latest batch gave */
        count_by(c->trainer, c->target, m, c->before);
    }
    arena_release(&c->memory);
}
