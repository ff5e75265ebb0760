/* Private nodes in operators of the standard, whose gradients there are. */
#include "grad/grad.h"
#include "plan/given.h"
#include <string.h>

enum { MAX_ROUNDS = 8 }; /* what is spelled out may have private nodes itself */

static bool has_spelling(const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++)
        if (g->nodes[k]->def->spell_out)
            return true;
    return false;
}

static struct program *types_of(struct graph *g, const struct tensor *given, const bool *content, size_t values,
                                struct arena *scratch, const struct plan_context *c)
{
    struct tensor *tensors = given_types(g, scratch, c->report);
    bool *told = arena_array(scratch, g->value_count, sizeof *told, c->report);

    if (!tensors || !told)
        return NULL;
    if (values)
        memcpy(tensors, given, values * sizeof *tensors);
    if (values && content)
        memcpy(told, content, values * sizeof *told);
    return plan_types(g, tensors, told, c);
}

/* *end is how many nodes there are that were there before; those behind it are new. */
static bool spell(struct graph *g, struct node *n, const struct program *known, struct arena *scratch,
                  const struct plan_context *c, size_t *added)
{
    const size_t from = g->node_count;
    struct emitter e = { .graph = g, .report = c->report };
    const struct tensor **in = arena_array(scratch, (size_t)n->inputs, sizeof *in, c->report);
    struct value **out = arena_array(scratch, (size_t)n->slots, sizeof *out, c->report);

    for (int k = 0; in && k < n->inputs; k++)
        in[k] = n->in[k] ? &known->types[n->in[k]->id] : NULL;
    if (!in || !out || !n->def->spell_out(&e, n, in, out) || e.failed)
        return failed(c->report) ? false : fail_no_memory(c->report, 0);
    for (int k = 0; k < n->slots; k++)
        if (n->out[k] && !value_becomes(n->out[k], emit(&e, "Identity", "", 1, out[k])))
            return false;
    for (size_t k = from; k < g->node_count; k++) {
        g->nodes[k]->origin = n->origin ? n->origin : n;
        g->nodes[k]->stream = n->stream;
    }
    *added = g->node_count - from;
    return graph_replace_node(g, n->id, from);
}

/* Of the nodes that there are now. */
static bool spell_round(struct graph *g, const struct program *known, struct arena *scratch,
                        const struct plan_context *c)
{
    for (size_t k = 0; k < g->node_count; k++) {
        struct node *n = g->nodes[k];
        size_t added = 0;

        if (!n->def->spell_out)
            continue;
        if (!spell(g, n, known, scratch, c, &added))
            return false;
        k += added - 1; /* what is private in it has no types yet */
    }
    return true;
}

bool grad_spell_out(struct graph *g, const struct tensor *given, const bool *content, size_t values,
                    const struct plan_context *c)
{
    for (int round = 0; has_spelling(g); round++) {
        struct arena scratch = { .budget = c->budget };
        struct program *known = types_of(g, given, content, values, &scratch, c);
        const bool ok = known && spell_round(g, known, &scratch, c);

        program_free(known);
        arena_release(&scratch);
        if (!ok)
            return false;
        if (round == MAX_ROUNDS)
            return fail(c->report, KILN_LIMIT, g->path, "gradients of gradients are spelled out in more than %d rounds",
                        (int)MAX_ROUNDS);
    }
    return true;
}
