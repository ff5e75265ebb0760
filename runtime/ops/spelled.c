#include "ops/spelled.h"
#include "ops/expansion.h"
#include "ops/move.h"
#include <stdio.h>
#include <string.h>

/* -- adding up -- */

/* [before, n, behind] with n first. */
static struct value *turned(struct emitter *e, struct value *v)
{
    return emit(e, "Transpose", "perm=[1,0,2]", 1, v);
}

struct value *emit_added_up(struct emitter *e, struct value *v, enum dtype dtype, int rank, const int64_t *dims,
                            int axis, struct value *indices, int64_t size)
{
    const int64_t before = dims_product(dims, 0, axis), behind = dims_product(dims, axis + 1, rank);
    const int64_t flat[] = { before, dims[axis], behind }, zeros[] = { size, before, behind };
    int64_t out[MAX_RANK];
    struct value *sum;

    memcpy(out, dims, (size_t)rank * sizeof *out);
    out[axis] = size;
    sum = turned(e, emit_reshape(e, v, 3, flat));
    sum =
        emit(e, "ScatterND", "reduction='add'", 3, emit_zeros(e, dtype, 3, zeros), emit_unsqueezed(e, indices, 1), sum);
    return emit_reshape(e, turned(e, sum), rank, out);
}

/* -- convolutions -- */

enum { ATTRS = 5 * INTS_TEXT };

static int64_t extent(const struct conv_shape *s, int d)
{
    return (s->kernel[d] - 1) * s->dilations[d] + 1;
}

/* So many pixels of the padded image behind its end are read; below 0: so many of the image's own are not. */
static int64_t behind(const struct conv_shape *s, int d)
{
    return (s->out[d] - 1) * s->strides[d] + extent(s, d) - s->pads_begin[d] - s->in[d];
}

static const char *conv_text(char buffer[ATTRS], int rank, int64_t group, const int64_t *strides,
                             const int64_t *dilations, const int64_t *pads, const int64_t *more)
{
    char list[INTS_TEXT];
    int at = snprintf(buffer, ATTRS, "group=%lld ", (long long)group);

    at += snprintf(buffer + at, (size_t)(ATTRS - at), "%s ", ints_text(list, "strides", rank, strides));
    at += snprintf(buffer + at, (size_t)(ATTRS - at), "%s ", ints_text(list, "dilations", rank, dilations));
    at += snprintf(buffer + at, (size_t)(ATTRS - at), "%s ", ints_text(list, "pads", 2 * rank, pads));
    if (more)
        snprintf(buffer + at, (size_t)(ATTRS - at), "%s", ints_text(list, "output_padding", rank, more));
    return buffer;
}

struct value *emit_conv_back(struct emitter *e, const struct conv_shape *s, struct value *pixels, struct value *weights)
{
    int64_t pads[2 * MAX_RANK], more[MAX_RANK];
    bool any = false;
    char attrs[ATTRS];

    for (int d = 0; d < s->rank; d++) {
        const int64_t end = behind(s, d);

        pads[d] = s->pads_begin[d];
        pads[s->rank + d] = end > 0 ? end : 0;
        more[d] = end > 0 ? 0 : -end;
        any |= more[d] > 0;
    }
    return emit(e, "ConvTranspose",
                conv_text(attrs, s->rank, s->groups, s->strides, s->dilations, pads, any ? more : NULL), 2, pixels,
                weights);
}

/* The image without what nothing reads, and the pads of what is left. */
static struct value *padded(struct emitter *e, const struct conv_shape *s, struct value *image, int64_t *pads)
{
    for (int d = 0; d < s->rank; d++) {
        const int64_t end = behind(s, d);

        pads[d] = s->pads_begin[d];
        pads[s->rank + d] = end > 0 ? end : 0;
        if (end < 0)
            image = emit_slice(e, image, 2 + d, 0, s->in[d] + end, 1);
    }
    return image;
}

/* The images of a batch are channels, and the channels the batch; where there are groups, those of all groups that have
 * the same place in them. */
static struct value *channels_first(struct emitter *e, const struct conv_shape *s, struct value *image)
{
    const int64_t channels = s->in_channels / s->groups;
    int64_t apart[MAX_RANK + 1] = { s->batch, s->groups, channels }, perm[MAX_RANK + 1] = { 2, 1, 0 };
    int64_t together[MAX_RANK] = { channels, s->groups * s->batch };

    for (int d = 0; d < s->rank; d++) {
        apart[3 + d] = together[2 + d] = behind(s, d) < 0 ? s->in[d] + behind(s, d) : s->in[d];
        perm[3 + d] = 3 + d;
    }
    image = emit_reshape(e, image, 3 + s->rank, apart);
    return emit_reshape(e, emit_transposed(e, image, 3 + s->rank, perm), 2 + s->rank, together);
}

struct value *emit_conv_weights(struct emitter *e, const struct conv_shape *s, struct value *image,
                                struct value *pixels)
{
    int64_t pads[2 * MAX_RANK], perm[MAX_RANK] = { 1, 0 };
    char attrs[ATTRS];

    for (int d = 0; d < s->rank; d++)
        perm[2 + d] = 2 + d;
    image = channels_first(e, s, padded(e, s, image, pads));
    pixels = emit_transposed(e, pixels, 2 + s->rank, perm);
    conv_text(attrs, s->rank, s->groups, s->dilations, s->strides, pads, NULL);
    return emit_transposed(e, emit(e, "Conv", attrs, 2, image, pixels), 2 + s->rank, perm);
}

struct value *emit_conv(struct emitter *e, const struct conv_shape *s, struct value *image, struct value *weights)
{
    int64_t pads[2 * MAX_RANK];
    char attrs[ATTRS];

    image = padded(e, s, image, pads);
    return emit(e, "Conv", conv_text(attrs, s->rank, s->groups, s->strides, s->dilations, pads, NULL), 2, image,
                weights);
}

struct value *emit_channel_sums(struct emitter *e, struct value *v, int rank)
{
    int64_t axes[MAX_RANK];
    int count = 0;

    for (int d = 0; d < rank; d++)
        if (d != 1)
            axes[count++] = d;
    return emit(e, "ReduceSum", "keepdims=0", 2, v, emit_ints(e, count, axes));
}
