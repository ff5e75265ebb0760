#include "data/callback.h"
#include "data/stream.h"
#include <string.h>

static const char where[] = "stream";

struct source {
    struct row_source rows;
    struct callback callback;
    atomic_bool *busy; /* is there a pass? */
};

struct reading {
    struct row_reader reader;
    const struct source *of;
    struct budget *budget;
};

/* What the callback has told, as its error. */
static bool fail_callback(const kiln_error *err, struct report *r)
{
    const kiln_status code = err->code < 0 ? err->code : KILN_BAD_DATA;

    return fail(r, code, err->where[0] ? err->where : where, "%s",
                err->message[0] ? err->message : "the callback failed and did not say why");
}

static bool next(struct row_reader *g, int64_t n, void *const *to, int64_t *got, struct report *r)
{
    const struct callback *c = &((struct reading *)g)->of->callback;
    kiln_error err = { 0 };

    *got = c->next(c->user, n, to, to + c->inputs, c->weighted ? to[c->inputs + c->targets] : NULL, &err);
    if (*got > n)
        return fail(r, KILN_BAD_DATA, where, "the callback tells of %lld samples, there was room for %lld",
                    (long long)*got, (long long)n);
    return *got >= 0 || fail_callback(&err, r);
}

static void close_reading(struct row_reader *g)
{
    struct reading *p = (struct reading *)g;

    atomic_store(p->of->busy, false);
    budget_free(p->budget, p);
}

static struct row_reader *open_pass(const struct row_source *s, int64_t pass, struct budget *b, struct report *r)
{
    const struct source *of = (const struct source *)s;
    struct reading *p = budget_zalloc(b, 1, sizeof *p, r);
    kiln_error err = { 0 };

    if (!p)
        return NULL;
    *p = (struct reading){ { next, close_reading }, of, b };
    if (atomic_exchange(of->busy, true)) {
        fail(r, KILN_BAD_ARGUMENT, where,
             "a pass over what the callback gives has begun and not ended: who reads it at the same time, as one who "
             "validates does, needs a stream of its own");
        budget_free(b, p);
        return NULL;
    }
    if (!of->callback.start || of->callback.start(of->callback.user, pass, &err))
        return &p->reader;
    fail_callback(&err, r);
    close_reading(&p->reader);
    return NULL;
}

/* -- making -- */

static bool copy_column(struct column *to, const struct column *from, struct dataset *d, struct report *r)
{
    const char **names = NULL;

    *to = (struct column){ .values = from->values, .classes = from->classes };
    if (from->name && !(to->name = arena_printf(&d->columns, r, "%s", from->name)))
        return false;
    if (!from->class_names)
        return true;
    to->class_names = names = arena_array(&d->columns, (size_t)from->classes, sizeof *names, r);
    for (int k = 0; names && k < from->classes; k++)
        if (!(names[k] = arena_printf(&d->columns, r, "%s", from->class_names[k])))
            return false;
    return names;
}

/* One label for each sample, or for each position of it; or numbers. */
static void take_targets(struct dataset *d, const struct data_options *o)
{
    for (size_t k = 0; k < d->targets; k++) {
        struct column *c = &d->y[k];

        d->stream->take[k] = column_has_labels(c) ? TAKE_LABELS : TAKE_VALUES;
        c->values = target_type(&c->values, d->stream->take[k]);
        for (size_t j = 0; j < o->targets; j++)
            if (column_is(c, o->target[j].name, o->targets == 1 || (!c->name && j == o->unnamed))) {
                c->ignores = o->target[j].ignores;
                c->ignored = o->target[j].ignored;
            }
    }
}

static bool make(struct dataset *d, const struct callback *c, const struct data_options *o, struct report *r)
{
    struct source *s = arena_alloc(&d->columns, sizeof *s, r);
    bool ok = s && (s->busy = arena_alloc(&d->columns, sizeof *s->busy, r));

    for (size_t k = 0; ok && k < c->inputs; k++)
        ok = copy_column(&d->x[k], &c->x[k], d, r);
    for (size_t k = 0; ok && k < c->targets; k++)
        ok = copy_column(&d->y[k], &c->y[k], d, r);
    if (!ok)
        return false;
    s->rows.open = open_pass;
    s->callback = *c;
    d->source = &s->rows;
    d->count = c->count;
    if (c->weighted)
        d->weights.values = (struct tensor){ .dtype = F32, .rank = 1, .dims = { c->count } };
    if (!stream_make(d, c->count, c->window, where, r))
        return false;
    take_targets(d, o);
    return dataset_takes(d, o, where, r);
}

bool dataset_of_callback(struct dataset *out, const struct callback *c, const struct data_options *o, struct budget *b,
                         struct report *r)
{
    if (dataset_begin(out, o, c->inputs, c->targets, where, b, r) && make(out, c, o, r))
        return true;
    dataset_release(out);
    return false;
}
