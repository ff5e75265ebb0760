#include "train/batch_size.h"
#include "plan/open_sizes.h"

struct program *plan_samples(const struct graph *g, const struct tensor *x, int64_t open, int64_t samples,
                             const struct plan_context *c)
{
    struct arena scratch = { .budget = c->budget };
    struct tensor *closed = arena_array(&scratch, g->input_count, sizeof *closed, c->report), *given = NULL;
    struct open_types t = { x, open, samples };
    struct program *p = NULL;

    if (closed && open_sizes_find(closed, g, &t, c)) {
        t.x = closed;
        given = open_sizes_given(g, &t, open, &scratch, c->report);
    }
    if (given)
        p = plan_program(g, NULL, given, NULL, c);
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

/* Plans for as many as are told, and for one more, with the same sizes of all else: each NULL, with the reason, where that
 * does not fit. */
static bool plan_both(const struct graph *g, const struct tensor *x, int64_t samples, const struct plan_context *c,
                      struct program *p[2], struct report refusal[2])
{
    struct arena scratch = { .budget = c->budget };
    struct tensor *closed = arena_array(&scratch, g->input_count, sizeof *closed, c->report);
    struct plan_context quiet = *c;
    bool fits;

    if (!closed)
        return false;
    quiet.report = &refusal[0];
    fits = open_sizes_find(closed, g, &(struct open_types){ x, 1, samples }, &quiet);
    for (int k = 0; fits && k < 2; k++) {
        quiet.report = &refusal[k];
        p[k] = plan_samples(g, closed, 1, samples + k, &quiet);
        fits = p[k];
    }
    arena_release(&scratch);
    return true;
}

bool batch_size_find(const struct graph *g, const struct tensor *x, const struct plan_context *c, int64_t *out)
{
    const int64_t samples = open_told(g, x, 0);
    struct report refusal[2] = { 0 };
    struct program *p[2] = { NULL };
    const struct value *output;
    const char *const always = "batches are of that size, and an incomplete last one is left out";

    *out = 0;
    if (samples < 1 || samples >= INT32_MAX)
        return true;
    if (!plan_both(g, x, samples, c, p, refusal))
        return false;
    output = p[1] ? stays(g, p[0], p[1], samples) : NULL;
    program_free(p[0]);
    program_free(p[1]);
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
