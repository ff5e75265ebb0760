#include "data/element.h"
#include "base/random.h"
#include "tensor/half.h"
#include "tensor/small.h"
#include <string.h>

int element_bytes(enum dtype d)
{
    return d == STRING ? 0 : (int)dtype_size(d);
}

/* -- get -- */

#define INTEGERS(X)                                                                                                    \
    X(BOOL, uint8_t)                                                                                                   \
    X(U8, uint8_t)                                                                                                     \
    X(I8, int8_t)                                                                                                      \
    X(U16, uint16_t)                                                                                                   \
    X(I16, int16_t)                                                                                                    \
    X(U32, uint32_t)                                                                                                   \
    X(I32, int32_t)                                                                                                    \
    X(I64, int64_t)
#define SMALL_INTEGERS(X)                                                                                              \
    X(U4, uint8_t)                                                                                                     \
    X(I4, int8_t)                                                                                                      \
    X(U2, uint8_t)                                                                                                     \
    X(I2, int8_t)
#define SMALL_FLOATS(X)                                                                                                \
    X(F8E4M3FN)                                                                                                        \
    X(F8E4M3FNUZ)                                                                                                      \
    X(F8E5M2)                                                                                                          \
    X(F8E5M2FNUZ)                                                                                                      \
    X(F8E8M0)                                                                                                          \
    X(F6E2M3)                                                                                                          \
    X(F6E3M2)                                                                                                          \
    X(F4E2M1)

#define GET(code, type)                                                                                                \
    static double get_##code(const void *data, int64_t i)                                                              \
    {                                                                                                                  \
        return (double)((const type *)data)[i];                                                                        \
    }
#define GET_INT(code, type)                                                                                            \
    static int64_t get_int_##code(const void *data, int64_t i)                                                         \
    {                                                                                                                  \
        return (int64_t)((const type *)data)[i];                                                                       \
    }
#define GET_SMALL(code)                                                                                                \
    static double get_##code(const void *data, int64_t i)                                                              \
    {                                                                                                                  \
        return (double)small_to_f32(code, ((const uint8_t *)data)[i]);                                                 \
    }
INTEGERS(GET)
INTEGERS(GET_INT)
SMALL_INTEGERS(GET)
SMALL_INTEGERS(GET_INT)
SMALL_FLOATS(GET_SMALL)
GET(U64, uint64_t)
GET(F32, float)
GET(F64, double)

static double get_F16(const void *data, int64_t i)
{
    return (double)f16_to_f32(((const uint16_t *)data)[i]);
}

static double get_BF16(const void *data, int64_t i)
{
    return (double)bf16_to_f32(((const uint16_t *)data)[i]);
}

element_get *element_getter(enum dtype d)
{
#define ENTRY(code, type) [code] = get_##code,
#define ENTRY_SMALL(code) [code] = get_##code,
    static element_get *const getters[DTYPES] = {
        INTEGERS(ENTRY) SMALL_INTEGERS(ENTRY) SMALL_FLOATS(ENTRY_SMALL)[U64] = get_U64, [F32] = get_F32,
        [F64] = get_F64, [F16] = get_F16, [BF16] = get_BF16
    };
#undef ENTRY
#undef ENTRY_SMALL
    return getters[d];
}

element_get_int *element_int_getter(enum dtype d)
{
#define ENTRY(code, type) [code] = get_int_##code,
    static element_get_int *const getters[DTYPES] = { INTEGERS(ENTRY) SMALL_INTEGERS(ENTRY) };
#undef ENTRY
    return getters[d];
}

void elements_to_float(enum dtype d, const void *data, int64_t from, int64_t n, float *out)
{
    element_get *const get = element_getter(d);

    if (d == U8) { /* images */
        const uint8_t *in = (const uint8_t *)data + from;

        for (int64_t i = 0; i < n; i++)
            out[i] = in[i];
    } else if (d == F32) {
        memcpy(out, (const float *)data + from, (size_t)n * sizeof *out);
    } else {
        for (int64_t i = 0; i < n; i++)
            out[i] = (float)get(data, from + i);
    }
}

/* -- put -- */

bool element_put_int(void *data, int64_t i, enum dtype d, int64_t value)
{
    switch (d) {
#define PUT(code, type)                                                                                                \
    case code:                                                                                                         \
        ((type *)data)[i] = (type)value;                                                                               \
        return code == BOOL ? value == 0 || value == 1 : (int64_t)(type)value == value;
        INTEGERS(PUT)
#undef PUT
#define PUT_SMALL(code, type)                                                                                          \
    case code:                                                                                                         \
        ((type *)data)[i] = (type)small_of_int(code, value);                                                           \
        return ((type *)data)[i] == value;
        SMALL_INTEGERS(PUT_SMALL)
#undef PUT_SMALL
    case U64:
        ((uint64_t *)data)[i] = (uint64_t)value;
        return value >= 0;
    default:
        return element_put(data, i, d, (double)value);
    }
}

bool element_put(void *data, int64_t i, enum dtype d, double value)
{
    switch (d) {
    case F32:
        ((float *)data)[i] = (float)value;
        return true;
    case F64:
        ((double *)data)[i] = value;
        return true;
    case F16:
        ((uint16_t *)data)[i] = f64_to_f16(value);
        return true;
    case BF16:
        ((uint16_t *)data)[i] = f32_to_bf16((float)value);
        return true;
#define PUT(code) case code:
        SMALL_FLOATS(PUT)
#undef PUT
        ((uint8_t *)data)[i] = f64_to_small(d, value, ROUNDING_DEFAULT);
        return true;
    default:
        return false;
    }
}

void elements_draw(enum dtype d, void *data, int64_t n, uint64_t seed, int32_t stream)
{
    enum { BLOCK = 1024 };
    float drawn[BLOCK];
    const bool integers = element_getter(d) && d != BOOL;

    for (int64_t from = 0; from < n; from += BLOCK) {
        const int64_t count = n - from < BLOCK ? n - from : BLOCK;

        random_uniform(drawn, count, seed, random_stream(stream, 0), (uint64_t)from);
        for (int64_t k = 0; k < count; k++)
            if (dtype_is_float(d))
                element_put(data, from + k, d, (double)drawn[k]);
            else if (integers)
                element_put_int(data, from + k, d, drawn[k] < 0.5f ? 0 : 1);
    }
}

bool tensor_is_uniform(const struct tensor *t)
{
    element_get *const get = element_getter(t->dtype);
    const int64_t n = tensor_count(t);

    for (int64_t k = 1; get && k < n; k++)
        if (get(t->data, k) != get(t->data, 0))
            return false;
    return get && n > 0;
}

bool tensor_is_all(const struct tensor *t, double number)
{
    return t && t->data && tensor_is_uniform(t) && element_getter(t->dtype)(t->data, 0) == number;
}
