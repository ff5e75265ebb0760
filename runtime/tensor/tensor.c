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

bool same_element_type(const struct tensor *a, const struct tensor *b)
{
    return a->kind == b->kind && a->key == b->key && a->dtype == b->dtype &&
           memcmp(a->element, b->element, sizeof a->element) == 0;
}

bool same_type(const struct tensor *a, const struct tensor *b)
{
    return same_element_type(a, b) && same_shape(a, b);
}

struct tensor element_of(const struct tensor *t)
{
    struct tensor e = { .kind = t->element[0].kind, .key = t->element[0].key, .dtype = t->dtype, .rank = UNKNOWN };

    memcpy(e.element, t->element + 1, sizeof e.element - sizeof *e.element);
    return e;
}

struct tensor optional_of(const struct tensor *t)
{
    struct tensor o = { .kind = OPTIONAL, .dtype = t->dtype, .rank = UNKNOWN };

    o.element[0] = (struct element){ t->kind, t->key };
    memcpy(o.element + 1, t->element, sizeof o.element - sizeof *o.element);
    return o;
}

bool has_no_values(const struct tensor *t)
{
    struct tensor e = *t;

    while (e.kind != MAP && holds_values(e.kind))
        e = element_of(&e);
    if (e.kind == MAP)
        return e.element[0].kind != TENSOR || (e.key != I64 && e.key != STRING);
    return e.kind == SPARSE;
}

/* Appends, and stops at the end of the buffer. */
static size_t put(char buffer[TYPE_TEXT], size_t at, const char *s)
{
    const size_t length = strlen(s), left = TYPE_TEXT - 1 - at, n = length < left ? length : left;

    memcpy(buffer + at, s, n);
    buffer[at + n] = 0;
    return at + n;
}

static size_t put_shape(char buffer[TYPE_TEXT], size_t at, const struct tensor *t)
{
    char number[24];

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
    return put(buffer, at, "]");
}

static const char *put_type(const struct tensor *t, bool shape, char buffer[TYPE_TEXT])
{
    static const char *const open[KINDS] = { "", "seq(", "optional(", "sparse_tensor(", "map(" };
    struct tensor e = *t;
    size_t at = 0;
    int levels = 0;

    for (;; e = element_of(&e), levels++) {
        at = put(buffer, at, open[e.kind]);
        if (e.kind == MAP) {
            at = put(buffer, at, dtype_name(e.key));
            at = put(buffer, at, ", ");
        }
        if (!holds_values(e.kind))
            break;
    }
    at = put(buffer, at, dtype_name(t->dtype));
    if (shape)
        at = put_shape(buffer, at, t);
    for (levels += e.kind == SPARSE; levels > 0; levels--)
        at = put(buffer, at, ")");
    return buffer;
}

const char *tensor_text(const struct tensor *t, char buffer[TYPE_TEXT])
{
    return put_type(t, true, buffer);
}

const char *element_text(const struct tensor *t, char buffer[TYPE_TEXT])
{
    return put_type(t, false, buffer);
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
