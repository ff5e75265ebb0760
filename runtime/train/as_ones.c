#include "train/as_ones.h"
#include "data/element.h"
#include "plan/open_sizes.h"
#include "run/sizes.h"

bool as_ones(struct tensor *x, struct arena *a, struct report *r)
{
    char text[TYPE_TEXT];

    if (!tensor_known(x))
        return fail(r, KILN_UNSUPPORTED, NULL,
                    "an input is %s: its sizes must be known to find what only running tells", tensor_text(x, text));
    x->data = arena_alloc(a, to_size(tensor_bytes(x)), r);
    for (int64_t k = 0; x->data && x->dtype != STRING && k < tensor_count(x); k++)
        element_put_int(x->data, k, x->dtype, 1);
    return x->data;
}

struct tensor *as_ones_types(struct engine *e, const struct graph *g, const struct tensor *x, struct arena *arena,
                             struct report *r)
{
    const struct plan_context c = engine_context(e, r);
    struct arena scratch = { .budget = e->budget };
    struct tensor *closed = arena_array(&scratch, g->input_count, sizeof *closed, r), *given = NULL, *types = NULL;
    struct open_types t = { x, 1, UNKNOWN };
    struct sizes *s = NULL;

    if (closed && open_sizes_find(closed, g, &t, &c)) {
        t.x = closed;
        given = open_sizes_given(g, &t, 1, &scratch, r);
    }
    for (size_t k = 0; given && k < g->input_count; k++)
        if (!as_ones(&given[g->inputs[k]->id], &scratch, r))
            given = NULL;
    s = given ? sizes_new(e, g, false, r) : NULL;
    if (s && sizes_settle(s, given, NULL, r))
        types = sizes_types(s, given, NULL, arena, r);
    sizes_free(s);
    arena_release(&scratch);
    return types;
}
