#include "train/initialise.h"
#include "base/random.h"
#include "ops/op.h"
#include "train/edit.h"
#include "train/options.h"
#include "train/trainable.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

/* -- rules -- */

struct rule {
    const char *name;
    double low, high; /* uniform */
    double mean, deviation;
    double value; /* constant */
};

/* A parameter about to be drawn. */
struct draw {
    struct tensor type;
    struct fans fans;
    float *out;
    uint64_t seed, stream;
    struct budget *budget;
    struct report *report;
};

static bool draw_constant(struct draw *d, double value)
{
    const int64_t n = tensor_count(&d->type);

    for (int64_t k = 0; k < n; k++)
        d->out[k] = (float)value;
    return true;
}

static bool draw_uniform(struct draw *d, double low, double high)
{
    const int64_t n = tensor_count(&d->type);

    random_uniform(d->out, n, d->seed, d->stream, 0);
    for (int64_t k = 0; k < n; k++)
        d->out[k] = (float)(low + (high - low) * (double)d->out[k]);
    return true;
}

static bool draw_normal(struct draw *d, double mean, double deviation, bool truncated)
{
    const int64_t n = tensor_count(&d->type);

    (truncated ? random_truncated_normal : random_normal)(d->out, n, d->seed, d->stream, 0);
    for (int64_t k = 0; k < n; k++)
        d->out[k] = (float)(mean + deviation * (double)d->out[k]);
    return true;
}

/* Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998. The normal one is cut at two deviations and widened again
 * by as much. */
static bool draw_scaled(struct draw *d, double scale, double fan, bool normal)
{
    const double variance = scale / (fan < 1 ? 1 : fan);

    if (normal)
        return draw_normal(d, 0, sqrt(variance) / .87962566103423978, true);
    return draw_uniform(d, -sqrt(3 * variance), sqrt(3 * variance));
}

/* Orthonormal columns of a matrix of normal numbers, by Gram and Schmidt, each twice, in double; one matrix for each
 * leading index. */
static bool draw_orthogonal(struct draw *d)
{
    const int rank = d->type.rank;
    const int64_t across = rank ? d->type.dims[rank - 1] : 1, down = rank > 1 ? d->type.dims[rank - 2] : 1;
    const int64_t matrices = across && down ? tensor_count(&d->type) / (across * down) : 0;
    const bool tall = down >= across;
    const int64_t rows = tall ? across : down, columns = tall ? down : across; /* vectors, and their length */
    double *q = budget_zalloc(d->budget, (size_t)(rows * columns), sizeof *q, d->report);

    if (!q)
        return false;
    random_normal(d->out, tensor_count(&d->type), d->seed, d->stream, 0);
    for (int64_t m = 0; m < matrices; m++) {
        float *out = d->out + m * across * down;

        for (int64_t i = 0; i < rows; i++) {
            double *v = q + i * columns, length = 0;

            for (int64_t k = 0; k < columns; k++)
                v[k] = (double)(tall ? out[k * across + i] : out[i * across + k]);
            for (int64_t j = 0; j < 2 * i; j++) {
                const double *u = q + (j % i) * columns;
                double dot = 0;

                for (int64_t k = 0; k < columns; k++)
                    dot += u[k] * v[k];
                for (int64_t k = 0; k < columns; k++)
                    v[k] -= dot * u[k];
            }
            for (int64_t k = 0; k < columns; k++)
                length += v[k] * v[k];
            for (int64_t k = 0; k < columns; k++)
                v[k] /= sqrt(length);
        }
        for (int64_t i = 0; i < rows; i++)
            for (int64_t k = 0; k < columns; k++)
                out[tall ? k * across + i : i * across + k] = (float)q[i * columns + k];
    }
    budget_free(d->budget, q);
    return true;
}

static bool draw_named(struct draw *d, const struct rule *r)
{
    const struct fans f = d->fans;
    const bool normal = strstr(r->name, "normal");

    if (strncmp(r->name, "glorot_", 7) == 0)
        return draw_scaled(d, 1, (f.in + f.out) / 2, normal);
    if (strncmp(r->name, "he_", 3) == 0)
        return draw_scaled(d, 2, f.in, normal);
    if (strncmp(r->name, "lecun_", 6) == 0)
        return draw_scaled(d, 1, f.in, normal);
    if (strcmp(r->name, "zeros") == 0)
        return draw_constant(d, 0);
    if (strcmp(r->name, "ones") == 0)
        return draw_constant(d, 1);
    if (strcmp(r->name, "constant") == 0)
        return draw_constant(d, r->value);
    if (strcmp(r->name, "random_uniform") == 0)
        return draw_uniform(d, r->low, r->high);
    if (strcmp(r->name, "orthogonal") == 0)
        return draw_orthogonal(d);
    return draw_normal(d, r->mean, r->deviation, strcmp(r->name, "truncated_normal") == 0);
}

static bool read_rule(struct rule *to, const char *spec, const char *subject, struct report *r)
{
    static const struct spec_option none[] = { { 0 } };
    static const struct spec_option uniform[] = {
        { "minval", false, -1e30, 1e30, true, offsetof(struct rule, low) },
        { "maxval", false, -1e30, 1e30, true, offsetof(struct rule, high) },
        { 0 },
    };
    static const struct spec_option normal[] = {
        { "mean", false, -1e30, 1e30, true, offsetof(struct rule, mean) },
        { "stddev", false, 0, 1e30, true, offsetof(struct rule, deviation) },
        { 0 },
    };
    static const struct {
        const char *name;
        const struct spec_option *options;
    } rules[] = { { "glorot_uniform", none },  { "glorot_normal", none },
                  { "he_uniform", none },      { "he_normal", none },
                  { "lecun_uniform", none },   { "lecun_normal", none },
                  { "zeros", none },           { "ones", none },
                  { "orthogonal", none },      { "random_uniform", uniform },
                  { "random_normal", normal }, { "truncated_normal", normal } };
    const size_t n = option_name_length(spec);

    *to = (struct rule){ .name = "constant", .low = -.05, .high = .05, .deviation = .05 };
    if (strncmp(spec, "constant:", 9) == 0) {
        const size_t used = decimal_read(spec + 9, &to->value);

        return (used && !spec[9 + used] && fits_float(to->value)) ||
               fail(r, KILN_BAD_MODEL, subject,
                    "initialiser '%s' needs a number that a float can hold, as in "
                    "'constant:0.1'",
                    spec);
    }
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++)
        if (strlen(rules[k].name) == n && strncmp(rules[k].name, spec, n) == 0) {
            to->name = rules[k].name;
            return options_read(to, spec, rules[k].options, &(struct spec_subject){ subject, KILN_BAD_MODEL }, r);
        }
    return fail(r, KILN_BAD_MODEL, subject,
                "initialiser '%s' is unknown, must be glorot_, he_ or lecun_ with uniform or normal, zeros, ones, "
                "constant:VALUE, "
                "random_uniform, random_normal, truncated_normal or orthogonal",
                spec);
}

/* -- parameters -- */

/* The first place where a value is a parameter. */
struct place_of {
    const struct node *reader; /* NULL: there is none */
    int input;
};

/* By value id. */
static struct place_of *find_readers(const struct graph *g, struct arena *arena, struct report *r)
{
    struct place_of *places = arena_array(arena, g->value_count, sizeof *places, r);

    for (size_t k = 0; places && k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs; i++) {
            struct place_of *p = g->nodes[k]->in[i] ? &places[g->nodes[k]->in[i]->id] : NULL;

            if (p && !p->reader && node_parameter(g->nodes[k], i))
                *p = (struct place_of){ g->nodes[k], i };
        }
    return places;
}

static struct fans fans_of(const struct node *n, int input, const struct tensor *t)
{
    const struct op_parameter *p = n ? node_parameter(n, input) : NULL;
    const double first = t->rank > 0 ? (double)t->dims[0] : 1;

    if (t->rank < 2)
        return (struct fans){ first, first };
    return p && p->fans ? p->fans(n, input, t)
                        : (struct fans){ (double)t->dims[t->rank - 2], (double)t->dims[t->rank - 1] };
}

/* What the metadata say, by the names of values: the first of several rules. */
static bool find_rules(const struct model *m, struct map *rules, struct report *r)
{
    for (size_t k = 0; k < m->proto->n_metadata_props; k++) {
        const Onnx__StringStringEntryProto *p = m->proto->metadata_props[k];
        void **slot;

        if (!p->key || !p->value || strncmp(p->key, "init.", 5) != 0)
            continue;
        slot = map_put(rules, p->key + 5, r);
        if (!slot)
            return false;
        if (!*slot)
            *slot = p->value;
    }
    return true;
}

struct drawing {
    const struct model *from;
    struct edit e;
    struct arena arena;
    struct map rules; /* find_rules */
    const struct initialise_options *options;
    size_t count;
};

/* `ordinal` is the parameter's place in the file: what it is given depends on that and the seed alone. */
static bool draw_value(struct drawing *g, const struct value *v, const struct tensor *type, const char *spec,
                       const struct node *reader, int input, size_t ordinal)
{
    struct report *r = g->e.report;
    struct draw d = { .type = *type,
                      .fans = fans_of(reader, input, type),
                      .seed = g->options->seed,
                      .stream = random_stream(RANDOM_NODE_INIT, ordinal),
                      .budget = g->e.budget,
                      .report = r };
    Onnx__TensorProto *old = edit_initializer(&g->e, v->name);
    struct rule rule;
    bool ok;

    if (type->dtype != F32)
        return fail(r, KILN_UNSUPPORTED, v->name, "type %s cannot be drawn, must be float", dtype_name(type->dtype));
    if (!read_rule(&rule, spec, v->name, r))
        return false;
    d.out = budget_alloc(g->e.budget, (size_t)tensor_bytes(type), r);
    if (!d.out)
        return false;
    d.type.data = d.out;
    ok = draw_named(&d, &rule) &&
         (old ? edit_tensor(&g->e, old, &d.type) : edit_add_initializer(&g->e, v->name, &d.type));
    budget_free(g->e.budget, d.out);
    g->count += ok;
    return ok;
}

/* Is the input a parameter? The metadata say so, or it is read as one and is not where the samples come in. */
static const char *rule_of_input(const struct drawing *g, size_t k, const struct place_of *at)
{
    const struct value *v = g->from->graph->inputs[k];
    const char *rule = map_get(&g->rules, v->name);

    if (!rule && at->reader && k > 0 && tensor_known(&v->type))
        rule = node_parameter(at->reader, at->input)->initial;
    return rule;
}

/* Where memory does not suffice to tell, who gives them values will say so. */
bool model_needs_values(const struct model *m)
{
    struct budget b = budget_like(&m->budget);
    struct map rules;
    bool needs;

    map_init(&rules, &b);
    needs = !find_rules(m, &rules, NULL);
    for (size_t k = 0; k < m->graph->input_count; k++)
        needs |= map_has(&rules, m->graph->inputs[k]->name);
    map_release(&rules);
    return needs;
}

static bool draw_inputs(struct drawing *g)
{
    const struct graph *from = g->from->graph;
    const struct place_of *places = find_readers(from, &g->arena, g->e.report);

    for (size_t k = 0; places && k < from->input_count; k++) {
        const struct value *v = from->inputs[k];
        const struct place_of *at = &places[v->id];
        const char *rule = rule_of_input(g, k, at);

        if (!rule)
            continue;
        if (!v->has_type || !tensor_known(&v->type))
            return fail(g->e.report, KILN_BAD_MODEL, v->name, "a parameter must declare its shape");
        if (!draw_value(g, v, &v->type, rule, at->reader, at->input, k))
            return false;
        if (g->from->proto->ir_version > 3) /* before, every initializer had to be an input as well */
            edit_drop_graph_input(&g->e, v->name);
    }
    return places;
}

static bool draw_again(struct drawing *g)
{
    struct parameters p;
    bool ok = parameters_find(&p, g->from, 0, NULL, &g->arena, g->e.report);

    for (size_t k = 0; ok && k < p.count; k++) {
        const struct parameter *q = &p.at[k];
        const char *rule = map_get(&g->rules, q->value->name);

        if ((q->role != ROLE_TRAINABLE && q->role != ROLE_STATISTIC) || q->value->producer)
            continue;
        if (!rule)
            rule = node_parameter(q->reader, q->input)->initial;
        ok = draw_value(g, q->value, &q->initial, rule, q->reader, q->input, k);
    }
    return ok;
}

struct model *model_initialise(const struct model *m, const struct initialise_options *o, size_t *count,
                               struct report *r)
{
    struct model *copy = model_copy(m, r);
    struct drawing g = { .from = m, .options = o };
    bool ok = copy;

    if (copy) {
        g.arena.budget = &copy->budget;
        map_init(&g.rules, &copy->budget);
        ok =
            edit_begin(&g.e, copy, r) && find_rules(m, &g.rules, r) && draw_inputs(&g) && (!o->again || draw_again(&g));
        ok = edit_end(&g.e) && ok;
        map_release(&g.rules);
        arena_release(&g.arena);
    }
    *count = g.count;
    if (ok)
        return copy;
    model_free(copy);
    return NULL;
}
