#include "train/checkpoint_about.h"
#include "data/stream.h"
#include "model/model.h"
#include "train/penalty.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* -- the model -- */

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

/* -- texts -- */

/* What may be long: the first of it in words, then how many more there are, and a check sum of them all. */
struct listing {
    struct text *out;
    size_t count, from; /* where the latest begins */
    uLong crc;
};

enum { MOST_LISTED = 8, KEY_TEXT = 48 };

static void listing_begin(struct listing *l, struct text *out, const char *key)
{
    *l = (struct listing){ .out = out };
    text_say(out, "%s", key);
}

/* Of "KEY0", "KEY1" ... */
static void listing_begin_of(struct listing *l, struct text *out, const char *key, size_t k)
{
    *l = (struct listing){ .out = out };
    text_say(out, "%s%zu", key, k);
}

static void listing_next(struct listing *l)
{
    l->from = l->out->length;
    text_say(l->out, "%s", l->count ? ", " : " ");
}

static void listing_put(struct listing *l)
{
    struct text *out = l->out;

    if (out->failed)
        return;
    l->crc = crc32_z(l->crc, (const Bytef *)out->data + l->from, out->length - l->from);
    if (++l->count > MOST_LISTED) {
        out->length = l->from;
        out->data[l->from] = '\0';
    }
}

static void listing_end(struct listing *l)
{
    if (!l->count)
        text_say(l->out, " none");
    if (l->count > MOST_LISTED)
        text_say(l->out, " and %zu more, check sum %08lx", l->count - MOST_LISTED, l->crc);
    text_say(l->out, "\n");
}

static void listing_name(struct listing *l, const char *name)
{
    listing_next(l);
    text_say(l->out, "%s", or_empty(name));
    listing_put(l);
}

/* "NAME OPTIONS" */
static void listing_options(struct listing *l, const char *name, const char *row, const struct spec_row *of,
                            const void *settings)
{
    const size_t before = l->out->length;

    listing_next(l);
    text_say(l->out, "%s%s%s ", or_empty(name), name ? " " : "", row);
    spec_say(l->out, of, settings, NULL);
    if (!l->out->failed && l->out->length > before && l->out->data[l->out->length - 1] == ' ')
        l->out->data[--l->out->length] = '\0';
    listing_put(l);
}

static void say_number(struct text *out, const char *key, double value)
{
    text_say(out, "%s ", key);
    decimal_say(out, value);
    text_say(out, "\n");
}

static void say_options(struct text *out, const char *key, const struct spec_row *row, const void *settings,
                        const char *but)
{
    size_t before;

    text_say(out, "%s ", key);
    before = out->length;
    spec_say(out, row, settings, but);
    text_say(out, "%s\n", out->length == before ? "default" : "");
}

/* -- what a trainer is asked -- */

static void say_frozen(struct text *out, const struct trainer *t)
{
    struct listing l;

    listing_begin(&l, out, "frozen");
    for (size_t k = 0; k < t->parameters.count; k++)
        if (t->parameters.at[k].role == ROLE_FROZEN)
            listing_name(&l, t->parameters.at[k].value->name);
    listing_end(&l);
}

/* The learning rate has a line of its own, which is what a schedule begins with, too. An optimiser's own weight_decay is
 * the common one as well. */
static void say_optimizer(struct text *out, const struct trainer *t)
{
    static const struct spec_row common = { .options = common_options }, none = { 0 };
    const struct optimizer *o = &t->optimizer;
    const struct schedule *s = &t->schedule;

    text_say(out, "optimizer %s\n", o->def->row.name);
    say_options(out, "optimizer_options", &o->def->row, o->settings, "learning_rate");
    say_options(out, "common_options", &common, &o->common,
                spec_option_of(&o->def->row, "weight_decay") ? "weight_decay" : NULL);
    text_say(out, "schedule %s\n", s->def ? s->def->row.name : "none");
    say_options(out, "schedule_options", s->def ? &s->def->row : &none, s->settings, "initial_learning_rate");
}

static void say_rates(struct text *out, const struct trainer *t)
{
    struct listing l;

    listing_begin(&l, out, "rate_factor");
    for (size_t k = 0; k < t->trainable; k++)
        if (t->states[k].rate_factor != 1) {
            listing_next(&l);
            text_say(out, "%s=", or_empty(t->states[k].parameter->value->name));
            decimal_say(out, t->states[k].rate_factor);
            listing_put(&l);
        }
    listing_end(&l);
    listing_begin(&l, out, "exclude_from_weight_decay");
    for (size_t k = 0; k < t->trainable; k++)
        if (t->states[k].parameter->no_decay)
            listing_name(&l, t->states[k].parameter->value->name);
    listing_end(&l);
}

static void say_penalties(struct text *out, const struct trainer *t)
{
    struct listing l;

    listing_begin(&l, out, "regularize");
    for (const struct penalty *p = t->penalties; p; p = p->next)
        listing_options(&l, p->activity ? p->activity->name : p->state->parameter->value->name,
                        p->regularizer.def->row.name, &p->regularizer.def->row, p->regularizer.settings);
    listing_end(&l);
}

static void say_class_weights(struct text *out, size_t k, const struct loss *loss)
{
    struct listing l;

    listing_begin_of(&l, out, "class_weight", k);
    for (int64_t c = 0; c < loss->weighted; c++)
        if (loss->class_weights[c] != 1) {
            listing_next(&l);
            text_say(out, "%lld=", (long long)c);
            decimal_say(out, loss->class_weights[c]);
            listing_put(&l);
        }
    listing_end(&l);
}

/* Of a graph that is a loss, what it computes; its name stands in the line of the loss. */
static void say_loss_options(struct text *out, size_t k, const struct loss *loss)
{
    const struct model *graph = loss->def->graph ? loss->def->graph(loss->settings) : NULL;
    struct summing s = { { sum_bytes }, 0 };
    char key[KEY_TEXT];

    snprintf(key, sizeof key, "loss_options%zu", k);
    if (!graph) {
        say_options(out, key, &loss->def->row, loss->settings, NULL);
        return;
    }
    protobuf_c_message_pack_to_buffer(&graph->proto->base, &s.buffer);
    text_say(out, "%s check sum %08lx\n", key, s.crc);
}

static void say_metrics(struct text *out, size_t k, const struct metrics *m)
{
    struct listing l;

    listing_begin_of(&l, out, "metric", k);
    for (size_t i = 0; i < m->count; i++)
        if (m->each[i].told)
            listing_options(&l, NULL, m->each[i].name, &m->each[i].def->row, m->each[i].settings);
    listing_end(&l);
}

static void say_target(struct text *out, size_t k, const struct target *t)
{
    char key[KEY_TEXT];

    text_say(out, "output%zu %s\n", k, or_empty(t->output->name));
    text_say(out, "loss%zu %s\n", k, t->loss.said);
    say_loss_options(out, k, &t->loss);
    snprintf(key, sizeof key, "loss_weight%zu", k);
    say_number(out, key, t->loss.weight);
    text_say(out, "class_axis%zu ", k);
    text_say(out, t->loss.axis ? "%d\n" : "last\n", t->loss.axis);
    say_class_weights(out, k, &t->loss);
    say_metrics(out, k, &t->metrics);
}

/* As it was asked for: a schedule's own is a float. */
static double first_rate(const struct trainer *t, const struct checkpoint *c)
{
    const struct schedule *s = &t->schedule;
    const bool says = s->def && spec_option_of(&s->def->row, "initial_learning_rate");
    const double said = says ? spec_value(&s->def->row, s->settings, "initial_learning_rate") : (double)NAN;

    return !s->def ? c->learning_rate : isnan(said) ? t->optimizer.learning_rate : said;
}

/* A loop of one's own takes up the rate that the checkpoint has, but for a schedule's. */
static void say_trainer(struct text *out, const struct trainer *t, const struct checkpoint *c)
{
    say_frozen(out, t);
    say_optimizer(out, t);
    if (t->schedule.def || c->fields)
        say_number(out, "learning_rate", first_rate(t, c));
    say_rates(out, t);
    say_penalties(out, t);
    for (size_t k = 0; k < t->target_count; k++)
        say_target(out, k, &t->targets[k]);
    text_say(out, "dropout_seed %llu\n", (unsigned long long)t->engine.seed);
    text_say(out, "exact %s\n", t->engine.exact ? "yes" : "no");
    text_say(out, t->bptt ? "bptt %lld\n" : "bptt all\n", (long long)t->bptt);
}

/* -- data -- */

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

static void say_set(struct text *out, const char *key, const struct dataset *d)
{
    uLong crc = 0;

    if (!d) {
        text_say(out, "%s none\n", key);
        return;
    }
    if (d->count == UNKNOWN)
        text_say(out, "%s a stream of", key);
    else
        text_say(out, "%s %lld samples of", key, (long long)d->count);
    say_columns(out, d->x, d->inputs, d, &crc);
    text_say(out, " for");
    say_columns(out, d->y, d->targets, d, &crc);
    if (dataset_is_weighted(d)) {
        text_say(out, " with weights");
        say_columns(out, &d->weights, 1, d, &crc);
    }
    text_say(out, ", check sum %08lx\n", crc);
}

/* Of each input, with what was fitted. */
static void say_normalizer(struct text *out, const char *key, const struct normalizer *n)
{
    struct listing l;

    listing_begin(&l, out, key);
    for (size_t k = 0; n && k < n->inputs; k++) {
        const struct scaling *s = &n->of[k];
        const size_t bytes = (size_t)s->features * sizeof *s->mean;
        uLong crc = 0;

        if (s->kind == NORMALIZE_NONE)
            continue;
        listing_next(&l);
        text_say(out, "%s%s%s", or_empty(s->name), s->name ? " " : "", normalization_names[s->kind]);
        if (s->mean)
            crc = crc32_z(crc, (const Bytef *)s->mean, bytes);
        if (s->deviation)
            crc = crc32_z(crc, (const Bytef *)s->deviation, bytes);
        if (s->mean || s->deviation)
            text_say(out, " of %lld, check sum %08lx", (long long)s->features, crc);
        listing_put(&l);
    }
    listing_end(&l);
}

static void say_data(struct text *out, const struct checkpoint *c)
{
    say_set(out, "data", c->data);
    text_say(out, "normalize %s\n", normalization_names[c->normalizer ? c->normalizer->kind : NORMALIZE_NONE]);
    say_normalizer(out, "normalization", c->normalizer);
    text_say(out, "augmentation ");
    if (c->augmentation)
        spec_say(out, &augmentation_row, c->augmentation, NULL);
    text_say(out, "%s\n", c->augmentation ? "" : "none");
    text_say(out, "batch %lld\n", (long long)c->batch);
    text_say(out, "order %s", c->shuffle ? "shuffled" : "of the data");
    if (c->shuffle && c->data->stream)
        text_say(out, " in a window of %lld", (long long)c->data->stream->window);
    text_say(out, "\n");
    text_say(out, "seed %llu\n", (unsigned long long)c->seed);
    say_set(out, "validation", c->validation);
    say_normalizer(out, "validation_normalization", c->validation ? c->validation_normalizer : NULL);
}

static void say_measures(struct text *out, const struct trainer *t)
{
    text_say(out, "measures");
    for (size_t k = 0; k < t->measure_count; k++)
        text_say(out, " %s", t->measures[k].name);
    text_say(out, "\n");
}

bool about_say(struct text *out, const struct trainer *t, const struct checkpoint *c, struct report *r)
{
    uLong crc;

    if (!sum_model(t, &crc, r))
        return false;
    text_say(out, "kiln checkpoint 1\n");
    text_say(out, "model '%s' with %zu nodes and %zu tensors that it learns, check sum %08lx\n",
             or_empty(t->model->proto->graph->name), t->model->proto->graph->n_node, t->state_count, crc);
    say_trainer(out, t, c);
    if (c->data) {
        say_measures(out, t);
        say_data(out, c);
    }
    if (c->say)
        c->say(out, c->user);
    return !out->failed;
}

/* -- compared -- */

/* Of these a checkpoint is refused, of others it is told; in the order in which people should be told. What is frozen is a
 * part of the model's check sum, too, and earlier versions did not say it. */
static const struct {
    const char *key;
    bool may_lack;
} must_agree[] = { { "kiln ", false },      { "frozen ", true },    { "model ", false },
                   { "optimizer ", false }, { "measures ", false }, { "data ", false } };

enum { MUST_AGREE = sizeof must_agree / sizeof *must_agree };

static bool is_of(const char *line, const char *key)
{
    return strncmp(line, key, strlen(key)) == 0;
}

static bool is_refused(const char *line)
{
    for (size_t k = 0; k < MUST_AGREE; k++)
        if (is_of(line, must_agree[k].key))
            return true;
    return false;
}

static int line_length(const char *line)
{
    return (int)strcspn(line, "\n");
}

static const char *next_line(const char *line)
{
    line += line_length(line);
    return line + (*line == '\n');
}

/* The line of `text` that begins with the `n` bytes of `key`; NULL where there is none. */
static const char *find_line(const char *text, const char *key, size_t n)
{
    for (; *text; text = next_line(text))
        if (strncmp(text, key, n) == 0)
            return text;
    return NULL;
}

/* The line of `text` that is of what `line` is of: up to the first space. */
static const char *line_like(const char *text, const char *line)
{
    return find_line(text, line, strcspn(line, " ") + 1);
}

static bool same_line(const char *a, const char *b)
{
    return line_length(a) == line_length(b) && strncmp(a, b, (size_t)line_length(a)) == 0;
}

bool about_agrees(const char *path, const char *then, const char *now, struct report *r)
{
    for (size_t k = 0; k < MUST_AGREE; k++) {
        const char *key = must_agree[k].key;
        const char *is = find_line(now, key, strlen(key)), *was = find_line(then, key, strlen(key));

        if (!is || (was && same_line(is, was)) || (!was && must_agree[k].may_lack))
            continue;
        if (!was)
            return fail(r, KILN_BAD_DATA, path,
                        "it is a checkpoint of another training: it does not say what here is "
                        "\"%.*s\"",
                        line_length(is), is);
        return fail(r, KILN_BAD_DATA, path,
                    "it is a checkpoint of another training: it has \"%.*s\", here it is \"%.*s\"", line_length(was),
                    was, line_length(is), is);
    }
    return true;
}

/* In one warning: of a checkpoint that an earlier version has written they are many. */
static bool tell_lacking(const char *path, const char *then, const char *now, struct report *r)
{
    enum { MOST_KEYS = 64 };
    struct budget b = { 0 };
    struct arena scratch = { .budget = &b };
    const char *keys[MOST_KEYS];
    char text[NAMES_TEXT];
    size_t count = 0;
    bool ok = true;

    for (const char *line = now; ok && *line && count < MOST_KEYS; line = next_line(line)) {
        if (line_like(then, line) || is_refused(line))
            continue;
        keys[count] = arena_printf(&scratch, r, "%.*s", (int)strcspn(line, " "), line);
        ok = keys[count++];
    }
    if (ok && count)
        warn(r, path, "an earlier version wrote the checkpoint, which does not say %s: they may have been others",
             names_text(text, keys, count));
    arena_release(&scratch);
    return ok;
}

bool about_tell(const char *path, const char *then, const char *now, struct report *r)
{
    for (const char *line = now; *line; line = next_line(line)) {
        const char *was = line_like(then, line);

        if (was && !is_refused(line) && !same_line(was, line))
            warn(r, path,
                 "the checkpoint was made with \"%.*s\", now it is \"%.*s\": the result will differ from that "
                 "without a break",
                 line_length(was), was, line_length(line), line);
    }
    return tell_lacking(path, then, now, r);
}
