/* What exporters have computed of a parameter, so that its numbers are there twice. Trained as they are, the copy and the
 * parameter would go ways of their own.
 *
 * PyTorch's newer exporter, of a parameter and of zeros: the first step of an unrolled RNN multiplies a state of zeros and
 * adds bias_hh, which leaves "linear_1", bias_hh with two dimensions before it; of a GRU each gate reads a piece of it. A
 * parameter keeps its name, "rnn.bias_hh_l0"; what is computed is called by its node.
 *
 * All exporters: a matrix and its transpose, where an embedding is tied to the layer that makes logits of it (Press and
 * Wolf, arXiv:1608.05859; ReversibleEmbedding of Keras, "transpose:0"; "onnx::MatMul_12" of PyTorch). */
#include "adapt/facts.h"
#include "adapt/step.h"
#include "base/map.h"
#include "data/element.h"
#include "ops/registry.h"
#include <string.h>

enum { FEW = 2 }; /* elements that may be equal by chance */

struct copies {
    struct adapt *adapt;
    struct edit edit;
    struct map matrices; /* by glance: that which comes before the others */
    size_t count;
};

static bool is_vector(const struct tensor *t)
{
    int varies = 0;

    for (int d = 0; d < t->rank; d++)
        varies += t->dims[d] != 1;
    return varies == 1 && tensor_count(t) > FEW && t->data;
}

static bool is_told(const struct parameter *p)
{
    return strchr(p->value->name, '.');
}

/* The element of `whole` from which on it is equal to the copy, bit by bit: the first, or one of several pieces as long as
 * that; -1 where it is not. */
static int64_t place_in(const struct tensor *whole, const struct tensor *copy)
{
    const int64_t n = tensor_count(copy), bytes = tensor_bytes(copy);

    if (whole->rank != 1 || whole->dtype != copy->dtype || tensor_count(whole) % n)
        return -1;
    for (int64_t at = 0; at < tensor_count(whole) / n; at++)
        if (memcmp((const char *)whole->data + at * bytes, copy->data, (size_t)bytes) == 0)
            return at * n;
    return -1;
}

/* -- a matrix and its transpose -- */

/* Bit by bit; not where it is its own, as a matrix of zeros is. */
static bool is_transpose(const struct tensor *x, const struct tensor *y)
{
    const size_t size = dtype_size(x->dtype);
    const int64_t rows = x->dims[0], columns = x->dims[1];
    const char *a = x->data, *b = y->data;

    if (y->rank != 2 || y->dtype != x->dtype || y->dims[0] != columns || y->dims[1] != rows || !b)
        return false;
    for (int64_t k = 0; k < rows * columns; k++)
        if (memcmp(a + (size_t)k * size, b + (size_t)(k % columns * rows + k / columns) * size, size) != 0)
            return false;
    return rows != columns || memcmp(a, b, (size_t)tensor_bytes(x)) != 0;
}

static bool is_matrix(const struct parameter *p)
{
    const struct tensor *t = p->role == ROLE_TRAINABLE && !p->value->is_input ? p->value->initializer : NULL;

    return t && t->data && t->rank == 2 && t->dims[0] > 1 && t->dims[1] > 1 && !tensor_is_uniform(t);
}

/* Which of the two is the parameter? One that has its name, then the embedding, then the first. */
static bool comes_before(const struct parameter *a, const struct parameter *b)
{
    const int x = 2 * is_told(a) + node_is(a->reader, &op_gather), y = 2 * is_told(b) + node_is(b->reader, &op_gather);

    return x > y || (x == y && a < b);
}

enum { LOOKS = 64 }; /* elements of a matrix by which it is found again, before all are compared */

struct glance {
    int64_t rows, columns;
    enum dtype dtype;
    uint8_t bytes[LOOKS * sizeof(double)];
};

/* Of the matrix, or of its transpose. */
static struct glance *glance_at(struct copies *c, const struct tensor *t, bool turned)
{
    struct glance *g = arena_alloc(c->adapt->arena, sizeof *g, c->edit.report);
    const int64_t rows = t->dims[turned], columns = t->dims[!turned], count = rows * columns;
    const size_t size = dtype_size(t->dtype);

    if (!g)
        return NULL;
    g->rows = rows;
    g->columns = columns;
    g->dtype = t->dtype;
    for (int64_t k = 0; k < LOOKS && size <= sizeof(double); k++) {
        const int64_t at = count / LOOKS * k + count % LOOKS * k / LOOKS;
        const int64_t from = turned ? at % columns * rows + at / columns : at;

        memcpy(g->bytes + (size_t)k * size, (const char *)t->data + (size_t)from * size, size);
    }
    return g;
}

static bool note_matrix(struct copies *c, const struct parameter *p)
{
    const struct glance *g = glance_at(c, p->value->initializer, false);
    void **slot = g ? map_put_bytes(&c->matrices, g, sizeof *g, c->edit.report) : NULL;

    if (slot && (!*slot || comes_before(p, *slot)))
        *slot = (void *)(uintptr_t)p;
    return slot;
}

static const char *sizes(struct copies *c, const char *stem, int64_t count, const int64_t *numbers)
{
    char *name = edit_fresh_name(&c->edit, stem);
    const struct tensor t = {
        .dtype = I64, .rank = 1, .dims = { count }, .data = (void *)(uintptr_t)numbers /* only read from */
    };
    const char *kept = NULL;

    if (name && edit_add_initializer(&c->edit, name, &t))
        kept = arena_string(c->adapt->arena, name, strlen(name), c->edit.report);
    budget_free(c->edit.budget, name);
    return kept;
}

/* A node before all others. */
static bool insert(struct copies *c, const struct op *op, size_t count, const char *const *inputs, const char *output)
{
    Onnx__NodeProto *n = edit_insert_node(&c->edit, 0, false, op->name, NULL);

    return n && edit_set_inputs(&c->edit, n, count, inputs) && edit_set_outputs(&c->edit, n, 1, &output);
}

/* What was the copy is made of the parameter. */
static bool replace(struct copies *c, const struct value *copy, const struct value *of, int64_t from)
{
    const struct tensor *t = copy->initializer;
    const int64_t to = from + tensor_count(t);
    const char *name = arena_string(c->adapt->arena, copy->name, strlen(copy->name), c->edit.report);
    const char *shape = name ? sizes(c, "shape", t->rank, t->dims) : NULL, *piece = of->name;

    if (!shape)
        return false;
    edit_drop_initializer(&c->edit, copy->name);
    if (tensor_count(t) < tensor_count(of->initializer)) {
        const char *begin = sizes(c, "begin", 1, &from), *end = sizes(c, "end", 1, &to);
        char *fresh = edit_fresh_name(&c->edit, of->name);
        const char *kept = fresh ? arena_string(c->adapt->arena, fresh, strlen(fresh), c->edit.report) : NULL;
        const bool ok =
            kept && begin && end && insert(c, &op_slice, 3, (const char *const[]){ of->name, begin, end }, kept);

        budget_free(c->edit.budget, fresh);
        if (!ok)
            return false;
        piece = kept;
    }
    c->count++;
    return insert(c, &op_reshape, 2, (const char *const[]){ piece, shape }, name);
}

static bool turn(struct copies *c, const struct value *copy, const struct value *of)
{
    const char *name = arena_string(c->adapt->arena, copy->name, strlen(copy->name), c->edit.report);

    if (!name)
        return false;
    edit_drop_initializer(&c->edit, copy->name);
    c->count++;
    return insert(c, &op_transpose, 1, &of->name, name);
}

static bool tell(struct copies *c, const struct value *copy, const struct value *of, bool turned)
{
    struct adapt *a = c->adapt;
    const char *evidence = arena_printf(a->arena, a->report, "its numbers are those of '%s'%s, bit by bit", of->name,
                                        turned ? ", transposed" : "");

    return evidence && adapt_tell(a, &(struct finding){ .name = copy->name,
                                                        .found = "a copy of a parameter that the exporter has computed",
                                                        .evidence = evidence,
                                                        .certainty = LIKELY,
                                                        .done = "the parameter is read in its place",
                                                        .unknown = "whether it is another (untied: it is)" });
}

static const char *const choices[] = { "shared", "untied", NULL };

static bool is_untied(struct copies *c, const struct value *copy)
{
    const char *chosen = adapt_choice(c->adapt, choices, copy->name, NULL);

    return chosen && strcmp(chosen, "untied") == 0;
}

static bool look_for_transpose(struct copies *c, const struct parameter *copy)
{
    const struct value *v = copy->value;
    const struct glance *g = glance_at(c, v->initializer, true);
    const struct parameter *of = g ? map_get_bytes(&c->matrices, g, sizeof *g) : NULL;

    if (!of || !comes_before(of, copy) || !is_transpose(of->value->initializer, v->initializer))
        return g;
    return is_untied(c, v) || (turn(c, v, of->value) && tell(c, v, of->value, true));
}

static bool look_at(struct copies *c, const struct parameters *p, const struct parameter *copy)
{
    const struct value *v = copy->value;

    for (size_t k = 0; k < p->count; k++) {
        const struct value *of = p->at[k].value;
        const int64_t from = p->at[k].role == ROLE_TRAINABLE && of->initializer && !of->is_input &&
                                     is_told(&p->at[k]) && is_vector(of->initializer)
                                 ? place_in(of->initializer, v->initializer)
                                 : -1;

        if (from >= 0)
            return is_untied(c, v) || (replace(c, v, of, from) && tell(c, v, of, false));
    }
    return true;
}

static bool look_at_all(struct copies *c)
{
    struct adapt *a = c->adapt;
    const bool pytorch = strcmp(or_empty(a->model->proto->producer_name), "pytorch") == 0;
    struct parameters p;
    bool ok = parameters_find(&p, a->model, NULL, a->arena, a->report);

    for (size_t k = 0; ok && k < p.count; k++)
        ok = !is_matrix(&p.at[k]) || note_matrix(c, &p.at[k]);
    for (size_t k = 0; ok && k < p.count; k++) {
        const struct value *v = p.at[k].value;

        if (is_matrix(&p.at[k]))
            ok = look_for_transpose(c, &p.at[k]);
        else if (pytorch && p.at[k].role == ROLE_TRAINABLE && v->initializer && !v->is_input && !is_told(&p.at[k]) &&
                 is_vector(v->initializer) && !tensor_is_uniform(v->initializer))
            ok = look_at(c, &p, &p.at[k]);
    }
    return ok;
}

bool adapt_copies(struct adapt *a)
{
    struct copies c = { .adapt = a };
    struct model *to = adapt_copy(a);
    bool ok;

    map_init(&c.matrices, a->arena->budget);
    ok = to && edit_begin(&c.edit, to, a->report) && look_at_all(&c);
    ok = (!to || edit_end(&c.edit)) && ok;
    map_release(&c.matrices);
    if (ok && c.count)
        return adapt_take(a, to, true);
    model_free(to);
    return ok;
}
