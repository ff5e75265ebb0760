/* What the elementwise operators stand on: conversions, numbers as text, broadcasting. */
#include "ops/elementwise.h"
#include "base/random.h"
#include "ops/cast_text.h"
#include "ops/convert.h"
#include "tensor/half.h"
#include "unit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -- conversions -- */

static const enum dtype numbers[] = { F16, BF16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, BOOL };
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static double converted(enum dtype to, double v)
{
    uint64_t element = 0;
    double back;

    convert_between(F64, to)(&v, &element, 1);
    convert_between(to, F64)(&element, &back, 1);
    return back;
}

START_TEST(every_pair_of_numbers_converts_small_integers)
{
    for (int f = 0; f < NUMBERS; f++)
        for (int t = 0; t < NUMBERS; t++) {
            uint64_t x[8] = { 0 }, y[8] = { 0 };
            const double v[] = { 0, 1, 7, 100, 3, 1, 0, 2 };
            double back[8];

            convert_between(F64, numbers[f])(v, x, 8);
            convert_between(numbers[f], numbers[t])(x, y, 8);
            convert_between(numbers[t], F64)(y, back, 8);
            for (int k = 0; k < 8; k++)
                ck_assert_double_eq(back[k], numbers[f] == BOOL || numbers[t] == BOOL ? v[k] != 0 : v[k]);
        }
    ck_assert(!convert_between(STRING, F32));
    ck_assert(!convert_between(F32, C64));
    ck_assert(!convert_between(F32, F8E5M2)); /* that is for `convert` */
}
END_TEST

START_TEST(floats_that_do_not_fit_saturate)
{
    static const struct {
        enum dtype to;
        double least, most;
    } range[] = { { I8, -128, 127 }, { I16, -32768, 32767 }, { I32, -0x1p31, 0x1p31 - 1 }, { I64, -0x1p63, 0x1p63 },
                  { U8, 0, 255 },    { U16, 0, 65535 },      { U32, 0, 0x1p32 - 1 },       { U64, 0, 0x1p64 } };

    for (size_t k = 0; k < sizeof range / sizeof *range; k++) {
        ck_assert_double_eq(converted(range[k].to, -INFINITY), range[k].least);
        ck_assert_double_eq(converted(range[k].to, -1e30), range[k].least);
        ck_assert_double_eq(converted(range[k].to, 1e30), range[k].most);
        ck_assert_double_eq(converted(range[k].to, INFINITY), range[k].most);
        ck_assert_double_eq(converted(range[k].to, NAN), 0);
        ck_assert_double_eq(converted(range[k].to, 2.99), 2);
        ck_assert_double_eq(converted(range[k].to, -0.99), 0);
    }
    ck_assert_double_eq(converted(BOOL, NAN), 1);
    ck_assert_double_eq(converted(BOOL, 1e-300), 1);
    ck_assert_double_eq(converted(F16, 1e6), INFINITY);
}
END_TEST

/* 1 + 2^-8 lies between two bfloat16; a little more must go up, though float cannot tell the two apart. */
START_TEST(doubles_are_rounded_once)
{
    ck_assert_double_eq(converted(BF16, 1 + 0x1p-8), 1);
    ck_assert_double_eq(converted(BF16, 1 + 0x1p-8 + 0x1p-40), 1 + 0x1p-7);
    ck_assert_double_eq(converted(BF16, 1 + 3 * 0x1p-8 - 0x1p-40), 1 + 0x1p-7);
    ck_assert_double_eq(converted(BF16, -(1 + 0x1p-8 + 0x1p-40)), -(1 + 0x1p-7));
    ck_assert_double_eq(converted(F16, 1 + 0x1p-11), 1);
    ck_assert_double_eq(converted(F16, 1 + 0x1p-11 + 0x1p-40), 1 + 0x1p-10);
    ck_assert_double_eq(converted(BF16, 1e300), INFINITY);
    ck_assert_double_eq(converted(BF16, -1e-300), 0);
}
END_TEST

/* -- text -- */

START_TEST(numbers_are_written_as_numpy_does)
{
    static const struct {
        enum dtype type;
        double v;
        const char *text;
    } row[] = {
        { F32, 0.1, "0.1" },
        { F32, 1, "1.0" },
        { F32, -0.0, "-0.0" },
        { F32, 100, "100.0" },
        { F32, 3.14159274, "3.1415927" },
        { F32, 1e-5, "1e-05" },
        { F32, 1e16, "1e+16" },
        { F32, 16777216, "16777216.0" },
        { F32, 0.00012, "0.00012" },
        { F64, 0.1, "0.1" },
        { F64, 1e15, "1000000000000000.0" },
        { F64, 1.5e300, "1.5e+300" },
        { F64, 5e-324, "5e-324" },
        { F64, 1.0 / 3, "0.3333333333333333" },
        { F64, 123456789, "123456789.0" },
        { F64, -2.5e-7, "-2.5e-07" },
        { F16, 0.1, "0.1" },
        { F16, 3.14, "3.14" },
        { F32, NAN, "nan" },
        { F32, INFINITY, "inf" },
        { F64, -INFINITY, "-inf" },
        { BF16, 0.5, "0.5" },
        { I8, -128, "-128" },
        { U64, 0x1p63, "9223372036854775808" },
        { I64, -7, "-7" },
        { BOOL, 1, "True" },
        { BOOL, 0, "False" },
        { F32, 0.25, "0.25" },
        { F32, 1024.5, "1024.5" },
    };

    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        uint64_t element = 0;
        char text[NUMBER_TEXT + 1] = "";

        convert_between(F64, row[k].type)(&row[k].v, &element, 1);
        text[number_write(text, row[k].type, &element, 0)] = 0;
        ck_assert_str_eq(text, row[k].text);
    }
}
END_TEST

START_TEST(floats_come_back_from_text)
{
    char text[NUMBER_TEXT];

    for (uint32_t bits = 0; bits < 0x10000; bits += 3) {
        const uint16_t half = (uint16_t)bits;
        uint16_t back;

        if ((half & 0x7c00) == 0x7c00)
            continue;
        ck_assert(number_read(text, number_write(text, F16, &half, 0), F16, ROUNDING_DEFAULT, &back, 0));
        ck_assert_uint_eq(back, half);
    }
    for (uint64_t k = 0; k < 4000; k++) {
        uint32_t words[4], counter[4] = { (uint32_t)k }, key[2] = { 1, 2 };
        double d, d_back;
        float f, f_back;

        philox(words, counter, key);
        memcpy(&f, words, sizeof f);
        memcpy(&d, words + 1, sizeof d);
        if (isfinite(f)) {
            ck_assert(number_read(text, number_write(text, F32, &f, 0), F32, ROUNDING_DEFAULT, &f_back, 0));
            ck_assert(memcmp(&f, &f_back, sizeof f) == 0);
        }
        if (isfinite(d)) {
            ck_assert(number_read(text, number_write(text, F64, &d, 0), F64, ROUNDING_DEFAULT, &d_back, 0));
            ck_assert(memcmp(&d, &d_back, sizeof d) == 0);
        }
    }
}
END_TEST

static bool reads(const char *text, enum dtype dtype, double *v)
{
    uint64_t element = 0;

    if (!number_read(text, strlen(text), dtype, ROUNDING_DEFAULT, &element, 0))
        return false;
    convert_between(dtype, F64)(&element, v, 1);
    return true;
}

START_TEST(text_is_read_strictly)
{
    static const char *const no_float[] = { "",   "-",  ".",  "1.2.3",  "1e",    "1e+", "0x10",
                                            " 1", "1 ", "1f", "nan(1)", "infin", "e5",  "--1" };
    static const char *const no_int8[] = { "", "1.0", "1e2", "128", "-129", "+", " 1", "99999999999999999999", "0x1" };
    double v = 0;

    for (size_t k = 0; k < sizeof no_float / sizeof *no_float; k++)
        ck_assert_msg(!reads(no_float[k], F32, &v), "'%s' was read", no_float[k]);
    for (size_t k = 0; k < sizeof no_int8 / sizeof *no_int8; k++)
        ck_assert_msg(!reads(no_int8[k], I8, &v), "'%s' was read", no_int8[k]);
    ck_assert(reads("NaN", F32, &v) && isnan(v));
    ck_assert(reads("+INF", F64, &v) && v == INFINITY);
    ck_assert(reads("-Infinity", F16, &v) && v == -INFINITY);
    ck_assert(reads("12.5e-1", F64, &v) && v == 1.25);
    ck_assert(reads(".5", F32, &v) && v == .5);
    ck_assert(reads("5.", F32, &v) && v == 5);
    ck_assert(reads("1e999999999999", F64, &v) && v == INFINITY);
    ck_assert(reads("-128", I8, &v) && v == -128);
    ck_assert(reads("18446744073709551615", U64, &v) && v == 0x1p64);
    ck_assert(!reads("18446744073709551616", U64, &v) && !reads("-1", U8, &v));
    ck_assert(reads("-0", U8, &v) && v == 0);
    ck_assert(reads("TRUE", BOOL, &v) && v == 1);
    ck_assert(reads("False", BOOL, &v) && v == 0);
    ck_assert(reads("2", BOOL, &v) && v == 1);
    ck_assert(!reads("yes", BOOL, &v));
}
END_TEST

/* -- broadcasting -- */

enum { MOST = 4096 };

#define EXPR (a - 2 * b)
#define LOOP minus_f32
#define T    float
#include "ops/binary_body.h"

/* Where element `at` of y comes from in x: the definition, dimension by dimension. */
static int64_t source(const struct tensor *y, const struct tensor *x, int64_t at)
{
    int64_t from = 0, step = 1;

    for (int d = y->rank - 1; d >= 0; d--) {
        const int64_t i = at % y->dims[d];
        const int axis = d - (y->rank - x->rank);

        at /= y->dims[d];
        if (axis < 0)
            continue;
        from += x->dims[axis] == 1 ? 0 : i * step;
        step *= x->dims[axis];
    }
    return from;
}

static uint32_t drawn(uint32_t *state)
{
    uint32_t out[4], counter[4] = { (*state)++ }, key[2] = { 5, 6 };

    philox(out, counter, key);
    return out[0];
}

START_TEST(any_shapes_broadcast)
{
    static float a[MOST], b[MOST], y[MOST];
    static uint16_t half_a[MOST], half_b[MOST], half_y[MOST];
    struct tensor x0 = { .dtype = F32, .data = a }, x1 = { .dtype = F32, .data = b }, z = { .dtype = F32, .data = y };
    const struct tensor *const in[] = { &x0, &x1 };
    struct budget budget = { 0 };
    struct pool *pool = pool_new(3, &budget, NULL);
    struct step s = { .k = kernels_get(), .pool = pool };
    uint32_t state = (uint32_t)_i * 1000;

    random_uniform(a, MOST, 1, 1, 0);
    random_uniform(b, MOST, 1, 2, 0);
    narrow(F16, a, half_a, MOST);
    narrow(F16, b, half_b, MOST);
    for (int round = 0; round < 100; round++) {
        const struct elementwise e = { .loop = minus_f32, .chunk = 1 + drawn(&state) % 100 };

        x0.rank = (int)(drawn(&state) % 6);
        x1.rank = (int)(drawn(&state) % 6);
        z.rank = x0.rank > x1.rank ? x0.rank : x1.rank;
        for (int d = 0; d < z.rank; d++) {
            const int64_t n = 1 + drawn(&state) % (z.rank < 4 ? 15 : 4);
            const uint32_t one = drawn(&state) % 4; /* which of the two is broadcast here */
            const int p = d - (z.rank - x0.rank), q = d - (z.rank - x1.rank);

            if (p >= 0)
                x0.dims[p] = one == 1 ? 1 : n;
            if (q >= 0)
                x1.dims[q] = one == 2 ? 1 : n;
            z.dims[d] = (p >= 0 && x0.dims[p] > 1) || (q >= 0 && x1.dims[q] > 1) ? n : 1;
        }
        elementwise(&s, &e, &z, 2, in);
        for (int64_t k = 0; k < tensor_count(&z); k++)
            ck_assert_float_eq(y[k], a[source(&z, &x0, k)] - 2 * b[source(&z, &x1, k)]);
        x0.dtype = x1.dtype = z.dtype = F16;
        x0.data = half_a;
        x1.data = half_b;
        z.data = half_y;
        elementwise(&s, &e, &z, 2, in);
        for (int64_t k = 0; k < tensor_count(&z); k++)
            ck_assert_uint_eq(half_y[k], f32_to_f16(f16_to_f32(half_a[source(&z, &x0, k)]) -
                                                    2 * f16_to_f32(half_b[source(&z, &x1, k)])));
        x0.dtype = x1.dtype = z.dtype = F32;
        x0.data = a;
        x1.data = b;
        z.data = y;
    }
    pool_free(pool);
}
END_TEST

START_TEST(halves_are_converted_in_blocks)
{
    static uint16_t a[1000], y[1000];
    uint16_t b = f32_to_f16(0.5f);
    struct tensor x0 = { .dtype = F16, .rank = 1, .dims = { 1000 }, .data = a }, x1 = { .dtype = F16, .data = &b };
    struct tensor z = { .dtype = F16, .rank = 1, .dims = { 1000 }, .data = y };
    struct step s = { .k = kernels_get() };

    for (int k = 0; k < 1000; k++)
        a[k] = f32_to_f16((float)k / 8);
    elementwise(&s, &(struct elementwise){ .loop = minus_f32 }, &z, 2, (const struct tensor *const[]){ &x0, &x1 });
    for (int k = 0; k < 1000; k++)
        ck_assert_uint_eq(y[k], f32_to_f16((float)k / 8 - 1));
    /* in place */
    z.data = a;
    elementwise(&s, &(struct elementwise){ .loop = minus_f32 }, &z, 2, (const struct tensor *const[]){ &x0, &x1 });
    ck_assert(memcmp(a, y, sizeof y) == 0);
}
END_TEST

/* -- dropout -- */

extern const struct op op_dropout;

/* One step of a trainer: ratio 0.25. */
static void drop(const float *x, float *y, uint8_t *mask, int64_t n, uint64_t seed, uint64_t number, struct pool *pool)
{
    static uint64_t attrs[8];
    const float ratio = .25f;
    const struct tensor data = { .dtype = F32, .rank = 1, .dims = { n }, .data = (void *)(uintptr_t)x };
    const struct tensor rate = { .dtype = F32, .data = (void *)(uintptr_t)&ratio };
    struct tensor output = data, kept = data;
    struct node node = { .stream = 3 };
    struct step s = { .node = &node,
                      .attrs = attrs,
                      .in = (const struct tensor *const[]){ &data, &rate, NULL },
                      .out = (struct tensor *const[]){ &output, &kept },
                      .k = kernels_get(),
                      .pool = pool,
                      .seed = seed,
                      .number = number };

    ck_assert_uint_le(op_dropout.defs->attrs_size, sizeof attrs);
    op_dropout.defs->train(attrs);
    output.data = y;
    kept.dtype = BOOL;
    kept.data = mask;
    ck_assert(op_dropout.defs->run(&s));
}

START_TEST(a_trainer_drops_anew_in_every_step)
{
    enum { N = 100003 };
    static float x[N], y[N], u[N];
    static uint8_t mask[4][N];
    struct budget budget = { 0 };
    struct pool *pool = pool_new(3, &budget, NULL);
    int64_t kept = 0;

    for (int k = 0; k < N; k++)
        x[k] = (float)(k + 1);
    drop(x, y, mask[0], N, 1, 1, NULL);
    random_uniform(u, N, 1, random_stream(3, 1), 0);
    for (int k = 0; k < N; k++) {
        ck_assert_int_eq(mask[0][k], u[k] >= .25f);
        kept += mask[0][k];
        ck_assert_float_eq(y[k], mask[0][k] ? x[k] * (float)(1 / .75) : 0);
    }
    ck_assert_int_le(llabs(kept - N * 3 / 4), 600); /* over 4 standard deviations */
    drop(x, y, mask[1], N, 1, 1, pool);
    drop(x, y, mask[2], N, 1, 2, pool);
    drop(x, y, mask[3], N, 2, 1, pool);
    ck_assert(memcmp(mask[0], mask[1], N) == 0);
    ck_assert(memcmp(mask[0], mask[2], N) != 0);
    ck_assert(memcmp(mask[0], mask[3], N) != 0);
    for (int bit = 1; bit < 32; bit++) { /* no period of a power of two */
        drop(x, y, mask[2], N / 100, 1, 1 + (UINT64_C(1) << bit), NULL);
        ck_assert_msg(memcmp(mask[0], mask[2], N / 100) != 0, "masks repeat after 2^%d steps", bit);
    }
    pool_free(pool);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("elementwise");

    add_test(s, every_pair_of_numbers_converts_small_integers);
    add_test(s, floats_that_do_not_fit_saturate);
    add_test(s, doubles_are_rounded_once);
    add_test(s, numbers_are_written_as_numpy_does);
    add_test(s, floats_come_back_from_text);
    add_test(s, text_is_read_strictly);
    add_tests(s, any_shapes_broadcast, 10);
    add_test(s, halves_are_converted_in_blocks);
    add_test(s, a_trainer_drops_anew_in_every_step);
    return s;
}
