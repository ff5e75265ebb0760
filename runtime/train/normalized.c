#include "train/normalized.h"
#include "ops/registry.h"
#include "train/decided.h"
#include "train/edit.h"
#include <limits.h>
#include <string.h>

/* -- read -- */

bool model_normalizer(struct normalizer *n, const struct model *m, struct budget *b, struct report *r)
{
    const struct graph *g = m->graph;
    bool ok;

    *n = (struct normalizer){ .inputs = g->input_count, .memory.budget = b };
    n->of = arena_array(&n->memory, g->input_count, sizeof *n->of, r);
    ok = n->of;
    for (size_t k = 0; ok && k < g->input_count; k++) {
        const char *name = g->inputs[k]->name, *said = decided_once(m, DECIDED_NORMALIZE, name);

        name = arena_printf(&n->memory, r, "%s", name);
        n->of[k] = (struct scaling){ .name = name, .of_model = true };
        ok = name && (!said || scaling_read(&n->of[k], said, name, &n->memory, r));
        n->of[k].of_model = true;
        if (ok && n->kind == NORMALIZE_NONE)
            n->kind = n->of[k].kind;
    }
    if (!ok)
        normalizer_release(n);
    return ok;
}

const char *const *model_classes(const struct model *m, const char *output, int *count, struct arena *a,
                                 struct report *r)
{
    const char *said = decided_once(m, DECIDED_CLASSES, output), *end;
    const char **names;
    int64_t n = 1;

    *count = 0;
    if (!said || !*said)
        return NULL;
    for (const char *s = said; *s; s++)
        n += *s == '\n';
    names = n < INT_MAX ? arena_array(a, (size_t)n, sizeof *names, r) : NULL;
    for (int64_t k = 0; names && k < n; k++) {
        end = strchr(said, '\n');
        names[k] = arena_string(a, said, end ? (size_t)(end - said) : strlen(said), r);
        if (!names[k])
            return NULL;
        said = end ? end + 1 : said;
    }
    *count = names ? (int)n : 0;
    return names;
}

/* -- nodes in front of an input -- */

static bool read_instead(struct edit *e, Onnx__GraphProto *g, const char *old, const char *name);

/* Subgraphs nest no deeper than MESSAGE_DEPTH, so this may recurse. */
static bool read_by_node(struct edit *e, Onnx__NodeProto *n, const char *old, const char *name)
{
    bool ok = true;

    for (size_t k = 0; ok && k < n->n_input; k++)
        if (n->input[k] && strcmp(n->input[k], old) == 0)
            ok = edit_set_input(e, n, k, name);
    for (size_t k = 0; ok && k < n->n_attribute; k++)
        ok = !n->attribute[k]->g || read_instead(e, n->attribute[k]->g, old, name);
    return ok;
}

static bool read_instead(struct edit *e, Onnx__GraphProto *g, const char *old, const char *name)
{
    bool ok = true;

    for (size_t k = 0; ok && k < g->n_output; k++) /* of a subgraph: that is what the loop or the branch gives */
        if (g != e->graph && g->output[k]->name && strcmp(g->output[k]->name, old) == 0)
            ok = fail(e->report, KILN_UNSUPPORTED, NULL,
                      "input '%s' is an output of a subgraph: its normalisation cannot be put in front of it", old);
    for (size_t k = 0; ok && k < g->n_node; k++)
        ok = read_by_node(e, g->node[k], old, name);
    return ok;
}

/* A difference or a quotient of `input` and a constant of `n` numbers, in the shape of a sample. *made is what it gives; freed with
 * budget_free. */
static bool insert(struct edit *e, const struct baked *b, const char *op, const float *numbers, bool scalar,
                   const char *input, char **made)
{
    struct tensor t = b->type;
    char *constant = edit_fresh_name(e, "normalize");
    Onnx__NodeProto *n;
    bool ok;

    *made = edit_fresh_name(e, "normalized");
    t.dtype = F32;
    t.dims[0] = 1;
    if (scalar)
        t.rank = 0;
    t.data = (void *)(uintptr_t)numbers; /* only read from */
    ok = constant && *made && edit_add_initializer(e, constant, &t) &&
         (n = edit_insert_node(e, 0, false, op, "normalize")) &&
         edit_set_inputs(e, n, 2, (const char *const[]){ input, constant }) &&
         edit_set_outputs(e, n, 1, (const char *const[]){ *made });
    budget_free(e->budget, constant);
    return ok;
}

static bool bake(struct edit *e, const struct baked *b)
{
    static const float bytes = 255;
    const struct scaling *s = &b->scaling;
    char *centred = NULL, *made = NULL;
    bool ok;

    if (b->type.dtype != F32)
        return fail(e->report, KILN_UNSUPPORTED, NULL, "input '%s' is %s: a normalisation becomes nodes of float alone",
                    b->input, dtype_name(b->type.dtype));
    /* what is inserted is in no list before the end: it goes on reading the input */
    if (s->kind == NORMALIZE_UNIT)
        ok = insert(e, b, op_div.name, &bytes, true, b->input, &made);
    else
        ok = insert(e, b, op_sub.name, s->mean, false, b->input, &centred) &&
             (!s->deviation || insert(e, b, op_div.name, s->deviation, false, centred, &made));
    ok = ok && read_instead(e, e->graph, b->input, made ? made : centred);
    budget_free(e->budget, centred);
    budget_free(e->budget, made);
    return ok;
}

bool model_bake(struct model *m, const struct baked *inputs, size_t count, struct report *r)
{
    struct edit e;
    bool ok;

    if (!m->proto->graph)
        return fail(r, KILN_BAD_MODEL, NULL, "there is no graph");
    ok = edit_begin(&e, m, r);
    for (size_t k = 0; ok && k < count; k++)
        ok = bake(&e, &inputs[k]);
    return edit_end(&e) && ok;
}
