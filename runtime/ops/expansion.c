#include "ops/expansion.h"
#include <stdarg.h>
#include <stdio.h>

enum { MAX_PARTS = 8 };

bool expand_error(struct emitter *e, const struct node *n, kiln_status status, const char *format, ...)
{
    char where[WHERE_TEXT];
    va_list args;

    va_start(args, format);
    if (!e->failed)
        e->failed = !fail_v(e->report, status, node_where(n, where), format, args);
    va_end(args);
    return false;
}

struct value *emit_size(struct emitter *e, struct value *x, int dim)
{
    char attrs[48];

    snprintf(attrs, sizeof attrs, dim == -1 ? "start=%d" : "start=%d end=%d", dim, dim + 1);
    return emit(e, "Shape", attrs, 1, x);
}

struct value *emit_shaped(struct emitter *e, struct value *x, int parts, ...)
{
    struct value *part[MAX_PARTS] = { NULL }, *shape;
    va_list args;

    va_start(args, parts);
    for (int k = 0; k < parts && k < MAX_PARTS; k++)
        part[k] = va_arg(args, struct value *);
    va_end(args);
    shape = part[0];
    if (parts > 1 && !emit_many(e, "Concat", "axis=0", 1, &shape, parts, part))
        return NULL;
    return emit(e, "Reshape", "allowzero=1", 2, x, shape);
}

struct value *emit_slice(struct emitter *e, struct value *x, int64_t axis, int64_t from, int64_t to, int64_t step)
{
    return emit(e, "Slice", "", 5, x, emit_ints(e, 1, &from), emit_ints(e, 1, &to), emit_ints(e, 1, &axis),
                emit_ints(e, 1, &step));
}

struct value *emit_unsqueezed(struct emitter *e, struct value *x, int64_t axis)
{
    return emit(e, "Unsqueeze", "", 2, x, emit_ints(e, 1, &axis));
}

struct value *emit_counted(struct emitter *e, struct value *count)
{
    const int64_t first = 0;

    return emit(e, "Range", "", 3, emit_scalar(e, I64, 0), emit(e, "Squeeze", "", 2, count, emit_ints(e, 1, &first)),
                emit_scalar(e, I64, 1));
}
