/* Sparse tensors of a file: what they are read as, and what becomes of them in a model that is changed or written. */
#include "model/message.h"
#include "model/model.h"
#include "run/session.h"
#include "scratch.h"
#include "unit.h"
#include <inttypes.h>

/* The first two initializers of the text are the values, whose name is the whole's, and the indices of a sparse one. */
static Onnx__SparseTensorProto *taken(Onnx__GraphProto *g, struct budget *b, int rank, const int64_t *dims)
{
    Onnx__SparseTensorProto *s = message_new(&onnx__sparse_tensor_proto__descriptor, b, &report);

    s->values = g->initializer[0];
    s->indices = g->initializer[1];
    s->dims = budget_zalloc(b, (size_t)rank, sizeof *s->dims, &report);
    s->n_dims = (size_t)rank;
    memcpy(s->dims, dims, (size_t)rank * sizeof *dims);
    g->n_initializer -= 2;
    memmove(g->initializer, g->initializer + 2, g->n_initializer * sizeof *g->initializer);
    return s;
}

static struct model *read_text(const char *parts, const char *rest)
{
    char text[1024];
    struct model *m;

    snprintf(text, sizeof text, "<ir_version: 11, opset_import: [\"\": 23, \"d\": 1]> main () => (y) <%s> %s", parts,
             rest);
    m = model_read_bytes(text, strlen(text), NULL, &report);
    expect_ok(m);
    return m;
}

static void add_sparse(struct model *m, Onnx__GraphProto *g, int rank, const int64_t *dims)
{
    Onnx__SparseTensorProto *s = taken(g, &m->budget, rank, dims);

    g->sparse_initializer = budget_zalloc(&m->budget, 1, sizeof(void *), &report);
    g->sparse_initializer[g->n_sparse_initializer++] = s;
}

/* A graph of one sparse initializer, which is its output. */
static struct model *sparse_model(const char *parts, int rank, const int64_t *dims)
{
    struct model *m = read_text(parts, "{ y = Identity (w) }");

    add_sparse(m, m->proto->graph, rank, dims);
    return m;
}

/* The numbers of the only output, as text. */
static const char *output_of(struct model *m, char text[static 256])
{
    struct session *s;
    const struct tensor *y;
    int n = 0;

    expect_ok(model_build(m, &report));
    s = session_new(m->graph, &(struct session_options){ .threads = 1 }, &report);
    expect_ok(s && session_run(s, &report));
    y = session_output(s, 0);
    tensor_text(y, text);
    n = (int)strlen(text);
    for (int64_t k = 0; k < tensor_count(y); k++) {
        const void *at = (const char *)y->data + (size_t)k * dtype_size(y->dtype);

        switch (y->dtype) {
        case F32:
            n += snprintf(text + n, 256 - (size_t)n, " %g", (double)*(const float *)at);
            break;
        case I64:
            n += snprintf(text + n, 256 - (size_t)n, " %" PRId64, *(const int64_t *)at);
            break;
        case STRING: {
            const struct string *e = *(struct string *const *)at;

            n += snprintf(text + n, 256 - (size_t)n, " '%.*s'", e ? (int)e->length : 0, e ? e->bytes : "");
            break;
        }
        default:
            n += snprintf(text + n, 256 - (size_t)n, " %d", *(const int8_t *)at);
        }
    }
    session_free(s);
    return text;
}

static const struct {
    const char *parts, *whole;
    int rank;
    int64_t dims[3];
} dense[] = {
    { "float[3] w = {1.5, -2, 3}, int64[3] i = {0, 3, 5}", "float[2,3] 1.5 0 0 -2 0 3", 2, { 2, 3 } },
    { "float[3] w = {1.5, -2, 3}, int64[3,2] i = {0, 0, 1, 0, 1, 2}", "float[2,3] 1.5 0 0 -2 0 3", 2, { 2, 3 } },
    { "int64[2] w = {7, -8}, int64[2,3] i = {0, 1, 0, 1, 0, 1}", "int64[2,2,2] 0 0 7 0 0 -8 0 0", 3, { 2, 2, 2 } },
    { "int64[2] w = {7, 0}, int64[2,1] i = {1, 2}", "int64[3] 0 7 0", 1, { 3 } },
    { "string[2] w = {\"a\", \"\"}, int64[2] i = {1, 2}", "string[3] '' 'a' ''", 1, { 3 } },
    { "int4[3] w = {33, 15}, int64[3] i = {1, 2, 4}", "int4[5] 0 1 2 0 -1", 1, { 5 } },
    { "bool[1] w = {1}, int64[1] i = {2}", "bool[3] 0 0 1", 1, { 3 } },
    { "float[0] w = {}, int64[0] i = {}", "float[2] 0 0", 1, { 2 } },
    { "float[0] w = {}, int64[0,2] i = {}", "float[0,2]", 2, { 0, 2 } },
    { "float[1] w = {4}, int64[1] i = {0}", "float[] 4", 0, { 0 } },
};

static bool put(void *user, const void *bytes, size_t count)
{
    text_add(user, bytes, count);
    return true;
}

/* As text, which has no sparse tensors, it is dense. */
static void check_text(const struct model *m, const char *whole)
{
    struct text written = { .budget = &budget, .report = &report };
    struct model *again;
    char text[256];

    expect_ok(model_put(m, true, NULL, put, &written, &report));
    again = model_read_bytes(written.data, written.length, NULL, &report);
    expect_ok(again);
    ck_assert_str_eq(output_of(again, text), whole);
    model_free(again);
    text_release(&written);
}

START_TEST(a_sparse_initializer_is_read_as_a_dense_one)
{
    struct model *m = sparse_model(dense[_i].parts, dense[_i].rank, dense[_i].dims);
    struct model *copy = model_copy_as_is(m, &report);
    char text[256];

    ck_assert_str_eq(output_of(m, text), dense[_i].whole);
    ck_assert(message_equal(copy->proto, m->proto)); /* it is saved as it was */
    check_text(m, dense[_i].whole);
    expect_ok(model_make_dense(copy, &report));
    ck_assert_uint_eq(copy->proto->graph->n_sparse_initializer, 0);
    ck_assert_uint_eq(copy->proto->graph->n_initializer, 1);
    ck_assert_str_eq(output_of(copy, text), dense[_i].whole);
    model_free(copy);
    model_free(m);
}
END_TEST

static const struct {
    const char *parts, *message;
    int rank;
    int64_t dims[17];
    kiln_status code;
} refused[] = {
    { "float[2] w = {1, 2}, int64[2] i = {0, 6}",
      "value 1 of sparse tensor 'w' is at 6, outside of float[2,3]",
      2,
      { 2, 3 },
      KILN_BAD_MODEL },
    { "float[2] w = {1, 2}, int64[2] i = {-1, 5}",
      "value 0 of sparse tensor 'w' is at -1, outside of float[2,3]",
      2,
      { 2, 3 },
      KILN_BAD_MODEL },
    { "float[1] w = {1}, int64[1,2] i = {1, 3}",
      "value 0 of sparse tensor 'w' is at [1,3], outside of float[2,3]",
      2,
      { 2, 3 },
      KILN_BAD_MODEL },
    { "float[1] w = {1}, int64[1,2] i = {1, -1}",
      "value 0 of sparse tensor 'w' is at [1,-1], outside of float[2,3]",
      2,
      { 2, 3 },
      KILN_BAD_MODEL },
    { "float[2] w = {1, 2}, int64[2] i = {3, 3}",
      "value 1 of sparse tensor 'w' is at 3, not behind the one before it: indices must ascend",
      1,
      { 6 },
      KILN_BAD_MODEL },
    { "float[2] w = {1, 2}, int64[2,2] i = {1, 0, 0, 1}",
      "value 1 of sparse tensor 'w' is at [0,1], not behind",
      2,
      { 2, 3 },
      KILN_BAD_MODEL },
    { "float[1,1] w = {1}, int64[1] i = {0}",
      "the values of sparse tensor 'w' are float[1,1], must be a vector",
      1,
      { 6 },
      KILN_BAD_MODEL },
    { "float[2] w = {1, 2}, int64[3] i = {0, 1, 2}",
      "the indices of sparse tensor 'w' are int64[3], must be int64[2] or int64[2,1] for the values float[2]",
      1,
      { 6 },
      KILN_BAD_MODEL },
    { "float[2] w = {1, 2}, int64[2,1] i = {0, 1}", "must be int64[2] or int64[2,2]", 2, { 2, 3 }, KILN_BAD_MODEL },
    { "float[2] w = {1, 2}, int64[2,1,1] i = {0, 1}", "are int64[2,1,1], must be", 1, { 6 }, KILN_BAD_MODEL },
    { "float[1] w = {1}, int32[1] i = {0}", "are int32[1], must be", 1, { 6 }, KILN_BAD_MODEL },
    { "float[1] w = {1}, int64 i = {0}", "are int64[], must be", 1, { 6 }, KILN_BAD_MODEL },
    { "float[1] w = {1}, int64[1] i = {0}",
      "dimension 1 of sparse tensor 'w' is -3, must be at least 0",
      2,
      { 2, -3 },
      KILN_BAD_MODEL },
    { "float[1] w = {1}, int64[1] i = {0}", "sparse tensor 'w' has 17 dimensions, at most 16", 17, { 0 }, KILN_LIMIT },
    { "float[1] w = {1}, int64[1] i = {0}", "more bytes than can be counted", 2, { INT64_MAX, 2 }, KILN_BAD_MODEL },
    { "float8e8m0[1] w = {1}, int64[1] i = {0}",
      "sparse tensor 'w' is of float8e8m0, which has no 0",
      1,
      { 2 },
      KILN_UNSUPPORTED },
    { "float[1] w = {1}, int64[1] i = {0}, float[1] w = {2}",
      "initializer 'w' is given twice",
      1,
      { 2 },
      KILN_BAD_MODEL },
    { "float[1] \"\" = {1}, int64[1] i = {0}, float w = {1}", "an initializer has no name", 1, { 2 }, KILN_BAD_MODEL },
};

START_TEST(a_sparse_tensor_that_cannot_be_is_refused)
{
    struct model *m = sparse_model(refused[_i].parts, refused[_i].rank, refused[_i].dims);

    ck_assert(!model_build(m, &report));
    expect_error(refused[_i].code, refused[_i].message);
    model_free(m);
}
END_TEST

/* A text for people tells what it lacks; of a model that can be built, that is nothing. */
START_TEST(what_a_brief_text_leaves_out_is_told)
{
    struct model *m = sparse_model("float[1] w = {1}, int64[1] i = {0}", 1, (int64_t[]){ 2 });
    struct text brief = { .budget = &budget, .report = &report };

    expect_ok(model_put(m, true, &(struct text_options){ .most = 4 }, put, &brief, &report));
    ck_assert_ptr_nonnull(strstr(brief.data, "1 sparse_initializer of graphs"));
    text_release(&brief);
    expect_ok(model_build(m, &report) && model_put(m, true, &(struct text_options){ .most = 4 }, put, &brief, &report));
    ck_assert_ptr_nonnull(strstr(brief.data, "float[2] w = {1, 0}"));
    text_release(&brief);
    model_free(m);
}
END_TEST

START_TEST(both_parts_must_be_there)
{
    for (int k = 0; k < 2; k++) {
        struct model *m = sparse_model("float[1] w = {1}, int64[1] i = {0}", 1, (int64_t[]){ 2 });
        Onnx__SparseTensorProto *s = m->proto->graph->sparse_initializer[0];
        Onnx__TensorProto **part = k ? &s->indices : &s->values;

        message_free(*part, &m->budget);
        *part = NULL;
        ck_assert(!model_build(m, &report));
        expect_error(KILN_BAD_MODEL, k ? "sparse tensor 'w' has no indices" : "sparse tensor '' has no values");
        ck_assert(!model_make_dense(m, &report));
        expect_error(KILN_BAD_MODEL, "has no");
        model_free(m);
    }
}
END_TEST

/* What a few bytes ask for is charged before it is taken. */
START_TEST(memory_is_asked_for_first)
{
    struct model *m = sparse_model("float[1] w = {1}, int64[1] i = {0}", 1, (int64_t[]){ 1 << 20 });

    m->budget.limit = 1 << 20;
    ck_assert(!model_build(m, &report));
    expect_error(KILN_LIMIT, "the memory limit of 1048576");
    model_free(m);
}
END_TEST

static void give_constant(struct model *m, Onnx__GraphProto *from, Onnx__NodeProto *n)
{
    Onnx__AttributeProto *a = message_new(&onnx__attribute_proto__descriptor, &m->budget, &report);

    a->name = message_string("sparse_value", 12, &m->budget, &report);
    a->has_type = true;
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR;
    a->sparse_tensor = taken(from, &m->budget, 1, (int64_t[]){ 3 });
    n->attribute = budget_zalloc(&m->budget, 1, sizeof(void *), &report);
    n->attribute[n->n_attribute++] = a;
}

/* In the graph, in a subgraph (with an initializer beside it), in a function. */
START_TEST(constants_may_be_sparse)
{
    static const char parts[] = "float[1] v = {2}, int64[1] i = {1}, float[1] w = {3}, int64[1] j = {0}, bool c = {1}";
    static const char *const bodies[] = {
        "{ y = Constant () }",
        ("{ y = If (c) <then_branch = g () => (z) { k = Constant () z = Add (k, w) }, else_branch = h () => (q) { q = "
         "Constant <value_float = 1.0> () }> }"),
        "{ y = d.f () } <domain: \"d\", opset_import: [\"\": 23]> f () => (z) { z = Constant () }",
    };
    static const char *const wholes[] = { "float[3] 0 2 0", "float[3] 3 2 0", "float[3] 0 2 0" };
    char text[256];
    struct model *m = read_text(parts, bodies[_i]), *copy;
    Onnx__GraphProto *g = m->proto->graph, *inner = _i == 1 ? g->node[0]->attribute[0]->g : g;

    give_constant(m, g, _i == 2 ? m->proto->functions[0]->node[0] : inner->node[0]);
    add_sparse(m, g, 1, (int64_t[]){ 3 });
    if (_i == 1) { /* the initializer is the branch's own */
        inner->sparse_initializer = g->sparse_initializer;
        inner->n_sparse_initializer = 1;
        g->sparse_initializer = NULL;
        g->n_sparse_initializer = 0;
    }
    copy = model_copy(m, &report);
    expect_ok(copy);
    ck_assert_str_eq(output_of(m, text), wholes[_i]);
    check_text(m, wholes[_i]);
    ck_assert_str_eq(output_of(copy, text), wholes[_i]);
    model_free(copy);
    model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("sparse");

    add_tests(s, a_sparse_initializer_is_read_as_a_dense_one, (int)(sizeof dense / sizeof *dense));
    add_tests(s, a_sparse_tensor_that_cannot_be_is_refused, (int)(sizeof refused / sizeof *refused));
    add_test(s, what_a_brief_text_leaves_out_is_told);
    add_test(s, both_parts_must_be_there);
    add_test(s, memory_is_asked_for_first);
    add_tests(s, constants_may_be_sparse, 3);
    return s;
}
