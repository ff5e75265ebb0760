#include "ops/compute.h"
#include "ops/convert.h"
#include "tensor/half.h"
#include <string.h>

void convert_floats(enum dtype from, const void *x, enum dtype to, void *y, int64_t n)
{
    if (n && x != y)
        convert_between(from, to)(x, y, n);
}

size_t compute_bytes(const struct tensor *t, enum dtype compute)
{
    return t && t->dtype != compute ? aligned((size_t)tensor_count(t) * dtype_size(compute)) : 0;
}

const void *compute_in(const struct tensor *t, enum dtype compute, char **scratch)
{
    void *values = compute_out(t, compute, scratch);

    if (t && t->dtype != compute)
        convert_floats(t->dtype, t->data, compute, values, tensor_count(t));
    return values;
}

void *compute_out(const struct tensor *t, enum dtype compute, char **scratch)
{
    void *values;

    if (!t || t->dtype == compute)
        return t ? t->data : NULL;
    values = *scratch;
    *scratch += compute_bytes(t, compute);
    return values;
}

void compute_store(const struct tensor *t, enum dtype compute, const void *values)
{
    if (t && t->dtype != compute)
        convert_floats(compute, values, t->dtype, t->data, tensor_count(t));
}

void floats_in(const struct tensor *t, int64_t at, int64_t n, float *to)
{
    if (t)
        load_floats(t->dtype, t->data, at, n, to);
    else
        memset(to, 0, (size_t)n * sizeof *to);
}

void floats_out(const struct tensor *t, int64_t at, int64_t n, const float *values)
{
    if (t)
        store_floats(t->dtype, values, n, t->data, at);
}
