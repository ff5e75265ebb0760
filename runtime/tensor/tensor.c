#include "tensor/tensor.h"
#include <stdio.h>
#include <string.h>

/* Where addresses have 32 bits, less than a few tensors together can overflow. */
static const int64_t most_bytes = SIZE_MAX > UINT32_MAX ? INT64_MAX : SIZE_MAX / 8;

bool tensor_shape(struct tensor *t, enum dtype dtype, int rank, const int64_t *dims)
{
    struct tensor shaped = { .kind = TENSOR, .dtype = dtype, .rank = rank };
    int64_t bytes = dtype_size(dtype) ? (int64_t)dtype_size(dtype) : 1;

    if (rank < UNKNOWN || rank > MAX_RANK)
        return false;
    for (int d = 0; d < rank; d++) {
        shaped.dims[d] = dims[d];
        /* a zero is left out: the product of any of the dimensions must fit, in any order */
        if (dims[d] < UNKNOWN || (dims[d] > 0 && !mul_size(bytes, dims[d], &bytes)))
            return false;
    }
    if (bytes > most_bytes)
        return false;
    *t = shaped;
    return true;
}

bool same_shape(const struct tensor *a, const struct tensor *b)
{
    if (a->rank != b->rank)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dims[d] != b->dims[d])
            return false;
    return true;
}

bool same_type(const struct tensor *a, const struct tensor *b)
{
    const bool holds = a->kind == SEQUENCE || a->kind == OPTIONAL;

    return a->kind == b->kind && (!holds || a->element_kind == b->element_kind) && a->dtype == b->dtype &&
           same_shape(a, b);
}

/* Appends, and stops at the end of the buffer. */
static size_t put(char buffer[TYPE_TEXT], size_t at, const char *s)
{
    const size_t length = strlen(s), left = TYPE_TEXT - 1 - at, n = length < left ? length : left;

    memcpy(buffer + at, s, n);
    buffer[at + n] = 0;
    return at + n;
}

static const char *const kind_open[KINDS] = { "", "seq(", "optional(", "sparse(", "map(" };

const char *tensor_text(const struct tensor *t, char buffer[TYPE_TEXT])
{
    const bool holds = t->kind == SEQUENCE || t->kind == OPTIONAL;
    size_t at = put(buffer, 0, kind_open[t->kind]);
    char number[24];

    if (holds)
        at = put(buffer, at, kind_open[t->element_kind]);
    at = put(buffer, at, dtype_name(t->dtype));
    at = put(buffer, at, "[");
    if (t->rank < 0)
        at = put(buffer, at, "?");
    for (int d = 0; d < t->rank; d++) {
        if (t->dims[d] < 0)
            snprintf(number, sizeof number, "%s?", d ? "," : "");
        else
            snprintf(number, sizeof number, "%s%lld", d ? "," : "", (long long)t->dims[d]);
        at = put(buffer, at, number);
    }
    at = put(buffer, at, "]");
    if (holds && t->element_kind != TENSOR)
        at = put(buffer, at, ")");
    if (t->kind != TENSOR)
        put(buffer, at, ")");
    return buffer;
}

/* Two dimensions that meet; false where they do not fit. What is unknown can only be 1 or the other. */
static bool meet(int64_t a, int64_t b, int64_t *out)
{
    if (a == b || b == 1)
        *out = a;
    else if (a == 1 || a == UNKNOWN)
        *out = b;
    else if (b == UNKNOWN)
        *out = a;
    else
        return false;
    return true;
}

bool broadcast(int *rank, int64_t dims[MAX_RANK], const struct tensor *t)
{
    int64_t out[MAX_RANK];
    int wide;

    if (*rank < 0 || t->rank < 0) {
        *rank = UNKNOWN;
        return true;
    }
    wide = *rank > t->rank ? *rank : t->rank;
    for (int d = 1; d <= wide; d++) { /* from the last dimension */
        const int64_t a = d <= *rank ? dims[*rank - d] : 1, b = d <= t->rank ? t->dims[t->rank - d] : 1;

        if (!meet(a, b, &out[wide - d]))
            return false;
    }
    if (wide)
        memcpy(dims, out, (size_t)wide * sizeof *out);
    *rank = wide;
    return true;
}
