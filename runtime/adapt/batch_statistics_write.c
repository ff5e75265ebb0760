#include "adapt/batch_statistics.h"
#include "ops/registry.h"
#include <string.h>

enum { INPUTS = 5, OUTPUTS = 3, MODE_SINCE = 14 }; /* before, a node with several outputs trained */

static const char *add_vector(struct edit *e, const struct batch_layer *l, const char *end, const double *from,
                              double otherwise)
{
    struct tensor t = { .dtype = F32, .rank = 1, .dims = { l->channels } };
    const char *name = facts_fresh(e, l->name, end);
    float *data = arena_array(&e->arena, (size_t)l->channels, sizeof *data, e->report);

    if (!name || !data)
        return NULL;
    for (int64_t k = 0; k < l->channels; k++)
        data[k] = (float)(from ? from[k] : otherwise);
    t.data = data;
    return edit_add_initializer(e, name, &t) ? name : NULL;
}

static bool add_transpose(struct edit *e, size_t place, int rank, const int *perm, const char *in, const char *out)
{
    Onnx__NodeProto *n = edit_insert_node(e, place, false, op_transpose.name, NULL);
    int64_t to[MAX_RANK];

    for (int d = 0; d < rank; d++)
        to[d] = perm[d];
    return n && edit_set_ints(e, n, "perm", (size_t)rank, to) && edit_set_inputs(e, n, 1, &in) &&
           edit_set_outputs(e, n, 1, &out);
}

static bool is_identity(const int *perm, int rank)
{
    for (int d = 0; d < rank; d++)
        if (perm[d] != d)
            return false;
    return true;
}

/* `before` brings the channels of x to axis 1, `behind` from there to where y has them. */
static void turns(const struct batch_layer *l, int rank, int before[MAX_RANK], int behind[MAX_RANK])
{
    before[0] = 0;
    before[1] = l->axis;
    for (int d = 1, to = 2; d < rank; d++)
        if (d != l->axis)
            before[to++] = d;
    for (int d = 0; d < rank; d++)
        for (int k = 0; k < rank; k++)
            if (before[k] == l->perm[d])
                behind[d] = k;
}

static bool add_node(struct edit *e, const struct batch_layer *l, size_t place, float momentum, int64_t opset,
                     const char *in, const char *out)
{
    const char *const inputs[INPUTS] = { in, add_vector(e, l, "gamma", l->gamma, 1),
                                         add_vector(e, l, "beta", l->beta, 0), add_vector(e, l, "moving_mean", NULL, 0),
                                         add_vector(e, l, "moving_variance", NULL, 1) };
    const char *const outputs[OUTPUTS] = { out, facts_fresh(e, l->name, "next_mean"),
                                           facts_fresh(e, l->name, "next_variance") };
    Onnx__NodeProto *n = edit_insert_node(e, place, false, op_batch_normalization.name, l->name);

    for (int k = 0; k < INPUTS; k++)
        if (!inputs[k])
            return false;
    return n && outputs[1] && outputs[2] && edit_set_inputs(e, n, INPUTS, inputs) &&
           edit_set_outputs(e, n, OUTPUTS, outputs) && edit_set_float(e, n, "epsilon", (float)l->epsilon) &&
           edit_set_float(e, n, "momentum", momentum) && (opset < MODE_SINCE || edit_set_int(e, n, "training_mode", 1));
}

static bool write_layer(struct edit *e, const struct facts *f, const struct batch_layer *l, float momentum, bool *gone)
{
    const size_t place = (size_t)facts_place(f, l->y->producer);
    const int rank = facts_type(f, l->x)->rank;
    int before[MAX_RANK], behind[MAX_RANK];
    const char *in = l->x->name, *out = l->y->name;
    bool ok = true;

    turns(l, rank, before, behind);
    facts_drop_node(f, e, l->y->producer, gone);
    if (!is_identity(before, rank)) {
        in = facts_fresh(e, l->name, "channels_first");
        ok = in && add_transpose(e, place, rank, before, l->x->name, in);
    }
    if (ok && !is_identity(behind, rank))
        ok = (out = facts_fresh(e, l->name, "normalised"));
    return ok && add_node(e, l, place, momentum, f->model->graph->opset, in, out) &&
           (out == l->y->name || add_transpose(e, place, rank, behind, out, l->y->name));
}

bool batch_layers_write(const struct batch_layers *l, const struct facts *f, float momentum, struct edit *e)
{
    bool *gone = arena_array(&e->arena, f->model->graph->node_count, sizeof *gone, e->report);

    for (size_t k = 0; gone && k < l->count; k++)
        if (!write_layer(e, f, &l->at[k], momentum, gone))
            return false;
    if (gone)
        facts_drop_unread(f, e, gone);
    return gone;
}
