#include "api/api.h"
#include "data/element.h"
#include "data/npy.h"
#include "data/value_file.h"
#include "tensor/pairs.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What the caller owns: its memory is a heap of its own. */
struct owned {
    struct kiln_tensor tensor; /* first: a kiln_tensor points here */
    struct budget budget;
    struct heap heap;
    kiln_context *context; /* whose total it is charged to; NULL */
};

static struct owned *owned_new(const struct tensor *type, struct report *r)
{
    struct owned *o = api_alloc(sizeof *o, r);

    if (!o)
        return NULL;
    o->heap.budget = &o->budget;
    o->tensor.tensor = *type;
    return o;
}

void kiln_tensor_free(kiln_tensor *tensor)
{
    struct owned *o = (struct owned *)(void *)tensor;

    if (!o)
        return;
    heap_reset(&o->heap);
    context_release(o->context);
    api_free(o);
}

static kiln_status owned_end(kiln_tensor **out, struct owned *o, const struct report *r, bool ok, kiln_error *err)
{
    if (ok)
        *out = &o->tensor;
    else
        kiln_tensor_free(o ? &o->tensor : NULL);
    return api_end(r, ok, err);
}

/* -- making -- */

/* The type of a tensor from outside, which is to be *out; false with BAD_ARGUMENT. */
static bool describe(kiln_tensor **out, struct tensor *t, kiln_dtype dtype, int rank, const int64_t *dims,
                     kiln_error *err)
{
    const bool known = dtype_valid((int64_t)dtype) && dtype_size((enum dtype)dtype);

    if (out)
        *out = NULL;
    if (!out)
        api_refuse(err, "out is NULL");
    else if (!known)
        api_refuse(err, "dtype %d is not supported", (int)dtype);
    else if (rank < 0 || rank > KILN_MAX_RANK || (rank && !dims))
        api_refuse(err, "the rank is %d, must be 0 to %d, with as many dimensions", rank, (int)KILN_MAX_RANK);
    else if (!tensor_shape(t, (enum dtype)dtype, rank, dims))
        api_refuse(err, "the shape has more bytes than can be counted");
    else if (!tensor_known(t))
        api_refuse(err, "a dimension is negative");
    else
        return true;
    return false;
}

/* `lengths` is NULL where each ends with NUL. */
static bool copy_strings(struct owned *o, const char *const *strings, const size_t *lengths, struct report *r)
{
    struct string **to = o->tensor.tensor.data;
    const int64_t n = tensor_count(&o->tensor.tensor);

    for (int64_t k = 0; k < n; k++) {
        to[k] = strings[k] ? heap_string(&o->heap, strings[k], lengths ? lengths[k] : strlen(strings[k]), r) : NULL;
        if (strings[k] && !to[k])
            return false;
    }
    return true;
}

static bool fill(struct owned *o, const void *data, struct report *r)
{
    struct tensor *t = &o->tensor.tensor;
    const size_t bytes = (size_t)tensor_bytes(t);

    t->data = heap_alloc(&o->heap, bytes, r);
    if (!t->data)
        return false;
    if (t->dtype == STRING && data)
        return copy_strings(o, data, NULL, r);
    if (bytes && data)
        memcpy(t->data, data, bytes);
    else if (bytes)
        memset(t->data, 0, bytes);
    return true;
}

kiln_status kiln_tensor_new(kiln_tensor **out, kiln_dtype dtype, int rank, const int64_t *dims, const void *data,
                            kiln_error *err)
{
    struct report r = { 0 };
    struct tensor type;
    struct owned *o;

    if (!describe(out, &type, dtype, rank, dims, err))
        return KILN_BAD_ARGUMENT;
    o = owned_new(&type, &r);
    return owned_end(out, o, &r, o && fill(o, data, &r), err);
}

kiln_status kiln_tensor_new_strings(kiln_tensor **out, int rank, const int64_t *dims, const char *const *strings,
                                    const size_t *lengths, kiln_error *err)
{
    struct report r = { 0 };
    struct tensor type;
    struct owned *o;

    if (!describe(out, &type, (kiln_dtype)STRING, rank, dims, err))
        return KILN_BAD_ARGUMENT;
    if (tensor_count(&type) && (!strings || !lengths))
        return api_refuse(err, "strings or lengths is NULL");
    o = owned_new(&type, &r);
    return owned_end(out, o, &r, o && fill(o, NULL, &r) && copy_strings(o, strings, lengths, &r), err);
}

kiln_status kiln_tensor_wrap(kiln_tensor **out, kiln_dtype dtype, int rank, const int64_t *dims, void *data,
                             size_t bytes, kiln_error *err)
{
    struct report r = { 0 };
    struct tensor type;
    struct owned *o;

    if (!describe(out, &type, dtype, rank, dims, err))
        return KILN_BAD_ARGUMENT;
    if (dtype == KILN_STRING)
        return api_refuse(err, "strings cannot be wrapped, must be copied");
    if (bytes != (size_t)tensor_bytes(&type))
        return api_refuse(err, "the memory has %zu bytes, the shape asks for %lld", bytes,
                          (long long)tensor_bytes(&type));
    if (bytes && !data)
        return api_refuse(err, "data is NULL");
    if ((uintptr_t)data % (dtype_size(type.dtype) > 8 ? 8 : dtype_size(type.dtype)))
        return api_refuse(err, "data is not aligned to its elements");
    type.data = data;
    o = owned_new(&type, &r);
    return owned_end(out, o, &r, o, err);
}

/* What holds nothing may be of no type: it is then of what the input that it is given to is declared to be. */
static bool may_hold(kiln_dtype dtype, bool nothing, kiln_error *err)
{
    if (dtype == KILN_UNDEFINED ? nothing : dtype_valid((int64_t)dtype) && dtype_size((enum dtype)dtype))
        return true;
    api_refuse(err, "dtype %d is not supported", (int)dtype);
    return false;
}

/* The type of what holds values like `item`, which may be NULL. */
static struct tensor holder_of(enum kind kind, kiln_dtype dtype, const kiln_tensor *item)
{
    struct tensor t = { .kind = kind, .dtype = (enum dtype)dtype, .rank = UNKNOWN };

    if (item) {
        t.element[0] = (struct element){ .kind = item->tensor.kind, .key = item->tensor.key };
        memcpy(&t.element[1], item->tensor.element, sizeof t.element - sizeof t.element[0]);
    }
    return t;
}

static bool items_fit(kiln_dtype dtype, size_t count, const kiln_tensor *const *items, kiln_error *err)
{
    if (count && !items) {
        api_refuse(err, "items is NULL");
        return false;
    }
    for (size_t k = 0; k < count; k++) {
        if (!items[k] || items[k]->tensor.dtype != (enum dtype)dtype) {
            api_refuse(err, "item %zu is not a tensor of %s", k, dtype_name((enum dtype)dtype));
            return false;
        }
        if (!same_element_type(&items[k]->tensor, &items[0]->tensor)) {
            api_refuse(err, "item %zu is of another type than the first", k);
            return false;
        }
        if (holds_values(items[k]->tensor.kind) && holds_values(items[k]->tensor.element[MAX_NESTING - 2].kind)) {
            api_refuse(err, "item %zu is %d types within each other, which is the most", k, MAX_NESTING);
            return false;
        }
    }
    return true;
}

kiln_status kiln_tensor_new_sequence(kiln_tensor **out, kiln_dtype dtype, size_t count, const kiln_tensor *const *items,
                                     kiln_error *err)
{
    struct report r = { 0 };
    struct sequence *s;
    struct owned *o;
    bool ok;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!may_hold(dtype, !count, err) || !items_fit(dtype, count, items, err))
        return KILN_BAD_ARGUMENT;
    o = owned_new(&(struct tensor){ 0 }, &r);
    s = o && count < SIZE_MAX / sizeof *s->items - 1 ? heap_alloc(&o->heap, sizeof *s + count * sizeof *s->items, &r)
                                                     : NULL;
    ok = s;
    if (ok)
        s->count = (int64_t)count;
    for (size_t k = 0; ok && k < count; k++)
        ok = heap_copy(&o->heap, &s->items[k], &items[k]->tensor, &r);
    if (ok) {
        o->tensor.tensor = holder_of(SEQUENCE, dtype, count ? items[0] : NULL);
        o->tensor.tensor.data = s;
    }
    return owned_end(out, o, &r, ok, err);
}

kiln_status kiln_tensor_new_optional(kiln_tensor **out, kiln_dtype dtype, const kiln_tensor *value, kiln_error *err)
{
    struct report r = { 0 };
    struct optional *held;
    struct owned *o;
    bool ok;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!may_hold(dtype, !value, err) || !items_fit(dtype, value ? 1 : 0, &value, err))
        return KILN_BAD_ARGUMENT;
    o = owned_new(&(struct tensor){ 0 }, &r);
    held = o ? heap_alloc(&o->heap, sizeof *held, &r) : NULL;
    ok = held;
    if (ok) {
        held->present = value;
        ok = !value || heap_copy(&o->heap, &held->value, &value->tensor, &r);
    }
    if (ok) {
        o->tensor.tensor = holder_of(OPTIONAL, dtype, value);
        o->tensor.tensor.data = held;
    }
    return owned_end(out, o, &r, ok, err);
}

static bool vectors_fit(const kiln_tensor *keys, const kiln_tensor *values, kiln_error *err)
{
    char key[TYPE_TEXT], value[TYPE_TEXT];

    if (!keys || !values)
        api_refuse(err, "%s is NULL", keys ? "values" : "keys");
    else if (keys->tensor.kind != TENSOR || values->tensor.kind != TENSOR || keys->tensor.rank != 1 ||
             !same_shape(&keys->tensor, &values->tensor))
        api_refuse(err, "keys are %s and values %s, must be vectors of one length", tensor_text(&keys->tensor, key),
                   tensor_text(&values->tensor, value));
    else if (keys->tensor.dtype != I64 && keys->tensor.dtype != STRING)
        api_refuse(err, "keys are %s, must be int64 or string", dtype_name(keys->tensor.dtype));
    else
        return true;
    return false;
}

kiln_status kiln_tensor_new_map(kiln_tensor **out, const kiln_tensor *keys, const kiln_tensor *values, kiln_error *err)
{
    struct report r = { 0 };
    struct owned *o;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!vectors_fit(keys, values, err))
        return KILN_BAD_ARGUMENT;
    o = owned_new(&(struct tensor){ 0 }, &r);
    return owned_end(out, o, &r, o && map_make(&o->tensor.tensor, &keys->tensor, &values->tensor, &o->heap, &r), err);
}

kiln_status kiln_tensor_copy(kiln_tensor **out, const kiln_tensor *tensor, kiln_error *err)
{
    struct report r = { 0 };
    struct owned *o;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!tensor)
        return api_refuse(err, "tensor is NULL");
    o = owned_new(&(struct tensor){ 0 }, &r);
    return owned_end(out, o, &r, o && heap_copy(&o->heap, &o->tensor.tensor, &tensor->tensor, &r), err);
}

enum { MOST_DRAWN = 1 << 30 }; /* bytes: beyond that somebody has mistaken a dimension */

static bool draw(struct owned *o, uint64_t seed, int32_t stream, struct report *r)
{
    const struct tensor *t = &o->tensor.tensor;

    if (tensor_bytes(t) > MOST_DRAWN)
        return fail(r, KILN_LIMIT, NULL, "a tensor of %lld bytes is too big to be made up", (long long)tensor_bytes(t));
    if (!fill(o, NULL, r))
        return false;
    elements_draw(t->dtype, t->data, tensor_count(t), seed, stream);
    return true;
}

kiln_status kiln_tensor_new_random(kiln_tensor **out, kiln_dtype dtype, int rank, const int64_t *dims, uint64_t seed,
                                   int32_t stream, kiln_error *err)
{
    struct report r = { 0 };
    struct tensor type;
    struct owned *o;

    if (!describe(out, &type, dtype, rank, dims, err))
        return KILN_BAD_ARGUMENT;
    o = owned_new(&type, &r);
    return owned_end(out, o, &r, o && draw(o, seed, stream, &r), err);
}

/* -- files -- */

kiln_status kiln_tensor_read(kiln_tensor **out, const char *path, kiln_kind kind, kiln_context *context,
                             kiln_error *err)
{
    struct report r = api_report(context);
    struct owned *o;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!path)
        return api_refuse(err, "path is NULL");
    if (kind != KILN_TENSOR && kind != KILN_SEQUENCE && kind != KILN_OPTIONAL && kind != KILN_MAP)
        return api_refuse(err, "kind %d is unknown", (int)kind);
    o = owned_new(&(struct tensor){ 0 }, &r);
    if (o) {
        o->context = context_hold(context);
        o->budget.total = context_total(context);
    }
    return owned_end(out, o, &r, o && value_load(&o->tensor.tensor, path, (enum kind)kind, &o->heap, &r), err);
}

kiln_status kiln_tensor_write(const kiln_tensor *tensor, const char *path, kiln_context *context, kiln_error *err)
{
    struct report r = api_report(context);
    struct budget b = { .total = context_total(context) };

    if (!tensor || !path)
        return api_refuse(err, "%s is NULL", tensor ? "path" : "tensor");
    if (tensor->tensor.kind != TENSOR)
        fail(&r, KILN_UNSUPPORTED, path, "only tensors can be written");
    return api_end(&r, !failed(&r) && tensor_save(&tensor->tensor, path, &b, &r), err);
}

/* -- looking -- */

kiln_kind kiln_tensor_kind(const kiln_tensor *tensor)
{
    return tensor ? (kiln_kind)tensor->tensor.kind : KILN_TENSOR;
}

kiln_dtype kiln_tensor_dtype(const kiln_tensor *tensor)
{
    return tensor ? (kiln_dtype)tensor->tensor.dtype : KILN_UNDEFINED;
}

int kiln_tensor_rank(const kiln_tensor *tensor)
{
    return tensor && tensor->tensor.kind == TENSOR ? tensor->tensor.rank : KILN_ANY;
}

const int64_t *kiln_tensor_dims(const kiln_tensor *tensor)
{
    return tensor ? tensor->tensor.dims : NULL;
}

static bool has_data(const kiln_tensor *tensor)
{
    return tensor && tensor->tensor.kind == TENSOR && tensor->tensor.dtype != STRING;
}

void *kiln_tensor_data(const kiln_tensor *tensor)
{
    return has_data(tensor) ? tensor->tensor.data : NULL;
}

int64_t kiln_tensor_count(const kiln_tensor *tensor)
{
    return tensor && tensor->tensor.kind == TENSOR ? tensor_count(&tensor->tensor) : 0;
}

size_t kiln_tensor_bytes(const kiln_tensor *tensor)
{
    return has_data(tensor) ? (size_t)tensor_bytes(&tensor->tensor) : 0;
}

double kiln_tensor_number(const kiln_tensor *tensor, int64_t k)
{
    element_get *const get = has_data(tensor) ? element_getter(tensor->tensor.dtype) : NULL;

    return get && k >= 0 && k < tensor_count(&tensor->tensor) ? get(tensor->tensor.data, k) : (double)NAN;
}

char *kiln_tensor_text(const kiln_tensor *tensor, char *to, size_t room)
{
    char type[TYPE_TEXT] = "";

    if (room)
        snprintf(to, room, "%s", tensor ? tensor_text(&tensor->tensor, type) : type);
    return to;
}

const char *kiln_tensor_string(const kiln_tensor *tensor, int64_t k, size_t *length)
{
    struct string *const *strings;

    if (length)
        *length = 0;
    if (!tensor || tensor->tensor.kind != TENSOR || tensor->tensor.dtype != STRING || k < 0 ||
        k >= tensor_count(&tensor->tensor))
        return NULL;
    strings = tensor->tensor.data;
    if (length && strings[k])
        *length = strings[k]->length;
    return strings[k] ? strings[k]->bytes : "";
}

int64_t kiln_tensor_item_count(const kiln_tensor *tensor)
{
    if (tensor && tensor->tensor.kind == SEQUENCE)
        return ((const struct sequence *)tensor->tensor.data)->count;
    if (tensor && tensor->tensor.kind == MAP)
        return 2;
    return tensor && tensor->tensor.kind == OPTIONAL && ((const struct optional *)tensor->tensor.data)->present;
}

const kiln_tensor *kiln_tensor_item(const kiln_tensor *tensor, int64_t k)
{
    const struct tensor *item;

    if (k < 0 || k >= kiln_tensor_item_count(tensor))
        return NULL;
    if (tensor->tensor.kind == SEQUENCE)
        item = &((const struct sequence *)tensor->tensor.data)->items[k];
    else if (tensor->tensor.kind == MAP)
        item = k ? &((const struct pairs *)tensor->tensor.data)->values
                 : &((const struct pairs *)tensor->tensor.data)->keys;
    else
        item = &((const struct optional *)tensor->tensor.data)->value;
    return (const kiln_tensor *)item;
}

const char *kiln_dtype_name(kiln_dtype dtype)
{
    return dtype_name((enum dtype)dtype);
}

size_t kiln_dtype_size(kiln_dtype dtype)
{
    return dtype_valid((int64_t)dtype) && dtype != KILN_STRING ? dtype_size((enum dtype)dtype) : 0;
}

bool kiln_dtype_is_float(kiln_dtype dtype)
{
    return dtype_valid((int64_t)dtype) && dtype_is_float((enum dtype)dtype);
}
