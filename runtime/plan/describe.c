#include "plan/describe.h"
#include "ops/op.h"
#include <string.h>

static void put_place(struct text *out, const struct program *p, const struct value *v)
{
    const struct place *place = &p->places[v->id];
    const struct tensor *t = &p->types[v->id];
    char type[TYPE_TEXT];

    text_printf(out, "      %s %s, ", v->name, tensor_text(t, type));
    switch (place->kind) {
    case PLACE_ARENA:
        text_printf(out, "%lld bytes at %lld\n", (long long)tensor_bytes(t), (long long)place->at);
        break;
    case PLACE_VIEW:
        text_printf(out, "in the place of %s\n", p->graph->values[place->root]->name);
        break;
    case PLACE_CONSTANT:
        text_printf(out, "known\n");
        break;
    default:
        text_printf(out, "allocated while running\n");
    }
}

static void put_step(struct text *out, const struct program *p, size_t k)
{
    const struct program_step *s = &p->steps[k];

    text_printf(out, "  %3zu %s-%d", k, s->node->op_name, s->node->since);
    if (*s->node->name)
        text_printf(out, " '%s'", s->node->name);
    if (!s->node->def->run)
        text_printf(out, ", nothing to do");
    if (s->scratch >= 0)
        text_printf(out, ", works at %lld", (long long)s->scratch);
    text_add(out, "\n", 1);
    for (int o = 0; o < s->node->slots; o++)
        if (s->read[o])
            put_place(out, p, s->node->out[o]);
}

static void put_folded(struct text *out, const struct program *p)
{
    size_t count = 0;

    for (size_t k = 0; k < p->defined_count; k++) {
        const struct value *v = p->graph->values[p->defined[k]];
        char type[TYPE_TEXT];

        if (p->places[v->id].kind != PLACE_CONSTANT || !v->producer || strcmp(v->producer->op_name, "Constant") == 0)
            continue;
        if (!count++)
            text_printf(out, "folded while planning:\n");
        text_printf(out, "      %s %s by %s\n", v->name, tensor_text(&p->types[v->id], type), v->producer->op_name);
    }
}

void program_describe(struct text *out, const struct program *p)
{
    text_printf(out, "%s: %zu steps, an arena of %lld bytes\n", p->graph->path, p->step_count,
                (long long)p->arena_bytes);
    put_folded(out, p);
    text_printf(out, "steps:\n");
    for (size_t k = 0; k < p->step_count; k++)
        put_step(out, p, k);
    for (size_t k = 0; k < p->carry_count; k++)
        text_printf(out, "after the step %s becomes %s\n", p->graph->values[p->carries[k].out]->name,
                    p->graph->values[p->carries[k].in]->name);
    if (!p->complete)
        text_printf(out, "the rest is planned while running: its sizes are not known before\n");
}
