/* A loop NAME_i8, NAME_u8 ... for each type of integer, and INTEGER_PLACES, their places in a table by dtype behind
 * others. Needs
 *   NAME   what their names begin with
 *   BODY   the file that makes one: "ops/unary_body.h"; and EXPR for it
 *   INTS   where it is defined, for i8, i16, i32 and i64
 *   UINTS  where it is defined, for u8, u16, u32 and u64
 * and forgets BODY. */
#ifdef INTS
#define LOOP GLUE(NAME, _, i8)
#define T    int8_t
#define W    uint32_t
#include BODY
#define LOOP GLUE(NAME, _, i16)
#define T    int16_t
#define W    uint32_t
#include BODY
#define LOOP GLUE(NAME, _, i32)
#define T    int32_t
#define W    uint32_t
#include BODY
#define LOOP GLUE(NAME, _, i64)
#define T    int64_t
#define W    uint64_t
#include BODY
#endif
#ifdef UINTS
#define LOOP GLUE(NAME, _, u8)
#define T    uint8_t
#define W    uint32_t
#include BODY
#define LOOP GLUE(NAME, _, u16)
#define T    uint16_t
#define W    uint32_t
#include BODY
#define LOOP GLUE(NAME, _, u32)
#define T    uint32_t
#define W    uint32_t
#include BODY
#define LOOP GLUE(NAME, _, u64)
#define T    uint64_t
#define W    uint64_t
#include BODY
#endif
#undef BODY

#undef INTS_PLACES
#undef UINTS_PLACES
#undef INTEGER_PLACES
#ifdef INTS
#define INTS_PLACES                                                                                                    \
    , [I8] = GLUE(NAME, _, i8), [I16] = GLUE(NAME, _, i16), [I32] = GLUE(NAME, _, i32), [I64] = GLUE(NAME, _, i64)
#else
#define INTS_PLACES
#endif
#ifdef UINTS
#define UINTS_PLACES                                                                                                   \
    , [U8] = GLUE(NAME, _, u8), [U16] = GLUE(NAME, _, u16), [U32] = GLUE(NAME, _, u32), [U64] = GLUE(NAME, _, u64)
#else
#define UINTS_PLACES
#endif
#define INTEGER_PLACES INTS_PLACES UINTS_PLACES
