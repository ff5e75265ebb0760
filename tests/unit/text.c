/* The textual syntax, read and written. */
#include "graph/text.h"
#include "graph/message.h"
#include "scratch.h"
#include "unit.h"
#include <locale.h>
#include <math.h>

#define HEAD "<ir_version: 10, opset_import: [\"\": 17]> "

static Onnx__ModelProto *read_text(const char *text)
{
    return text_read_model(text, strlen(text), &budget, &report);
}

static char *write_text(const Onnx__ModelProto *m, struct text *t, const struct text_options *o, int64_t *lost)
{
    *t = (struct text){ .budget = &budget, .report = &report };
    expect_ok(text_write_model(t, m, o, lost));
    return t->data;
}

/* Read, written, read again, written again: both messages and both texts are equal. */
static void round_trip(const char *text)
{
    Onnx__ModelProto *m = read_text(text), *again;
    struct text first, second;
    int64_t lost = -1;

    expect_ok(m);
    again = read_text(write_text(m, &first, NULL, &lost));
    expect_ok(again);
    ck_assert_int_eq(lost, 0);
    ck_assert_str_eq(first.data, write_text(again, &second, NULL, NULL));
    ck_assert_msg(message_equal(m, again), "what was read differs from\n%s", first.data);
    text_release(&first);
    text_release(&second);
    message_free(m, &budget);
    message_free(again, &budget);
}

static void refused(const char *text, const char *where, const char *part)
{
    Onnx__ModelProto *m = read_text(text);

    ck_assert_msg(!m, "was read: %s", text);
    ck_assert_msg(!strcmp(report.error.where, where), "%s: %s: expected at %s, said at %s: %s", text, part, where,
                  report.error.where, report.error.message);
    expect_error(KILN_BAD_MODEL, part);
}

static const char sample[] =
    "# a comment, with a \" and a <\n"
    "<ir_version: 10, opset_import: [\"\": 17, \"my-domain\": 2], producer_name: \"p\", producer_version: \"1\", "
    "domain: \"d\",\n"
    " model_version: -3, doc_string: \"two\nlines, \\\"quoted\\\" and \\\\\", metadata_props: [\"init.conv1.weight\": "
    "\"glorot_uniform\", \"\": \"\"]>\n"
    "main (float[N, 3, ?, \"a+b\"] x, float[2] d = {1, 2}, seq(map(int64, optional(string[]))) s, "
    "sparse_tensor(float[2]) sp,\n"
    "      opaque(a.b, c) o1, opaque(name) o2, opaque() o3, untyped, bool \"float\") => (float y, float[] "
    "\"conv1/out:0\")\n"
    "<float[2,2] w = {1.5, -2, 1e-45, -nan}, int64[1] i = {-9223372036854775808}, string[2] t = {\"q\\\"\", \"\"}, "
    "double z = {1e300},\n"
    " uint64[1] u = {18446744073709551615}, bool[2] b = {1, 0}, complex64[1] c = {1, -2}, float16[1] h = {15360}, "
    "int4[3] n = {33, 3},\n"
    " float[1000] e = [\"location\": \"w.bin\", \"offset\": \"4096\"], float[0] empty = {}, float[N] hint, int32 \"a "
    "b\">\n"
    "{\n"
    "  [\"node 1\"] y, \"\", q = d.e.Op:over <f = 1.0, i: int = -2, s = \"\\\\\", fs = [1.5, 2], is = [1, 2], ss = "
    "[\"a\", \"\"],\n"
    "     e: floats = [], inf = inf, t = float[2] name {1, 2}, t2: tensor = int32 {7}, p: type_proto = seq(float[2]),\n"
    "     ps = [float[N], int64], ts = [float[1] {1}, float[1] {2}]> (x, , \"\", w)\n"
    "  = Nothing ()\n"
    "  [] r = If (b) <then_branch = g () => (bool k) <bool[1] v = {1}> { k = Not (z) l = Not(k) }, else_branch: graph "
    "= \"x y\" () => () { }>\n"
    "  r2 = Many (x) <gs = [g1 () => () {}, g2 (float a) => (float b) { b = Neg (a) }]>\n"
    "  r3 = \"my-domain\".\"op!\":\"ov er\" <\"attr!\": int = 1> (x)\n"
    "}\n"
    "<domain: \"my-domain\", overload: \"o\", opset_import: [\"\": 17], doc_string: \"f\">\n"
    "fun <al, be: float = 1.0, ga: ints = [1]> (float[N] a, b) => (c, int64 d) <float[M] inner> { c = Elu <alpha: "
    "float = @al, k: ints = @ga> (a) }\n"
    "fun2 () => () { }\n";

START_TEST(everything_round_trips)
{
    round_trip(sample);
    round_trip(HEAD "g () => () {}");
    round_trip("g (x) => (y) { y = Neg (x) }"); /* no header at all */
}
END_TEST

START_TEST(the_sample_means_what_it_says)
{
    Onnx__ModelProto *m = read_text(sample);
    const Onnx__NodeProto *n;

    expect_ok(m);
    ck_assert_int_eq(m->model_version, -3);
    ck_assert_str_eq(m->doc_string, "two\nlines, \"quoted\" and \\");
    ck_assert_str_eq(m->metadata_props[0]->key, "init.conv1.weight");
    ck_assert_uint_eq(m->graph->n_input, 9);
    ck_assert_str_eq(m->graph->input[0]->type->tensor_type->shape->dim[3]->dim_param, "a+b");
    ck_assert_ptr_null(m->graph->input[7]->type);
    ck_assert_ptr_null(m->graph->output[1]->type->tensor_type->shape); /* [] is any rank */
    ck_assert_uint_eq(m->graph->output[0]->type->tensor_type->shape->n_dim, 0);
    ck_assert_uint_eq(m->graph->n_initializer, 12); /* that of the input d is the first */
    ck_assert_str_eq(m->graph->initializer[0]->name, "d");
    ck_assert_uint_eq(m->graph->n_value_info, 2);
    ck_assert_str_eq(m->graph->input[4]->type->opaque_type->domain, "a.b");
    n = m->graph->node[0];
    ck_assert_str_eq(n->domain, "d.e");
    ck_assert_str_eq(n->op_type, "Op");
    ck_assert_uint_eq(n->n_output, 3);
    ck_assert_uint_eq(n->n_input, 4);
    ck_assert_str_eq(n->input[1], "");
    ck_assert_int_eq(n->attribute[3]->type, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);
    ck_assert_float_eq(n->attribute[3]->floats[1], 2);
    ck_assert(isinf(n->attribute[7]->f));
    ck_assert_uint_eq(n->attribute[12]->n_tensors, 2);
    ck_assert_str_eq(m->graph->node[2]->attribute[1]->g->name, "x y");
    ck_assert_str_eq(m->graph->node[4]->domain, "my-domain");
    ck_assert_str_eq(m->functions[0]->node[0]->attribute[0]->ref_attr_name, "al");
    ck_assert_uint_eq(m->functions[0]->n_value_info, 3);
    ck_assert_uint_eq(m->functions[0]->n_attribute, 1);
    message_free(m, &budget);
}
END_TEST

START_TEST(errors_say_where)
{
    refused("", "1:1", "the text ends, the name of a graph is needed");
    refused("<", "1:2", "a key such as opset_import");
    refused("<x: 1>", "1:4", "'x' is no key of a model");
    refused("<ir_version: 1, ir_version: 2>", "1:28", "given twice");
    refused("<ir_version: \"8\">", "1:14", "'\"' is found, a number is needed");
    refused("<opset_import: [\"\": 17>", "1:23", "']' after the operator sets");
    refused(HEAD "\n g (flot[2] x)", "2:9", "'[' is found, ')' after the inputs of a graph");
    refused(HEAD "\n\ng (float[2 x) => () {}", "3:12", "']' after the dimensions");
    refused("g () = () {}", "1:7", "'=>' is needed");
    refused("g () => () { y = }", "1:18", "'}' is found, the name of an operator is needed");
    refused("g () => () { y = a.(x) }", "1:20", "the name of an operator");
    refused("g () => () { y = A <k = > (x) }", "1:25", "'>' is found, a number is needed");
    refused("g () => () { y = A <k: floot = 1> (x) }", "1:24", "the type of an attribute");
    refused("g () => () { y = A <k: int = 1.5> (x) }", "1:30", "of type 'float', 'int' is needed");
    refused("g () => () { y = A <k = [1, 2.5]> (x) }", "1:29", "of type 'float', 'int' is needed");
    refused("g () => () { y = A <k: int = [1]> (x) }", "1:31", "a list is found");
    refused("g () => () { y = A <k = []> (x) }", "1:27", "an empty list needs its type");
    refused("g () => () { y = A <k = [@a]> (x) }", "1:28", "a reference cannot be part of a list");
    refused("g () => () { y = A <k = 99999999999999999999> () }", "1:45", "out of the range");
    refused("g () => () { y = A <k = 1e99> () }", "1:29", "out of the range of a float");
    refused("g () => () { y = A <k = 1e> () }", "1:27", "the exponent");
    refused("g () => () { y = A (x }", "1:23", "')' after the inputs of a node");
    refused("g () => () { y = A (\"x) }", "1:21", "does not end");
    refused("g () => () { \"\xff\" = A () }", "1:17", "not valid UTF-8");
    refused("g () => () <float[N] w = {1}> {}", "1:25", "dimension 0 of a tensor with values is no number");
    refused("g () => () <float[] w = {1}> {}", "1:24", "[] is any rank");
    refused("g () => () <seq(float) w = {1}> {}", "1:27", "need the type of a tensor");
    refused("g () => () <int8[1] w = {3000000000}> {}", "1:36", "out of the range of int8");
    refused("g () => () <uint64[1] w = {-1}> {}", "1:30", "out of the range");
    refused("g () => () <int64[3] w = {1, ...}> {}", "1:30", "'...' stands for values that were left out");
    refused("g () => () {} \x01", "1:15", "the character 0x01 is found");
    refused("g () => () {} h", "1:16", "the text ends");
    refused("g () => () { y = A <k = -> () }", "1:25", "'-' is found, a number");
}
END_TEST

static void survives(const char *text, size_t size)
{
    char *copy = malloc(size ? size : 1); /* exactly as long, so that a sanitizer sees a byte too far */
    Onnx__ModelProto *m;

    memcpy(copy, text, size);
    m = text_read_model(copy, size, &budget, &report);
    ck_assert(!m == failed(&report));
    message_free(m, &budget);
    ck_assert_uint_eq(budget.used, 0);
    free(copy);
    report = (struct report){ 0 };
}

START_TEST(truncated_at_every_byte)
{
    for (size_t k = 0; k < sizeof sample; k++)
        survives(sample, k);
}
END_TEST

START_TEST(every_byte_changed)
{
    char text[sizeof sample];

    memcpy(text, sample, sizeof sample);
    for (size_t k = 0; k < sizeof sample - 1; k++) {
        for (const char *c = "\"<>{}[](),:=.@-1x \xff\\#"; *c; c++) {
            text[k] = *c;
            survives(text, sizeof text - 1);
        }
        text[k] = 0;
        survives(text, sizeof text - 1);
        text[k] = sample[k];
    }
}
END_TEST

START_TEST(memory_ends_anywhere)
{
    Onnx__ModelProto *m = NULL;
    struct text t = { .budget = &budget, .report = &report };
    bool written = false;
    size_t used;

    for (size_t limit = 64; !m; limit += 64) {
        budget = (struct budget){ .limit = limit };
        m = read_text(sample);
        ck_assert(!m == failed(&report));
        ck_assert(m || !budget.used);
        report = (struct report){ 0 };
    }
    used = budget.used;
    for (size_t limit = used; !written; limit += 64) {
        budget.limit = limit;
        t.failed = false;
        written = text_write_model(&t, m, NULL, NULL);
        ck_assert(!written == failed(&report));
        report = (struct report){ 0 };
        text_release(&t);
        ck_assert_uint_eq(budget.used, used);
    }
    message_free(m, &budget);
}
END_TEST

/* `before` and `after` repeated around what is in the middle. */
static void nest(const char *start, const char *before, int times, const char *middle, const char *after,
                 const char *last)
{
    const size_t size =
        strlen(start) + (size_t)times * (strlen(before) + strlen(after)) + strlen(middle) + strlen(last) + 1;
    char *text = malloc(size), *p = stpcpy(text, start);

    for (int k = 0; k < times; k++)
        p = stpcpy(p, before);
    p = stpcpy(p, middle);
    for (int k = 0; k < times; k++)
        p = stpcpy(p, after);
    stpcpy(p, last);
    if (times > 100) {
        ck_assert_ptr_null(read_text(text));
        expect_error(KILN_LIMIT, "nested more than 100 messages deep");
    } else {
        round_trip(text);
    }
    free(text);
}

START_TEST(nesting_is_bounded)
{
    const int times[] = { 30, 10000 };

    for (int k = 0; k < 2; k++) {
        nest("g () => () { ", "= If <b = h () => () {", times[k], "", "}> ()", "}");
        nest("g (", "seq(", times[k], "float", ")", " x) => () {}");
        nest("g (", "optional(map(int64, ", times[k] / 2, "float", "))", " x) => () {}");
    }
}
END_TEST

START_TEST(numbers_come_back_exactly)
{
    Onnx__ModelProto *m = read_text(HEAD "g () => () <float[0] f = {}, double[0] d = {}> {}"), *again;
    Onnx__TensorProto *f, *d;
    struct text t;
    uint64_t bits = 88172645463325252u;

    expect_ok(m);
    f = m->graph->initializer[0];
    d = m->graph->initializer[1];
    f->n_float_data = d->n_double_data = 20000;
    f->float_data = budget_zalloc(&budget, f->n_float_data, sizeof(float), &report);
    d->double_data = budget_zalloc(&budget, d->n_double_data, sizeof(double), &report);
    for (size_t k = 0; k < f->n_float_data; k++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&f->float_data[k], &bits, sizeof(float));
        memcpy(&d->double_data[k], &bits, sizeof(double));
        if (isnan(f->float_data[k])) /* what a NaN carries beyond its sign has no form in text */
            f->float_data[k] = -0.0f;
        if (isnan(d->double_data[k]))
            d->double_data[k] = -0.0;
    }
    again = read_text(write_text(m, &t, NULL, NULL));
    expect_ok(again);
    ck_assert(message_equal(m, again));
    text_release(&t);
    message_free(m, &budget);
    message_free(again, &budget);
}
END_TEST

START_TEST(raw_data_is_written_as_values)
{
    static const uint8_t raw[] = { 0x01, 0x80, 0xff, 0x7f, 0x00, 0x00, 0xc0, 0x3f, 1, 2, 3, 4, 5, 6, 7, 8 };
    static const struct {
        const char *type, *values;
        size_t bytes;
    } cases[] = {
        { "int8[4]", "{1, -128, -1, 127}", 4 },
        { "uint8[4]", "{1, 128, 255, 127}", 4 },
        { "bool[1]", "{1}", 1 },
        { "int16[2]", "{-32767, 32767}", 4 },
        { "uint16[2]", "{32769, 32767}", 4 },
        { "bfloat16[2]", "{32769, 32767}", 4 },
        { "int32[2]", "{2147450881, 1069547520}", 8 },
        { "uint32[2]", "{2147450881, 1069547520}", 8 },
        { "int64[1]", "{4593671622065356801}", 8 },
        { "uint64[2]", "{4593671622065356801, 578437695752307201}", 16 },
        { "complex64[1]", "{nan, 1.5}", 8 },
        { "double[1]", "{0.1250000596037353}", 8 },
        { "uint4[3]", "{1, 128}", 2 },
        { "float6e2m3[3]", "{1, 0, 56}", 3 },
        { "float6e3m2[5]", "{1, 0, 56, 63, 63}", 4 },
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char text[256];
        Onnx__ModelProto *m;
        Onnx__TensorProto *w;
        struct text t;

        snprintf(text, sizeof text, HEAD "g () => () <%s w = {}> {}", cases[k].type);
        m = read_text(text);
        expect_ok(m);
        w = m->graph->initializer[0];
        w->has_raw_data = 1;
        expect_ok(message_bytes(&w->raw_data, raw, cases[k].bytes, &budget, &report));
        snprintf(text, sizeof text, "%s w = %s\n", cases[k].type, cases[k].values);
        write_text(m, &t, NULL, NULL);
        ck_assert_msg(strstr(t.data, text), "expected %s in\n%s", text, t.data);
        text_release(&t);
        message_free(m, &budget);
    }
}
END_TEST

START_TEST(long_tensors_are_abbreviated_on_request)
{
    Onnx__ModelProto *m = read_text(HEAD "g () => () <int64[4] w = {1, 2, 3, 4}, int64[2] v = {5, 6}> {}");
    struct text t;

    expect_ok(m);
    write_text(m, &t, &(struct text_options){ .most = 2 }, NULL);
    ck_assert_ptr_nonnull(strstr(t.data, "w = {1, 2, ...},"));
    ck_assert_ptr_nonnull(strstr(t.data, "v = {5, 6}\n"));
    ck_assert_ptr_null(read_text(t.data));
    expect_error(KILN_BAD_MODEL, "'...' stands for values");
    text_release(&t);
    message_free(m, &budget);
}
END_TEST

START_TEST(what_is_left_out_is_told)
{
    Onnx__ModelProto *m = read_text(HEAD "g () => () { = A <k = 1> () = B () }"), *again;
    struct text t;
    int64_t lost;

    expect_ok(m);
    for (int k = 0; k < 2; k++)
        m->graph->node[k]->doc_string = message_string("d", 1, &budget, &report);
    m->graph->node[0]->attribute[0]->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR;
    write_text(m, &t, NULL, &lost);
    ck_assert_int_eq(lost, 3);
    ck_assert_ptr_nonnull(
        strstr(t.data, "\n# left out, as the syntax has no place for them: 1 sparse or incomplete attributes, "
                       "2 doc_string of nodes\n"));
    again = read_text(t.data);
    expect_ok(again);
    ck_assert_uint_eq(again->graph->node[0]->n_attribute, 0);
    text_release(&t);
    message_free(m, &budget);
    message_free(again, &budget);
}
END_TEST

START_TEST(text_is_told_from_messages)
{
    ck_assert(text_is_model("<ir", 3));
    ck_assert(text_is_model(" # c\n\t<", 7));
    ck_assert(!text_is_model("\x08\x0a<", 3));
    ck_assert(!text_is_model("", 0));
    ck_assert(!text_is_model("# <", 3));
}
END_TEST

START_TEST(types_are_written)
{
    Onnx__ModelProto *m = read_text(sample);
    struct text t = { .budget = &budget, .report = &report };

    expect_ok(m);
    expect_ok(text_write_type(&t, m->graph->input[0]->type));
    expect_ok(text_write_type(&t, m->graph->input[2]->type));
    expect_ok(text_write_type(&t, NULL));
    ck_assert_str_eq(t.data, "float[N,3,?,\"a+b\"]seq(map(int64, optional(string[])))undefined");
    text_release(&t);
    message_free(m, &budget);
}
END_TEST

START_TEST(the_locale_does_not_matter)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "C.UTF-8" };

    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (setlocale(LC_ALL, names[k]))
            round_trip(sample);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("text");
    TCase *t = tcase_create("text");

    tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
    tcase_add_test(t, everything_round_trips);
    tcase_add_test(t, the_sample_means_what_it_says);
    tcase_add_test(t, errors_say_where);
    tcase_add_test(t, truncated_at_every_byte);
    tcase_add_test(t, every_byte_changed);
    tcase_add_test(t, memory_ends_anywhere);
    tcase_add_test(t, nesting_is_bounded);
    tcase_add_test(t, numbers_come_back_exactly);
    tcase_add_test(t, raw_data_is_written_as_values);
    tcase_add_test(t, long_tensors_are_abbreviated_on_request);
    tcase_add_test(t, what_is_left_out_is_told);
    tcase_add_test(t, text_is_told_from_messages);
    tcase_add_test(t, types_are_written);
    tcase_add_test(t, the_locale_does_not_matter);
    suite_add_tcase(s, t);
    return s;
}
