#include "try.h"
#include "model/model.h"
#include "run/session.h"
#include <string.h>

enum { MEMORY = 256 << 20, BATCH = 2 };

/* Zeros for every input; a dimension that is open is 2. */
static bool set_inputs(struct session *s, struct arena *a, struct report *r)
{
    for (size_t k = 0; k < s->graph->input_count; k++) {
        const struct value *v = s->graph->inputs[k];
        struct tensor t = v->type;

        if (t.kind != TENSOR || !v->has_type || t.dtype == UNDEFINED || !dtype_size(t.dtype))
            return false;
        if (t.rank < 0)
            t.rank = 0;
        for (int d = 0; d < t.rank; d++)
            if (t.dims[d] < 0)
                t.dims[d] = BATCH;
        if (!tensor_shape(&t, t.dtype, t.rank, t.dims) || !(t.data = arena_alloc(a, (size_t)tensor_bytes(&t), r)) ||
            !session_set(s, v, &t, r))
            return false;
    }
    return true;
}

int try_model(const uint8_t *bytes, size_t size)
{
    const struct model_options o = { .limits = SCAN_LIMITS_INIT, .memory = MEMORY };
    const struct session_options so = { .threads = 1, .memory = MEMORY, .seconds = 2 };
    struct budget b = { .limit = MEMORY };
    struct arena arena = { .budget = &b };
    struct report r = { 0 };
    struct model *m = model_read_bytes(bytes, size, &o, &r);
    struct session *s = NULL;
    int stage = 0;

    if (m) {
        stage = 1;
        if (model_build(m, &r)) {
            stage = 2;
            s = session_new(m->graph, &so, &r);
            if (s && set_inputs(s, &arena, &r) && session_run(s, &r))
                stage = 3;
        }
    }
    session_free(s);
    model_free(m);
    arena_release(&arena);
    return stage;
}
