/* The loops of a unary operator in the table `loops`: for double, as float has a kernel, and, where WITH_INTS or
 * WITH_UINTS is defined, for integers. Needs EXPR(x), as in unary_body.h. */
#define LOOP loop_f64
#define T    double
#include "ops/unary_body.h"
#ifdef WITH_INTS
#define LOOP loop_i8
#define T    int8_t
#define W    uint32_t
#include "ops/unary_body.h"
#define LOOP loop_i16
#define T    int16_t
#define W    uint32_t
#include "ops/unary_body.h"
#define LOOP loop_i32
#define T    int32_t
#define W    uint32_t
#include "ops/unary_body.h"
#define LOOP loop_i64
#define T    int64_t
#define W    uint64_t
#include "ops/unary_body.h"
#endif
#ifdef WITH_UINTS
#define LOOP loop_u8
#define T    uint8_t
#define W    uint32_t
#include "ops/unary_body.h"
#define LOOP loop_u16
#define T    uint16_t
#define W    uint32_t
#include "ops/unary_body.h"
#define LOOP loop_u32
#define T    uint32_t
#define W    uint32_t
#include "ops/unary_body.h"
#define LOOP loop_u64
#define T    uint64_t
#define W    uint64_t
#include "ops/unary_body.h"
#endif

static elementwise_loop *const loops[DTYPES] = {
    [F64] = loop_f64,
#ifdef WITH_INTS
    [I8] = loop_i8,   [I16] = loop_i16, [I32] = loop_i32, [I64] = loop_i64,
#endif
#ifdef WITH_UINTS
    [U8] = loop_u8,   [U16] = loop_u16, [U32] = loop_u32, [U64] = loop_u64,
#endif
};
