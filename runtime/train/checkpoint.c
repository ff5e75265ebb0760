#include "train/checkpoint.h"
#include "base/text.h"
#include "data/element.h"
#include "data/npz.h"
#include "data/npz_write.h"
#include "data/stream.h"
#include <string.h>
#include <zlib.h>

#define MOST_STEPS 0x1p53

/* -- what it is of -- */

/* A check sum of messages, without their bytes at once. */
struct summing {
    ProtobufCBuffer buffer;
    uLong crc;
};

static void sum_bytes(ProtobufCBuffer *buffer, size_t n, const uint8_t *bytes)
{
    struct summing *s = (struct summing *)buffer;

    s->crc = crc32_z(s->crc, bytes, n);
}

/* By value: is it learned? By node of the file: is it the constant that it was? */
struct learned {
    bool *value, *node;
};

static bool find_learned(struct learned *l, const struct trainer *t, struct arena *scratch, struct report *r)
{
    l->value = arena_array(scratch, t->model->graph->value_count, sizeof *l->value, r);
    l->node = arena_array(scratch, t->model->proto->graph->n_node, sizeof *l->node, r);
    if (!l->value || !l->node)
        return false;
    for (size_t k = 0; k < t->state_count; k++) {
        const struct value *v = t->states[k].parameter->value;

        l->value[v->id] = true;
        if (v->producer)
            l->node[v->producer->index] = true;
    }
    return true;
}

static void sum_constant(struct summing *s, const struct value *v, bool learned)
{
    const struct tensor *c = v->initializer;
    char type[TYPE_TEXT];

    tensor_text(c, type);
    sum_bytes(&s->buffer, strlen(or_empty(v->name)), (const uint8_t *)or_empty(v->name));
    sum_bytes(&s->buffer, strlen(type), (const uint8_t *)type);
    if (!learned && c->kind == TENSOR && c->dtype != STRING && c->data)
        sum_bytes(&s->buffer, (size_t)tensor_bytes(c), c->data);
}

/* Of nodes and constants; of what is learned the names and shapes alone. */
static bool sum_model(const struct trainer *t, uLong *crc, struct report *r)
{
    const struct graph *g = t->model->graph;
    const Onnx__GraphProto *p = t->model->proto->graph;
    struct summing s = { { sum_bytes }, 0 };
    struct arena scratch = { .budget = &t->model->budget };
    struct learned learned;
    const bool ok = find_learned(&learned, t, &scratch, r);

    for (size_t k = 0; ok && k < g->value_count; k++)
        if (g->values[k]->initializer)
            sum_constant(&s, g->values[k], learned.value[k]);
    for (size_t k = 0; ok && k < p->n_node; k++)
        if (!learned.node[k])
            protobuf_c_message_pack_to_buffer(&p->node[k]->base, &s.buffer);
    arena_release(&scratch);
    *crc = s.crc;
    return ok;
}

static void say_columns(struct text *out, const struct column *c, size_t count, const struct dataset *d, uLong *crc)
{
    for (size_t k = 0; k < count; k++) {
        const struct tensor sample = column_sample(&c[k]);
        const int64_t each = tensor_bytes(&sample);
        char type[TYPE_TEXT];

        text_say(out, "%s%s%s%s", k ? ", " : " ", or_empty(c[k].name), c[k].name ? " " : "",
                 tensor_text(&sample, type));
        if (!d->stream)
            *crc = crc32_z(*crc, (const Bytef *)c[k].values.data + d->from * each, (size_t)(d->count * each));
        else if (d->stream->looked)
            *crc = crc32_combine(*crc, c[k].sum, (z_off_t)(d->count * each));
    }
}

static void say_data(struct text *out, const struct checkpoint *c)
{
    uLong crc = 0;

    if (c->data->count == UNKNOWN)
        text_say(out, "data a stream of");
    else
        text_say(out, "data %lld samples of", (long long)c->data->count);
    say_columns(out, c->data->x, c->data->inputs, c->data, &crc);
    text_say(out, " for");
    say_columns(out, c->data->y, c->data->targets, c->data, &crc);
    if (dataset_is_weighted(c->data)) {
        text_say(out, " with weights");
        say_columns(out, &c->data->weights, 1, c->data, &crc);
    }
    text_say(out, ", check sum %08lx\n", crc);
    text_say(out, "normalize %s\n", normalization_names[c->normalizer ? c->normalizer->kind : NORMALIZE_NONE]);
    text_say(out, "augmentation ");
    if (c->augmentation)
        spec_say(out, &augmentation_row, c->augmentation);
    text_say(out, "%s\n", c->augmentation ? "" : "none");
    text_say(out, "batch %lld\n", (long long)c->batch);
    text_say(out, "order %s", c->shuffle ? "shuffled" : "of the data");
    if (c->shuffle && c->data->stream)
        text_say(out, " in a window of %lld", (long long)c->data->stream->window);
    text_say(out, "\n");
    text_say(out, "seed %llu\n", (unsigned long long)c->seed);
}

static void say_measures(struct text *out, const struct trainer *t)
{
    text_say(out, "measures");
    for (size_t k = 0; k < t->measure_count; k++)
        text_say(out, " %s", t->measures[k].name);
    text_say(out, "\n");
}

/* A line for each thing, which begins with what it is. */
static bool say_about(struct text *out, const struct trainer *t, const struct checkpoint *c, struct report *r)
{
    uLong crc;

    if (!sum_model(t, &crc, r))
        return false;
    text_say(out, "kiln checkpoint 1\n");
    text_say(out, "model '%s' with %zu nodes and %zu tensors that it learns, check sum %08lx\n",
             or_empty(t->model->proto->graph->name), t->model->proto->graph->n_node, t->state_count, crc);
    text_say(out, "optimizer %s\n", t->optimizer.def->row.name);
    text_say(out, "schedule %s\n", t->schedule.def ? t->schedule.def->row.name : "none");
    for (size_t k = 0; k < t->target_count; k++)
        text_say(out, "loss%zu %s\n", k, t->targets[k].loss.said);
    text_say(out, "dropout_seed %llu\n", (unsigned long long)t->engine.seed);
    if (c->data) {
        say_measures(out, t);
        say_data(out, c);
    }
    return !out->failed;
}

/* Of these a checkpoint is refused, of others it is told. */
static bool must_agree(const char *line)
{
    static const char *const keys[] = { "kiln ", "model ", "optimizer ", "measures ", "data " };

    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        if (strncmp(line, keys[k], strlen(keys[k])) == 0)
            return true;
    return false;
}

/* The line of `text` that begins as `line` does, up to its first space; of length 0 where there is none. */
static const char *line_like(const char *text, const char *line, int *length)
{
    const size_t key = strcspn(line, " ") + 1;

    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        if (strncmp(text, line, key) == 0) {
            *length = (int)strcspn(text, "\n");
            return text;
        }
    *length = 0;
    return "";
}

static bool compare_about(const char *path, const char *then, const char *now, struct report *r)
{
    for (; *now; now += strcspn(now, "\n") + 1) {
        const int n = (int)strcspn(now, "\n");
        int m;
        const char *was = line_like(then, now, &m);

        if (n == m && strncmp(now, was, (size_t)n) == 0)
            continue;
        if (must_agree(now))
            return fail(r, KILN_BAD_DATA, path,
                        "it is a checkpoint of another training: it has \"%.*s\", here it is "
                        "\"%.*s\"",
                        m ? m : 7, m ? was : "nothing", n, now);
        warn(r, path,
             "the checkpoint was made with \"%.*s\", now it is \"%.*s\": the result will differ from that "
             "without a break",
             m ? m : 7, m ? was : "nothing", n, now);
    }
    return true;
}

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

bool checkpoint_save(const char *path, struct trainer *t, const struct checkpoint *c, struct report *r)
{
    struct text about = { .budget = &t->budget, .report = r };
    struct saving s = { .trainer = t, .checkpoint = c, .about = &about, .report = r };
    const bool ok = say_about(&about, t, c, r) && file_produce_model(path, produce, &s, r);

    text_release(&about);
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

static bool get_state(void *user, const char *name, const char *what, struct tensor *t)
{
    struct reading *g = user;

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
    struct text whole = { .budget = &g->trainer->budget, .report = g->report };

    (void)what;
    (void)t;
    text_printf(&whole, "best/%s", name);
    g->best = !whole.failed && npz_has(g->from, whole.data);
    text_release(&whole);
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

static bool check_about(struct reading *g, const struct checkpoint *c)
{
    struct text now = { .budget = &g->trainer->budget, .report = g->report }, then = now;
    struct tensor about = { 0 };
    bool ok = say_about(&now, g->trainer, c, g->report) && npz_read(&about, g->from, "about", NULL, g->report);

    if (ok && (about.dtype != U8 || about.rank != 1))
        ok = fail(g->report, KILN_BAD_DATA, g->path, "is no checkpoint: 'about' must be text");
    if (ok)
        text_add(&then, about.data, (size_t)about.dims[0]);
    ok = ok && !then.failed && compare_about(g->path, then.data ? then.data : "", now.data, g->report);
    budget_free(&g->trainer->budget, about.data);
    text_release(&then);
    text_release(&now);
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
        ok = check_about(&g, c) && get_all(&g, c);
    g.take = true;
    ok = ok && get_all(&g, c);
    npz_close(g.from);
    return ok;
}
