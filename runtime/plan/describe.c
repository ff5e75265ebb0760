#include "plan/describe.h"
#include "ops/registry.h"
#include "plan/slices.h"
#include <string.h>

/* -- a table -- */

/* Its cells are written twice: first to see how wide the columns are. */
enum column { STEP, OPERATOR, HOW, TYPE, BYTES, PLACE, WORK, NAME, COLUMNS };

static const struct {
    const char *title;
    bool right; /* aligned to the right */
} columns[] = {
    [STEP] = { "step", true },     [OPERATOR] = { "operator", false }, [HOW] = { "how", false },
    [TYPE] = { "makes", false },   [BYTES] = { "bytes", true },        [PLACE] = { "at", true },
    [WORK] = { "works at", true }, [NAME] = { "name", false },
};

static void put_place(struct text *cell, const struct program *p, const struct value *v)
{
    const struct place *place = &p->places[v->id];

    if (place->kind == PLACE_ARENA)
        text_printf(cell, "%lld", (long long)place->at);
    else
        text_say(cell, "%.60s", /* many rows may have the name of one value */
                 place->kind == PLACE_VIEW       ? p->graph->values[place->root]->name
                 : place->kind == PLACE_CONSTANT ? "known"
                                                 : "run time");
}

static void put_how(struct text *cell, const struct program_step *s)
{
    if (!s->node->def->run)
        text_printf(cell, "nothing to do");
    else if (s->node->def->describe)
        s->node->def->describe(s->node, s->plan, cell);
}

/* One for each output that is read; the first one tells of the step too. */
static void put_cell(struct text *cell, const struct program *p, size_t step, int out, bool first, enum column c)
{
    const struct program_step *s = &p->steps[step];
    const struct value *v = s->node->out[out];
    char type[TYPE_TEXT];

    if (c == STEP && first)
        text_printf(cell, "%zu", step);
    else if (c == OPERATOR && first)
        text_say(cell, "%s-%d", s->node->op_name, s->node->since);
    else if (c == HOW && first)
        put_how(cell, s);
    else if (c == TYPE)
        text_printf(cell, "%s", tensor_text(&p->types[v->id], type));
    else if (c == BYTES && tensor_known(&p->types[v->id]))
        text_printf(cell, "%lld", (long long)tensor_bytes(&p->types[v->id]));
    else if (c == PLACE && !p->types_only)
        put_place(cell, p, v);
    else if (c == WORK && first && s->scratch >= 0)
        text_printf(cell, "%lld", (long long)s->scratch);
    else if (c == NAME)
        text_say(cell, "%s", first && *s->node->name ? s->node->name : v->name);
}

struct table {
    const struct program *p;
    struct text cell;
    int width[COLUMNS];
};

/* A row into `out`; where that is NULL, the columns get wide enough for it. */
static void put_row(struct table *t, struct text *out, size_t step, int o, bool first)
{
    for (enum column c = 0; c < COLUMNS; c++) {
        t->cell.length = 0;
        text_printf(&t->cell, "%s", "");
        put_cell(&t->cell, t->p, step, o, first, c);
        if (!out && !t->cell.failed)
            t->width[c] = (int)t->cell.length > t->width[c] ? (int)t->cell.length : t->width[c];
        else if (out && !t->cell.failed)
            text_printf(out, columns[c].right ? "%s%*s" : "%s%-*s", c ? "  " : "", c == NAME ? 0 : t->width[c],
                        t->cell.data);
    }
    if (out)
        text_printf(out, "\n");
}

static void put_rows(struct table *t, struct text *out)
{
    for (size_t k = 0; k < t->p->step_count; k++) {
        bool first = true;

        for (int o = 0; o < t->p->steps[k].node->slots; o++)
            if (t->p->steps[k].read[o]) {
                put_row(t, out, k, o, first);
                first = false;
            }
    }
}

static void put_steps(struct text *out, const struct program *p)
{
    struct table t = { .p = p, .cell = { .budget = out->budget, .report = out->report } };

    for (enum column c = 0; c < COLUMNS; c++)
        t.width[c] = (int)strlen(columns[c].title);
    put_rows(&t, NULL);
    for (enum column c = 0; c < COLUMNS; c++)
        text_printf(out, columns[c].right ? "%s%*s" : "%s%-*s", c ? "  " : "", c == NAME ? 0 : t.width[c],
                    columns[c].title);
    text_printf(out, "\n");
    put_rows(&t, out);
    out->failed |= t.cell.failed;
    text_release(&t.cell);
}

/* -- the whole -- */

static void put_folded(struct text *out, const struct program *p)
{
    size_t count = 0;

    for (size_t k = 0; k < p->defined_count; k++) {
        const struct value *v = p->graph->values[p->defined[k]];
        char type[TYPE_TEXT];

        if (p->places[v->id].kind != PLACE_CONSTANT || !v->producer || node_is(v->producer, &op_constant))
            continue;
        if (!count++)
            text_printf(out, "folded while planning:\n");
        text_say(out, "      %s %s by %s\n", v->name, tensor_text(&p->types[v->id], type), v->producer->op_name);
    }
}

/* Bytes of what is made of weights once for all runs; what several steps share counts once. */
static bool add_prepared(const struct preparation *p, struct map *met, struct arena *arena, int64_t *total,
                         struct report *r)
{
    const size_t bytes = preparation_id_bytes(p);
    void *id = arena_alloc(arena, bytes, r), **slot;

    if (!id)
        return false;
    preparation_id(p, id);
    slot = map_put_bytes(met, id, bytes, r);
    if (!slot)
        return false;
    *total += *slot ? 0 : (int64_t)p->bytes;
    *slot = id;
    return true;
}

static int64_t prepared_bytes(const struct program *p, struct text *out)
{
    struct arena arena = { .budget = out->budget };
    struct map met;
    int64_t total = 0;

    map_init(&met, out->budget);
    for (size_t k = 0; k < p->step_count && !out->failed; k++)
        for (int i = 0; i < p->steps[k].node->inputs && !out->failed; i++)
            if (preparation_for(&p->steps[k], i))
                out->failed = !add_prepared(preparation_for(&p->steps[k], i), &met, &arena, &total, out->report);
    map_release(&met);
    arena_release(&arena);
    return total;
}

static const struct program *body_of(const struct program *p, const struct node *n, int graph)
{
    const struct body *b = p->bodies;

    while (b && !(b->node == n && b->graph == graph))
        b = b->next;
    return b ? b->program : NULL;
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse. */
static void put_bodies(struct text *out, const struct program *p)
{
    for (size_t k = 0; k < p->step_count; k++)
        for (int g = 0; g < p->steps[k].node->graphs; g++) {
            const struct program *body = body_of(p, p->steps[k].node, g);

            if (!body)
                continue;
            text_say(out, "\n%s: %zu steps each time it is run\n", body->graph->path, body->step_count);
            put_folded(out, body);
            put_steps(out, body);
            put_bodies(out, body);
        }
}

static void put_whole(struct text *out, const struct program *p)
{
    text_say(out, "%s: %zu steps, an arena of %lld bytes, %lld bytes prepared of weights\n", p->graph->path,
             p->step_count, (long long)p->arena_bytes, (long long)prepared_bytes(p, out));
    put_folded(out, p);
    put_steps(out, p);
    for (size_t k = 0; k < p->next_state_count; k++)
        text_say(out, "after the step %s becomes %s\n", p->graph->values[p->next_states[k].out]->name,
                 p->graph->values[p->next_states[k].in]->name);
    if (!p->complete)
        text_printf(out, "the rest is planned while running: its sizes are not known before\n");
    put_bodies(out, p);
}

void program_describe(struct text *out, const struct program *p)
{
    if (p->slices) {
        text_printf(out, "In %lld slices of the batch, %s:\n", (long long)p->slices->count,
                    p->slices->together ? "one after the other" : "each by one thread");
        put_whole(out, p->slices->program[0]);
        if (p->step_count)
            text_printf(out, "\nThen for all of the batch:\n");
    }
    if (!p->slices || p->step_count)
        put_whole(out, p);
}
