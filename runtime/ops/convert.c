#include "ops/convert.h"
#include "tensor/half.h"
#include <string.h>

/* bool is a macro of stdbool.h, and here the code of a type. */
#undef bool

#define PASTE(a, b)     PASTE_(a, b)
#define PASTE_(a, b)    a##b
#define NAME(from, to)  NAME_(from, to)
#define NAME_(from, to) from##_into_##to
#define ROW(from)       PASTE(from_, from)

/* How an element lies in memory, what it is computed as, and the way from one to the other. */
#define STORED(t)   PASTE(stored_, t)
#define COMPUTED(t) PASTE(computed_, t)
#define READ(t)     PASTE(read_, t)
#define WRITE(t)    PASTE(write_, t)

typedef uint16_t stored_f16, stored_bf16;
typedef float stored_f32, computed_f16, computed_bf16, computed_f32;
typedef double stored_f64, computed_f64;
typedef int8_t stored_i8, computed_i8;
typedef int16_t stored_i16, computed_i16;
typedef int32_t stored_i32, computed_i32;
typedef int64_t stored_i64, computed_i64;
typedef uint8_t stored_u8, computed_u8, stored_bool, computed_bool;
typedef uint16_t stored_u16, computed_u16;
typedef uint32_t stored_u32, computed_u32;
typedef uint64_t stored_u64, computed_u64;

#define read_f16     f16_to_f32
#define read_bf16    bf16_to_f32
#define read_f32(x)  (x)
#define read_f64(x)  (x)
#define read_i8(x)   (x)
#define read_i16(x)  (x)
#define read_i32(x)  (x)
#define read_i64(x)  (x)
#define read_u8(x)   (x)
#define read_u16(x)  (x)
#define read_u32(x)  (x)
#define read_u64(x)  (x)
#define read_bool(x) ((x) != 0)

#define write_f16(v)  f64_to_f16((double)(v))
#define write_bf16(v) f64_to_bf16((double)(v))
#define write_f32(v)  ((float)(v))
#define write_f64(v)  ((double)(v))
#define write_i8(v)   ((int8_t)(v))
#define write_i16(v)  ((int16_t)(v))
#define write_i32(v)  ((int32_t)(v))
#define write_i64(v)  ((int64_t)(v))
#define write_u8(v)   ((uint8_t)(v))
#define write_u16(v)  ((uint16_t)(v))
#define write_u32(v)  ((uint32_t)(v))
#define write_u64(v)  ((uint64_t)(v))
#define write_bool(v) ((v) != 0)

#define KIND(t)   PASTE(KIND_, t)
#define REAL      1
#define INTEGER   2
#define KIND_f16  REAL
#define KIND_bf16 REAL
#define KIND_f32  REAL
#define KIND_f64  REAL
#define KIND_i8   INTEGER
#define KIND_i16  INTEGER
#define KIND_i32  INTEGER
#define KIND_i64  INTEGER
#define KIND_u8   INTEGER
#define KIND_u16  INTEGER
#define KIND_u32  INTEGER
#define KIND_u64  INTEGER
#define KIND_bool 0

/* The bounds of an integer type, and the power of two just past it, which every floating-point type holds. */
#define LEAST(t)  PASTE(LEAST_, t)
#define MOST(t)   PASTE(MOST_, t)
#define PAST(t)   PASTE(PAST_, t)
#define LEAST_i8  INT8_MIN
#define LEAST_i16 INT16_MIN
#define LEAST_i32 INT32_MIN
#define LEAST_i64 INT64_MIN
#define LEAST_u8  0
#define LEAST_u16 0
#define LEAST_u32 0
#define LEAST_u64 0
#define MOST_i8   INT8_MAX
#define MOST_i16  INT16_MAX
#define MOST_i32  INT32_MAX
#define MOST_i64  INT64_MAX
#define MOST_u8   UINT8_MAX
#define MOST_u16  UINT16_MAX
#define MOST_u32  UINT32_MAX
#define MOST_u64  UINT64_MAX
#define PAST_i8   0x1p7f
#define PAST_i16  0x1p15f
#define PAST_i32  0x1p31f
#define PAST_i64  0x1p63f
#define PAST_u8   0x1p8f
#define PAST_u16  0x1p16f
#define PAST_u32  0x1p32f
#define PAST_u64  0x1p64f

/* Rounded once: on the way to float what is lost is kept in the last bit, which bfloat16 does not have. */
static uint16_t f64_to_bf16(double v)
{
    float f = (float)v;
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    if ((double)f != v && v == v && (bits & 0x7fffffff) < 0x7f800000) {
        if ((v < 0 ? -(double)f > -v : (double)f > v))
            bits--;
        bits |= 1;
        memcpy(&f, &bits, sizeof f);
    }
    return f32_to_bf16(f);
}

#define FROM f16
#include "ops/convert_from.h"
#define FROM bf16
#include "ops/convert_from.h"
#define FROM f32
#include "ops/convert_from.h"
#define FROM f64
#include "ops/convert_from.h"
#define FROM i8
#include "ops/convert_from.h"
#define FROM i16
#include "ops/convert_from.h"
#define FROM i32
#include "ops/convert_from.h"
#define FROM i64
#include "ops/convert_from.h"
#define FROM u8
#include "ops/convert_from.h"
#define FROM u16
#include "ops/convert_from.h"
#define FROM u32
#include "ops/convert_from.h"
#define FROM u64
#include "ops/convert_from.h"
#define FROM bool
#include "ops/convert_from.h"

/* The pairs that have a block loop of their own. */
static void widen_f16(const void *x, void *y, int64_t n)
{
    widen(F16, x, y, n);
}

static void widen_bf16(const void *x, void *y, int64_t n)
{
    widen(BF16, x, y, n);
}

static void narrow_f16(const void *x, void *y, int64_t n)
{
    narrow(F16, x, y, n);
}

static void narrow_bf16(const void *x, void *y, int64_t n)
{
    narrow(BF16, x, y, n);
}

static void copy_2(const void *x, void *y, int64_t n)
{
    memmove(y, x, (size_t)n * 2);
}

convert_loop *convert_between(enum dtype from, enum dtype to)
{
    static convert_loop *const *const table[DTYPES] = {
        [F16] = from_f16, [BF16] = from_bf16, [F32] = from_f32,   [F64] = from_f64, [I8] = from_i8,
        [I16] = from_i16, [I32] = from_i32,   [I64] = from_i64,   [U8] = from_u8,   [U16] = from_u16,
        [U32] = from_u32, [U64] = from_u64,   [BOOL] = from_bool,
    };

    if (!dtype_valid(from) || !dtype_valid(to) || !table[from])
        return NULL;
    if (from == F16 && to == F32)
        return widen_f16;
    if (from == BF16 && to == F32)
        return widen_bf16;
    if (from == F32 && to == F16)
        return narrow_f16;
    if (from == F32 && to == BF16)
        return narrow_bf16;
    if (from == to && (from == F16 || from == BF16))
        return copy_2;
    return table[from][to];
}

/* -- small types -- */

enum { BLOCK = 512 };

/* What a small type is read as, and what it is made of: its integers lie in memory as wider ones. */
static enum dtype read_as(enum dtype d)
{
    return dtype_is_small(d) ? dtype_compute(d) : d;
}

static enum dtype made_of(enum dtype d)
{
    return !dtype_is_small(d) ? d : dtype_is_float(d) ? F64 : I64;
}

static void convert_block(const struct conversion *c, const void *x, void *y, int64_t n)
{
    convert_loop *const loop = convert_between(read_as(c->from), made_of(c->to));
    float widened[BLOCK];
    union {
        double reals[BLOCK];
        int64_t integers[BLOCK];
    } made;

    if (dtype_is_small(c->from) && dtype_is_float(c->from)) {
        widen(c->from, x, widened, n);
        x = widened;
    }
    loop(x, dtype_is_small(c->to) ? &made : y, n);
    if (!dtype_is_small(c->to))
        return;
    for (int64_t k = 0; k < n; k++)
        ((uint8_t *)y)[k] = dtype_is_float(c->to) ? f64_to_small(c->to, made.reals[k], c->rounding)
                                                  : (uint8_t)small_of_int(c->to, made.integers[k]);
}

void convert(const struct conversion *c, const void *x, void *y, int64_t n)
{
    const int64_t from = (int64_t)dtype_size(c->from), to = (int64_t)dtype_size(c->to);

    if (c->from == c->to)
        memmove(y, x, (size_t)(n * to));
    else if (!dtype_is_small(c->from) && !dtype_is_small(c->to))
        convert_between(c->from, c->to)(x, y, n);
    else
        for (int64_t k = 0; k < n; k += BLOCK)
            convert_block(c, (const char *)x + k * from, (char *)y + k * to, n - k < BLOCK ? n - k : BLOCK);
}
