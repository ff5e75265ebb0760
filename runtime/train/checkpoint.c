#include "train/checkpoint.h"
#include "base/text.h"
#include "data/element.h"
#include "data/npz.h"
#include "data/npz_write.h"
#include "train/checkpoint_about.h"
#include <string.h>

#define MOST_STEPS 0x1p53

/* -- written -- */

struct saving {
    const char *prefix; /* before "NAME", in place of what it is; NULL: none */
    struct trainer *trainer;
    const struct checkpoint *checkpoint;
    const struct text *about;
    struct npz_writer to;
    struct report *report;
};

static bool put_array(struct saving *s, const char *prefix, const char *name, const struct tensor *t)
{
    struct text whole = { .budget = &s->trainer->budget, .report = s->report };
    bool ok;

    text_printf(&whole, "%s/%s", prefix, name);
    ok = !whole.failed && npz_put(&s->to, whole.data, t);
    text_release(&whole);
    return ok;
}

static bool put_state(void *user, const char *name, const char *what, struct tensor *t)
{
    struct saving *s = user;

    return put_array(s, s->prefix ? s->prefix : what, name, t);
}

static struct tensor row_of_field(const struct checkpoint_field *f)
{
    return (struct tensor){ .dtype = f->dtype, .rank = 1, .dims = { f->count }, .data = f->at };
}

static bool put_fields(struct saving *s, const struct checkpoint_field *f)
{
    for (; f && f->name; f++) {
        const struct tensor t = row_of_field(f);

        if (!put_array(s, "fit", f->name, &t))
            return false;
    }
    return true;
}

static bool put_past(struct saving *s, const struct past *p)
{
    struct tensor t = { .dtype = F64, .rank = 2 };

    if (!p)
        return true;
    t.dims[0] = p->epochs;
    t.dims[1] = p->width;
    t.data = p->rows;
    return put_array(s, "fit", "history", &t);
}

/* What the trainer counts. The learning rate of a loop of the caller's own is the caller's; a fit's is an option. */
enum { MOST_COUNTERS = 3 };
static void list_counters(struct checkpoint_field *to, struct trainer *t, const struct checkpoint *c)
{
    to[0] = (struct checkpoint_field){ "steps", I64, &t->steps, 1, 0, MOST_STEPS };
    to[1] = c->fields ? (struct checkpoint_field){ 0 }
                      : (struct checkpoint_field){ "learning_rate", F64, &t->learning_rate, 1, 0, MOST_RATE };
    to[2] = (struct checkpoint_field){ 0 };
}

static bool put_all(struct saving *s)
{
    const struct tensor about = {
        .dtype = U8, .rank = 1, .dims = { (int64_t)s->about->length }, .data = s->about->data
    };
    struct checkpoint_field counters[MOST_COUNTERS];
    struct snapshot *best = s->checkpoint->best;

    list_counters(counters, s->trainer, s->checkpoint);
    if (!npz_put(&s->to, "about", &about) || !put_fields(s, counters) || !put_fields(s, s->checkpoint->fields) ||
        !put_past(s, s->checkpoint->past) || !trainer_each_state(s->trainer, false, put_state, s))
        return false;
    s->prefix = "best";
    return !best || snapshot_each(s->trainer, best, put_state, s);
}

static bool produce(void *user, struct file_sink *to)
{
    struct saving *s = user;

    npz_begin(&s->to, to, &s->trainer->budget, s->report);
    return npz_end(&s->to, put_all(s));
}

/* `own` is for a training that keeps none; NULL on failure. */
static const struct text *say(struct text *own, const struct trainer *t, const struct checkpoint *c, struct report *r)
{
    struct text *about = c->about ? c->about : own;

    about->report = r;
    if (about->data || about_say(about, t, c, r))
        return about;
    text_release(about);
    about->failed = false;
    return NULL;
}

bool checkpoint_save(const char *path, struct trainer *t, const struct checkpoint *c, struct report *r)
{
    struct text own = { .budget = &t->budget };
    struct saving s = { .trainer = t, .checkpoint = c, .about = say(&own, t, c, r), .report = r };
    const bool ok = s.about && file_produce_model(path, produce, &s, r);

    text_release(&own);
    return ok;
}

/* -- read -- */

struct reading {
    const char *path, *prefix;
    struct trainer *trainer;
    struct npz *from;
    bool take; /* else it is only looked at */
    bool best; /* it has the best values */
    struct report *report;
};

/* An array that must have the type of `like`. */
struct like {
    struct type_check check;
    const struct tensor *like;
};

static bool fits(const struct type_check *c, const struct tensor *type, const char *name, struct report *r)
{
    const struct tensor *like = ((const struct like *)c)->like;
    char a[TYPE_TEXT], b[TYPE_TEXT];

    return same_type(type, like) || fail(r, KILN_BAD_DATA, name, "is %s, of this training it would be %s",
                                         tensor_text(type, a), tensor_text(like, b));
}

static bool check_numbers(struct reading *g, const struct tensor *got, const char *name,
                          const struct checkpoint_field *f)
{
    element_get *const get = element_getter(got->dtype);

    for (int64_t k = 0; f && f->high > f->low && k < tensor_count(got); k++) {
        const double x = get(got->data, k);

        if (!(x >= f->low && x <= f->high))
            return fail(g->report, KILN_BAD_DATA, g->path, "is damaged: '%s' is %.15g, must be from %g to %g", name, x,
                        f->low, f->high);
    }
    return true;
}

/* `f` is the field that it is, or NULL. */
static bool get_array(struct reading *g, const char *prefix, const char *name, struct tensor *t,
                      const struct checkpoint_field *f)
{
    struct text whole = { .budget = &g->trainer->budget, .report = g->report };
    const struct like like = { { fits }, t };
    struct tensor got = { 0 };
    bool ok;

    text_printf(&whole, "%s/%s", prefix, name);
    ok = !whole.failed && npz_read(&got, g->from, whole.data, &like.check, g->report) &&
         check_numbers(g, &got, whole.data, f);
    if (ok && g->take && tensor_bytes(t))
        memcpy(t->data, got.data, (size_t)tensor_bytes(t));
    budget_free(&g->trainer->budget, got.data);
    text_release(&whole);
    return ok;
}

static bool has_array(const struct reading *g, const char *prefix, const char *name)
{
    struct text whole = { .budget = &g->trainer->budget, .report = g->report };
    bool has;

    text_printf(&whole, "%s/%s", prefix, name);
    has = !whole.failed && npz_has(g->from, whole.data);
    text_release(&whole);
    return has;
}

static bool is_slot(const struct trainer *t, const char *what)
{
    for (int k = 0; k < t->optimizer.slots; k++)
        if (strcmp(t->optimizer.slot_names[k], what) == 0)
            return true;
    return false;
}

/* With other options an optimiser may keep more. */
static bool get_state(void *user, const char *name, const char *what, struct tensor *t)
{
    struct reading *g = user;
    const struct trainer *of = g->trainer;

    if (!g->prefix && is_slot(of, what) && !has_array(g, what, name) && !failed(g->report))
        return fail(g->report, KILN_BAD_DATA, g->path,
                    "it is a checkpoint of another training: optimizer '%s' keeps '%s' for '%s' here, there it did not",
                    of->optimizer.def->row.name, what, name);
    return get_array(g, g->prefix ? g->prefix : what, name, t, NULL);
}

static bool get_fields(struct reading *g, const struct checkpoint_field *f)
{
    for (; f && f->name; f++) {
        struct tensor t = row_of_field(f);

        if (!get_array(g, "fit", f->name, &t, f))
            return false;
    }
    return true;
}

/* How many epochs there were is the file's to say. */
static bool get_past(struct reading *g, struct past *p)
{
    struct budget *b = &g->trainer->budget;
    struct tensor got;
    bool ok;

    if (!p)
        return true;
    ok = npz_read(&got, g->from, "fit/history", NULL, g->report);
    if (ok && (got.dtype != F64 || got.rank != 2 || got.dims[1] != p->width))
        ok = fail(g->report, KILN_BAD_DATA, g->path, "is damaged: 'fit/history' must be rows of %lld numbers",
                  (long long)p->width);
    if (ok && g->take) {
        budget_free(b, p->rows);
        p->rows = got.data;
        p->epochs = p->room = got.dims[0];
        return true;
    }
    budget_free(b, got.data);
    return ok;
}

static bool look_for_best(void *user, const char *name, const char *what, struct tensor *t)
{
    struct reading *g = user;

    (void)what;
    (void)t;
    g->best = has_array(g, "best", name);
    return false;
}

/* Not where the training that it is of did not ask for them. */
static bool has_best(struct reading *g, struct snapshot *best)
{
    snapshot_each(g->trainer, best, look_for_best, g);
    return g->best;
}

static bool get_all(struct reading *g, const struct checkpoint *c)
{
    struct checkpoint_field counters[MOST_COUNTERS];

    list_counters(counters, g->trainer, c);
    g->prefix = NULL;
    if (!get_fields(g, counters) || !get_fields(g, c->fields) || !get_past(g, c->past) ||
        !trainer_each_state(g->trainer, false, get_state, g))
        return false;
    g->prefix = "best";
    return !c->best || !has_best(g, c->best) || snapshot_each(g->trainer, c->best, get_state, g);
}

/* Is it of this training, with all that it needs? Then it is told what is another now. */
static bool check(struct reading *g, const struct checkpoint *c)
{
    struct text own = { .budget = &g->trainer->budget, .report = g->report }, then = own;
    const struct text *now = say(&own, g->trainer, c, g->report);
    struct tensor about = { 0 };
    bool ok = now && npz_read(&about, g->from, "about", NULL, g->report);

    if (ok && (about.dtype != U8 || about.rank != 1))
        ok = fail(g->report, KILN_BAD_DATA, g->path, "is no checkpoint: 'about' must be text");
    if (ok)
        text_add(&then, about.data, (size_t)about.dims[0]);
    ok = ok && !then.failed && about_agrees(g->path, or_empty(then.data), now->data, g->report) && get_all(g, c) &&
         about_tell(g->path, or_empty(then.data), now->data, g->report);
    budget_free(&g->trainer->budget, about.data);
    text_release(&then);
    text_release(&own);
    return ok;
}

bool checkpoint_load(const char *path, struct trainer *t, const struct checkpoint *c, struct report *r)
{
    struct reading g = { .path = path, .trainer = t, .report = r };
    bool ok;

    if (!npz_open_as(&g.from, path, FILE_READ_MODEL, &t->budget, r))
        return false;
    if (!npz_has(g.from, "about"))
        ok = fail(r, KILN_BAD_DATA, path, "is no checkpoint: it has no array 'about'");
    else
        ok = check(&g, c);
    g.take = true;
    ok = ok && get_all(&g, c);
    npz_close(g.from);
    return ok;
}
