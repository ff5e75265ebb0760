/* A value: a dense tensor, nearly always; its memory belongs to somebody else. */
#ifndef KILN_TENSOR_TENSOR_H
#define KILN_TENSOR_TENSOR_H

#include "base/memory.h"
#include "tensor/dtype.h"

/* More dimensions, or a type within more others, are refused, by name of the limit. */
enum { MAX_RANK = 16, MAX_NESTING = 4, UNKNOWN = -1 };

enum kind { TENSOR, SEQUENCE, OPTIONAL, SPARSE, MAP, KINDS } __attribute__((packed)); /* a byte, as dtypes */

/* What a sequence, an optional or a map holds. */
struct element {
    enum kind kind;
    enum dtype key; /* of a map: the type of its keys */
};

/* While planning, `data` is NULL but for a value that is known already, and a dimension (or the rank) is UNKNOWN
 * where only running will tell. A sequence, an optional or a map has the dtype of the tensors in it, rank UNKNOWN, and
 * a `struct sequence`, `struct optional` or `struct pairs` at `data`. Sparse tensors, and maps but from int64 or strings
 * to elements of tensors, have types, but no operator makes or takes one: there are no values of them. Plans of long
 * graphs have many of these: its size is looked at in tests/unit/tensor.c. */
struct tensor {
    enum kind kind;
    enum dtype key; /* of a map: the type of its keys */
    enum dtype dtype;
    int rank;
    struct element element[MAX_NESTING]; /* what it holds, from the outside in: TENSOR or SPARSE is the last */
    int64_t dims[MAX_RANK];
    void *data;
    const struct sequence *
        planned; /* while planning, and from plan_types: the types of what a sequence or an optional holds, where known */
};

struct sequence { /* lives on a heap (tensor/heap.h), immutable once made */
    int64_t count;
    struct tensor items[];
};

struct optional {
    bool present;
    struct tensor value;
};

struct pairs { /* of a map (tensor/pairs.h): two vectors, of as many elements; value k is that of key k */
    struct tensor keys, values;
};

/* An element of a string tensor is a pointer to one of these: operators that only move values see 8 bytes. Immutable;
 * owned by the model or by the heap of the run that made it. A NULL pointer is the empty string. */
struct string {
    size_t length;
    char bytes[]; /* no NUL is promised */
};

static inline int64_t
tensor_count(const struct tensor *t) /* elements; UNKNOWN where a dimension is; overflow was checked at the door */
{
    int64_t n = 1;

    if (t->rank < 0)
        return UNKNOWN;
    for (int d = 0; d < t->rank; d++) {
        if (t->dims[d] < 0)
            return UNKNOWN;
        n *= t->dims[d];
    }
    return n;
}
static inline int64_t tensor_bytes(const struct tensor *t)
{
    const int64_t n = tensor_count(t);

    return n < 0 ? UNKNOWN : n * (int64_t)dtype_size(t->dtype);
}
static inline bool tensor_known(const struct tensor *t) /* are all dimensions known? */
{
    return t->kind == TENSOR && tensor_count(t) >= 0;
}

/* Sets dtype and shape, data NULL. False where an element count or a byte count overflows int64 (or, where
 * addresses have 32 bits, is beyond an eighth of them), a dimension is below UNKNOWN, or the rank is above MAX_RANK. */
bool tensor_shape(struct tensor *t, enum dtype dtype, int rank, const int64_t *dims);
bool same_shape(const struct tensor *a, const struct tensor *b);
bool same_element_type(const struct tensor *a, const struct tensor *b); /* kinds to any depth, and dtype */
bool same_type(const struct tensor *a, const struct tensor *b);         /* and shape */
static inline bool holds_values(enum kind kind)                         /* of which `element` tells more? */
{
    return kind == SEQUENCE || kind == OPTIONAL || kind == MAP;
}
/* Is any part of it of a kind that there are no values of? */
bool has_no_values(const struct tensor *t);
/* The type of what a sequence, an optional or a map holds, without a shape. */
struct tensor element_of(const struct tensor *t);
/* The type of an optional value that may hold such a one. */
struct tensor optional_of(const struct tensor *t);
/* "float[2,3]", "seq(float[?])", "map(int64, seq(float[?]))" into `buffer`, which is returned. */
enum { TYPE_TEXT = 256 };
const char *tensor_text(const struct tensor *t, char buffer[TYPE_TEXT]);
const char *element_text(const struct tensor *t, char buffer[TYPE_TEXT]); /* without the shape: "seq(float)" */

/* The shape of two or more shapes broadcast together (https://onnx.ai/onnx/repo-docs/Broadcasting.html): widens *rank
 * and dims by `t`. False where they do not fit. Start with rank 0. */
bool broadcast(int *rank, int64_t dims[MAX_RANK], const struct tensor *t);

/* `axis` in [-rank, rank) made positive, or -1. */
static inline int wrap_axis(int64_t axis, int rank)
{
    return axis < -rank || axis >= rank ? -1 : (int)(axis < 0 ? axis + rank : axis);
}
/* The product of dims[from..to). */
static inline int64_t dims_product(const int64_t *dims, int from, int to)
{
    int64_t n = 1;

    for (int d = from; d < to; d++)
        n *= dims[d];
    return n;
}

#endif
