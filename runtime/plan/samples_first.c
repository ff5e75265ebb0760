#include "plan/samples_first.h"
#include "ops/move.h"
#include "ops/op.h"
#include "plan/open_sizes.h"
#include <string.h>

/* The dimension of what is given that dimension d of the file's input is. */
static int given_dim(int d, int samples)
{
    return d == samples ? 0 : d < samples ? d + 1 : d;
}

struct tensor samples_first(const struct graph *g, size_t k, const struct tensor *t)
{
    const int samples = open_samples(g, k);
    struct tensor out = *t;

    for (int d = 0; samples > 0 && d < t->rank; d++)
        out.dims[given_dim(d, samples)] = t->dims[d];
    return out;
}

struct tensor samples_in_place(const struct graph *g, size_t k, const struct tensor *t)
{
    const int samples = open_samples(g, k);
    struct tensor out = *t;

    for (int d = 0; samples > 0 && d < t->rank; d++)
        out.dims[d] = t->dims[given_dim(d, samples)];
    return out;
}

void samples_put_in_place(const struct graph *g, size_t k, const struct tensor *t, void *to)
{
    const int samples = open_samples(g, k);
    const int64_t count = t->dims[0], before = dims_product(t->dims, 1, samples + 1);
    const size_t bytes = count > 0 && before > 0 ? (size_t)(tensor_bytes(t) / count / before) : 0;

    for (int64_t o = 0; bytes && o < before; o++)
        for (int64_t s = 0; s < count; s++)
            memcpy((char *)to + (size_t)(o * count + s) * bytes,
                   (const char *)t->data + (size_t)(s * before + o) * bytes, bytes);
}

/* The input itself goes on as what a Transpose makes. */
static bool turn(struct graph *g, const struct graph *file, size_t k, struct emitter *e)
{
    struct value *v = g->inputs[k], *in = graph_value(g, v->name);
    const int samples = open_samples(file, k);
    int64_t perm[MAX_RANK];
    char text[INTS_TEXT];

    if (!in)
        return false;
    for (int d = 0; d < v->type.rank; d++)
        perm[d] = given_dim(d, samples);
    in->known = v->known;
    in->has_type = true;
    in->is_input = true;
    in->type = samples_first(file, k, &v->type);
    g->inputs[k] = in;
    return value_becomes(v, emit(e, "Transpose", ints_text(text, "perm", v->type.rank, perm), 1, in));
}

bool samples_come_first(struct graph *g, const struct graph *file, struct report *r)
{
    struct emitter e = { .graph = g, .report = r };
    const size_t from = g->node_count;

    for (size_t k = 0; k < file->input_count; k++)
        if (open_samples(file, k) > 0 && !turn(g, file, k, &e))
            return false;
    return g->node_count == from || graph_begin_with(g, from);
}
