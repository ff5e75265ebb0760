#include "adapt/keras_calls.h"
#include "adapt/normalization/expression.h"
#include "adapt/normalization/traces/registry.h"
#include "model/message.h"
#include "ops/registry.h"
#include "train/constants.h"
#include <stdio.h>
#include <string.h>

/* -- finding -- */

/* The first trace that finds something has it. Nodes that belong to a site are passed over. */
static bool find_sites(struct search *s, struct sites *sites)
{
    struct adapt *a = s->adapt;
    bool *taken = arena_array(a->arena, s->graph->node_count, sizeof *taken, a->report);

    sites->at = arena_array(a->arena, s->graph->node_count, sizeof *sites->at, a->report);
    sites->kept = arena_array(a->arena, s->graph->node_count, sizeof *sites->kept, a->report);
    if (!taken || !sites->at || !sites->kept)
        return false;
    for (size_t k = 0; k < s->graph->node_count; k++)
        for (int t = 0; !taken[k] && trace_registry[t]; t++) {
            struct site *found = &sites->at[sites->count];

            *found = (struct site){ .trace = trace_registry[t], .bias = -1 };
            const bool is = trace_registry[t]->find(s, s->graph->nodes[k], found);

            if (failed(a->report))
                return false;
            if (!is)
                continue;
            for (int n = 0; n < found->node_count; n++)
                taken[found->nodes[n]->id] = true;
            taken[k] = true;
            sites->count++;
        }
    return true;
}

/* -- choosing -- */

static const char *const pair_choices[] = { "batch-normalization", "scale-and-shift", "constant", NULL };
static const char *const layer_choices[] = { "batch-normalization", "none", NULL };

/* All that its nodes read of it keeps its values. */
static bool make_constant(struct search *s, const struct site *t)
{
    for (int k = 0; k < t->node_count; k++)
        for (int i = 0; i < t->nodes[k]->inputs; i++) {
            const struct value *v = t->nodes[k]->in[i];

            if (v && !s->active[v->id] && !adapt_set_role(s->adapt, expression_root(v)->name, ROLE_CONSTANT))
                return false;
        }
    return true;
}

/* A layer of which the caller says that it is none stays as it is. */
static bool choose(struct search *s, struct sites *sites)
{
    const enum folded folded = s->adapt->options->folded;

    for (size_t k = 0; k < sites->count; k++) {
        struct site *t = &sites->at[k];
        const char *node = facts_name(t->layer ? t->layer : t->nodes[0]);
        const char *chosen = adapt_choice(s->adapt, t->layer ? layer_choices : pair_choices, t->name, node);

        sites->kept[k] =
            chosen ? strcmp(chosen, "batch-normalization") != 0 : t->taken_for || (t->layer && folded == FOLDED_NONE);
        if (chosen)
            t->taken_for = strcmp(chosen, "constant") == 0         ? "constants, as asked"
                           : strcmp(chosen, "batch-normalization") ? "no BatchNormalization, as asked"
                                                                   : NULL;
        if (chosen && strcmp(chosen, "constant") == 0 && !make_constant(s, t))
            return false;
    }
    return true;
}

/* -- telling -- */

static const char *what_is_exact(const struct site *s)
{
    return s->lags        ? s->lags
           : s->fresh     ? s->near ? "near what it begins with: mean 0, variance 1 are taken"
                                    : "never trained: mean 0, variance 1"
           : !s->measured ? "gamma, beta, mean and variance are exact"
                          : "mean and variance measured";
}

/* TensorFlow's trace in a file of PyTorch's: a layer that somebody has written by hand, as torchvision's frozen one. */
static bool is_pytorch(const struct search *s, const struct site *t)
{
    return strcmp(or_empty(s->adapt->model->proto->producer_name), "pytorch") == 0 &&
           strstr(t->trace->exporter, "TensorFlow");
}

double site_momentum(const struct search *s, const struct site *t)
{
    const double asked = s->adapt->options->momentum;

    return asked > 0 ? asked : t->momentum > 0 ? t->momentum : is_pytorch(s, t) ? .9 : t->trace->momentum;
}

const char *site_exporter(const struct search *s, const struct site *t)
{
    return is_pytorch(s, t) ? "PyTorch" : t->trace->exporter;
}

/* ", that" where it is so: the first of a list has no comma. */
static void put_if(char out[300], bool is, const char *what)
{
    const size_t n = strlen(out);

    if (is)
        snprintf(out + n, 300 - n, "%s%s", n ? ", " : "", what);
}

/* What the file does not tell. Of a layer that is computed in it, only the momentum. */
static void put_unknown(const struct search *search, char out[300], const struct site *s)
{
    const bool told = s->certainty == CERTAIN && !s->measured && !s->fresh; /* it is computed in the file */

    *out = 0;
    if (s->momentum <= 0)
        snprintf(out, 300, "momentum (%g is taken)", site_momentum(search, s));
    put_if(out, s->guessed_epsilon, "epsilon");
    put_if(out, s->measured, "its own running statistics");
    put_if(out, !(told || s->told_parameters || s->asked_parameters || s->no_center || s->no_scale),
           "whether it had gamma and beta");
    put_if(out, s->guessed_parameters, "whether it had gamma and beta (affine: it had)");
    put_if(out, s->layer && !(s->keeps_bias && (s->fresh || !s->guessed_parameters)) && !s->told_bias && !told,
           "whether the layer had a bias");
    put_if(out, !s->layer && s->fresh && search->bare[s->x->id], "whether the layer before it had a bias");
    put_if(out, s->scale && !s->fresh, "how large its weight was");
    put_if(out, s->shared, "whether it and others are calls of one layer (so taken)");
    put_if(out, s->may_share && !s->shared, "whether it and others are calls of one layer");
}

static bool tell_site(struct search *s, const struct site *t, bool kept)
{
    struct adapt *a = s->adapt;
    char found[200], done[200], unknown[300];

    snprintf(found, sizeof found, "BatchNormalization, %s%s%s (%s)", t->trace->name, t->layer ? ": " : "",
             t->layer ? t->layer->op_name : "", site_exporter(s, t));
    if (kept)
        snprintf(found, sizeof found, "%s", t->taken_for ? t->taken_for : "no BatchNormalization, as asked");
    put_unknown(s, unknown, t);
    snprintf(done, sizeof done, "%s, epsilon %g%s%s", what_is_exact(t), t->epsilon, t->no_scale ? ", no gamma" : "",
             t->no_center ? ", no beta" : "");
    return adapt_tell(a, &(struct finding){ .name = t->name,
                                            .found = found,
                                            .evidence = t->evidence,
                                            .certainty = t->certainty,
                                            .done = kept ? "left as it is" : done,
                                            .unknown = kept || !*unknown ? NULL : unknown });
}

/* A bias of zeros is not exported. */
static bool has_no_bias(const struct search *s, const struct node *n)
{
    const bool takes = node_is(n, &op_conv) || node_is(n, &op_conv_transpose) || node_is(n, &op_gemm);

    return (takes || node_is(n, &op_matmul)) && n->in[1] && !s->active[n->in[1]->id] &&
           !(takes && n->inputs > 2 && n->in[2]);
}

static bool find_bare(struct search *s)
{
    const struct graph *g = s->graph;
    bool *bare = arena_array(s->adapt->arena, g->value_count, sizeof *bare, s->adapt->report);

    s->bare = bare;
    for (size_t k = 0; bare && k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        bool any = has_no_bias(s, n);

        for (int i = 0; i < n->inputs && facts_passes_on(n); i++)
            any |= n->in[i] && bare[n->in[i]->id];
        if (any && n->out[0])
            bare[n->out[0]->id] = true;
    }
    return bare;
}

/* -- all of it -- */

/* Layers, however often each is used. */
static bool count_layers(struct search *s, const struct sites *sites, size_t *first)
{
    size_t count = 0;

    if (!sites_find_shared(s, sites, first))
        return false;
    for (size_t k = 0; k < sites->count; k++)
        count += !sites->kept[k] && first[k] == k;
    s->adapt->out->normalizations = count;
    return true;
}

static bool rebuild_all(struct search *s, struct sites *sites, size_t count, size_t *first)
{
    struct adapt *a = s->adapt;
    struct model *to;

    if (!sites_complete(s, sites, first))
        return false;
    to = count ? adapt_copy(a) : NULL;
    return !count || adapt_take(a, to, to && sites_rebuild(s, sites, first, to));
}

static bool recover(struct search *s)
{
    struct adapt *a = s->adapt;
    struct sites sites = { 0 };
    size_t count = 0, missed = 0, *first;
    bool any;

    search_others(s);
    if (!keras_calls_find(s->graph, a->arena, &s->calls_told, a->report) || !find_sites(s, &sites) || !find_bare(s) ||
        !choose(s, &sites))
        return false;
    first = arena_array(a->arena, sites.count, sizeof *first, a->report);
    if (!first || !count_layers(s, &sites, first))
        return false;
    for (size_t k = 0; k < sites.count; k++)
        count += !sites.kept[k];
    if (a->look) {
        for (size_t k = 0; k < sites.count; k++)
            if (!sites.kept[k] && !tell_site(s, &sites.at[k], false))
                return false;
        return true;
    }
    if (!sites_tell_missed(s, &sites, &missed, &any))
        return false;
    if (missed && !count && !any)
        return fail(
            a->report, KILN_UNSUPPORTED, a->out->findings.at[a->out->findings.count - 1].name,
            "names say that there was BatchNormalization (%zu layers), and nothing of it that is known was found",
            missed);
    if (!rebuild_all(s, &sites, count, first))
        return false;
    for (size_t k = 0; k < sites.count; k++)
        if (!tell_site(s, &sites.at[k], sites.kept[k]))
            return false;
    return true;
}

/* Values whose shape only running tells, as those that a Loop makes: the first batch shows it. */
static bool observe_others(struct search *s)
{
    struct adapt *a = s->adapt;
    const struct graph *g = s->graph;
    const struct value **at = arena_array(a->arena, g->value_count, sizeof *at, a->report);
    struct tensor *seen = arena_array(a->arena, g->value_count, sizeof *seen, a->report);
    size_t count = 0;

    if (!at || !seen)
        return false;
    for (size_t k = 0; k < g->value_count; k++)
        if (s->active[k] && s->types[k].kind == TENSOR && !tensor_known(&s->types[k]) && g->values[k]->producer)
            at[count++] = g->values[k];
    if (count && !observe(a->model, &a->calibration, at, count, seen, a->report))
        return false;
    for (size_t k = 0; k < count; k++)
        s->types[at[k]->id] = seen[k];
    return true;
}

static bool find_types(struct search *s, const struct program *p)
{
    const size_t count = s->graph->value_count;

    s->types = arena_array(s->adapt->arena, count, sizeof *s->types, s->adapt->report);
    if (!s->types)
        return false;
    memcpy(s->types, p->types, count * sizeof *s->types);
    for (size_t k = 0; k < count; k++) /* one that the caller may override is what it is in the file */
        if (s->graph->values[k]->initializer)
            s->types[k] = *s->graph->values[k]->initializer;
    return s->adapt->look || observe_others(s);
}

static bool find_preprocessing(struct search *s)
{
    struct adapt *a = s->adapt;
    bool *preprocessing = arena_array(a->arena, s->graph->value_count, sizeof *preprocessing, a->report);
    struct parameters p;

    if (!preprocessing || !parameters_find(&p, a->model, NULL, a->arena, a->report))
        return false;
    for (size_t k = 0; k < p.count; k++)
        preprocessing[p.at[k].value->id] = p.at[k].role == ROLE_CONSTANT;
    s->preprocessing = preprocessing;
    return true;
}

bool adapt_normalization(struct adapt *a)
{
    struct facts facts;
    struct search s = { .adapt = a, .graph = a->model->graph, .facts = &facts };
    bool ok = facts_find(&facts, a) && facts_planned(&facts, a->report);

    s.active = facts.active;
    s.only_reader = facts.reader;
    ok = ok && find_types(&s, facts.types) && find_preprocessing(&s) && recover(&s);
    facts_release(&facts);
    return ok;
}
