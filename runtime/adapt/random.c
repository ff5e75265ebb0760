#include "adapt/random.h"
#include "data/element.h"
#include "kernels/kernels.h"
#include "plan/open_sizes.h"
#include "plan/samples_first.h"
#include <string.h>

enum { SAMPLES = 8, MOST = 1 << 28 }; /* MOST: bytes of an input */

/* A batch that is declared is kept: it may be the only one that passes. `x`: the input, with sizes for what it leaves
 * open. */
static bool input_type(struct tensor *out, const struct graph *g, size_t k, const struct tensor *x, int64_t samples,
                       struct report *r)
{
    const struct value *v = g->inputs[k];
    const int in = open_samples(g, k), whole = in < 0; /* each sample has all of it */
    const struct tensor first = samples_first(g, k, x);
    int64_t dims[MAX_RANK + 1];

    if (v->has_type && v->type.kind == TENSOR && !v->type.rank)
        return fail(r, KILN_BAD_ARGUMENT, NULL,
                    "input '%s' is a single number, and none of each sample: --set gives it a value", v->name);
    if (!v->has_type || v->type.kind != TENSOR || v->type.rank < 1 || v->type.rank + whole > MAX_RANK ||
        !element_getter(v->type.dtype))
        return fail(
            r, KILN_BAD_ARGUMENT, NULL,
            "input '%s' is no tensor of numbers that can be made up: the outputs can be compared over data alone",
            v->name);
    memcpy(dims + whole, first.dims, (size_t)x->rank * sizeof *dims);
    dims[0] = samples;
    if (!tensor_shape(out, x->dtype, x->rank + whole, dims) || tensor_bytes(out) > MOST)
        return fail(r, KILN_LIMIT, NULL, "input '%s' is too big to be made up", v->name);
    return true;
}

static int64_t samples_of(const struct graph *g)
{
    const int64_t told = open_told(g, NULL, 0);

    return told > 0 ? told : SAMPLES;
}

/* Where the samples are open, some constant may fix them: what exporters see is tried, and is *samples then. */
static bool find_sizes(struct tensor *x, const struct graph *g, int64_t *samples, struct budget *budget,
                       struct report *r)
{
    static const int64_t batches[] = { 1, 2, 3, 4, 8, 16, 32, 64 };
    struct report quiet = { 0 };
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = budget, .report = &quiet };
    bool ok = false;

    for (size_t k = 0; !ok && k < sizeof batches / sizeof *batches; k++) {
        const struct report last = quiet;

        quiet = (struct report){ 0 };
        ok = open_sizes_find(x, g, &(struct open_types){ NULL, batches[k], UNKNOWN }, &c);
        if (ok && k)
            *samples = batches[k];
        if (!ok && !open_refusal(&quiet))
            return fail(r, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
        if (!ok && k) /* that of one sample is told */
            quiet = last;
        if (open_told(g, NULL, 0) != UNKNOWN)
            break;
    }
    return ok || fail(r, quiet.error.code, quiet.error.where,
                      "%s; so it is with all sizes that were tried for what the inputs leave open, " OPEN_SIZES_TRIED
                      ": data tell them (--calibrate)",
                      quiet.error.message);
}

bool random_samples(struct dataset *out, const struct model *m, struct budget *budget, struct report *r)
{
    const struct graph *g = m->graph;
    const struct data_options o = { 0 };
    struct arena arena = { .budget = budget };
    struct column *x = arena_array(&arena, g->input_count, sizeof *x, r), y = { .name = "y" };
    struct tensor *types = arena_array(&arena, g->input_count, sizeof *types, r);
    int64_t samples = samples_of(g);
    bool ok = x && types && (g->input_count || fail(r, KILN_BAD_MODEL, NULL, "the model has no inputs")) &&
              find_sizes(types, g, &samples, budget, r);

    for (size_t k = 0; ok && k < g->input_count; k++) {
        x[k].name = g->inputs[k]->name;
        ok = input_type(&x[k].values, g, k, &types[k], samples, r) &&
             (x[k].values.data = arena_alloc(&arena, (size_t)tensor_bytes(&x[k].values), r));
        if (ok)
            elements_draw(x[k].values.dtype, x[k].values.data, tensor_count(&x[k].values), 1, (int32_t)k);
    }
    y.values = (struct tensor){ .dtype = I64, .rank = 1, .dims = { samples } };
    ok = ok && (y.values.data = arena_array(&arena, (size_t)samples, sizeof(int64_t), r)) &&
         dataset_of_arrays(out, g->input_count, x, 1, &y, &o, budget, r);
    arena_release(&arena);
    return ok;
}
