#include "ops/blocks.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <stdio.h>

enum { N, C, H, W, IMAGE }; /* dimensions */

bool blocks_parse(struct parse *p, void *attrs)
{
    struct blocks *a = attrs;

    a->size = attr_int(p, "blocksize", 0);
    return a->size > 0 || parse_error(p,
                                      attr_given(p, "blocksize") ? "blocksize is %lld, must be at least 1"
                                                                 : "attribute 'blocksize' is missing",
                                      (long long)a->size);
}

bool blocks_parse_mode(struct parse *p, void *attrs)
{
    static const char *const modes[] = { "DCR", "CRD", NULL };

    ((struct blocks *)attrs)->columns = attr_choice(p, "mode", modes, 0) == 1;
    return blocks_parse(p, attrs);
}

bool blocks_infer(struct infer *i)
{
    const struct blocks *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    int64_t dims[IMAGE], square;

    if (x->rank != IMAGE)
        return infer_error(i, "'input' has %d dimensions, must have %d", x->rank, (int)IMAGE);
    if (!mul_size(a->size, a->size, &square))
        return infer_error(i, "blocksize is %lld, whose square is more than can be counted", (long long)a->size);
    if (a->to_space ? x->dims[C] % square != 0 : x->dims[H] % a->size != 0 || x->dims[W] % a->size != 0)
        return infer_error(i, "'input' is [%lld,%lld,%lld,%lld], must have %s by %lld", (long long)x->dims[N],
                           (long long)x->dims[C], (long long)x->dims[H], (long long)x->dims[W],
                           a->to_space ? "channels that can be divided" : "height and width that can be divided",
                           (long long)(a->to_space ? square : a->size));
    dims[N] = x->dims[N];
    if (a->to_space) {
        dims[C] = x->dims[C] / square;
        if (!mul_size(x->dims[H], a->size, &dims[H]) || !mul_size(x->dims[W], a->size, &dims[W]))
            return infer_error(i, "the output would have more rows or columns than can be counted");
    } else {
        if (!mul_size(x->dims[C], square, &dims[C]))
            return infer_error(i, "the output would have more channels than can be counted");
        dims[H] = x->dims[H] / a->size;
        dims[W] = x->dims[W] / a->size;
    }
    return set_out(i, 0, x->dtype, IMAGE, dims);
}

/* Every element is an image's, a channel's, and has a row and a column of blocks and of its block. */
bool blocks_run(struct step *s)
{
    enum { IMAGES, CHANNELS, ROWS, ROW, COLUMNS, COLUMN, INDEX };
    const struct blocks *a = s->attrs;
    const struct tensor *x = s->in[0], *y = s->out[0], *deep = a->to_space ? x : y, *wide = a->to_space ? y : x;
    const int64_t b = a->size, plane = deep->dims[H] * deep->dims[W], channels = wide->dims[C];
    const int64_t shape[INDEX] = { wide->dims[N], channels, deep->dims[H], b, deep->dims[W], b };
    const int64_t in_wide[INDEX] = {
        channels * plane * b * b, plane * b * b, deep->dims[W] * b * b, deep->dims[W] * b, b, 1
    };
    const int64_t place = a->columns ? plane : channels * plane; /* from one place of a block to the next */
    const int64_t in_deep[INDEX] = {
        channels * plane * b * b, a->columns ? plane * b * b : plane, deep->dims[W], place * b, 1, place
    };
    struct move m = { .size = dtype_size(x->dtype), .rank = INDEX };

    for (int d = 0; d < INDEX; d++) {
        m.dims[d] = shape[d];
        m.in[d] = a->to_space ? in_deep[d] : in_wide[d];
        m.out[d] = a->to_space ? in_wide[d] : in_deep[d];
    }
    if (tensor_count(x))
        move_run(s->k, s->pool, &m, x->data, y->data);
    return true;
}

/* -- differentiate -- */

bool blocks_gradient(struct backward *b)
{
    const struct blocks *a = attrs_of(b);
    char text[64];

    snprintf(text, sizeof text, "blocksize=%lld mode='%s'", (long long)a->size, a->columns ? "CRD" : "DCR");
    if (wants(b, 0))
        give(b, 0, emit(emitter_of(b), a->to_space ? "SpaceToDepth" : "DepthToSpace", text, 1, upstream(b, 0)));
    return backward_ok(b);
}
