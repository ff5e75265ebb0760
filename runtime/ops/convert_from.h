/* The loops from type FROM to every other, and the row of the table; included by convert.c for each FROM. */
#define TO f16
#include "ops/convert_pair.h"
#define TO bf16
#include "ops/convert_pair.h"
#define TO f32
#include "ops/convert_pair.h"
#define TO f64
#include "ops/convert_pair.h"
#define TO i8
#include "ops/convert_pair.h"
#define TO i16
#include "ops/convert_pair.h"
#define TO i32
#include "ops/convert_pair.h"
#define TO i64
#include "ops/convert_pair.h"
#define TO u8
#include "ops/convert_pair.h"
#define TO u16
#include "ops/convert_pair.h"
#define TO u32
#include "ops/convert_pair.h"
#define TO u64
#include "ops/convert_pair.h"
#define TO bool
#include "ops/convert_pair.h"

static convert_loop *const ROW(FROM)[DTYPES] = {
    [F16] = NAME(FROM, f16),  [BF16] = NAME(FROM, bf16), [F32] = NAME(FROM, f32), [F64] = NAME(FROM, f64),
    [I8] = NAME(FROM, i8),    [I16] = NAME(FROM, i16),   [I32] = NAME(FROM, i32), [I64] = NAME(FROM, i64),
    [U8] = NAME(FROM, u8),    [U16] = NAME(FROM, u16),   [U32] = NAME(FROM, u32), [U64] = NAME(FROM, u64),
    [BOOL] = NAME(FROM, bool)
};
#undef FROM
