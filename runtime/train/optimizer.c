#include "train/optimizer.h"
#include "train/options.h"
#include <math.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* -- options -- */

#define NUMBER(field, from, to)                                                                                        \
    {                                                                                                                  \
#field, false, from, to, true, offsetof(struct optimizer, field)                                               \
    }
#define BELOW(field, from, to)                                                                                         \
    {                                                                                                                  \
#field, false, from, to, false, offsetof(struct optimizer, field)                                              \
    }
#define FLAG(field)                                                                                                    \
    {                                                                                                                  \
#field, true, 0, 1, true, offsetof(struct optimizer, field)                                                    \
    }

static const struct spec_option sgd_options[] = {
    NUMBER(learning_rate, 0, MOST_RATE), NUMBER(momentum, 0, 1), FLAG(nesterov), { 0 }
};
static const struct spec_option adam_options[] = {
    NUMBER(learning_rate, 0, MOST_RATE), BELOW(beta_1, 0, 1), BELOW(beta_2, 0, 1), NUMBER(epsilon, 0, 1e30), { 0 }
};
static const struct spec_option rmsprop_options[] = { NUMBER(learning_rate, 0, MOST_RATE),
                                                      NUMBER(rho, 0, 1),
                                                      NUMBER(momentum, 0, 1),
                                                      NUMBER(epsilon, 0, 1e30),
                                                      FLAG(centered),
                                                      { 0 } };

static const struct row {
    const char *name;
    const struct spec_option *options;
    struct optimizer defaults;
} kinds[] = {
    [OPTIMIZER_SGD] = { "sgd", sgd_options, { .kind = OPTIMIZER_SGD, .learning_rate = .01 } },
    [OPTIMIZER_ADAM] = { "adam",
                         adam_options,
                         { .kind = OPTIMIZER_ADAM,
                           .learning_rate = .001,
                           .beta_1 = .9,
                           .beta_2 = .999,
                           .epsilon = 1e-7 } },
    [OPTIMIZER_RMSPROP] = { "rmsprop",
                            rmsprop_options,
                            { .kind = OPTIMIZER_RMSPROP, .learning_rate = .001, .rho = .9, .epsilon = 1e-7 } },
};

static void name_slots(struct optimizer *o)
{
    switch (o->kind) {
    case OPTIMIZER_SGD:
        if (o->momentum > 0)
            o->slot_names[o->slots++] = "momentum";
        break;
    case OPTIMIZER_ADAM:
        o->slot_names[o->slots++] = "momentum";
        o->slot_names[o->slots++] = "velocity";
        break;
    case OPTIMIZER_RMSPROP:
        o->slot_names[o->slots++] = "velocity";
        if (o->centered)
            o->slot_names[o->slots++] = "average";
        if (o->momentum > 0)
            o->slot_names[o->slots++] = "momentum";
        break;
    }
}

bool optimizer_parse(struct optimizer *out, const char *spec, struct report *r)
{
    const size_t n = option_name_length(spec);
    char what[80];

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        if (strlen(kinds[k].name) != n || strncmp(kinds[k].name, spec, n) != 0)
            continue;
        *out = kinds[k].defaults;
        snprintf(what, sizeof what, "optimizer '%s'", kinds[k].name);
        if (!options_read(out, spec, kinds[k].options, &(struct spec_subject){ what, KILN_BAD_ARGUMENT }, r))
            return false;
        name_slots(out);
        return true;
    }
    return fail(r, KILN_BAD_ARGUMENT, NULL, "optimizer '%.*s' is unknown, must be sgd, adam or rmsprop",
                (int)(n > 60 ? 60 : n), spec);
}

const char *optimizer_name(const struct optimizer *o)
{
    return kinds[o->kind].name;
}

/* -- arithmetic -- */

/* Powers are taken in float, as Keras takes them: in double the rate would differ by 2e-5 at the first step, for 1 -
 * .999f. 1 - beta is taken in double and then rounded, as Python does. */
float optimizer_rate(const struct optimizer *o, float learning_rate, int64_t step)
{
    const float t = (float)step;

    if (o->kind != OPTIMIZER_ADAM)
        return learning_rate;
    return learning_rate * sqrtf(1 - powf((float)o->beta_2, t)) / (1 - powf((float)o->beta_1, t));
}

bool optimizer_apply(const struct optimizer *o, const struct kernels *k, float rate, float *w, float *const *slots,
                     const float *g, int64_t n)
{
    switch (o->kind) {
    case OPTIMIZER_SGD:
        return k->sgd(w, o->slots ? slots[0] : NULL, g, n, rate, (float)o->momentum, o->nesterov);
    case OPTIMIZER_ADAM:
        return k->adam(w, slots[0], slots[1], g, n, rate, (float)(1 - o->beta_1), (float)(1 - o->beta_2),
                       (float)o->epsilon);
    case OPTIMIZER_RMSPROP:
        return k->rmsprop(w, slots[0], o->centered ? slots[1] : NULL, o->momentum > 0 ? slots[o->slots - 1] : NULL, g,
                          n, rate, (float)o->rho, (float)o->momentum, (float)o->epsilon);
    }
    return true;
}

bool has_become_infinite(float was, float now)
{
    return !isfinite(now) && now != was && !isnan(was);
}

/* -- the node -- */

/* Inputs: the rate, the loss, what is watched (each next value and the one that it is to replace), then parameters. */
enum { RATE, LOSS, WATCHED };

struct update {
    const struct optimizer *optimizer;
    int watched;
    const float *const *initial; /* by parameter: what it began with */
    atomic_bool *suspect;        /* by parameter: something in it is not finite after the step that runs */
};

static int first(const struct update *u)
{
    return WATCHED + 2 * u->watched;
}

static int group(const struct update *u) /* inputs of a parameter: itself, its gradient, its slots */
{
    return 2 + u->optimizer->slots;
}

static bool infer(struct infer *i)
{
    const struct update *u = infer_attrs(i);
    int out = 0;

    for (int p = first(u); p < infer_inputs(i); p += group(u)) {
        if (!same_type(typed_in(i, p), typed_in(i, p + 1)))
            return infer_error(i, "a gradient differs from its parameter in type");
        for (int k = 0; k < group(u); k++) {
            if (k == 1) /* the gradient is only read */
                continue;
            if (!set_out(i, out, F32, typed_in(i, p)->rank, typed_in(i, p)->dims))
                return false;
            updates(i, out++, p + k);
        }
    }
    return true;
}

/* How many pieces the work is cut into: 10 us or so each of what this kind takes. */
static int64_t pieces_of(const struct optimizer *o, int64_t elements)
{
    enum { MOST = 64 };
    const int64_t each = o->kind == OPTIMIZER_SGD && !o->slots ? 1 << 16 : 1 << 15;
    int64_t pieces = 1;

    while (pieces < MOST && pieces * each < elements)
        pieces *= 2;
    return pieces;
}

/* Elements [from, to) of one parameter. */
static bool update(const struct step *s, int p, float rate, int64_t from, int64_t to)
{
    const struct update *u = s->attrs;
    float *slots[MAX_SLOTS];

    for (int k = 0; k < u->optimizer->slots; k++)
        slots[k] = (float *)s->in[p + 2 + k]->data + from;
    return optimizer_apply(u->optimizer, s->k, rate, (float *)s->in[p]->data + from, slots,
                           (const float *)s->in[p + 1]->data + from, to - from);
}

/* Elements before piece i of a parameter with n of them. Small ones are in one piece. */
static int64_t piece_at(int64_t n, int64_t i, int64_t pieces)
{
    enum { WHOLE = 1 << 12, LINE = 64 / sizeof(float) };

    if (n <= WHOLE)
        return i ? n : 0;
    return i == pieces ? n : n * i / pieces / LINE * LINE;
}

struct pieces {
    const struct step *step;
    int64_t count;
};

/* Of each parameter its share: the rows of a matrix that a thread updates are those that it reads in a product whose
 * depth is cut among threads (kernels/dense_stream.h). */
static void run_piece(void *context, int64_t i, int thread)
{
    const struct pieces *p = context;
    const struct step *s = p->step;
    const struct update *u = s->attrs;
    const float rate = *(const float *)s->in[RATE]->data;

    (void)thread;
    for (int at = first(u), k = 0; at < s->node->inputs; at += group(u), k++) {
        const int64_t n = tensor_count(s->in[at]), from = piece_at(n, i, p->count), to = piece_at(n, i + 1, p->count);

        if (from < to && !update(s, at, rate, from, to))
            atomic_store_explicit(&u->suspect[k], true, memory_order_relaxed);
    }
}

/* Statistics are few numbers, and known before anything is changed. */
static bool check_watched(struct step *s, const struct update *u)
{
    for (int k = WATCHED; k < first(u); k += 2) {
        const float *next = s->in[k]->data, *now = s->in[k + 1]->data;
        const int64_t n = tensor_count(s->in[k]);

        for (int64_t i = 0; i < n; i++)
            if (has_become_infinite(now[i], next[i]))
                return step_error(s,
                                  "statistic '%s' would not be finite: nothing was changed; a lower learning rate "
                                  "or other data may help",
                                  s->node->in[k + 1]->name);
    }
    return true;
}

/* What was not finite in the file may stay so: a mask of -inf that is added is taken for a bias. */
static bool check_suspects(struct step *s, const struct update *u)
{
    for (int at = first(u), k = 0; at < s->node->inputs; at += group(u), k++) {
        const float *now = s->in[at]->data, *was = u->initial[k];
        const int64_t n = atomic_exchange(&u->suspect[k], false) ? tensor_count(s->in[at]) : 0;

        for (int64_t i = 0; i < n; i++)
            if (has_become_infinite(was[i], now[i]))
                return step_error(
                    s,
                    "element %lld of '%s' has become %s: the state cannot be saved any more; a lower learning "
                    "rate or a larger epsilon may help",
                    (long long)i, s->node->in[at]->name, isnan(now[i]) ? "no number" : "infinite");
    }
    return true;
}

static bool run(struct step *s)
{
    const struct update *u = s->attrs;
    const float loss = *(const float *)s->in[LOSS]->data;
    struct pieces pieces = { .step = s };
    int64_t n = 0;

    if (!isfinite(loss))
        return step_error(s, "the loss is %s: nothing was changed; a lower learning rate may help",
                          isnan(loss) ? "not a number" : "infinite");
    if (!check_watched(s, u))
        return false;
    for (int p = first(u); p < s->node->inputs; p += group(u))
        n += tensor_count(s->in[p]);
    pieces.count = pieces_of(u->optimizer, n);
    pool_run(s->pool, pieces.count, run_piece, &pieces);
    return check_suspects(s, u);
}

/* An update changes what it reads, so it is never folded and never tried in the walk over the registry. */
#define ROW                                                                                                            \
    {                                                                                                                  \
        .since = 1, .signature = "T rate, T loss, T state* -> T next*", .types = "T: f32",                             \
        .attrs_size = sizeof(struct update), .infer = infer, .run = run, .no_gradient = "changes the state",           \
        .flags = OP_RUN_ONLY | OP_UPDATES                                                                              \
    }

static const struct op ops[] = {
    [OPTIMIZER_SGD] = { "Sgd", "kiln", (const struct op_def[]){ ROW, { 0 } } },
    [OPTIMIZER_ADAM] = { "Adam", "kiln", (const struct op_def[]){ ROW, { 0 } } },
    [OPTIMIZER_RMSPROP] = { "RmsProp", "kiln", (const struct op_def[]){ ROW, { 0 } } },
};

bool optimizer_emit(struct emitter *e, const struct optimizer *o, const struct optimizer_inputs *i)
{
    struct update *u = emit_alloc(e, sizeof *u);
    const struct update made = { o, (int)i->watched, i->initial, emit_alloc(e, i->parameters * sizeof *made.suspect) };
    const size_t inputs = (size_t)first(&made) + i->parameters * (size_t)group(&made);
    const size_t outputs = i->parameters * (size_t)(1 + o->slots);
    struct value **in = emit_alloc(e, inputs * sizeof *in), **out = emit_alloc(e, outputs * sizeof *out);
    size_t at = WATCHED;

    if (e->failed)
        return false;
    *u = made;
    in[RATE] = i->rate;
    in[LOSS] = i->loss;
    for (size_t k = 0; k < i->watched; k++) {
        in[at++] = i->next[k];
        in[at++] = i->now[k];
    }
    for (size_t p = 0; p < i->parameters; p++) {
        in[at++] = i->parameter[p];
        in[at++] = i->gradient[p];
        for (int k = 0; k < o->slots; k++)
            in[at++] = i->slots[p * (size_t)o->slots + (size_t)k];
    }
    if (!emit_private(e, &ops[o->kind], u, (int)outputs, out, NULL, (int)inputs, in))
        return false;
    for (size_t k = 0; k < outputs; k++)
        if (!graph_add_output(e->graph, out[k]))
            return false;
    return true;
}
