/* Initializers that are inputs as well, because all had to be before version 4 of the IR: whoever runs the model may give
 * them other values, so that no shape which depends on them is known, and nothing behind it trains. From version 4 on
 * they are meant to be inputs. */
#include "adapt/step.h"

enum { SEPARATE = 4 }; /* the version from which they need not be */

/* The first from place `k` on; NULL where there is none. Inputs that nothing reads are no constants. */
static const struct value *next_default(const struct model *m, size_t *k)
{
    while (*k < m->default_count)
        if (m->defaults[(*k)++]->initializer)
            return m->defaults[*k - 1];
    return NULL;
}

bool adapt_defaults(struct adapt *a)
{
    const struct model *m = a->model;
    const struct value *v;
    size_t k = 0, count = 0;
    struct finding f = { .name = "", .certainty = CERTAIN, .done = "they are constants, no inputs" };
    struct model *made;
    struct edit e;
    bool ok;

    while ((v = next_default(m, &k)) && ++count)
        f.evidence = count == 1 ? arena_printf(a->arena, a->report, "'%s'", v->name) : f.evidence;
    if (!count || m->proto->ir_version >= SEPARATE)
        return true;
    f.found = arena_printf(a->arena, a->report, "%zu initializers that are inputs as well", count);
    made = f.found && f.evidence ? adapt_copy(a) : NULL;
    if (!made)
        return false;
    ok = edit_begin(&e, made, a->report);
    for (k = 0; ok && (v = next_default(m, &k));)
        edit_drop_graph_input(&e, v->name);
    ok = edit_end(&e) && ok;
    made->proto->ir_version = SEPARATE;
    return adapt_take(a, made, ok) && adapt_tell(a, &f);
}
