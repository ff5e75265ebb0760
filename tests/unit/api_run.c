/* Sessions and tensors, as a program that has nothing but kiln.h uses them. */
#include "public.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

static const char net[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                          "net (float[N,2] x, float[N,2] z) => (float[N,2] y, float[N,2] both) {\n"
                          "    inner = Neg(x) y = Neg(inner) both = Add(y, z)\n}";

static kiln_session *session_for(const kiln_model *m, size_t count, const char *const *outputs)
{
    kiln_session_options o = KILN_SESSION_OPTIONS_INIT;
    kiln_session *s;

    o.outputs = outputs;
    o.output_count = count;
    ok(kiln_session_new(&s, m, &o, &err));
    return s;
}

static kiln_status run(kiln_session *s, const char *name, const kiln_tensor *t)
{
    return kiln_session_run(s, 1, &name, &t, &err);
}

/* -- outputs -- */

START_TEST(outputs_are_chosen_by_name)
{
    const char *const names[] = { "inner", "y", "inner" }, *const wrong[] = { "y", "nobody" }, *const none[] = { NULL };
    kiln_model *m = open_text(net);
    kiln_session *s = session_for(m, 3, names), *refused;
    kiln_tensor *x = floats(2, two_by_two, one_to_four);
    kiln_session_options o = KILN_SESSION_OPTIONS_INIT;

    ok(run(s, "x", x)); /* nothing needs z */
    ck_assert_float_eq(floats_of(kiln_session_output(s, 0))[1], -2);
    ck_assert_float_eq(floats_of(kiln_session_output(s, 1))[1], 2);
    ck_assert_float_eq(floats_of(kiln_session_output(s, 2))[3], -4);
    ck_assert_ptr_null(kiln_session_output(s, 3));
    ck_assert_ptr_eq(kiln_session_output_named(s, "inner"), kiln_session_output(s, 0));
    ck_assert_ptr_null(kiln_session_output_named(s, "both"));
    kiln_session_free(s);
    s = session_for(m, 1, (const char *const[]){ "both" });
    expect(run(s, "x", x), KILN_BAD_DATA, "input 'z' is not given");
    kiln_session_free(s);
    o.outputs = wrong;
    o.output_count = 2;
    expect(kiln_session_new(&refused, m, &o, &err), KILN_BAD_ARGUMENT, "no value 'nobody'");
    o.outputs = none;
    o.output_count = 1;
    expect(kiln_session_new(&refused, m, &o, &err), KILN_BAD_ARGUMENT, "outputs[0] is NULL");
    o.outputs = NULL;
    expect(kiln_session_new(&refused, m, &o, &err), KILN_BAD_ARGUMENT, "outputs is NULL");
    ck_assert_ptr_null(refused);
    kiln_tensor_free(x);
    kiln_model_free(m);
}
END_TEST

/* A node that nothing needs is not run: its input is out of range. */
START_TEST(what_nothing_needs_is_left_out)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                               "g (float[2] x, int64[1] i) => (float[1] bad, float[2] good) {\n"
                               "    good = Neg(x) bad = Gather(x, i)\n}";
    const int64_t two = 2, one = 1, far = 9;
    const char *const names[] = { "x", "i" };
    kiln_model *m = open_text(text);
    kiln_session *s = session_for(m, 1, (const char *const[]){ "good" });
    kiln_tensor *t[2] = { floats(1, &two, one_to_four), NULL };

    ok(kiln_tensor_new(&t[1], KILN_INT64, 1, &one, &far, &err));
    ok(kiln_session_run(s, 2, names, (const kiln_tensor *const *)t, &err));
    ck_assert_float_eq(floats_of(kiln_session_output(s, 0))[1], -2);
    kiln_tensor_free(t[0]);
    kiln_tensor_free(t[1]);
    kiln_session_free(s);
    kiln_model_free(m);
}
END_TEST

START_TEST(an_output_is_written_where_the_caller_wants)
{
    float memory[4] = { 0 };
    kiln_model *m = open_text(net);
    kiln_session *s = session_for(m, 1, (const char *const[]){ "y" });
    kiln_tensor *x = floats(2, two_by_two, one_to_four), *small = floats(2, one_by_two, one_to_four), *to, *words;

    ok(kiln_tensor_wrap(&to, KILN_FLOAT, 2, two_by_two, memory, sizeof memory, &err));
    ok(kiln_session_bind_output(s, "y", to, &err));
    ok(run(s, "x", x));
    ck_assert_float_eq(memory[3], 4);
    ck_assert_ptr_eq(kiln_session_output(s, 0), to);
    memory[3] = 0;
    expect(run(s, "x", small), KILN_BAD_DATA, "output 'y' is float[1,2], the tensor that it is bound to float[2,2]");
    ck_assert_ptr_null(kiln_session_output(s, 0));
    ck_assert_float_eq(memory[3], 0);
    ok(kiln_session_bind_output(s, "y", NULL, &err));
    ok(run(s, "x", small));
    ck_assert_ptr_ne(kiln_session_output(s, 0), to);
    ok(kiln_tensor_new(&words, KILN_STRING, 0, NULL, NULL, &err));
    expect(kiln_session_bind_output(s, "y", words, &err), KILN_BAD_ARGUMENT, "numbers only");
    expect(kiln_session_bind_output(s, "x", to, &err), KILN_BAD_ARGUMENT, "no output 'x'");
    expect(kiln_session_bind_output(NULL, "y", to, &err), KILN_BAD_ARGUMENT, "session is NULL");
    expect(kiln_session_bind_output(s, NULL, to, &err), KILN_BAD_ARGUMENT, "name is NULL");
    kiln_tensor_free(words);
    kiln_tensor_free(to);
    kiln_tensor_free(x);
    kiln_tensor_free(small);
    kiln_session_free(s);
    kiln_model_free(m);
}
END_TEST

/* What was given is only read, though outputs are bound to the same memory: they are written when all is computed. */
START_TEST(an_output_may_lie_in_an_input)
{
    static const char text[] =
        "<ir_version: 8, opset_import: [\"\": 17]>\n"
        "g (float[4] x, float[4] w) => (float[4] z, float[4] y) { y = Identity(x) z = Add(x, w) }";
    float memory[6] = { 1, 2, 3, 4, 0, 0 }, elsewhere[4];
    const int64_t four = 4;
    const char *const names[] = { "x", "w" };
    kiln_model *m = open_text(text);
    kiln_session *s = session_for(m, 0, NULL);
    kiln_tensor *x, *z, *y, *apart, *w = floats(1, &four, one_to_four);
    const kiln_tensor *given[2];

    ok(kiln_tensor_wrap(&x, KILN_FLOAT, 1, &four, memory, 16, &err));
    ok(kiln_tensor_wrap(&z, KILN_FLOAT, 1, &four, memory, 16, &err));
    ok(kiln_tensor_wrap(&y, KILN_FLOAT, 1, &four, memory + 2, 16, &err));
    ok(kiln_tensor_wrap(&apart, KILN_FLOAT, 1, &four, elsewhere, sizeof elsewhere, &err));
    given[0] = x;
    given[1] = w;
    ok(kiln_session_bind_output(s, "z", z, &err));
    ok(kiln_session_run(s, 2, names, given, &err));
    ck_assert_float_eq(memory[3], 8);
    ck_assert_float_eq(floats_of(kiln_session_output(s, 1))[3], 4); /* as x was */
    ok(kiln_session_bind_output(s, "z", NULL, &err));
    ok(kiln_session_bind_output(s, "y", y, &err)); /* what it is a copy of overlaps it */
    ok(kiln_session_run(s, 2, names, given, &err));
    ck_assert(memory[1] == 4 && memory[2] == 2 && memory[3] == 4 && memory[4] == 6 && memory[5] == 8);
    ok(kiln_session_bind_output(s, "z", z, &err)); /* before y, which is a copy of what was there */
    ok(kiln_session_bind_output(s, "y", apart, &err));
    ok(kiln_session_run(s, 2, names, given, &err));
    ck_assert(memory[1] == 6 && elsewhere[1] == 4);
    kiln_tensor_free(x);
    kiln_tensor_free(z);
    kiln_tensor_free(y);
    kiln_tensor_free(apart);
    kiln_tensor_free(w);
    kiln_session_free(s);
    kiln_model_free(m);
}
END_TEST

START_TEST(chosen_outputs_draw_the_same_numbers)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                               "g (float[8] x) => (float[8] q, float[8] y, float[8] z) {\n"
                               "    q = Neg(x) y = RandomUniformLike(x) z = RandomUniformLike(x)\n}";
    const int64_t eight = 8;
    kiln_model *m = open_text(text);
    kiln_session *all = session_for(m, 0, NULL), *last = session_for(m, 1, (const char *const[]){ "z" });
    kiln_tensor *x;

    ok(kiln_tensor_new(&x, KILN_FLOAT, 1, &eight, NULL, &err));
    ok(run(all, "x", x));
    ok(run(last, "x", x));
    ck_assert_mem_eq(floats_of(kiln_session_output(all, 2)), floats_of(kiln_session_output(last, 0)), 32);
    ck_assert_mem_ne(floats_of(kiln_session_output(all, 1)), floats_of(kiln_session_output(last, 0)), 32);
    kiln_tensor_free(x);
    kiln_session_free(all);
    kiln_session_free(last);
    kiln_model_free(m);
}
END_TEST

/* -- looking -- */

START_TEST(a_session_tells_what_it_would_do)
{
    kiln_model *m = open_text(net);
    kiln_session *s = session_for(m, 0, NULL);
    struct bytes b = { 0 }, little = { .most = 3 };
    size_t most;

    ok(kiln_session_plan(s, 5, take, &b, &err));
    expect_text(&b, "float[5,2]");
    expect(kiln_session_plan(s, 5, take, &little, &err), KILN_STOPPED, "stopped while writing");
    expect(kiln_session_plan(s, -1, take, &b, &err), KILN_BAD_ARGUMENT, "batch is -1");
    expect(kiln_session_plan(s, INT64_MAX, take, &b, &err), KILN_BAD_ARGUMENT, "must be 0 to 2147483647");
    expect(kiln_session_plan(s, 1, NULL, &b, &err), KILN_BAD_ARGUMENT, "write is NULL");
    expect(kiln_session_plan(NULL, 1, take, &b, &err), KILN_BAD_ARGUMENT, "session is NULL");
    expect(kiln_session_run(s, 0, NULL, NULL, &err), KILN_BAD_DATA, "input 'x' is not given");
    ck_assert_uint_gt(kiln_session_memory(s, &most), 0);
    ck_assert_uint_ge(most, kiln_session_memory(s, NULL));
    ck_assert_uint_eq(kiln_session_memory(NULL, &most), 0);
    kiln_session_free(s);
    kiln_model_free(m);
    m = open_text("<ir_version: 8, opset_import: [\"\": 17]>\n" /* the samples of a state are in its second dimension */
                  "g (float[N,2] x, float[2,N,3] h, float[L,N,7] k) => (float[N,2] y, float[2,N,3] z, float[L,N,7] l)\n"
                  "{ y = Neg(x) z = Neg(h) l = Neg(k) }");
    s = session_for(m, 0, NULL);
    b.count = 0;
    ok(kiln_session_plan(s, 5, take, &b, &err));
    ck_assert(memmem(b.data, b.count, "float[2,5,3]", 12) && memmem(b.data, b.count, "float[1,5,7]", 12));
    expect_text(&b, "float[2,5,3]");
    kiln_session_free(s);
    kiln_model_free(m);
    m = open_text("<ir_version: 8, opset_import: [\"\": 17]>\n"
                  "g (float[N,2147483647,8] x) => (float[N,2147483647,8] y) { y = Neg(x) }");
    s = session_for(m, 0, NULL);
    expect(kiln_session_plan(s, INT32_MAX, take, &b, &err), KILN_LIMIT, "more bytes than can be counted");
    kiln_session_free(s);
    kiln_model_free(m);
}
END_TEST

struct tally {
    int count;
    uint64_t calls, last;
    double flops;
    bool nodes, out_of_order;
};

static bool count_times(void *user, const kiln_time *t)
{
    struct tally *y = user;

    y->out_of_order |= y->count && t->nanoseconds > y->last;
    y->last = t->nanoseconds;
    y->nodes |= t->node && t->shapes;
    y->calls += t->calls;
    y->flops += t->flops;
    y->count++;
    return true;
}

static bool stop_at_once(void *user, const kiln_time *t)
{
    (void)user;
    (void)t;
    return false;
}

START_TEST(times_are_remembered_when_asked_for)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                               "g (float[2,2] x) => (float[2,2] y) { a = MatMul(x, x) y = MatMul(a, x) }";
    kiln_model *m = open_text(text);
    kiln_session *s = session_for(m, 0, NULL);
    kiln_tensor *x = floats(2, two_by_two, one_to_four);
    struct tally by_op = { 0 }, by_node = { 0 };
    struct bytes b = { 0 };

    expect(kiln_session_times(s, false, count_times, &by_op, &err), KILN_BAD_ARGUMENT, "no profile");
    ok(kiln_session_set_profile(s, true, &err));
    ok(run(s, "x", x));
    ok(kiln_session_set_profile(s, true, &err)); /* anew */
    ok(run(s, "x", x));
    ok(kiln_session_times(s, false, count_times, &by_op, &err));
    ck_assert(by_op.count == 1 && by_op.calls == 2 && !by_op.nodes && by_op.flops == 2 * 2 * 8);
    ok(kiln_session_times(s, true, count_times, &by_node, &err));
    ck_assert(by_node.count == 2 && by_node.calls == 2 && by_node.nodes && !by_node.out_of_order);
    ok(kiln_session_trace(s, take, &b, &err));
    expect_text(&b, "MatMul");
    expect(kiln_session_times(s, true, stop_at_once, NULL, &err), KILN_STOPPED, "stopped");
    ok(kiln_session_set_profile(s, false, &err));
    expect(kiln_session_trace(s, take, &b, &err), KILN_BAD_ARGUMENT, "no profile");
    expect(kiln_session_times(s, true, NULL, NULL, &err), KILN_BAD_ARGUMENT, "each is NULL");
    expect(kiln_session_set_profile(NULL, true, &err), KILN_BAD_ARGUMENT, "session is NULL");
    kiln_tensor_free(x);
    kiln_session_free(s);
    kiln_model_free(m);
}
END_TEST

START_TEST(the_machine_is_measured)
{
    kiln_context *c;
    double flops = 0, bytes = 0;

    ok(kiln_context_new(&c, NULL, &err));
    ok(kiln_machine_measure(c, &flops, &bytes, &err));
    ck_assert(flops > 1e6 && bytes > 1e6);
    ok(kiln_machine_measure(NULL, NULL, NULL, &err));
    ck_assert_uint_gt(strlen(kiln_machine_isa()), 0);
    kiln_context_free(c);
}
END_TEST

/* -- tensors -- */

START_TEST(tensors_are_written_and_read)
{
    kiln_tensor *t = floats(2, two_by_two, one_to_four), *again, *words;
    char folder[] = "/tmp/kiln-XXXXXX", path[64], text[32];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/t.npy", folder);
    ok(kiln_tensor_write(t, path, NULL, &err));
    ok(kiln_tensor_read(&again, path, KILN_TENSOR, NULL, &err));
    ck_assert_str_eq(kiln_tensor_text(again, text, sizeof text), "float[2,2]");
    ck_assert_str_eq(kiln_tensor_text(again, text, 6), "float");
    ck_assert_str_eq(kiln_tensor_text(NULL, text, 6), "");
    ck_assert_float_eq(floats_of(again)[2], 3);
    kiln_tensor_free(again);
    expect(kiln_tensor_read(&again, path, KILN_SEQUENCE, NULL, &err), KILN_BAD_DATA, "holds a tensor");
    expect(kiln_tensor_read(&again, path, (kiln_kind)77, NULL, &err), KILN_BAD_ARGUMENT, "kind 77");
    expect(kiln_tensor_read(&again, NULL, KILN_TENSOR, NULL, &err), KILN_BAD_ARGUMENT, "path is NULL");
    unlink(path);
    expect(kiln_tensor_read(&again, path, KILN_TENSOR, NULL, &err), KILN_IO, "No such file");
    ck_assert_ptr_null(again);
    ok(kiln_tensor_new(&words, KILN_STRING, 0, NULL, NULL, &err));
    ck_assert_int_lt(kiln_tensor_write(words, path, NULL, &err), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
    kiln_tensor_free(words);
    kiln_tensor_free(t);
    rmdir(folder);
}
END_TEST

/* TensorProto { dims: 2, data_type: FLOAT, float_data: 1, 2 } and a SequenceProto of two of them. */
START_TEST(messages_are_read_as_values)
{
    static const unsigned char tensor[] = { 0x08, 2, 0x10, 1, 0x22, 8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40 };
    unsigned char sequence[2 + 2 * (2 + sizeof tensor)] = { 0x10, 1 };
    char folder[] = "/tmp/kiln-XXXXXX", path[64];
    kiln_tensor *t;

    for (size_t k = 0; k < 2; k++) {
        unsigned char *at = sequence + 2 + k * (2 + sizeof tensor);

        at[0] = 0x1a;
        at[1] = sizeof tensor;
        memcpy(at + 2, tensor, sizeof tensor);
    }
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/v.pb", folder);
    ok(kiln_file_write(NULL, path, tensor, sizeof tensor, &err));
    ok(kiln_tensor_read(&t, path, KILN_TENSOR, NULL, &err));
    ck_assert_float_eq(floats_of(t)[1], 2);
    kiln_tensor_free(t);
    ok(kiln_file_write(NULL, path, sequence, sizeof sequence, &err));
    ok(kiln_tensor_read(&t, path, KILN_SEQUENCE, NULL, &err));
    ck_assert_int_eq(kiln_tensor_item_count(t), 2);
    ck_assert_float_eq(floats_of(kiln_tensor_item(t, 1))[1], 2);
    kiln_tensor_free(t);
    unlink(path);
    rmdir(folder);
}
END_TEST

START_TEST(made_up_values_repeat)
{
    const int64_t many[] = { 100 }, far_too_many[] = { (int64_t)1 << 40 };
    kiln_tensor *a, *b, *c, *bits, *words;
    bool differs = false;

    ok(kiln_tensor_new_random(&a, KILN_FLOAT, 1, many, 7, 1, &err));
    ok(kiln_tensor_new_random(&b, KILN_DOUBLE, 1, many, 7, 1, &err));
    ok(kiln_tensor_new_random(&c, KILN_FLOAT, 1, many, 7, 2, &err));
    ok(kiln_tensor_new_random(&bits, KILN_INT8, 1, many, 7, 1, &err));
    for (int k = 0; k < 100; k++) {
        const double x = kiln_tensor_number(a, k), bit = kiln_tensor_number(bits, k);

        ck_assert(x >= 0 && x < 1 && (bit == 0 || bit == 1) && (bit == 0) == (x < 0.5));
        ck_assert_double_eq(kiln_tensor_number(b, k), x);
        differs |= kiln_tensor_number(c, k) != x;
    }
    ck_assert(differs);
    ok(kiln_tensor_new_random(&words, KILN_STRING, 1, many, 7, 1, &err));
    ck_assert(isnan(kiln_tensor_number(words, 0)) && isnan(kiln_tensor_number(a, 100)) &&
              isnan(kiln_tensor_number(a, -1)) && isnan(kiln_tensor_number(NULL, 0)));
    kiln_tensor_free(words);
    expect(kiln_tensor_new_random(&words, KILN_FLOAT, 1, far_too_many, 7, 1, &err), KILN_LIMIT, "too big");
    expect(kiln_tensor_new_random(&words, KILN_FLOAT, 1, NULL, 7, 1, &err), KILN_BAD_ARGUMENT, "rank is 1");
    ck_assert_ptr_null(words);
    kiln_tensor_free(a);
    kiln_tensor_free(b);
    kiln_tensor_free(c);
    kiln_tensor_free(bits);
}
END_TEST

START_TEST(names_are_told_from_commands)
{
    ck_assert_uint_eq(kiln_shown("a", 1), 1);
    ck_assert_uint_eq(kiln_shown("\xc3\xa4", 2), 2);
    ck_assert_uint_eq(kiln_shown("\xc3\xa4", 1), 0);
    ck_assert_uint_eq(kiln_shown("\033[", 2), 0);
    ck_assert_uint_eq(kiln_shown("", 0), 0);
    ck_assert_uint_eq(kiln_shown(NULL, 1), 0);
    ck_assert(kiln_dtype_is_float(KILN_BFLOAT16) && !kiln_dtype_is_float(KILN_INT8) &&
              !kiln_dtype_is_float(KILN_UNDEFINED) && !kiln_dtype_is_float((kiln_dtype)99));
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("api_run");

    add_test(s, outputs_are_chosen_by_name);
    add_test(s, what_nothing_needs_is_left_out);
    add_test(s, an_output_is_written_where_the_caller_wants);
    add_test(s, an_output_may_lie_in_an_input);
    add_test(s, chosen_outputs_draw_the_same_numbers);
    add_test(s, a_session_tells_what_it_would_do);
    add_test(s, times_are_remembered_when_asked_for);
    add_test(s, the_machine_is_measured);
    add_test(s, tensors_are_written_and_read);
    add_test(s, messages_are_read_as_values);
    add_test(s, made_up_values_repeat);
    add_test(s, names_are_told_from_commands);
    return s;
}
