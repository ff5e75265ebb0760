/* Types of 8 bits and less: what their bits mean, how numbers become them, how they lie in files. */
#include "tensor/small.h"
#include "data/element.h"
#include "fixture.h"
#include "model/message.h"
#include "ops/cast_text.h"
#include "ops/convert.h"
#include "scratch.h"
#include "tensor/half.h"
#include <math.h>

/* -- formats -- */

enum specials { IEEE, NO_INFINITY, ONE_ZERO, NUMBERS_ALONE };

static const struct format {
    enum dtype dtype;
    int exponent, fraction, bias; /* bits, bits, and what is taken from an exponent */
    enum specials specials;
    int most; /* the bits of the largest number */
} formats[] = {
    { F8E4M3FN, 4, 3, 7, NO_INFINITY, 0x7e }, { F8E4M3FNUZ, 4, 3, 8, ONE_ZERO, 0x7f },
    { F8E5M2, 5, 2, 15, IEEE, 0x7b },         { F8E5M2FNUZ, 5, 2, 16, ONE_ZERO, 0x7f },
    { F6E2M3, 2, 3, 1, NUMBERS_ALONE, 0x1f }, { F6E3M2, 3, 2, 3, NUMBERS_ALONE, 0x1f },
    { F4E2M1, 2, 1, 1, NUMBERS_ALONE, 0x07 },
};
enum { FORMATS = sizeof formats / sizeof *formats };

/* By the definition; also of bits that the format has no room for. */
static double meaning(const struct format *f, int bits)
{
    const int top = 1 << (f->exponent + f->fraction);
    const int size = bits & (top - 1), exponent = size >> f->fraction, fraction = size & ((1 << f->fraction) - 1);
    const double sign = bits & top ? -1 : 1;

    if (f->specials == ONE_ZERO && bits == top)
        return (double)NAN;
    if (f->specials == NO_INFINITY && size == top - 1)
        return (double)NAN;
    if (f->specials == IEEE && exponent == (1 << f->exponent) - 1)
        return fraction ? (double)NAN : sign * HUGE_VAL;
    return exponent ? sign * ldexp(fraction + (1 << f->fraction), exponent - f->bias - f->fraction)
                    : sign * ldexp(fraction, 1 - f->bias - f->fraction);
}

static bool same(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b && !signbit(a) == !signbit(b);
}

static const struct rounding saturating = { true, ROUND_UP }, open_ended = { false, ROUND_UP };

START_TEST(every_pattern_means_what_it_says_and_comes_back)
{
    const struct format *f = &formats[_i];

    for (int bits = 0; bits < 1 << dtype_traits[f->dtype].bits; bits++) {
        const double v = meaning(f, bits), got = (double)small_to_f32(f->dtype, (uint8_t)bits);

        ck_assert_msg(same(got, v), "%s %02x is %g, must be %g", dtype_name(f->dtype), bits, got, v);
        if (isnan(v))
            ck_assert(isnan((double)small_to_f32(f->dtype, f64_to_small(f->dtype, v, saturating))));
        else if (!isinf(v))
            ck_assert_int_eq(f64_to_small(f->dtype, v, saturating), bits);
        ck_assert(isnan(v) || f64_to_small(f->dtype, v, open_ended) == bits);
    }
}
END_TEST

/* With the sign, where the type has a zero for it. */
static int negative(const struct format *f, int bits)
{
    return f->specials == ONE_ZERO && !bits ? 0 : bits | 1 << (f->exponent + f->fraction);
}

/* Between two neighbours, the nearer one; half-way, the even one. */
START_TEST(numbers_go_to_the_nearest)
{
    const struct format *f = &formats[_i];

    for (int low = 0; low < f->most; low++) {
        const double tie = (meaning(f, low) + meaning(f, low + 1)) / 2;
        const int even = low & 1 ? low + 1 : low;

        ck_assert_int_eq(f64_to_small(f->dtype, tie, saturating), even);
        ck_assert_int_eq(f64_to_small(f->dtype, -tie, saturating), negative(f, even));
        ck_assert_int_eq(f64_to_small(f->dtype, nextafter(tie, 0), saturating), low);
        ck_assert_int_eq(f64_to_small(f->dtype, nextafter(tie, HUGE_VAL), open_ended), low + 1);
    }
}
END_TEST

/* The tables of Cast: https://onnx.ai/onnx/operators/onnx__Cast.html */
START_TEST(what_is_too_large_is_the_largest_or_none)
{
    const struct format *f = &formats[_i];
    const double most = meaning(f, f->most), step = most - meaning(f, f->most - 1);
    const double beyond[] = { nextafter(most + step / 2, HUGE_VAL), 1e300, HUGE_VAL };
    const bool even = !(f->most & 1);

    ck_assert_int_eq(f64_to_small(f->dtype, nextafter(most + step / 2, 0), open_ended), f->most);
    if (even || f->specials == NUMBERS_ALONE)
        ck_assert_int_eq(f64_to_small(f->dtype, most + step / 2, open_ended), f->most);
    for (int k = 0; k < 3; k++) {
        const double up = (double)small_to_f32(f->dtype, f64_to_small(f->dtype, beyond[k], open_ended));
        const double down = (double)small_to_f32(f->dtype, f64_to_small(f->dtype, -beyond[k], open_ended));

        ck_assert_int_eq(f64_to_small(f->dtype, beyond[k], saturating), f->most);
        ck_assert_int_eq(f64_to_small(f->dtype, -beyond[k], saturating), negative(f, f->most));
        ck_assert(f->specials == IEEE            ? up == HUGE_VAL && down == -HUGE_VAL
                  : f->specials == NUMBERS_ALONE ? up == most && down == -most
                                                 : isnan(up) && isnan(down));
    }
    if (f->specials == NUMBERS_ALONE)
        ck_assert_int_eq(f64_to_small(f->dtype, (double)NAN, saturating), 0);
}
END_TEST

START_TEST(powers_of_two)
{
    static const struct {
        double v;
        bool saturate;
        int up, down, nearest;
    } cases[] = {
        { 1, true, 127, 127, 127 },          { 1.25, true, 128, 127, 127 },        { 1.5, true, 128, 127, 128 },
        { 1.75, false, 128, 127, 128 },      { 0x1.8p-127, false, 1, 0, 1 },       { 0x1p-127, false, 0, 0, 0 },
        { 0x1.8p-128, true, 0, 0, 0 },       { 0x1.8p-128, false, 255, 255, 255 }, { 0, true, 0, 0, 0 },
        { 0, false, 255, 255, 255 },         { 0x1p127, false, 254, 254, 254 },    { 0x1.4p127, true, 254, 254, 254 },
        { 0x1.4p127, false, 255, 254, 254 }, { 0x1p128, true, 254, 254, 254 },     { HUGE_VAL, true, 254, 254, 254 },
        { HUGE_VAL, false, 255, 255, 255 },
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const struct rounding up = { cases[k].saturate, ROUND_UP }, down = { cases[k].saturate, ROUND_DOWN },
                              nearest = { cases[k].saturate, ROUND_NEAREST };

        ck_assert_int_eq(f64_to_small(F8E8M0, cases[k].v, up), cases[k].up);
        ck_assert_int_eq(f64_to_small(F8E8M0, cases[k].v, down), cases[k].down);
        ck_assert_int_eq(f64_to_small(F8E8M0, cases[k].v, nearest), cases[k].nearest);
    }
    for (int k = 0; k < 255; k++)
        ck_assert((double)small_to_f32(F8E8M0, (uint8_t)k) == ldexp(1, k - 127));
    ck_assert(isnan(small_to_f32(F8E8M0, 255)));
    ck_assert_int_eq(f64_to_small(F8E8M0, (double)NAN, saturating), 255);
}
END_TEST

/* -- conversions -- */

static const enum dtype numbers[] = { F32, U8,  I8,     U16,    I16,        I32,    I64,        BOOL, F16,
                                      F64, U32, U64,    BF16,   F8E4M3FN,   F8E5M2, F8E4M3FNUZ, U4,   I4,
                                      U2,  I2,  F8E8M0, F4E2M1, F8E5M2FNUZ, F6E2M3, F6E3M2 };
enum { NUMBERS = sizeof numbers / sizeof *numbers, MANY = 1300 };

static void cast(enum dtype from, enum dtype to, const void *x, void *y, int64_t n)
{
    convert(&(struct conversion){ from, to, ROUNDING_DEFAULT }, x, y, n);
}

START_TEST(every_pair_converts)
{
    const enum dtype from = numbers[_i];
    static double ones[MANY], back[MANY];
    static uint64_t x[MANY], y[MANY];

    for (int k = 0; k < MANY; k++) /* float8e8m0 has no 0 */
        ones[k] = k % 3 ? 1 : 0;
    for (int t = 0; t < NUMBERS; t++) {
        const bool no_zero = from == F8E8M0 || numbers[t] == F8E8M0;

        cast(F64, from, ones, x, MANY);
        cast(from, numbers[t], x, y, MANY);
        cast(numbers[t], F64, y, back, MANY);
        for (int k = 0; k < MANY; k++)
            ck_assert_msg(back[k] == ones[k] || (no_zero && !ones[k]), "%s to %s: [%d] is %g", dtype_name(from),
                          dtype_name(numbers[t]), k, back[k]);
    }
}
END_TEST

START_TEST(integers_keep_their_low_bits)
{
    const double v[] = { -9, 8, 15.9, -1.5, 300, (double)NAN };
    const int8_t as_i4[] = { 7, -8, -1, -1, -4, 0 }, as_u4[] = { 7, 8, 15, 15, 12, 0 },
                 as_i2[] = { -1, 0, -1, -1, 0, 0 }, as_u2[] = { 3, 0, 3, 3, 0, 0 };
    const int32_t whole[] = { 17, -300 };
    int8_t y[6];

    cast(F64, I4, v, y, 6);
    ck_assert_mem_eq(y, as_i4, 6);
    cast(F64, U4, v, y, 6);
    ck_assert_mem_eq(y, as_u4, 6);
    cast(F64, I2, v, y, 6);
    ck_assert_mem_eq(y, as_i2, 6);
    cast(F64, U2, v, y, 6);
    ck_assert_mem_eq(y, as_u2, 6);
    cast(I32, I4, whole, y, 2);
    ck_assert(y[0] == 1 && y[1] == 4);
}
END_TEST

START_TEST(text_is_read_and_written)
{
    static const struct {
        enum dtype dtype;
        const char *text, *back;
    } cases[] = {
        { F8E4M3FN, "0.1", "0.1" }, { F8E5M2, "1e9", "60000.0" }, { F4E2M1, "-1.6", "-1.5" }, { I4, "-8", "-8" },
        { U2, "3", "3" },           { F8E8M0, "3", "4.0" },
    };
    uint8_t x;

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char text[NUMBER_TEXT + 1];

        ck_assert(number_read(cases[k].text, strlen(cases[k].text), cases[k].dtype, saturating, &x, 0));
        text[number_write(text, cases[k].dtype, &x, 0)] = 0;
        ck_assert_str_eq(text, cases[k].back);
    }
    ck_assert(!number_read("8", 1, I4, saturating, &x, 0));
    ck_assert(!number_read("4", 1, U2, saturating, &x, 0));
}
END_TEST

START_TEST(data_sets_hold_them)
{
    uint8_t x[2] = { 0 };

    for (int k = 0; k < NUMBERS; k++) {
        const enum dtype d = numbers[k];

        if (!dtype_is_small(d))
            continue;
        if (dtype_is_float(d))
            ck_assert(element_put(x, 1, d, 2));
        else
            ck_assert(element_put_int(x, 1, d, 1) && !element_put_int(x, 0, d, 16));
        ck_assert(element_getter(d)(x, 1) == (dtype_is_float(d) ? 2 : 1));
        ck_assert((element_int_getter(d) != NULL) == !dtype_is_float(d));
    }
    ck_assert(element_put_int(x, 0, I2, -2) && element_int_getter(I2)(x, 0) == -2);
    ck_assert(!element_put_int(x, 0, I4, 8) && element_put_int(x, 0, U4, 15));
}
END_TEST

/* -- files -- */

START_TEST(elements_are_packed_from_the_low_bits_on)
{
    const int8_t ints[] = { 1, -2, 7 };
    const uint8_t twos[] = { 0, 1, 2, 3, 1 }, sixes[] = { 1, 2, 3, 4, 63 };
    uint8_t bytes[8], back[8];

    small_pack(I4, ints, bytes, 3);
    ck_assert_mem_eq(bytes, ((const uint8_t[]){ 0xe1, 0x07 }), 2);
    small_unpack(I4, bytes, back, 3);
    ck_assert_mem_eq(back, ints, 3);
    small_pack(U2, twos, bytes, 5);
    ck_assert_mem_eq(bytes, ((const uint8_t[]){ 0xe4, 0x01 }), 2);
    small_unpack(U2, bytes, back, 5);
    ck_assert_mem_eq(back, twos, 5);
    small_pack(F6E2M3, sixes, bytes, 5);
    ck_assert_mem_eq(bytes, ((const uint8_t[]){ 0x81, 0x30, 0x10, 0x3f }), 4);
    small_unpack(F6E2M3, bytes, back, 5);
    ck_assert_mem_eq(back, sixes, 5);
    ck_assert_int_eq(packed_bytes(U4, 5), 3);
    ck_assert_int_eq(packed_bytes(F6E3M2, 4), 3);
    ck_assert_int_eq(packed_bytes(I2, INT64_MAX), INT64_MAX / 4 + 1);
    ck_assert_int_eq(packed_bytes(F8E5M2, 5), 5);
    ck_assert_int_eq(packed_bytes(I64, UNKNOWN), UNKNOWN);
}
END_TEST

/* By raw data, by int32_data, and back. */
START_TEST(tensors_come_from_messages_and_go_back)
{
    static const struct {
        enum dtype dtype;
        int64_t count;
        size_t raw, words;
        uint8_t bytes[4];
        int32_t word[4];
        uint8_t elements[5];
    } cases[] = {
        { I4, 3, 2, 2, { 0xe1, 0x07 }, { 0xe1, 0x07 }, { 1, 0xfe, 7 } },
        { U4, 2, 1, 1, { 0x9f }, { 0x9f }, { 15, 9 } },
        { F4E2M1, 3, 2, 2, { 0xa1, 0x0f }, { 0xa1, 0x0f }, { 1, 10, 15 } },
        { I2, 5, 2, 2, { 0xe4, 0x01 }, { 0xe4, 0x01 }, { 0, 1, 0xfe, 0xff, 1 } },
        { U2, 1, 1, 1, { 0x03 }, { 0x03 }, { 3 } },
        { I4, 1, 1, 1, { 0x0f }, { 0x0f }, { 0xff } },
        { F8E4M3FN, 2, 2, 2, { 0x38, 0xff }, { 0x38, 0xff }, { 0x38, 0xff } },
        { F8E8M0, 1, 1, 1, { 0x7f }, { 0x7f }, { 0x7f } },
        { F6E3M2, 3, 3, 3, { 0x81, 0x30, 0 }, { 1, 2, 3 }, { 1, 2, 3 } },
    };
    struct budget unlimited = { 0 };
    struct arena arena = { .budget = &unlimited };
    struct external none = { 0 };
    struct report r = { 0 };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Onnx__TensorProto raw = ONNX__TENSOR_PROTO__INIT, typed = ONNX__TENSOR_PROTO__INIT, saved = typed;
        struct tensor a, b;

        raw.dims = typed.dims = (int64_t *)(uintptr_t)&cases[k].count;
        raw.n_dims = typed.n_dims = 1;
        raw.data_type = typed.data_type = (int32_t)cases[k].dtype;
        raw.has_raw_data = 1;
        raw.raw_data = (ProtobufCBinaryData){ cases[k].raw, (uint8_t *)(uintptr_t)cases[k].bytes };
        typed.int32_data = (int32_t *)(uintptr_t)cases[k].word;
        typed.n_int32_data = cases[k].words;
        ck_assert_msg(tensor_of_proto(&a, &raw, &none, &arena, "", &r), "%s", r.error.message);
        ck_assert_msg(tensor_of_proto(&b, &typed, &none, &arena, "", &r), "%s", r.error.message);
        ck_assert_mem_eq(a.data, cases[k].elements, (size_t)cases[k].count);
        ck_assert_mem_eq(b.data, cases[k].elements, (size_t)cases[k].count);
        ck_assert(tensor_to_proto(&saved, NULL, &a, &unlimited, &r));
        ck_assert_uint_eq(saved.raw_data.len, cases[k].raw);
        ck_assert_mem_eq(saved.raw_data.data, cases[k].bytes, cases[k].raw);
        budget_free(&unlimited, saved.dims);
        budget_free(&unlimited, saved.raw_data.data);

        raw.raw_data.len++;
        ck_assert(!tensor_of_proto(&a, &raw, &none, &arena, "", &r));
        ck_assert_ptr_nonnull(strstr(r.error.message, "bytes of raw data, its shape needs"));
        r = (struct report){ 0 };
        typed.n_int32_data--;
        ck_assert(!tensor_of_proto(&a, &typed, &none, &arena, "", &r));
        ck_assert_ptr_nonnull(strstr(r.error.message, "values in int32_data, its shape needs"));
        r = (struct report){ 0 };
    }
    arena_release(&arena);
}
END_TEST

START_TEST(external_data_is_packed)
{
    static const char text[] = "<ir_version: 13, opset_import: [\"\": 25]> g () => (float[3] y)\n"
                               "<int4[3] w = [\"location\": \"w.bin\"]> { y = Cast <to = 1> (w) }";
    struct fixture f = { 0 };
    const float *y;

    put_file("w.bin", "\xe1\x07", 2);
    put_file("m.onnxtxt", text, sizeof text - 1);
    f.model = model_read("m.onnxtxt", NULL, &f.report);
    ck_assert_msg(f.model && model_build(f.model, &f.report), "%s", f.report.error.message);
    f.session = session_new(f.model->graph, &(struct session_options){ .threads = 1 }, &f.report);
    run_ok(&f);
    y = floats(&f, 0, 3);
    ck_assert(y[0] == 1 && y[1] == -2 && y[2] == 7);
    end(&f);
}
END_TEST

/* -- operators -- */

START_TEST(types_come_with_opsets)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "<ir_version: 10, opset_import: [\"\": 18]> g (float[2] x) => (y) { y = Cast <to = 17> (x) }",
          "output 0 is float8e4m3fn, which needs opset 19, and the model's is 18" },
        { "<ir_version: 10, opset_import: [\"\": 24]> g (float[2] x) => (y) { y = Cast <to = 26> (x) }",
          "output 0 is int2, which needs opset 25, and the model's is 24" },
        { "<ir_version: 10, opset_import: [\"\": 27]> g (float[2] x) => (y) { y = Cast <to = 27> (x) }",
          "output 0 is float6e2m3, which needs opset 28, and the model's is 27" },
        { "<ir_version: 10, opset_import: [\"\": 28]> g () => (y) { y = Constant <value = float6e2m3[1] {33}> () }",
          "output 0 cannot be float6e2m3" },
        { "<ir_version: 10, opset_import: [\"\": 13]> g () => (y) { y = Constant <value = int4[2] {33}> () }",
          "output 0 is int4, which needs opset 21, and the model's is 13" },
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct report r = { 0 };
        struct model *m = model_read_bytes(cases[k].text, strlen(cases[k].text), NULL, &r);

        ck_assert(m && !model_build(m, &r));
        ck_assert_int_eq(r.error.code, KILN_BAD_MODEL);
        ck_assert_str_eq(r.error.message, cases[k].why);
        model_free(m);
    }
}
END_TEST

START_TEST(what_moves_elements_takes_them)
{
    struct fixture f;
    int8_t x[] = { 1, -2, 3, -4, 5, -6 };
    const float *y;

    begin(&f, "<ir_version: 13, opset_import: [\"\": 25]> g (int4[2,3] x) => (float[6] y, int4[3,2] t)\n"
              "<int64[1] flat = {-1}> { t = Transpose (x) r = Reshape (t, flat) y = Cast <to = 1> (r) }");
    set(&f, "x", I4, 2, (const int64_t[]){ 2, 3 }, x);
    run_ok(&f);
    y = floats(&f, 0, 6);
    ck_assert(y[0] == 1 && y[1] == -4 && y[2] == -2 && y[3] == 5 && y[4] == 3 && y[5] == -6);
    ck_assert_mem_eq(session_output(f.session, 1)->data, ((const int8_t[]){ 1, -4, -2, 5, 3, -6 }), 6);
    end(&f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("small");

    add_tests(s, every_pattern_means_what_it_says_and_comes_back, FORMATS);
    add_tests(s, numbers_go_to_the_nearest, FORMATS);
    add_tests(s, what_is_too_large_is_the_largest_or_none, FORMATS);
    add_test(s, powers_of_two);
    add_tests(s, every_pair_converts, NUMBERS);
    add_test(s, integers_keep_their_low_bits);
    add_test(s, text_is_read_and_written);
    add_test(s, data_sets_hold_them);
    add_test(s, elements_are_packed_from_the_low_bits_on);
    add_test(s, tensors_come_from_messages_and_go_back);
    add_test_between(s, enter_scratch, leave_scratch, external_data_is_packed);
    add_test(s, types_come_with_opsets);
    add_test(s, what_moves_elements_takes_them);
    return s;
}
