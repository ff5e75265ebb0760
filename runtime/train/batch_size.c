#include "train/batch_size.h"
#include "plan/given.h"

static const struct tensor *type_of(const struct graph *g, const struct tensor *x, size_t k)
{
    return x ? &x[k] : g->inputs[k]->has_type ? &g->inputs[k]->type : NULL;
}

/* How many samples input k tells, UNKNOWN where that is open or it has no dimension for them. */
static int64_t told(const struct graph *g, const struct tensor *x, size_t k)
{
    const struct tensor *t = type_of(g, x, k);

    return t && t->kind == TENSOR && t->rank > 0 ? t->dims[0] : UNKNOWN;
}

struct program *plan_samples(const struct graph *g, const struct tensor *x, int64_t open, int64_t samples,
                             const struct plan_context *c)
{
    struct arena scratch = { .budget = c->budget };
    struct tensor *tensors = given_types(g, &scratch, c->report);
    struct program *p = NULL;

    for (size_t k = 0; tensors && k < g->input_count; k++) {
        struct tensor *t = &tensors[g->inputs[k]->id];

        if (!type_of(g, x, k))
            continue;
        *t = given_closed(type_of(g, x, k), open);
        if (samples != UNKNOWN && told(g, x, k) != UNKNOWN && told(g, x, k) == told(g, x, 0))
            t->dims[0] = samples;
    }
    if (tensors)
        p = plan_program(g, NULL, tensors, NULL, c);
    arena_release(&scratch);
    return p;
}

/* Has the output the sample that `more` has and `fewer` has not? What does not begin with the samples tells nothing:
 * they may share a dimension with positions, or have been summed over. */
static bool follows(const struct tensor *fewer, const struct tensor *more, int64_t samples)
{
    if (!tensor_known(fewer) || !tensor_known(more) || !more->rank || fewer->rank != more->rank || more->data ||
        fewer->dims[0] != samples)
        return true;
    for (int d = 0; d < more->rank; d++)
        if (fewer->dims[d] == samples && more->dims[d] == samples + 1)
            return true;
    return false;
}

/* The first output that has not grown with the samples, NULL where all have. */
static const struct value *stays(const struct graph *g, const struct program *fewer, const struct program *more,
                                 int64_t samples)
{
    for (size_t k = 0; k < g->output_count; k++)
        if (!follows(&fewer->types[g->outputs[k]->id], &more->types[g->outputs[k]->id], samples))
            return g->outputs[k];
    return NULL;
}

static bool by_shape(const struct report *refusal)
{
    return failed(refusal) && refusal->error.code != KILN_LIMIT && refusal->error.code != KILN_NO_MEMORY;
}

bool batch_size_find(const struct graph *g, const struct tensor *x, const struct plan_context *c, int64_t *out)
{
    const int64_t samples = g->input_count ? told(g, x, 0) : UNKNOWN;
    struct report refusal[2] = { 0 };
    struct plan_context quiet = *c;
    struct program *fewer, *more = NULL;
    const struct value *output = NULL;
    const char *const always = "batches are of that size, and an incomplete last one is left out";

    *out = 0;
    if (samples < 1 || samples >= INT32_MAX)
        return true;
    quiet.report = &refusal[0];
    fewer = plan_samples(g, x, 1, samples, &quiet);
    quiet.report = &refusal[1];
    if (fewer)
        more = plan_samples(g, x, 1, samples + 1, &quiet);
    output = more ? stays(g, fewer, more, samples) : NULL;
    program_free(fewer);
    program_free(more);
    if (!budget_in_time(c->budget, NULL, c->report))
        return false;
    if (output || by_shape(&refusal[1]))
        *out = samples;
    if (output)
        warn(c->report, NULL, "the model is made for %lld samples at a time: output '%s' has no other size; %s",
             (long long)samples, output->name, always);
    else if (*out)
        warn(c->report, refusal[1].error.where, "the model is made for %lld samples at a time: with %lld, %s; %s",
             (long long)samples, (long long)samples + 1, refusal[1].error.message, always);
    return true;
}

bool batch_size(int64_t asked, int64_t only, int64_t samples, int64_t *out, struct report *r)
{
    *out = only ? only : asked < samples ? asked : samples;
    return samples >= only ||
           fail(r, KILN_BAD_DATA, NULL, "the model is made for %lld samples at a time, the data has %lld",
                (long long)only, (long long)samples);
}
