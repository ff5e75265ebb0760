/* The loops of a binary operator for every type of number, in the table `loops`. Needs
 *   EXPR(a, b)  as in binary_body.h
 *   LOOP_F32    a loop for float that exists already; made here where it is not defined
 *   RESULT      the type of y, where it is not that of the operands
 *   ONLY_REAL   defined: no integers */
#ifndef LOOP_F32
#define LOOP_F32 loop_f32
#define LOOP     LOOP_F32
#define T        float
#include "ops/binary_body.h"
#endif
#define LOOP loop_f64
#define T    double
#include "ops/binary_body.h"

#ifndef ONLY_REAL
#define LOOP loop_i8
#define T    int8_t
#define W    uint32_t
#include "ops/binary_body.h"
#define LOOP loop_i16
#define T    int16_t
#define W    uint32_t
#include "ops/binary_body.h"
#define LOOP loop_i32
#define T    int32_t
#define W    uint32_t
#include "ops/binary_body.h"
#define LOOP loop_i64
#define T    int64_t
#define W    uint64_t
#include "ops/binary_body.h"
#define LOOP loop_u8
#define T    uint8_t
#define W    uint32_t
#include "ops/binary_body.h"
#define LOOP loop_u16
#define T    uint16_t
#define W    uint32_t
#include "ops/binary_body.h"
#define LOOP loop_u32
#define T    uint32_t
#define W    uint32_t
#include "ops/binary_body.h"
#define LOOP loop_u64
#define T    uint64_t
#define W    uint64_t
#include "ops/binary_body.h"
#endif

static elementwise_loop *const loops[DTYPES] = {
    [F32] = LOOP_F32, [F64] = loop_f64,
#ifndef ONLY_REAL
    [I8] = loop_i8,   [I16] = loop_i16, [I32] = loop_i32, [I64] = loop_i64,
    [U8] = loop_u8,   [U16] = loop_u16, [U32] = loop_u32, [U64] = loop_u64,
#endif
};
