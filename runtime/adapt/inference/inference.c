/* BatchNormalization and Dropout that were left in training mode.
 *
 * Dropout always goes into inference form: a network that drops cannot be compared with anything. Noise, of which the
 * standard has no form that is there in training alone, stays unless it is asked for that it goes. BatchNormalization
 * goes into inference form where the caller asks for it, with statistics that are measured, for what is left of those that training kept is
 * not what the file computes by. Without that it stays: a trainer takes its training form anyway. */
#include "adapt/inference/batch_statistics.h"
#include "adapt/inference/measured_statistics.h"
#include "adapt/inference/written_dropout.h"
#include "adapt/inference/written_noise.h"
#include "ops/registry.h"
#include "train/constants.h"
#include <string.h>

enum { SCALE = 1, INPUTS = 5 }; /* of BatchNormalization: scale, bias, mean and variance are the last */
enum { TRAINING_MODE = 2 };     /* input of Dropout */

/* Sums over a batch are taken in another order, and by another formula, than the file takes them, layer by layer. */
#define TOLERANCE 1e-3

/* -- Dropout -- */

static bool drops(const struct facts *f, const struct node *n)
{
    const struct value *mode = node_is(n, &op_dropout) && n->inputs > TRAINING_MODE ? n->in[TRAINING_MODE] : NULL;
    const struct tensor *t = mode && !f->active[mode->id] ? facts_type(f, mode) : NULL;

    return t && t->data && *(const uint8_t *)t->data && facts_place(f, n) >= 0;
}

/* What random numbers that stay mean: with a seed they are the same in every run. */
static const char *staying(const struct facts *f, const struct node *random)
{
    const int64_t place = facts_place(f, random);

    return place >= 0 && node_attribute(f->model->proto->graph->node[place], "seed")
               ? "nothing: it draws the same numbers in every run"
               : "nothing: the network is random in inference, too";
}

static bool tell_dropouts(struct adapt *a, const struct facts *f, const struct written_dropouts *d, size_t *count)
{
    const struct graph *g = f->model->graph;

    *count = 0;
    for (size_t k = 0; k < g->node_count; k++) {
        const struct finding found = { .name = facts_name(g->nodes[k]),
                                       .found = "Dropout in training mode",
                                       .evidence = "training_mode is true",
                                       .done = "inference form" };

        if (drops(f, g->nodes[k]) && (++*count, !adapt_tell(a, &found)))
            return false;
    }
    for (size_t k = 0; k < d->count; k++) {
        const struct written_dropout *w = &d->at[k];
        const struct finding none = { .name = facts_name(w->random),
                                      .found = w->known_as ? w->known_as : "random numbers",
                                      .evidence = w->known_as ? w->known_by : w->why_not,
                                      .certainty = w->known_as ? LIKELY : DOUBTFUL,
                                      .done = staying(f, w->random) };
        struct finding found = { .found = "Dropout, written out in training mode", .certainty = LIKELY };

        if (!w->why_not) {
            found.name = facts_name(w->y->producer);
            found.evidence = arena_printf(
                a->arena, a->report, "ratio %g: '%s' tells what goes, and what is left is scaled to make up for it%s",
                w->ratio, facts_name(w->random), w->spread ? "; a number counts for several values" : "");
            found.done = "Dropout, in inference form";
            ++*count;
        }
        if ((!w->why_not && !found.evidence) || !adapt_tell(a, w->why_not ? &none : &found))
            return false;
    }
    return true;
}

static bool write_dropouts(const struct facts *f, const struct written_dropouts *d, struct model *made,
                           struct report *r)
{
    const struct graph *g = f->model->graph;
    struct edit e;
    bool ok = edit_begin(&e, made, r);

    for (size_t k = 0; ok && k < g->node_count; k++)
        if (drops(f, g->nodes[k]))
            edit_cut_inputs(&e, e.graph->node[facts_place(f, g->nodes[k])], TRAINING_MODE);
    ok = ok && written_dropouts_write(d, f, &e);
    return edit_end(&e) && ok;
}

static bool infer_dropouts(struct adapt *a)
{
    struct written_dropouts written;
    struct model *made = NULL;
    struct facts f;
    size_t count = 0;
    bool ok = facts_find(&f, a) && written_dropouts_find(&written, &f, a->arena, a->report) &&
              tell_dropouts(a, &f, &written, &count);

    if (ok && count) {
        const char *what = arena_printf(a->arena, a->report, "%zu Dropout no longer drop%s in inference", count,
                                        count == 1 ? "s" : "");

        made = what ? adapt_copy(a) : NULL;
        ok = made && adapt_take_changed(a, made, write_dropouts(&f, &written, made, a->report), what);
    }
    facts_release(&f);
    return ok;
}

/* -- noise -- */

static bool tell_noise(struct adapt *a, const struct facts *f, const struct written_noise *n)
{
    struct finding found = { .name = facts_name(n->random),
                             .found = "random numbers",
                             .evidence = "what is made of its numbers is not known as noise",
                             .certainty = DOUBTFUL,
                             .done = staying(f, n->random) };

    if (n->scaled && !n->node) {
        found.found = "random numbers, scaled by what the network computes";
        found.evidence = arena_printf(a->arena, a->report, "'%s' does so, as a variational autoencoder samples",
                                      facts_name(n->scaled));
        found.certainty = LIKELY;
    }
    if (n->node) {
        const double squared = n->deviation * n->deviation;

        found.name = facts_name(n->node);
        found.found =
            n->factor ? "GaussianDropout, written out in training mode" : "GaussianNoise, written out in training mode";
        found.evidence = n->factor ? arena_printf(a->arena, a->report, "rate %.4g: '%s' is a factor",
                                                  squared / (1 + squared), facts_name(n->random))
                                   : arena_printf(a->arena, a->report, "stddev %.4g: '%s' is added", n->deviation,
                                                  facts_name(n->random));
        found.certainty = LIKELY;
        found.done = n->gone ? "taken out, as asked"
                             : arena_printf(a->arena, a->report, "%s (none: it is taken out)", staying(f, n->random));
    }
    return found.evidence && found.done && adapt_tell(a, &found);
}

static bool choose_noises(struct adapt *a, const struct facts *f, struct written_noises *n, size_t *count)
{
    static const char *const choices[] = { "none", "noise", NULL };

    *count = 0;
    for (size_t k = 0; k < n->count; k++) {
        struct written_noise *w = &n->at[k];
        const char *chosen = w->node ? adapt_choice(a, choices, facts_name(w->node), facts_name(w->random)) : NULL;

        w->gone = chosen && strcmp(chosen, "none") == 0;
        *count += w->gone;
        if (!tell_noise(a, f, w))
            return false;
    }
    return true;
}

static bool drop_noises(struct adapt *a, const struct facts *f, const struct written_noises *n, size_t count)
{
    const char *what =
        arena_printf(a->arena, a->report, "%zu noise layer%s taken out", count, count == 1 ? " is" : "s are");
    struct model *made = what ? adapt_copy(a) : NULL;
    struct edit e;
    bool ok;

    if (!made)
        return false;
    ok = edit_begin(&e, made, a->report) && written_noises_drop(n, f, &e);
    ok = edit_end(&e) && ok;
    return adapt_take_changed(a, made, ok, what);
}

/* The constant that the node reads of such; NULL where there is none. */
static const struct value *drawn_once(const struct facts *f, const struct node *n)
{
    for (int k = 0; k < n->inputs && facts_place(f, n) >= 0; k++) {
        const struct value *v = n->in[k];

        if (v && v->initializer && !f->active[v->id] && dtype_is_float(v->initializer->dtype) &&
            is_drawn_once(n, k, v->name, v->initializer))
            return v;
    }
    return NULL;
}

static bool tell_drawn(struct adapt *a, const struct facts *f)
{
    const struct graph *g = f->model->graph;

    for (size_t k = 0; k < g->node_count; k++) {
        const struct value *v = drawn_once(f, g->nodes[k]);
        const struct finding found = { .name = facts_name(g->nodes[k]),
                                       .found = "random numbers that were drawn once",
                                       .evidence = v ? v->name : "",
                                       .certainty = LIKELY,
                                       .done = "constant: the same in every run" };

        if (v && !adapt_tell(a, &found))
            return false;
    }
    return true;
}

static bool infer_noises(struct adapt *a)
{
    struct written_noises written;
    struct facts f;
    size_t count;
    bool ok = facts_find(&f, a) && written_noises_find(&written, &f, a->arena, a->report) &&
              choose_noises(a, &f, &written, &count) && tell_drawn(a, &f);

    ok = ok && (!count || drop_noises(a, &f, &written, count));
    facts_release(&f);
    return ok;
}

/* -- which layers -- */

static bool has_gamma(const struct batch_layer *l)
{
    for (int64_t c = 0; c < l->channels; c++)
        if (l->gamma[c] != 1)
            return true;
    return false;
}

/* Ones and zeros are not exported. */
static const char *unknown_of(const struct batch_layer *l)
{
    return has_gamma(l) && l->beta ? "moving statistics and momentum: they are not in the file"
           : l->beta      ? "moving statistics and momentum, and gamma, if it has one: they are not in the file"
           : has_gamma(l) ? "moving statistics and momentum, and beta, if it has one: they are not in the file"
                          : "moving statistics and momentum, and gamma and beta, if it has them: they are not in the "
                            "file";
}

/* What is told of each layer; what is done, and what is not known. */
static bool tell_layers(struct adapt *a, const struct facts *f, const struct batch_layers *written)
{
    const struct graph *g = f->model->graph;
    const char *const done = a->options->inference ? "inference form, its statistics measured over the data"
                                                   : "nothing: --inference --calibrate measures its statistics";

    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        const struct finding found = { .name = facts_name(n),
                                       .found = "BatchNormalization in training mode",
                                       .evidence = "it normalises by the statistics of the batch",
                                       .done = done };

        if (is_in_training_form(n) && !adapt_tell(a, &found))
            return false;
    }
    for (size_t k = 0; k < written->count; k++) {
        const struct finding found = { .name = written->at[k].name,
                                       .found = "BatchNormalization in training mode, written out",
                                       .evidence = "means over the batch of the values and of their squares",
                                       .certainty = LIKELY,
                                       .done = done,
                                       .unknown = unknown_of(&written->at[k]) };

        if (!adapt_tell(a, &found))
            return false;
    }
    return true;
}

static bool set_frozen(struct adapt *a, const struct node *n)
{
    const struct finding found = { .name = facts_name(n),
                                   .found = "BatchNormalization, frozen",
                                   .evidence = "it is in inference form, and others of the file are not",
                                   .certainty = LIKELY,
                                   .done = "scale, bias, mean and variance are frozen" };

    for (int k = SCALE; k < INPUTS && k < n->inputs; k++)
        if (n->in[k] && n->in[k]->initializer && !adapt_set_role(a, n->in[k]->name, ROLE_FROZEN))
            return false;
    return adapt_tell(a, &found);
}

/* PyTorch writes a layer in inference form beside others in training form where eval() was called on it alone. Keras'
 * exporter never writes the training form of a node; where a layer was written out the others tell nothing. */
static bool find_frozen(struct adapt *a, const struct graph *g)
{
    bool training = false;

    for (size_t k = 0; k < g->node_count; k++)
        training |= is_in_training_form(g->nodes[k]);
    for (size_t k = 0; training && k < g->node_count; k++)
        if (node_is(g->nodes[k], &op_batch_normalization) && !is_in_training_form(g->nodes[k]) &&
            !set_frozen(a, g->nodes[k]))
            return false;
    return true;
}

/* -- from arithmetic to nodes -- */

/* Both normalise by the batch, so they must agree; what stays random draws the same numbers (graph/graph.h). */
static bool check_layers(struct adapt *a, const struct model *before)
{
    struct comparison outputs;

    if (!compare_models(before, a->model, &a->calibration, &outputs, a->report))
        return false;
    return outputs.difference <= TOLERANCE ||
           fail(a->report, KILN_MISMATCH, NULL,
                "BatchNormalization in the place of what the file has written out differs by %.3g, must by %g at most",
                outputs.difference, TOLERANCE);
}

static bool write_layers(struct adapt *a, const struct facts *f, const struct batch_layers *l)
{
    const float momentum = (float)(a->options->momentum > 0 ? a->options->momentum : .99); /* Keras' own */
    const struct model *before = a->model;
    struct model *made = l->count ? adapt_copy(a) : NULL;
    struct edit e;
    bool ok;

    if (!l->count)
        return true;
    if (!made)
        return false;
    ok = edit_begin(&e, made, a->report) && batch_layers_write(l, f, momentum, &e);
    ok = edit_end(&e) && ok;
    a->out->normalizations += l->count;
    return adapt_take(a, made, ok) && check_layers(a, before);
}

/* -- the step -- */

static size_t count_layers(const struct graph *g, const struct batch_layers *written)
{
    size_t count = written->count;

    for (size_t k = 0; k < g->node_count; k++)
        count += is_in_training_form(g->nodes[k]);
    return count;
}

static bool infer_written(struct adapt *a, bool *any)
{
    struct batch_layers written;
    struct facts f;
    bool ok = facts_find(&f, a) && batch_layers_find(&written, &f, a->arena, a->report) &&
              find_frozen(a, f.model->graph) && tell_layers(a, &f, &written);
    const size_t count = ok ? count_layers(f.model->graph, &written) : 0;

    *any = count && a->options->inference;
    if (*any && !a->options->data)
        ok = fail(
            a->report, KILN_BAD_ARGUMENT, NULL,
            "%zu BatchNormalization %s in training mode: there must be data, over which the statistics of inference "
            "are measured",
            count, count == 1 ? "is" : "are");
    ok = ok && (!*any || write_layers(a, &f, &written));
    facts_release(&f);
    return ok;
}

bool adapt_inference(struct adapt *a)
{
    struct facts f;
    bool anew, any, ok = infer_dropouts(a) && infer_noises(a) && infer_written(a, &any) && measure_anew(a, &anew);

    if (!ok || (!any && !anew))
        return ok;
    ok = facts_find(&f, a) && measure_statistics(a, &f);
    facts_release(&f);
    return ok;
}
