#include "plan/open_sizes.h"
#include "plan/given.h"
#include <string.h>

/* Windows need some, heads that have seen one size need just that: those that networks are made for. */
static const int64_t tried[] = { 1, 2, 8, 16, 28, 32, 48, 64, 96, 128, 224, 256, 320, 512, 640 };

const struct tensor *open_type(const struct graph *g, const struct tensor *x, size_t k)
{
    return x ? &x[k] : g->inputs[k]->has_type ? &g->inputs[k]->type : NULL;
}

int64_t open_told(const struct graph *g, const struct tensor *x, size_t k)
{
    const struct tensor *t = k < g->input_count ? open_type(g, x, k) : NULL;

    return t && t->kind == TENSOR && t->rank > 0 ? t->dims[0] : UNKNOWN;
}

static const char *symbol(const struct value *v, int d)
{
    return v->dim_names && v->dim_names[d] && *v->dim_names[d] ? v->dim_names[d] : NULL;
}

/* The dimension that is open and has no symbol, where there is just one that is open. */
static int only_open(const struct value *v)
{
    int found = UNKNOWN;

    for (int d = 1; d < v->type.rank; d++)
        if (v->type.dims[d] < 0) {
            if (found >= 0)
                return UNKNOWN;
            found = d;
        }
    return found >= 0 && !symbol(v, found) ? found : UNKNOWN;
}

int open_samples(const struct graph *g, size_t k)
{
    const struct value *v = g->inputs[k];
    const int64_t first = open_told(g, NULL, 0), own = open_told(g, NULL, k);
    const char *samples =
        first == UNKNOWN && open_type(g, NULL, 0) && g->inputs[0]->type.rank > 0 ? symbol(g->inputs[0], 0) : NULL;

    for (int d = 0; samples && d < v->type.rank; d++)
        if (v->type.dims[d] < 0 && symbol(v, d) && strcmp(symbol(v, d), samples) == 0)
            return d;
    if (own == UNKNOWN || own == first)
        return 0;
    return first == UNKNOWN && own == 1 ? 0 : only_open(v);
}

bool open_sizes_one(const struct graph *g, const struct tensor *x, size_t k)
{
    const struct tensor *t = open_type(g, x, k);
    const int samples = t ? open_samples(g, k) : UNKNOWN;

    for (int d = 0; t && d < t->rank; d++)
        if (t->dims[d] < 0 && d != samples)
            return true;
    return false;
}

bool open_sizes_any(const struct graph *g, const struct tensor *x)
{
    for (size_t k = 0; k < g->input_count; k++)
        if (open_sizes_one(g, x, k))
            return true;
    return false;
}

/* Input k, but for its samples. */
static struct tensor closed(const struct graph *g, const struct tensor *x, size_t k, int64_t size)
{
    const struct tensor *type = open_type(g, x, k);
    const int samples = open_samples(g, k);
    struct tensor t = given_closed(type, size);

    if (samples >= 0 && samples < t.rank)
        t.dims[samples] = type->dims[samples];
    return t;
}

struct tensor *open_sizes_given(const struct graph *g, const struct open_types *t, int64_t size, struct arena *a,
                                struct report *r)
{
    struct tensor *given = given_types(g, a, r);

    for (size_t k = 0; given && k < g->input_count; k++) {
        const int64_t first = open_told(g, t->x, k);
        struct tensor *to = &given[g->inputs[k]->id];

        if (!open_type(g, t->x, k))
            continue;
        *to = closed(g, t->x, k, size);
        if (t->samples != UNKNOWN && first != UNKNOWN && first == open_told(g, t->x, 0))
            to->dims[0] = t->samples;
        *to = given_closed(to, t->open);
    }
    return given;
}

/* -- trying -- */

/* Does the node make nothing of something? Then the network has run out of positions. */
static bool makes_nothing(const struct node *n, const struct program *p)
{
    const struct tensor *x = n->inputs && n->in[0] ? &p->types[n->in[0]->id] : NULL;
    const struct tensor *y = n->outputs && n->out[0] ? &p->types[n->out[0]->id] : NULL;

    return x && y && x->kind == TENSOR && y->kind == TENSOR && dtype_is_float(x->dtype) && dtype_is_float(y->dtype) &&
           tensor_known(x) && tensor_known(y) && tensor_count(x) > 0 && !tensor_count(y);
}

/* Is there a node that does, or one whose subgraph, which may have to be run, cannot be planned? Subgraphs nest no deeper
 * than the loader allows, so this may recurse. */
static bool lacks(const struct graph *g, const struct program *p)
{
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        bool planned = !n->graphs;

        if (makes_nothing(n, p))
            return true;
        for (const struct body *b = n->graphs ? p->bodies : NULL; b; b = b->next) {
            planned = planned || b->node == n;
            if (b->node == n && lacks(n->graph_of[b->graph], b->program))
                return true;
        }
        if (!planned)
            return true;
    }
    return false;
}

enum fit { REFUSED, LACKS, FITS };

static enum fit try(const struct graph *g, const struct open_types *t, int64_t size, const struct plan_context *c)
{
    struct arena scratch = { .budget = c->budget };
    struct tensor *given = open_sizes_given(g, t, size, &scratch, c->report);
    struct program *p = given ? plan_types(g, given, NULL, c) : NULL;
    const enum fit fit = !p ? REFUSED : lacks(g, p) ? LACKS : FITS;

    program_free(p);
    arena_release(&scratch);
    return fit;
}

bool open_refusal(const struct report *r)
{
    return r->error.code != KILN_LIMIT && r->error.code != KILN_NO_MEMORY && r->error.code != KILN_STOPPED;
}

/* UNKNOWN with an error. */
static int64_t find(const struct graph *g, const struct open_types *t, const struct plan_context *c)
{
    struct report quiet = { 0 };
    struct plan_context trial = *c;
    int64_t second = UNKNOWN; /* can be planned, but lacks something */

    trial.report = &quiet;
    for (size_t k = 0; k <= sizeof tried / sizeof *tried; k++) {
        const int64_t size = k ? tried[k - 1] : t->open;
        enum fit fit;

        if (k && size == t->open)
            continue;
        quiet = (struct report){ 0 };
        fit = try(g, t, size, &trial);
        if (fit == FITS)
            return size;
        if (fit == LACKS && second == UNKNOWN)
            second = size;
        if (fit == REFUSED && !open_refusal(&quiet))
            break;
    }
    if (second == UNKNOWN)
        fail(c->report, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
    return second;
}

bool open_sizes_find(struct tensor *out, const struct graph *g, const struct open_types *t,
                     const struct plan_context *c)
{
    const int64_t size = open_sizes_any(g, t->x) ? find(g, t, c) : 1;

    for (size_t k = 0; size != UNKNOWN && k < g->input_count; k++) {
        if (open_type(g, t->x, k))
            out[k] = closed(g, t->x, k, size);
        else
            out[k] = (struct tensor){ .rank = UNKNOWN };
    }
    return size != UNKNOWN;
}
