/* All loops of arg_extreme.c for one direction, in the table EXTREME_loops by dtype. Needs
 *   EXTREME       greatest, or least
 *   BEYOND(b, a)  is b beyond a?
 * and forgets both. No include guard: included once for each. */
#define is_nan     isnan
#define real       float
#define NAME(name) GLUE(EXTREME, _##name, _f32)
#include "ops/arg_extreme_body.h"
#define real       double
#define NAME(name) GLUE(EXTREME, _##name, _f64)
#include "ops/arg_extreme_body.h"
#undef is_nan
#define is_nan(x)  false
#define real       int8_t
#define NAME(name) GLUE(EXTREME, _##name, _i8)
#include "ops/arg_extreme_body.h"
#define real       int16_t
#define NAME(name) GLUE(EXTREME, _##name, _i16)
#include "ops/arg_extreme_body.h"
#define real       int32_t
#define NAME(name) GLUE(EXTREME, _##name, _i32)
#include "ops/arg_extreme_body.h"
#define real       int64_t
#define NAME(name) GLUE(EXTREME, _##name, _i64)
#include "ops/arg_extreme_body.h"
#define real       uint8_t
#define NAME(name) GLUE(EXTREME, _##name, _u8)
#include "ops/arg_extreme_body.h"
#define real       uint16_t
#define NAME(name) GLUE(EXTREME, _##name, _u16)
#include "ops/arg_extreme_body.h"
#define real       uint32_t
#define NAME(name) GLUE(EXTREME, _##name, _u32)
#include "ops/arg_extreme_body.h"
#define real       uint64_t
#define NAME(name) GLUE(EXTREME, _##name, _u64)
#include "ops/arg_extreme_body.h"
#undef is_nan

/* Halves are widened in blocks of as many rows as fit; a later block's winner is compared with that of the earlier
 * ones. */
static void GLUE(EXTREME, _columns, _half)(enum dtype dtype, const uint16_t *x, int64_t n, int64_t columns,
                                           int64_t stride, bool last, int64_t *at)
{
    const int64_t rows = BLOCK / columns;
    float block[BLOCK], best[COLUMNS];
    int64_t here[COLUMNS];

    for (int64_t first = 0; first < n; first += rows) {
        const int64_t count = n - first < rows ? n - first : rows;

        if (columns == stride) {
            widen(dtype, x + first * stride, block, count * columns);
        } else {
            for (int64_t r = 0; r < count; r++)
                widen(dtype, x + (first + r) * stride, block + r * columns, columns);
        }
        GLUE(EXTREME, _columns, _f32)(block, count, columns, columns, last, here);
        for (int64_t c = 0; c < columns; c++) {
            const float value = block[here[c] * columns + c];

            if (first && !GLUE(EXTREME, _better, _f32)(best[c], value, last))
                continue;
            best[c] = value;
            at[c] = first + here[c];
        }
    }
}

static void GLUE(EXTREME, _columns, _f16)(const void *x, int64_t n, int64_t columns, int64_t stride, bool last,
                                          int64_t *at)
{
    GLUE(EXTREME, _columns, _half)(F16, x, n, columns, stride, last, at);
}

static void GLUE(EXTREME, _columns, _bf16)(const void *x, int64_t n, int64_t columns, int64_t stride, bool last,
                                           int64_t *at)
{
    GLUE(EXTREME, _columns, _half)(BF16, x, n, columns, stride, last, at);
}

#define PLACE(type, name) [type] = GLUE(EXTREME, _columns, name)
static columns_fn *const GLUE(EXTREME, _, loops)[DTYPES] = {
    PLACE(F16, _f16), PLACE(BF16, _bf16), PLACE(F32, _f32), PLACE(F64, _f64), PLACE(I8, _i8),   PLACE(I16, _i16),
    PLACE(I32, _i32), PLACE(I64, _i64),   PLACE(U8, _u8),   PLACE(U16, _u16), PLACE(U32, _u32), PLACE(U64, _u64),
};
#undef PLACE
#undef EXTREME
#undef BEYOND
