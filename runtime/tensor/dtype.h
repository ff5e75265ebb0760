/* The element types, one table of traits. Numbers are those of TensorProto.DataType. */
#ifndef KILN_TENSOR_DTYPE_H
#define KILN_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dtype {
    UNDEFINED = 0,
    F32 = 1,
    U8 = 2,
    I8 = 3,
    U16 = 4,
    I16 = 5,
    I32 = 6,
    I64 = 7,
    STRING = 8,
    BOOL = 9,
    F16 = 10,
    F64 = 11,
    U32 = 12,
    U64 = 13,
    C64 = 14,
    C128 = 15,
    BF16 = 16,
    F8E4M3FN = 17,
    F8E4M3FNUZ = 18,
    F8E5M2 = 19,
    F8E5M2FNUZ = 20,
    U4 = 21,
    I4 = 22,
    F4E2M1 = 23,
    F8E8M0 = 24,
    U2 = 25,
    I2 = 26,
    F6E2M3 = 27,
    F6E3M2 = 28,
    DTYPES
} __attribute__((packed)); /* a byte: values and their types are many */

enum dtype_class { CLASS_NONE, CLASS_FLOAT, CLASS_INT, CLASS_UINT, CLASS_BOOL, CLASS_STRING, CLASS_COMPLEX };

struct dtype_traits {
    const char *name; /* the standard's: "float", "int64" */
    const char *code; /* ours: "f32", "i64" */
    uint8_t size;     /* bytes of an element in memory */
    uint8_t bits;     /* bits of an element in a file; fewer than in memory where it is packed there (tensor/small.h) */
    enum dtype_class class;
    enum dtype compute; /* what it is widened to where something is computed with it, itself for most */
};

extern const struct dtype_traits dtype_traits[DTYPES];

static inline bool dtype_valid(int64_t d)
{
    return d > 0 && d < DTYPES;
}
static inline size_t dtype_size(enum dtype d)
{
    return dtype_traits[d].size;
}
static inline const char *dtype_name(enum dtype d)
{
    return dtype_valid(d) ? dtype_traits[d].name : "undefined";
}
static inline bool dtype_is_float(enum dtype d)
{
    return dtype_traits[d].class == CLASS_FLOAT;
}
/* The type that sums and statistics of `d` are kept in: double for double, float for the other floats, else `d`. */
static inline enum dtype dtype_compute(enum dtype d)
{
    return dtype_traits[d].compute;
}
/* Is it widened to compute with it? */
static inline bool dtype_is_storage(enum dtype d)
{
    return dtype_traits[d].compute != d;
}
/* Of 8 bits or less, and neither bool, int8 nor uint8: moved and converted, never computed with (tensor/small.h). */
static inline bool dtype_is_small(enum dtype d)
{
    return dtype_traits[d].size == 1 && dtype_is_storage(d);
}
/* Does a file pack several elements into a byte? */
static inline bool dtype_is_packed(enum dtype d)
{
    return dtype_traits[d].bits && dtype_traits[d].bits < 8;
}
/* May a map have keys of it? */
static inline bool dtype_is_key(enum dtype d)
{
    return d == STRING || dtype_traits[d].class == CLASS_INT || dtype_traits[d].class == CLASS_UINT;
}
enum dtype dtype_of_code(const char *code, size_t length); /* "f32" -> F32; UNDEFINED where there is none */
enum dtype dtype_of_name(const char *name, size_t length); /* "float" -> F32 */

/* Files have an order of bytes of their own, and the machine may have the other. */
static const bool big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
/* Turns the bytes of each of `n` values round, in place; a complex number is two. No strings. */
void swap_bytes(void *data, int64_t n, enum dtype d);

#endif
