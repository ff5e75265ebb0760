/* Initializers that are inputs as well, because all had to be before version 4 of the IR: whoever runs the model may give
 * them other values, so that no shape which depends on them is known, and nothing behind it trains. From version 4 on
 * they are meant to be inputs. */
#include "adapt/step.h"

enum { SEPARATE = 4 }; /* the version from which they need not be */

bool adapt_defaults(struct adapt *a)
{
    const struct model *m = a->model;
    struct finding f = { .name = "", .certainty = CERTAIN, .done = "they are constants, no inputs" };
    struct model *made;
    struct edit e;
    bool ok;

    if (!m->default_count || m->proto->ir_version >= SEPARATE)
        return true;
    f.found = arena_printf(a->arena, a->report, "%zu initializers that are inputs as well", m->default_count);
    f.evidence = arena_printf(a->arena, a->report, "'%s'", m->defaults[0]->name);
    made = f.found && f.evidence ? adapt_copy(a) : NULL;
    if (!made)
        return false;
    ok = edit_begin(&e, made, a->report);
    for (size_t k = 0; ok && k < m->default_count; k++)
        edit_drop_graph_input(&e, m->defaults[k]->name);
    ok = edit_end(&e) && ok;
    made->proto->ir_version = SEPARATE;
    return adapt_take(a, made, ok) && adapt_tell(a, &f);
}
