#include "tensor/dtype.h"
#include <string.h>

const struct dtype_traits dtype_traits[DTYPES] = {
    [UNDEFINED] = { "undefined", "none", 0, 0, CLASS_NONE, UNDEFINED },
    [F32] = { "float", "f32", 4, 32, CLASS_FLOAT, F32 },
    [U8] = { "uint8", "u8", 1, 8, CLASS_UINT, U8 },
    [I8] = { "int8", "i8", 1, 8, CLASS_INT, I8 },
    [U16] = { "uint16", "u16", 2, 16, CLASS_UINT, U16 },
    [I16] = { "int16", "i16", 2, 16, CLASS_INT, I16 },
    [I32] = { "int32", "i32", 4, 32, CLASS_INT, I32 },
    [I64] = { "int64", "i64", 8, 64, CLASS_INT, I64 },
    [STRING] = { "string", "str", sizeof(void *), 0, CLASS_STRING, STRING },
    [BOOL] = { "bool", "bool", 1, 8, CLASS_BOOL, BOOL },
    [F16] = { "float16", "f16", 2, 16, CLASS_FLOAT, F32 },
    [F64] = { "double", "f64", 8, 64, CLASS_FLOAT, F64 },
    [U32] = { "uint32", "u32", 4, 32, CLASS_UINT, U32 },
    [U64] = { "uint64", "u64", 8, 64, CLASS_UINT, U64 },
    [C64] = { "complex64", "c64", 8, 64, CLASS_COMPLEX, C64 },
    [C128] = { "complex128", "c128", 16, 128, CLASS_COMPLEX, C128 },
    [BF16] = { "bfloat16", "bf16", 2, 16, CLASS_FLOAT, F32 },
    [F8E4M3FN] = { "float8e4m3fn", "f8e4m3fn", 1, 8, CLASS_FLOAT, F32 },
    [F8E4M3FNUZ] = { "float8e4m3fnuz", "f8e4m3fnuz", 1, 8, CLASS_FLOAT, F32 },
    [F8E5M2] = { "float8e5m2", "f8e5m2", 1, 8, CLASS_FLOAT, F32 },
    [F8E5M2FNUZ] = { "float8e5m2fnuz", "f8e5m2fnuz", 1, 8, CLASS_FLOAT, F32 },
    [U4] = { "uint4", "u4", 1, 4, CLASS_UINT, U8 },
    [I4] = { "int4", "i4", 1, 4, CLASS_INT, I8 },
    [F4E2M1] = { "float4e2m1", "f4e2m1", 1, 4, CLASS_FLOAT, F32 },
    [F8E8M0] = { "float8e8m0", "f8e8m0", 1, 8, CLASS_FLOAT, F32 },
    [U2] = { "uint2", "u2", 1, 2, CLASS_UINT, U8 },
    [I2] = { "int2", "i2", 1, 2, CLASS_INT, I8 },
    [F6E2M3] = { "float6e2m3", "f6e2m3", 1, 6, CLASS_FLOAT, F32 },
    [F6E3M2] = { "float6e3m2", "f6e3m2", 1, 6, CLASS_FLOAT, F32 },
};

static bool is(const char *text, const char *s, size_t length)
{
    return strlen(text) == length && memcmp(text, s, length) == 0;
}

enum dtype dtype_of_code(const char *code, size_t length)
{
    for (int d = UNDEFINED + 1; d < DTYPES; d++)
        if (is(dtype_traits[d].code, code, length))
            return (enum dtype)d;
    return UNDEFINED;
}

enum dtype dtype_of_name(const char *name, size_t length)
{
    for (int d = UNDEFINED + 1; d < DTYPES; d++)
        if (is(dtype_traits[d].name, name, length))
            return (enum dtype)d;
    return UNDEFINED;
}

void swap_bytes(void *data, int64_t n, enum dtype d)
{
    const bool complex = dtype_traits[d].class == CLASS_COMPLEX;
    const int width = (int)dtype_size(d) / (complex ? 2 : 1);
    unsigned char *p = data;

    if (complex)
        n *= 2;
    for (int64_t i = 0; i < n && width > 1; i++, p += width)
        for (int low = 0, high = width - 1; low < high; low++, high--) {
            const unsigned char byte = p[low];

            p[low] = p[high];
            p[high] = byte;
        }
}
