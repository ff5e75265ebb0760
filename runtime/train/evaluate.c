#include "train/evaluate.h"
#include "train/batch_size.h"
#include "train/confusion.h"
#include "train/feed.h"

/* At most `batches` of them; 0: all. */
static bool evaluate(struct feed *f, struct sums *s, int64_t batches, double *out, struct report *r)
{
    int64_t n = 0;
    float loss;
    bool ok = true;

    sums_start(s);
    feed_start(f, 0, 0);
    for (int64_t k = 0; !batches || k < batches; k++) {
        ok = feed_next(f, &n, r) && (!n || trainer_evaluate_batch(f->trainer, f->x, f->y, &loss, r));
        if (!ok || !n)
            break;
        sums_add(s, loss, n);
    }
    sums_means(s, out);
    return ok;
}

/* Where `data` are walked through: sums_release in any case. */
static bool evaluate_on(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer,
                        int64_t batch, int64_t batches, struct sums *s, double *out, struct report *r)
{
    struct batch_options o = { 0 };
    struct feed f;
    bool ok;

    if (!batch_size(batch, t->batch, dataset_most(data), &o.batch, r) || !sums_init(s, t, false, r) ||
        !feed_init(&f, t, data, normalizer, &o, r))
        return false;
    ok = evaluate(&f, s, batches, out, r);
    feed_release(&f);
    return ok;
}

bool trainer_evaluate_some(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer,
                           int64_t batch, int64_t batches, double *out, struct report *r)
{
    struct sums s = { 0 };
    const bool ok = evaluate_on(t, data, normalizer, batch, batches, &s, out, r);

    sums_release(&s);
    return ok;
}

bool trainer_evaluate(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer, int64_t batch,
                      double *out, struct report *r)
{
    return trainer_evaluate_some(t, data, normalizer, batch, 0, out, r);
}

bool trainer_confusion(struct trainer *t, const struct dataset *data, const struct normalizer *normalizer,
                       int64_t batch, size_t target, double *out, struct confusion_matrix *matrix, struct report *r)
{
    struct sums s = { 0 };
    struct confusion c;
    bool ok = confusion_begin(&c, t, target, r);

    *matrix = (struct confusion_matrix){ .classes = c.classes };
    if (ok)
        matrix->counts = budget_zalloc(&t->budget, (size_t)c.classes * (size_t)c.classes, sizeof *matrix->counts, r);
    ok = matrix->counts && evaluate_on(t, data, normalizer, batch, 0, &s, out, r);
    if (ok)
        confusion_read(&c, sums_of_metrics(&s, target), matrix->counts);
    sums_release(&s);
    confusion_end(&c);
    return ok;
}
