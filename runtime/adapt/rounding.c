/* What rounding makes of a network: by how much its outputs differ where each number that it has learned is another one,
 * a unit in the last place away. A sum in another order is as good as one of other weights, by about so much; a deep
 * network can make a hundred times as much of it at its end. */
#include "adapt/step.h"
#include "data/element.h"
#include <math.h>

/* Some up and some down, those of two layers not alike. */
static double moved(double x, enum dtype d, uint64_t k)
{
    const bool up = (k * 0x9e3779b97f4a7c15u) >> 63;

    return x == 0     ? x
           : d == F32 ? (double)nextafterf((float)x, up ? INFINITY : -INFINITY)
                      : nextafter(x, up ? (double)INFINITY : (double)-INFINITY);
}

static bool move(struct adapt *a, struct edit *e, const struct value *v, uint64_t first)
{
    const struct tensor *from = v->initializer;
    Onnx__TensorProto *to = from && v->name ? edit_initializer(e, v->name) : NULL;
    element_get *const get = to ? element_getter(from->dtype) : NULL;
    struct tensor t;

    if (!to || (from->dtype != F32 && from->dtype != F64))
        return true;
    t = *from;
    t.data = arena_alloc(a->arena, (size_t)tensor_bytes(from), a->report);
    for (int64_t k = 0; t.data && k < tensor_count(from); k++)
        element_put(t.data, k, t.dtype, moved(get(from->data, k), t.dtype, first + (uint64_t)k));
    return t.data && edit_tensor(e, to, &t);
}

bool adapt_rounding(struct adapt *a, double *out)
{
    struct model *m = model_copy(a->reference, a->report);
    struct parameters p;
    struct comparison apart;
    struct edit e;
    bool ok = m && parameters_find(&p, a->reference, NULL, a->arena, a->report);

    if (ok) {
        ok = edit_begin(&e, m, a->report);
        for (size_t k = 0; ok && k < p.count; k++)
            ok = p.at[k].role == ROLE_CONSTANT || move(a, &e, p.at[k].value, (uint64_t)k << 32);
        ok = edit_end(&e) && ok;
    }
    ok = ok && model_build(m, a->report) && compare_models(a->reference, m, &a->calibration, &apart, a->report);
    model_free(m);
    *out = ok ? apart.difference : 0;
    return ok;
}
