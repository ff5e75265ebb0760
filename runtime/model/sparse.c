/* Sparse tensors of a file, https://onnx.ai/onnx/repo-docs/IR.html#sparse-tensors: numbers, and where they are; all else is 0.
 * No operator takes one as such: an initializer and the value of a Constant are dense as soon as they are read. */
#include "model/message.h"
#include "model/model.h"
#include "ops/registry.h"
#include <stdio.h>
#include <string.h>

/* -- as a tensor -- */

struct sparse {
    const char *name, *where;
    struct tensor values, indices;
    struct report *report;
};

static bool shape_of(struct tensor *out, const struct sparse *s, const Onnx__SparseTensorProto *t)
{
    if (t->n_dims > MAX_RANK)
        return fail(s->report, KILN_LIMIT, s->where, "sparse tensor '%s' has %zu dimensions, at most %d are supported",
                    s->name, t->n_dims, (int)MAX_RANK);
    for (size_t d = 0; d < t->n_dims; d++)
        if (t->dims[d] < 0)
            return fail(s->report, KILN_BAD_MODEL, s->where,
                        "dimension %zu of sparse tensor '%s' is %lld, must be at least 0", d, s->name,
                        (long long)t->dims[d]);
    if (!tensor_shape(out, s->values.dtype, (int)t->n_dims, t->dims))
        return fail(s->report, KILN_BAD_MODEL, s->where, "sparse tensor '%s' would have more bytes than can be counted",
                    s->name);
    return true;
}

/* values: [n]; indices: [n], into the flat tensor, or [n, rank]. */
static bool parts_agree(const struct sparse *s, const struct tensor *whole)
{
    const struct tensor *v = &s->values, *i = &s->indices;
    char got[2][TYPE_TEXT];

    if (v->rank != 1)
        return fail(s->report, KILN_BAD_MODEL, s->where, "the values of sparse tensor '%s' are %s, must be a vector",
                    s->name, tensor_text(v, got[0]));
    if (i->dtype != I64 || i->rank < 1 || i->rank > 2 || i->dims[0] != v->dims[0] ||
        (i->rank == 2 && i->dims[1] != whole->rank))
        return fail(s->report, KILN_BAD_MODEL, s->where,
                    "the indices of sparse tensor '%s' are %s, must be int64[%lld] or int64[%lld,%d] for the values %s",
                    s->name, tensor_text(i, got[0]), (long long)v->dims[0], (long long)v->dims[0], whole->rank,
                    tensor_text(v, got[1]));
    if (v->dtype == F8E8M0 && v->dims[0] != tensor_count(whole))
        return fail(s->report, KILN_UNSUPPORTED, s->where, "sparse tensor '%s' is of float8e8m0, which has no 0",
                    s->name);
    return true;
}

/* Where value k is in the flat tensor; -1: outside. */
static int64_t place_of(const struct sparse *s, const struct tensor *whole, int64_t k)
{
    const int64_t *index = s->indices.data;
    int64_t at = 0;

    if (s->indices.rank == 1)
        return index[k] >= 0 && index[k] < tensor_count(whole) ? index[k] : -1;
    index += k * whole->rank;
    for (int d = 0; d < whole->rank; d++) {
        if (index[d] < 0 || index[d] >= whole->dims[d])
            return -1;
        at = at * whole->dims[d] + index[d];
    }
    return at;
}

/* "7", "[2,0]" */
enum { INDEX_TEXT = 24 * MAX_RANK };
static const char *index_text(const struct sparse *s, const struct tensor *whole, int64_t k, char text[INDEX_TEXT])
{
    const bool flat = s->indices.rank == 1;
    const int64_t *index = (const int64_t *)s->indices.data + (flat ? k : k * whole->rank);
    int n = snprintf(text, INDEX_TEXT, flat ? "%lld" : "[%lld", (long long)index[0]);

    for (int d = 1; !flat && d < whole->rank; d++)
        n += snprintf(text + n, (size_t)(INDEX_TEXT - n), ",%lld", (long long)index[d]);
    if (!flat)
        snprintf(text + n, (size_t)(INDEX_TEXT - n), "]");
    return text;
}

static bool scatter(struct tensor *whole, const struct sparse *s)
{
    const size_t size = dtype_size(whole->dtype);
    int64_t last = -1;

    for (int64_t k = 0; k < s->values.dims[0]; k++) {
        const int64_t at = place_of(s, whole, k);
        char got[TYPE_TEXT], index[INDEX_TEXT];

        if (at < 0)
            return fail(s->report, KILN_BAD_MODEL, s->where, "value %lld of sparse tensor '%s' is at %s, outside of %s",
                        (long long)k, s->name, index_text(s, whole, k, index), tensor_text(whole, got));
        if (at <= last)
            return fail(s->report, KILN_BAD_MODEL, s->where,
                        "value %lld of sparse tensor '%s' is at %s, not behind the one before it: indices must ascend",
                        (long long)k, s->name, index_text(s, whole, k, index));
        memcpy((char *)whole->data + (size_t)at * size, (const char *)s->values.data + (size_t)k * size, size);
        last = at;
    }
    return true;
}

bool tensor_of_sparse(struct tensor *out, const Onnx__SparseTensorProto *t, struct external *external,
                      struct arena *arena, const char *where, struct report *r)
{
    struct sparse s = { t->values ? or_empty(t->values->name) : "", where, .report = r };
    struct arena scratch = { .budget = arena->budget };
    struct tensor whole;
    bool ok;

    if (!t->values || !t->indices)
        return fail(r, KILN_BAD_MODEL, where, "sparse tensor '%s' has no %s", s.name, t->values ? "indices" : "values");
    ok = tensor_of_proto(&s.values, t->values, external, arena, where, r) &&
         tensor_of_proto(&s.indices, t->indices, external, &scratch, where, r) && shape_of(&whole, &s, t) &&
         parts_agree(&s, &whole);
    if (ok) {
        const int64_t bytes = tensor_bytes(&whole);

        whole.data = arena_alloc(arena, bytes ? (size_t)bytes : 1, r);
        ok = whole.data && scatter(&whole, &s);
    }
    arena_release(&scratch);
    if (ok)
        *out = whole;
    return ok;
}

/* -- as dense messages -- */

struct making {
    struct model *model;
    struct report *report;
};

static Onnx__TensorProto *dense(const struct making *m, const Onnx__SparseTensorProto *t, const char *where)
{
    struct budget *b = &m->model->budget;
    struct arena scratch = { .budget = b };
    Onnx__TensorProto *made = message_new(&onnx__tensor_proto__descriptor, b, m->report);
    struct tensor content;
    const bool ok = made && tensor_of_sparse(&content, t, &m->model->external, &scratch, where, m->report) &&
                    tensor_to_proto(made, t->values->name, &content, b, m->report);

    arena_release(&scratch);
    if (ok)
        return made;
    message_free(made, b);
    return NULL;
}

static bool dense_initializers(const struct making *m, Onnx__GraphProto *g)
{
    struct budget *b = &m->model->budget;
    size_t room = g->n_initializer;

    if (!g->n_sparse_initializer)
        return true;
    if (!budget_grow(b, &g->initializer, &room, g->n_initializer + g->n_sparse_initializer, sizeof *g->initializer,
                     m->report))
        return false;
    while (g->n_sparse_initializer) { /* from the last on, so that what is left is a list at any time */
        Onnx__SparseTensorProto *last = g->sparse_initializer[g->n_sparse_initializer - 1];
        Onnx__TensorProto *made = dense(m, last, or_empty(g->name));

        if (!made)
            return false;
        g->initializer[g->n_initializer++] = made;
        g->n_sparse_initializer--;
        message_free(last, b);
    }
    return true;
}

static bool dense_graph(const struct making *m, Onnx__GraphProto *g);

/* The sparse_value of a Constant becomes its value. */
static bool dense_constant(const struct making *m, Onnx__AttributeProto *a, const char *where)
{
    char *name = message_string("value", strlen("value"), &m->model->budget, m->report);
    Onnx__TensorProto *made = name ? dense(m, a->sparse_tensor, where) : NULL;

    if (!made) {
        budget_free(&m->model->budget, name);
        return false;
    }
    budget_free(&m->model->budget, a->name);
    message_free(a->sparse_tensor, &m->model->budget);
    a->name = name;
    a->sparse_tensor = NULL;
    a->t = made;
    a->has_type = true;
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    return true;
}

/* Messages are at most MESSAGE_DEPTH deep: the recursion is bounded. */
static bool dense_nodes(const struct making *m, Onnx__NodeProto *const *nodes, size_t count)
{
    bool ok = true;

    for (size_t k = 0; ok && k < count; k++)
        for (size_t i = 0; ok && i < nodes[k]->n_attribute; i++) {
            Onnx__AttributeProto *a = nodes[k]->attribute[i];

            if (a->sparse_tensor && strcmp(or_empty(a->name), "sparse_value") == 0 &&
                strcmp(or_empty(nodes[k]->op_type), op_constant.name) == 0)
                ok = dense_constant(m, a, or_empty(nodes[k]->name));
            ok = ok && (!a->g || dense_graph(m, a->g));
        }
    return ok;
}

static bool dense_graph(const struct making *m, Onnx__GraphProto *g)
{
    return dense_initializers(m, g) && dense_nodes(m, g->node, g->n_node);
}

bool model_make_dense(struct model *model, struct report *r)
{
    const struct making m = { model, r };
    Onnx__ModelProto *p = model->proto;
    bool ok = !p->graph || dense_graph(&m, p->graph);

    for (size_t k = 0; ok && k < p->n_training_info; k++)
        ok = (!p->training_info[k]->initialization || dense_graph(&m, p->training_info[k]->initialization)) &&
             (!p->training_info[k]->algorithm || dense_graph(&m, p->training_info[k]->algorithm));
    for (size_t k = 0; ok && k < p->n_functions; k++)
        ok = dense_nodes(&m, p->functions[k]->node, p->functions[k]->n_node);
    return ok;
}
