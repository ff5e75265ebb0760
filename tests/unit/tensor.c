#include "tensor/tensor.h"
#include "tensor/half.h"
#include "tensor/heap.h"
#include "unit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -- dtype -- */

START_TEST(dtypes_are_found_by_name_and_code)
{
    for (int d = UNDEFINED + 1; d < DTYPES; d++) {
        const struct dtype_traits *t = &dtype_traits[d];

        ck_assert_ptr_nonnull(t->name);
        ck_assert_int_eq(dtype_of_name(t->name, strlen(t->name)), (enum dtype)d);
        ck_assert_int_eq(dtype_of_code(t->code, strlen(t->code)), (enum dtype)d);
        ck_assert(dtype_valid(d));
        ck_assert(t->class == CLASS_STRING || t->size == (t->bits + 7) / 8);
        ck_assert_int_eq(dtype_is_packed((enum dtype)d), t->bits && t->bits < 8);
        ck_assert_int_eq(dtype_is_small((enum dtype)d), d >= F8E4M3FN);
    }
    ck_assert_int_eq(dtype_of_name("float", 4), UNDEFINED);
    ck_assert_int_eq(dtype_of_name("undefined", 9), UNDEFINED);
    ck_assert_int_eq(dtype_of_code("f33", 3), UNDEFINED);
    ck_assert(!dtype_valid(UNDEFINED));
    ck_assert(!dtype_valid(DTYPES));
    ck_assert_str_eq(dtype_name((enum dtype)99), "undefined");
    ck_assert_str_eq(dtype_name(F8E4M3FN), "float8e4m3fn");
    ck_assert_int_eq(dtype_compute(BF16), F32);
    ck_assert_int_eq(dtype_compute(F4E2M1), F32);
    ck_assert_int_eq(dtype_compute(U4), U8);
    ck_assert_int_eq(dtype_compute(I2), I8);
    ck_assert_int_eq(dtype_compute(F64), F64);
    ck_assert_int_eq(dtype_compute(I8), I8);
}
END_TEST

/* -- half -- */

/* What a pattern means, by the definition of the format. */
static double value_of(uint16_t h, int exponent_bits, int fraction_bits)
{
    const int exponent = h >> fraction_bits & ((1 << exponent_bits) - 1), bias = (1 << (exponent_bits - 1)) - 1;
    const int fraction = h & ((1 << fraction_bits) - 1);
    const double sign = h & 0x8000 ? -1 : 1;

    if (exponent == (1 << exponent_bits) - 1)
        return fraction ? (double)NAN : sign * HUGE_VAL;
    if (exponent == 0)
        return sign * ldexp(fraction, 1 - bias - fraction_bits);
    return sign * ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

static bool same_value(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b && !signbit(a) == !signbit(b);
}

START_TEST(every_half_means_what_it_says_and_comes_back)
{
    for (int k = 0; k < 0x10000; k++) {
        const uint16_t h = (uint16_t)k;
        float f, b; /* not what a function returns: x87 would make a signalling NaN a quiet one */

        widen(F16, &h, &f, 1);
        widen(BF16, &h, &b, 1);
        ck_assert_msg(same_value((double)f, value_of(h, 5, 10)), "float16 %04x is %g", k, (double)f);
        ck_assert_msg(same_value((double)b, value_of(h, 8, 7)), "bfloat16 %04x is %g", k, (double)b);
        ck_assert_msg(f32_to_f16(f) == h, "float16 %04x comes back as %04x", k, f32_to_f16(f));
        ck_assert_msg(f32_to_bf16(b) == h, "bfloat16 %04x comes back as %04x", k, f32_to_bf16(b));
        if (!isnan(f))
            ck_assert_uint_eq(f64_to_f16((double)f), h);
    }
}
END_TEST

/* Between two neighbours, the nearer one; half-way, the even one: for all finite neighbours, and what lies past the
 * largest. */
START_TEST(rounding_is_to_nearest_even)
{
    for (int k = 0; k < 0x7c00; k++) {
        const uint16_t low = (uint16_t)k, high = (uint16_t)(k + 1), even = k & 1 ? high : low;
        const double a = value_of(low, 5, 10), b = high == 0x7c00 ? 65536 : value_of(high, 5, 10), middle = (a + b) / 2;
        const float tie = (float)middle; /* exact: 11 bits and one more */

        ck_assert_uint_eq(f32_to_f16(tie), even);
        ck_assert_uint_eq(f32_to_f16(-tie), even | 0x8000);
        ck_assert_uint_eq(f32_to_f16(nextafterf(tie, 0)), low);
        ck_assert_uint_eq(f32_to_f16(nextafterf(tie, INFINITY)), high);
        ck_assert_uint_eq(f64_to_f16(middle), even);
        ck_assert_uint_eq(f64_to_f16(nextafter(middle, 0)), low);
        ck_assert_uint_eq(f64_to_f16(-nextafter(middle, HUGE_VAL)), high | 0x8000);
    }
    for (int k = 0; k < 0x7f80; k++) {
        const float a = bf16_to_f32((uint16_t)k), b = bf16_to_f32((uint16_t)(k + 1));
        const uint16_t low = (uint16_t)k, high = (uint16_t)(k + 1), even = k & 1 ? high : low;
        const float tie = isinf(b) ? 0x1.ffp127f : (float)(((double)a + (double)b) / 2);

        ck_assert_uint_eq(f32_to_bf16(tie), even);
        ck_assert_uint_eq(f32_to_bf16(-nextafterf(tie, 0)), low | 0x8000);
        ck_assert_uint_eq(f32_to_bf16(nextafterf(tie, INFINITY)), high);
    }
}
END_TEST

START_TEST(halves_at_the_ends_of_the_range)
{
    ck_assert_uint_eq(f32_to_f16(INFINITY), 0x7c00);
    ck_assert_uint_eq(f32_to_f16(-1e30f), 0xfc00);
    ck_assert_uint_eq(f32_to_f16(65519), 0x7bff);
    ck_assert_uint_eq(f32_to_f16(65520), 0x7c00);
    ck_assert_uint_eq(f32_to_f16(0x1p-25f), 0);
    ck_assert_uint_eq(f32_to_f16(-0x1p-149f), 0x8000);
    ck_assert_uint_eq(f64_to_f16(1e300), 0x7c00);
    ck_assert_uint_eq(f64_to_f16(-1e-300), 0x8000);
    ck_assert_uint_eq(f64_to_f16(-HUGE_VAL), 0xfc00);
    ck_assert_uint_eq(f64_to_f16((double)NAN) & 0x7e00, 0x7e00);
    ck_assert_uint_eq(f32_to_bf16(3.4e38f), 0x7f80);
}
END_TEST

START_TEST(a_nan_never_becomes_an_infinity)
{
    const uint32_t bits[] = { 0x7f800001, 0xff800001, 0x7fffffff };

    for (int k = 0; k < 3; k++) {
        float f;

        memcpy(&f, &bits[k], sizeof f);
        ck_assert(isnan(f16_to_f32(f32_to_f16(f))));
        ck_assert(isnan(bf16_to_f32(f32_to_bf16(f))));
        ck_assert_int_eq(f32_to_f16(f) >> 15, (int)(bits[k] >> 31));
    }
}
END_TEST

START_TEST(doubles_are_rounded_once)
{
    /* just above the tie between 1 and the next float16: as a float it is the tie, which goes to even */
    const double above = 1 + 0x1p-11 + 0x1p-40;

    ck_assert_uint_eq(f64_to_f16(above), 0x3c01);
    ck_assert_uint_eq(f32_to_f16((float)above), 0x3c00);
    ck_assert_uint_eq(f64_to_f16(0x1p-25 + 0x1p-60), 1); /* and among the subnormal ones */
}
END_TEST

START_TEST(blocks_are_as_single_ones)
{
    enum { N = 1003 };
    uint16_t in[N], out[N];
    float wide[N];

    for (int type = 0; type < 2; type++) {
        const enum dtype d = type ? BF16 : F16;

        for (int k = 0; k < N; k++)
            in[k] = (uint16_t)(k * 65); /* all exponents */
        widen(d, in, wide, N);
        for (int k = 0; k < N; k++)
            ck_assert(same_value((double)wide[k], (double)(type ? bf16_to_f32(in[k]) : f16_to_f32(in[k]))));
        narrow(d, wide, out, N);
        ck_assert_mem_eq(in, out, sizeof in);
    }
}
END_TEST

/* -- shape -- */

START_TEST(shapes_are_checked)
{
    const int64_t most = SIZE_MAX > UINT32_MAX ? INT64_MAX : SIZE_MAX / 8;
    struct tensor t = { .rank = 7 };

    ck_assert(tensor_shape(&t, F32, 3, (const int64_t[]){ 2, 3, 4 }));
    ck_assert_int_eq(tensor_count(&t), 24);
    ck_assert_int_eq(tensor_bytes(&t), 96);
    ck_assert(tensor_known(&t));
    ck_assert(tensor_shape(&t, F32, 0, NULL));
    ck_assert_int_eq(tensor_count(&t), 1);
    ck_assert(tensor_shape(&t, F32, 2, (const int64_t[]){ 0, UNKNOWN }));
    ck_assert(!tensor_known(&t));
    ck_assert(tensor_shape(&t, F32, UNKNOWN, NULL));
    ck_assert_int_eq(tensor_count(&t), UNKNOWN);

    ck_assert(tensor_shape(&t, U8, 1, &most));
    ck_assert(!tensor_shape(&t, U16, 1, &most));
    ck_assert(!tensor_shape(&t, U8, 2, (const int64_t[]){ (int64_t)1 << 32, (int64_t)1 << 31 }));
    ck_assert(!tensor_shape(&t, U8, 3, (const int64_t[]){ (int64_t)1 << 62, 2, 0 }));
    ck_assert(!tensor_shape(&t, F32, 1, (const int64_t[]){ -2 }));
    ck_assert(!tensor_shape(&t, F32, MAX_RANK + 1, (const int64_t[MAX_RANK + 1]){ 0 }));
    ck_assert(!tensor_shape(&t, F32, -2, NULL));
    ck_assert_int_eq(t.dims[0], most); /* what failed changed nothing */
    ck_assert_int_eq(wrap_axis(-1, 4), 3);
    ck_assert_int_eq(wrap_axis(-5, 4), -1);
    ck_assert_int_eq(wrap_axis(4, 4), -1);
    ck_assert_uint_le(sizeof t, 16 + sizeof t.dims + 2 * sizeof(void *));
}
END_TEST

static struct tensor shape(int rank, const int64_t *dims)
{
    struct tensor t;

    ck_assert(tensor_shape(&t, F32, rank, dims));
    return t;
}
#define SHAPE(...)                                                                                                     \
    shape((int)(sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (const int64_t[]){ __VA_ARGS__ })

START_TEST(types_are_compared_and_written)
{
    struct tensor a = SHAPE(2, UNKNOWN, 4), b = a, wide;
    const int64_t big[MAX_RANK] = { INT64_MIN, INT64_MIN, INT64_MIN };
    char text[TYPE_TEXT];

    ck_assert(same_type(&a, &b));
    b.dims[2] = 5;
    ck_assert(!same_shape(&a, &b));
    b = a;
    b.dtype = F64;
    ck_assert(same_shape(&a, &b) && !same_type(&a, &b));
    ck_assert_str_eq(tensor_text(&a, text), "float[2,?,4]");
    a = (struct tensor){ .kind = SEQUENCE, .dtype = F32, .rank = UNKNOWN };
    ck_assert_str_eq(tensor_text(&a, text), "seq(float[?])");
    b = a;
    b.element[0].kind = OPTIONAL;
    ck_assert(!same_type(&a, &b));
    a = (struct tensor){ .kind = OPTIONAL, .element = { { .kind = SEQUENCE } }, .dtype = I64, .rank = UNKNOWN };
    ck_assert_str_eq(tensor_text(&a, text), "optional(seq(int64[?]))");
    a = (struct tensor){ .dtype = BOOL };
    ck_assert_str_eq(tensor_text(&a, text), "bool[]");
    wide = (struct tensor){ .kind = SEQUENCE, .dtype = F8E4M3FNUZ, .rank = MAX_RANK };
    memcpy(wide.dims, big, sizeof big);
    for (int d = 0; d < MAX_RANK; d++)
        wide.dims[d] = INT64_MAX;
    ck_assert_uint_eq(strlen(tensor_text(&wide, text)), TYPE_TEXT - 1);
}
END_TEST

START_TEST(kinds_nest)
{
    struct tensor m = { .kind = MAP,
                        .key = I64,
                        .element = { { .kind = OPTIONAL }, { .kind = SEQUENCE } },
                        .dtype = F32,
                        .rank = UNKNOWN };
    struct tensor inner = element_of(&m), other = m;
    char text[TYPE_TEXT];

    ck_assert_str_eq(tensor_text(&m, text), "map(int64, optional(seq(float[?])))");
    ck_assert_str_eq(element_text(&m, text), "map(int64, optional(seq(float)))");
    ck_assert_str_eq(tensor_text(&inner, text), "optional(seq(float[?]))");
    ck_assert(has_no_values(&m) && !has_no_values(&inner));
    inner = element_of(&inner);
    inner = element_of(&inner);
    ck_assert_int_eq(inner.kind, TENSOR);
    ck_assert_int_eq(inner.dtype, F32);
    other.key = STRING;
    ck_assert(!same_element_type(&m, &other));
    other = m;
    other.element[2] = (struct element){ SEQUENCE, UNDEFINED };
    ck_assert(!same_element_type(&m, &other));
    m = (struct tensor){
        .kind = SEQUENCE, .element = { { MAP, STRING }, { .kind = SPARSE } }, .dtype = F64, .rank = UNKNOWN
    };
    ck_assert_str_eq(element_text(&m, text), "seq(map(string, sparse_tensor(double)))");
    m = (struct tensor){ .kind = SEQUENCE, .element = { { .kind = SPARSE } }, .dtype = F64, .rank = UNKNOWN };
    ck_assert(has_no_values(&m));
}
END_TEST

/* {rank, dims...} of two shapes and of what they make; rank -2 where they do not fit. */
struct broadcast_case {
    int64_t a[4], b[4], out[4];
};

START_TEST(shapes_broadcast)
{
    static const struct broadcast_case cases[] = {
        { { 2, 2, 3 }, { 1, 3 }, { 2, 2, 3 } },
        { { 1, 3 }, { 2, 2, 3 }, { 2, 2, 3 } },
        { { 0 }, { 2, 4, 5 }, { 2, 4, 5 } },
        { { 0 }, { 0 }, { 0 } },
        { { 3, 2, 1, 3 }, { 2, 4, 1 }, { 3, 2, 4, 3 } },
        { { 1, 0 }, { 1, 1 }, { 1, 0 } },
        { { 1, 2 }, { 1, 0 }, { -2 } },
        { { 2, 2, 3 }, { 1, 2 }, { -2 } },
        { { 1, UNKNOWN }, { 1, 1 }, { 1, UNKNOWN } },
        { { 1, UNKNOWN }, { 1, 5 }, { 1, 5 } },
        { { 1, 5 }, { 1, UNKNOWN }, { 1, 5 } },
        { { 1, UNKNOWN }, { 1, 0 }, { 1, 0 } },
        { { 1, UNKNOWN }, { 1, UNKNOWN }, { 1, UNKNOWN } },
        { { UNKNOWN }, { 1, 5 }, { UNKNOWN } },
        { { 1, 5 }, { UNKNOWN }, { UNKNOWN } },
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const struct broadcast_case *c = &cases[k];
        const struct tensor a = shape((int)c->a[0], c->a + 1), b = shape((int)c->b[0], c->b + 1);
        int64_t dims[MAX_RANK];
        int rank = 0;

        ck_assert(broadcast(&rank, dims, &a));
        ck_assert_msg(broadcast(&rank, dims, &b) == (c->out[0] != -2), "case %zu", k);
        if (c->out[0] == -2) {
            ck_assert_int_eq(rank, c->a[0]);
            continue;
        }
        ck_assert_msg(rank == c->out[0], "case %zu has rank %d", k, rank);
        for (int d = 0; d < rank; d++)
            ck_assert_msg(dims[d] == c->out[1 + d], "case %zu, dimension %d is %lld", k, d, (long long)dims[d]);
    }
}
END_TEST

/* -- heap -- */

START_TEST(heap_frees_one_or_all)
{
    struct budget b = { 0 };
    struct heap h = { .budget = &b };
    char *p[5];

    for (int order = 0; order < 5; order++) { /* whichever goes first */
        for (int k = 0; k < 5; k++) {
            p[k] = heap_alloc(&h, 100, NULL);
            ck_assert_ptr_nonnull(p[k]);
            ck_assert_uint_eq((uintptr_t)p[k] % 64, 0);
            memset(p[k], k, 100);
        }
        heap_free(&h, p[order]);
        heap_free(&h, p[(order + 2) % 5]);
        heap_free(&h, NULL);
        ck_assert_int_eq(p[(order + 1) % 5][99], (order + 1) % 5);
        heap_reset(&h);
        ck_assert_uint_eq(b.used, 0);
        ck_assert_ptr_null(h.blocks);
    }
    ck_assert_ptr_null(heap_alloc(&h, SIZE_MAX - 8, NULL));
    ck_assert_ptr_null(heap_string(&h, "", SIZE_MAX - 2, NULL));
}
END_TEST

/* seq(optional(string[2])) with one absent; owned by `h`. */
static struct tensor nested(struct heap *h)
{
    struct tensor strings = shape(1, (const int64_t[]){ 2 });
    struct string **data = heap_alloc(h, 2 * sizeof *data, NULL);
    struct sequence *s = heap_alloc(h, sizeof *s + 2 * sizeof *s->items, NULL);

    strings.dtype = STRING;
    strings.data = data;
    data[0] = NULL;
    data[1] = heap_string(h, "a\0b", 3, NULL);
    s->count = 2;
    for (int k = 0; k < 2; k++) {
        struct optional *o = heap_alloc(h, sizeof *o, NULL);

        *o = (struct optional){ .present = k == 1, .value = strings };
        s->items[k] = (struct tensor){ .kind = OPTIONAL, .dtype = STRING, .rank = UNKNOWN, .data = o };
    }
    return (struct tensor){
        .kind = SEQUENCE, .element = { { .kind = OPTIONAL } }, .dtype = STRING, .rank = UNKNOWN, .data = s
    };
}

START_TEST(heap_copies_deeply)
{
    struct budget b = { 0 };
    struct heap from = { .budget = &b }, to = { .budget = &b };
    struct tensor original = nested(&from), copy;
    const struct sequence *s;
    const struct optional *o = ((const struct sequence *)original.data)->items[1].data;
    struct string *const *strings = o->value.data, *const shared = strings[1];

    ck_assert(heap_copy(&to, &copy, &original, NULL));
    o = ((const struct sequence *)copy.data)->items[1].data;
    strings = o->value.data;
    ck_assert_ptr_ne(strings[1], shared);
    heap_reset(&from); /* under a sanitizer, what was not copied shows */
    ck_assert_int_eq(copy.kind, SEQUENCE);
    s = copy.data;
    ck_assert_int_eq(s->count, 2);
    ck_assert(!((const struct optional *)s->items[0].data)->present);
    o = s->items[1].data;
    ck_assert(o->present);
    strings = o->value.data;
    ck_assert_ptr_null(strings[0]);
    ck_assert_uint_eq(strings[1]->length, 3);
    ck_assert_mem_eq(strings[1]->bytes, "a\0b", 3);
    heap_reset(&to);
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

START_TEST(heap_copies_whole_or_not_at_all)
{
    struct budget unlimited = { 0 }, tight = { 0 };
    struct heap from = { .budget = &unlimited }, to = { .budget = &tight };
    struct tensor original = nested(&from), copy = { .rank = 9 };
    bool copied = false;

    ck_assert_ptr_nonnull(heap_alloc(&from, 1, NULL));
    for (tight.limit = 1; !copied; tight.limit += 64) { /* fails at each allocation once */
        ck_assert_uint_lt(tight.limit, 100000);
        copied = heap_copy(&to, &copy, &original, NULL);
        if (!copied) {
            ck_assert_uint_eq(tight.used, 0);
            ck_assert_int_eq(copy.rank, 9);
        }
    }
    heap_reset(&to);
    heap_reset(&from);
}
END_TEST

START_TEST(heap_copies_deep_nesting_without_recursion)
{
    enum { DEEP = 100000 };
    struct budget b = { 0 };
    struct heap h = { .budget = &b };
    struct tensor value = { .kind = TENSOR, .dtype = F32 }, copy;

    value.data = heap_alloc(&h, sizeof(float), NULL);
    *(float *)value.data = 42;
    for (int k = 0; k < DEEP; k++) {
        struct optional *o = heap_alloc(&h, sizeof *o, NULL);

        *o = (struct optional){ .present = true, .value = value };
        value = (struct tensor){ .kind = OPTIONAL, .element = { { .kind = OPTIONAL } }, .rank = UNKNOWN, .data = o };
    }
    ck_assert(heap_copy(&h, &copy, &value, NULL));
    for (int k = 0; k < DEEP; k++)
        copy = ((const struct optional *)copy.data)->value;
    ck_assert(*(const float *)copy.data == 42);
    heap_reset(&h);
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("tensor");

    add_test(s, dtypes_are_found_by_name_and_code);
    add_test(s, every_half_means_what_it_says_and_comes_back);
    add_test(s, rounding_is_to_nearest_even);
    add_test(s, halves_at_the_ends_of_the_range);
    add_test(s, a_nan_never_becomes_an_infinity);
    add_test(s, doubles_are_rounded_once);
    add_test(s, blocks_are_as_single_ones);
    add_test(s, shapes_are_checked);
    add_test(s, types_are_compared_and_written);
    add_test(s, kinds_nest);
    add_test(s, shapes_broadcast);
    add_test(s, heap_frees_one_or_all);
    add_test(s, heap_copies_deeply);
    add_test(s, heap_copies_whole_or_not_at_all);
    add_test(s, heap_copies_deep_nesting_without_recursion);
    return s;
}
