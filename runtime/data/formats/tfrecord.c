#include "data/tfrecord.h"
#include "data/formats/pictures.h"
#include <stdio.h>
#include <string.h>

/* A feature that becomes a column. */
struct wanted {
    const char *feature;
    bool target;
    size_t at; /* in the set's columns */
    enum tf_kind kind;
    int64_t length; /* of a sample; of bytes: of the string, unless it is a picture */
    bool picture;
    struct pictures pictures;
};

/* The file, while it is looked at. */
struct reading {
    struct dataset *data;
    const struct format_request *request;
    struct report *report;
    const char *path;
    struct wanted *wanted;
    size_t count;
    int64_t records;
};

/* -- which features -- */

/* The names of a record, for messages. */
struct names {
    char text[256];
    size_t length, count;
    const char *target; /* that is no input */
    char other[128];    /* another one */
};

static void add_name(void *user, const char *name, size_t length)
{
    struct names *n = user;

    if (n->length < sizeof n->text)
        n->length += (size_t)snprintf(n->text + n->length, sizeof n->text - n->length, "%s'%.*s'", n->count ? ", " : "",
                                      (int)(length < 100 ? length : 100), name);
    n->count++;
    if ((!n->target || strlen(n->target) != length || memcmp(n->target, name, length) != 0) && length < sizeof n->other)
        snprintf(n->other, sizeof n->other, "%.*s", (int)length, name);
}

static bool has(const struct reading *g, const struct tf_reader *t, const char *name)
{
    struct tf_feature f;

    return name && tf_find(&f, t, name, g->report) && f.kind != TF_NONE;
}

static bool add(struct reading *g, const char *feature, const char *column, bool target, size_t at)
{
    struct column *c = target ? &g->data->y[at] : &g->data->x[at];

    c->name = column ? arena_printf(&g->data->columns, g->report, "%s", column) : NULL;
    feature = arena_printf(&g->data->columns, g->report, "%s", feature);
    g->wanted[g->count++] = (struct wanted){ .feature = feature, .target = target, .at = at };
    return feature && (c->name || !column);
}

/* What is to be predicted where there is one column: as was said, or by the usual names. NULL where there is none. */
static const char *find_target(struct reading *g, const struct tf_reader *t)
{
    const struct data_options *o = g->request->options;
    const char *const usual[] = { o->targets ? o->target[o->unnamed].name : NULL, "y", "label" };

    if (o->label)
        return strcmp(o->label, "none") != 0 ? o->label : NULL;
    for (size_t k = 0; k < sizeof usual / sizeof *usual; k++)
        if (has(g, t, usual[k]))
            return usual[k];
    return NULL;
}

static bool fail_features(const struct reading *g, const struct tf_reader *t, const char *what)
{
    struct names n = { .count = 0 };

    return tf_each(t, add_name, &n, g->report) &&
           fail(g->report, KILN_BAD_DATA, g->path, "no feature tells %s, there are %s", what, n.text);
}

static bool is_other(const char *name, const char *target)
{
    return name && (!target || strcmp(name, target) != 0);
}

static bool choose_pair(struct reading *g, const struct tf_reader *t)
{
    const struct data_options *o = g->request->options;
    const char *target = find_target(g, t), *input = o->inputs ? o->input->name : NULL;
    struct names n = { .target = target };

    if (!is_other(input, target) || !has(g, t, input))
        input = is_other("x", target) && has(g, t, "x") ? "x" : NULL;
    if (!tf_each(t, add_name, &n, g->report))
        return false;
    if (!input && n.count == 1 + (target != NULL))
        input = n.other;
    if (!input)
        return fail_features(g, t,
                             "the samples: one must be called as the model's input, or x, or be the only one but what "
                             "is to be predicted");
    if (!target && !o->unlabelled)
        return fail_features(g, t, "what is to be predicted: --label says which, or it is called y or label");
    if (!add(g, input, NULL, false, 0) || (target && !add(g, target, NULL, true, 0)))
        return false;
    g->data->label = target ? arena_printf(&g->data->columns, g->report, "feature '%s'", target) : "none";
    return g->data->label;
}

/* By the names of the model, where it has several inputs, or several outputs that are there. */
static bool choose_named(struct reading *g, const struct tf_reader *t)
{
    const struct data_options *o = g->request->options;
    size_t targets = 0;

    for (size_t k = 0; k < o->targets; k++)
        targets += has(g, t, o->target[k].name);
    if (!format_columns(g->data, o->inputs, targets ? targets : 1, g->report))
        return false;
    for (size_t k = 0; k < o->inputs; k++)
        if (!has(g, t, o->input[k].name))
            return fail_features(g, t, o->input[k].name);
        else if (!add(g, o->input[k].name, o->input[k].name, false, k))
            return false;
    targets = 0;
    for (size_t k = 0; k < o->targets; k++)
        if (has(g, t, o->target[k].name) && !add(g, o->target[k].name, o->target[k].name, true, targets++))
            return false;
    return targets || o->unlabelled || fail_features(g, t, "what is to be predicted");
}

static bool choose(struct reading *g, const struct tf_reader *t)
{
    const struct data_options *o = g->request->options;

    g->wanted = arena_array(&g->data->columns, o->inputs + o->targets + 2, sizeof *g->wanted, g->report);
    if (!g->wanted)
        return false;
    return o->inputs > 1 ? choose_named(g, t) : choose_pair(g, t);
}

/* -- the first time over: how many, and of which kind -- */

static bool is_picture(const struct tf_feature *f)
{
    return f->kind == TF_BYTES && f->length > 8 &&
           (image_png.is((const uint8_t *)f->bytes, (size_t)f->length) ||
            image_jpeg.is((const uint8_t *)f->bytes, (size_t)f->length));
}

static int64_t length_of(const struct tf_feature *f)
{
    return f->kind == TF_BYTES ? f->length : f->count;
}

/* What the record has of it, as the first one has it. */
static bool find_feature(const struct wanted *w, struct tf_feature *f, const struct tf_reader *t, const char *path,
                         struct report *r)
{
    static const char *const kinds[] = { "nothing", "bytes", "floats", "integers" };

    if (!tf_find(f, t, w->feature, r))
        return false;
    if (f->kind == TF_NONE || (f->kind == TF_BYTES && (f->count != 1 || w->target)))
        return fail(r, KILN_BAD_DATA, path, "record %lld: feature '%s' holds %s, must be %s", (long long)t->record,
                    w->feature, f->kind == TF_BYTES ? "strings" : "nothing",
                    w->target ? "numbers" : "numbers, one string of bytes, or a PNG or JPEG");
    if (w->kind == TF_NONE || (w->kind == f->kind && (w->picture || w->length == length_of(f))))
        return true;
    return fail(r, KILN_BAD_DATA, path, "record %lld: feature '%s' has %lld %s, the first record has %lld %s",
                (long long)t->record, w->feature, (long long)length_of(f), kinds[f->kind], (long long)w->length,
                kinds[w->kind]);
}

static struct image_file picture_of(const struct tf_feature *f, const char *path, struct budget *b)
{
    return (struct image_file){ .name = path, .bytes = f->bytes, .size = (size_t)f->length, .budget = b };
}

static bool fail_picture(const struct tf_reader *t, const char *path, struct report *r)
{
    return fail(r, KILN_BAD_DATA, path, "it is the picture of record %lld", (long long)t->record);
}

static bool look(struct reading *g, const struct tf_reader *t, struct wanted *w)
{
    const struct data_options *o = g->request->options;
    struct tf_feature f;
    struct image_file file;

    if (!find_feature(w, &f, t, g->path, g->report))
        return false;
    if (w->kind == TF_NONE) {
        w->kind = f.kind;
        w->picture = is_picture(&f);
        w->length = length_of(&f);
        w->pictures.count = 1; /* not known yet */
        w->pictures.where = g->path;
        if (w->picture && !pictures_start(&w->pictures, w->at < o->inputs ? o->input[w->at].type : NULL, g->report))
            return false;
    }
    if (!w->picture || pictures_settled(&w->pictures))
        return true;
    file = picture_of(&f, g->path, g->data->budget);
    return pictures_look(&w->pictures, &file, g->report) || fail_picture(t, g->path, g->report);
}

/* One that is to be predicted, and is not in all records, is left out with the others, where there need be none. */
static bool look_or_drop(struct reading *g, const struct tf_reader *t, size_t k)
{
    struct report quiet = { 0 }, *const r = g->report;
    const struct data_options *o = g->request->options;
    bool ok;

    if (!g->wanted[k].target || !o->unlabelled || o->gaps)
        return look(g, t, &g->wanted[k]);
    g->report = &quiet;
    ok = look(g, t, &g->wanted[k]);
    g->report = r;
    if (ok || !data_are_bad(&quiet, r))
        return ok;
    g->count = k; /* targets are behind the inputs */
    while (g->count && g->wanted[g->count - 1].target)
        g->count--;
    g->data->targets = 1;
    return true;
}

static bool look_at_all(struct reading *g)
{
    struct tf_reader t;
    bool end, ok;

    if (!tf_open(&t, g->path, g->data->budget, g->report))
        return false;
    while ((ok = tf_next(&t, &end, g->report)) && !end) {
        ok = t.record > 0 || choose(g, &t);
        for (size_t k = 0; ok && k < g->count; k++)
            ok = look_or_drop(g, &t, k);
        if (!ok)
            break;
        g->records = t.record + 1;
    }
    tf_close(&t);
    return ok && (g->records || fail(g->report, KILN_BAD_DATA, g->path, "no data"));
}

/* -- a pass: the values -- */

/* What is kept of the file. */
struct tf_file {
    struct row_source source;
    const char *path;
    const struct wanted *wanted;
    size_t count, inputs;
};

struct pass {
    struct row_reader reader;
    const struct tf_file *of;
    struct budget *budget;
    struct tf_reader records;
    bool ended;
};

/* Row `row` of where the column goes. */
static bool read_feature(const struct pass *p, const struct wanted *w, void *column, int64_t row, struct report *r)
{
    const struct tf_reader *t = &p->records;
    const char *path = p->of->path;
    struct image_file file;
    struct tf_feature f;

    if (!find_feature(w, &f, t, path, r))
        return false;
    if (w->picture) {
        file = picture_of(&f, path, p->budget);
        return pictures_read(&w->pictures, &file, (char *)column + row * row_bytes(&w->pictures.type), r) ||
               fail_picture(t, path, r);
    }
    if (w->kind == TF_BYTES)
        memcpy((uint8_t *)column + row * w->length, f.bytes, (size_t)w->length);
    else if (w->kind == TF_FLOAT)
        tf_floats(&f, (float *)column + row * w->length);
    else
        tf_int64s(&f, (int64_t *)column + row * w->length);
    return true;
}

static bool next(struct row_reader *g, int64_t n, void *const *to, int64_t *got, struct report *r)
{
    struct pass *p = (struct pass *)g;
    const struct tf_file *file = p->of;

    for (*got = 0; *got < n && !p->ended; ++*got) {
        if (!tf_next(&p->records, &p->ended, r))
            return false;
        if (p->ended)
            return true;
        for (size_t k = 0; k < file->count; k++) {
            const struct wanted *w = &file->wanted[k];

            if (!read_feature(p, w, to[w->target ? file->inputs + w->at : w->at], *got, r))
                return false;
        }
    }
    return true;
}

static void close_pass(struct row_reader *g)
{
    struct pass *p = (struct pass *)g;

    tf_close(&p->records);
    budget_free(p->budget, p);
}

static struct row_reader *open_pass(const struct row_source *s, int64_t pass, struct budget *b, struct report *r)
{
    struct pass *p = budget_zalloc(b, 1, sizeof *p, r);

    (void)pass;
    if (!p)
        return NULL;
    p->reader = (struct row_reader){ next, close_pass };
    p->of = (const struct tf_file *)s;
    p->budget = b;
    if (tf_open(&p->records, p->of->path, b, r))
        return &p->reader;
    budget_free(b, p);
    return NULL;
}

/* -- before -- */

static bool choose_type(struct reading *g, struct wanted *w)
{
    const struct data_options *o = g->request->options;
    const int64_t dims[] = { g->records, w->length };
    struct column *c = w->target ? &g->data->y[w->at] : &g->data->x[w->at];
    const struct type_check *check = !w->target && w->at < o->inputs ? g->request->samples[w->at] : NULL;
    const enum dtype dtype = w->kind == TF_BYTES ? U8 : w->kind == TF_FLOAT ? F32 : I64;

    if (w->picture) {
        w->pictures.type.dims[0] = g->records;
        c->values = w->pictures.type;
    }
    if (w->picture ? !tensor_shape(&c->values, c->values.dtype, c->values.rank, w->pictures.type.dims)
                   : !tensor_shape(&c->values, dtype, w->target && w->length == 1 ? 1 : 2, dims))
        return fail(g->report, KILN_LIMIT, g->path, "%lld records of %lld values are too many", (long long)g->records,
                    (long long)w->length);
    return type_fits(check, &c->values, g->path, g->report);
}

static bool keep_file(struct reading *g, struct tf_file *f)
{
    struct dataset *d = g->data;
    bool target = false;

    *f = (struct tf_file){ .source.open = open_pass, .wanted = g->wanted, .count = g->count, .inputs = d->inputs };
    f->path = arena_printf(&d->columns, g->report, "%s", g->path);
    d->source = &f->source;
    for (size_t k = 0; k < g->count; k++) {
        g->wanted[k].pictures.where = f->path;
        target = target || g->wanted[k].target;
        if (!choose_type(g, &g->wanted[k]))
            return false;
    }
    if (!target)
        format_unlabelled(d);
    return f->path;
}

static bool open(struct dataset *d, const struct format_request *q, struct report *r)
{
    struct reading g = { .data = d, .request = q, .report = r, .path = q->where };
    struct tf_file *f = arena_alloc(&d->columns, sizeof *f, r);

    return f && look_at_all(&g) && keep_file(&g, f);
}

const struct format_def format_tfrecord = {
    .row = { "tfrecord",
             "TensorFlow's records of tf.train.Example, plain or gzipped: features named as the model's inputs and "
             "outputs, or x, and y, label or what --label says; numbers, bytes, PNG or JPEG",
             NULL },
    .where = "FILE",
    .names = true,
    .labels = true,
    .endings = (const char *const[]){ ".tfrecord", ".tfrecords", ".tfrecord.gz", ".tfrecords.gz", NULL },
    .open = open,
};
