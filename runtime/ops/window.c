#include "ops/window.h"
#include <stdio.h>

/* -- read -- */

/* So that what a kernel computes of a position, a sum of a few of these, never overflows. */
static const int64_t most = (int64_t)1 << 40;

bool window_list(struct parse *p, const char *name, struct ints *list, int64_t least)
{
    if (!attr_ints(p, name, list))
        return false;
    for (int d = 0; d < list->count; d++) {
        if (list->v[d] < least)
            return parse_error(p, "%s[%d] is %lld, must be at least %lld", name, d, (long long)list->v[d],
                               (long long)least);
        if (list->v[d] > most)
            return parse_unsupported(p, "%s[%d] is %lld, at most %lld are supported", name, d, (long long)list->v[d],
                                     (long long)most);
    }
    return true;
}

static const char *const auto_pads[] = { "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", NULL };

/* `pads` beside an auto_pad that computes them contradicts it, unless all are 0. */
static bool check_pads(struct parse *p, const struct window_attrs *a)
{
    if (a->pads.count % 2)
        return parse_error(p, "pads has %d values, must have two for each spatial dimension", a->pads.count);
    for (int d = 0; d < a->pads.count && a->auto_pad != NOTSET; d++)
        if (a->pads.v[d])
            return parse_error(p, "pads[%d] is %lld beside auto_pad, must not be given together", d,
                               (long long)a->pads.v[d]);
    return true;
}

bool window_parse(struct parse *p, struct window_attrs *a, unsigned form)
{
    a->auto_pad = (enum auto_pad)attr_choice(p, "auto_pad", auto_pads, NOTSET);
    if ((form & WINDOW_KERNEL) && !attr_given(p, "kernel_shape"))
        return parse_error(p, "attribute 'kernel_shape' is missing");
    if (!window_list(p, "kernel_shape", &a->kernel_shape, 1) || !window_list(p, "strides", &a->strides, 1) ||
        !window_list(p, "pads", &a->pads, 0))
        return false;
    if (a->kernel_shape.count > MAX_SPATIAL)
        return parse_unsupported(p, "kernel_shape has %d values, at most %d are supported", a->kernel_shape.count,
                                 MAX_SPATIAL);
    if ((form & WINDOW_DILATIONS) && !window_list(p, "dilations", &a->dilations, 1))
        return false;
    if (form & WINDOW_CEIL)
        a->ceil_mode = attr_int(p, "ceil_mode", 0) != 0;
    return check_pads(p, a);
}

const char *window_text(char buffer[WINDOW_TEXT], const struct window_attrs *a)
{
    const struct {
        const char *name;
        const struct ints *list;
    } lists[] = { { "kernel_shape", &a->kernel_shape },
                  { "strides", &a->strides },
                  { "dilations", &a->dilations },
                  { "pads", &a->pads } };
    int at =
        snprintf(buffer, WINDOW_TEXT, "auto_pad='%s'%s", auto_pads[a->auto_pad], a->ceil_mode ? " ceil_mode=1" : "");
    char list[INTS_TEXT];

    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
        if (lists[k].list->count)
            at += snprintf(buffer + at, (size_t)(WINDOW_TEXT - at), " %s",
                           ints_text(list, lists[k].name, lists[k].list->count, lists[k].list->v));
    return buffer;
}

bool window_pad(struct window_attrs *a, const struct ints *more)
{
    struct ints sum = *more;

    if (a->auto_pad == SAME_UPPER || a->auto_pad == SAME_LOWER || (a->pads.count && a->pads.count != more->count))
        return false;
    for (int k = 0; k < sum.count; k++)
        if ((a->pads.count && !add_size(sum.v[k], a->pads.v[k], &sum.v[k])) || sum.v[k] > most)
            return false;
    a->auto_pad = NOTSET;
    a->pads = sum;
    for (int k = 0; k < more->count; k++)
        if (more->v[k])
            a->padded |= (uint32_t)1 << k % (more->count / 2);
    return true;
}

/* -- plan -- */

/* While running (i is NULL) nothing can be wrong any more. */
#define COMPLAIN(i, ...) ((i) && infer_error(i, __VA_ARGS__))

static bool fits(struct infer *i, const char *name, const struct ints *list, int rank, int each)
{
    if (list->count && list->count != rank * each)
        return COMPLAIN(i, "%s has %d values, must have %d with %d spatial dimensions", name, list->count, rank * each,
                        rank);
    return true;
}

bool window_read(struct infer *i, const struct window_attrs *a, const struct tensor *x, const int64_t *kernel,
                 struct window *w)
{
    const int rank = x->rank - 2;

    if (!fits(i, "kernel_shape", &a->kernel_shape, rank, 1) || !fits(i, "strides", &a->strides, rank, 1) ||
        !fits(i, "dilations", &a->dilations, rank, 1) || !fits(i, "pads", &a->pads, rank, 2))
        return false;
    *w = (struct window){ .rank = rank };
    for (int d = 0; d < rank; d++) {
        w->in[d] = x->dims[2 + d];
        w->kernel[d] = kernel ? kernel[d] : a->kernel_shape.v[d];
        if (kernel && a->kernel_shape.count && a->kernel_shape.v[d] != kernel[d])
            return COMPLAIN(i, "kernel_shape[%d] is %lld, must be the weight's %lld", d,
                            (long long)a->kernel_shape.v[d], (long long)kernel[d]);
        if (w->kernel[d] < 1)
            return COMPLAIN(i, "spatial dimension %d of the kernel is %lld, must be at least 1", d,
                            (long long)w->kernel[d]);
        w->strides[d] = a->strides.count ? a->strides.v[d] : 1;
        w->dilations[d] = a->dilations.count ? a->dilations.v[d] : 1;
        w->pads_begin[d] = a->pads.count ? a->pads.v[d] : 0;
        w->pads_end[d] = a->pads.count ? a->pads.v[rank + d] : 0;
    }
    return true;
}

bool window_extent(const struct window *w, int d, int64_t *extent)
{
    return mul_size(w->kernel[d] - 1, w->dilations[d], extent) && add_size(*extent, 1, extent);
}

static bool too_big(struct infer *i, int d)
{
    return COMPLAIN(i, "spatial dimension %d overflows with its kernel, dilation and pads", d);
}

/* SAME: as many windows as strides fit the input; the padding that takes is split, an odd one left over at the end for
 * SAME_UPPER. */
static bool slide_same(struct infer *i, const struct window_attrs *a, struct window *w, int d, int64_t extent)
{
    int64_t total;

    w->out[d] = w->in[d] / w->strides[d] + (w->in[d] % w->strides[d] != 0);
    if (!w->out[d])
        return true;
    if (!mul_size(w->out[d] - 1, w->strides[d], &total) || !add_size(total, extent, &total))
        return too_big(i, d);
    total = total > w->in[d] ? total - w->in[d] : 0;
    w->pads_begin[d] = a->auto_pad == SAME_UPPER ? total / 2 : total - total / 2;
    w->pads_end[d] = total - w->pads_begin[d];
    return true;
}

/* Explicit pads, or none (VALID, which knows no ceil_mode). The last window of ceil_mode may hang over the end, but not
 * start there. */
static bool slide_padded(struct infer *i, const struct window_attrs *a, struct window *w, int d, int64_t extent)
{
    const bool ceil_mode = a->ceil_mode && a->auto_pad == NOTSET;
    int64_t padded, room;

    if (!add_size(w->in[d], w->pads_begin[d], &padded) || !add_size(padded, w->pads_end[d], &padded))
        return too_big(i, d);
    room = padded - extent;
    if (room < 0 && (w->in[d] || a->padded >> d & 1) && !(ceil_mode && -room < w->strides[d]))
        return COMPLAIN(i, "spatial dimension %d is %lld with its pads, must be at least the kernel's extent %lld", d,
                        (long long)padded, (long long)extent);
    if (room < 0) {
        w->out[d] = w->in[d] > 0; /* one window of ceil_mode; none of an empty dimension */
        return true;
    }
    w->out[d] = room / w->strides[d] + 1;
    if (ceil_mode) {
        w->out[d] += room % w->strides[d] != 0;
        w->out[d] -= w->out[d] > 1 && w->out[d] - 1 > (w->in[d] + w->pads_begin[d] - 1) / w->strides[d];
    }
    return true;
}

bool window_slide(struct infer *i, const struct window_attrs *a, struct window *w)
{
    for (int d = 0; d < w->rank; d++) {
        const bool same = a->auto_pad == SAME_UPPER || a->auto_pad == SAME_LOWER;
        int64_t extent;

        if (!window_extent(w, d, &extent))
            return too_big(i, d);
        if (!(same ? slide_same(i, a, w, d, extent) : slide_padded(i, a, w, d, extent)))
            return false;
    }
    return true;
}
