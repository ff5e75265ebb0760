#include "adapt/random.h"
#include "data/element.h"

enum { SAMPLES = 8, MOST = 1 << 28 }; /* MOST: bytes of an input */

/* A batch that is declared is kept: it may be the only one that passes. */
static bool input_type(struct tensor *out, const struct value *v, int64_t samples, struct report *r)
{
    int64_t dims[MAX_RANK] = { 0 };

    if (!v->has_type || v->type.kind != TENSOR || v->type.rank < 1 || !element_getter(v->type.dtype))
        return fail(
            r, KILN_BAD_ARGUMENT, NULL,
            "input '%s' is no tensor of numbers that can be made up: the outputs can be compared over data alone",
            v->name);
    for (int d = 0; d < v->type.rank; d++)
        dims[d] = d ? v->type.dims[d] < 0 ? 1 : v->type.dims[d] : samples;
    if (!tensor_shape(out, v->type.dtype, v->type.rank, dims) || tensor_bytes(out) > MOST)
        return fail(r, KILN_LIMIT, NULL, "input '%s' is too big to be made up", v->name);
    return true;
}

static int64_t samples_of(const struct graph *g)
{
    const struct value *v = g->input_count ? g->inputs[0] : NULL;
    const bool told = v && v->has_type && v->type.kind == TENSOR && v->type.rank > 0 && v->type.dims[0] > 0;

    return told ? v->type.dims[0] : SAMPLES;
}

bool random_samples(struct dataset *out, const struct model *m, struct budget *budget, struct report *r)
{
    const struct graph *g = m->graph;
    const struct data_options o = { 0 };
    struct arena arena = { .budget = budget };
    struct column *x = arena_array(&arena, g->input_count, sizeof *x, r), y = { .name = "y" };
    const int64_t samples = samples_of(g);
    bool ok = x && (g->input_count || fail(r, KILN_BAD_MODEL, NULL, "the model has no inputs"));

    for (size_t k = 0; ok && k < g->input_count; k++) {
        x[k].name = g->inputs[k]->name;
        ok = input_type(&x[k].values, g->inputs[k], samples, r) &&
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
