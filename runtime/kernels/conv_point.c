#include "kernels/conv_point.h"
#include "kernels/bands.h"
#include <math.h>
#include <string.h>

enum {
    DEPTH = 256,     /* of a panel of pixels: it stays in a core's cache */
    FEW_PIXELS = 16, /* which do not fill vectors */
    BLOCK = 64,      /* channels of the result that a panel is worth to be packed for */
};

struct point {
    const struct kernels *k;
    int64_t batch, groups, depth, channels; /* of a group */
    int64_t x_plane, y_plane;
    int64_t columns, x_row, x_pixel;            /* a row of the result, and how its pixels lie in x */
    int64_t vectors, panels, blocks, per_chunk; /* of an image */
    const float *x, *w, *bias;
    float *y, *scratch;
    bool relu;
};

static bool is_flat(const struct conv_shape *s)
{
    for (int d = 0; d < s->rank; d++)
        if (s->strides[d] != 1 || s->in[d] != s->out[d])
            return false;
    return true;
}

bool conv_point_fits(const struct kernels *k, const struct conv_shape *s, enum dtype dtype)
{
    if (dtype != F32 || !k->conv->tile || s->rank < 1 || !s->in_channels || !s->out_channels ||
        dims_product(s->out, 0, s->rank) < FEW_PIXELS || (s->rank > 2 && !is_flat(s)))
        return false;
    for (int d = 0; d < s->rank; d++)
        if (s->kernel[d] != 1 || s->pads_begin[d] != 0 || (s->out[d] - 1) * s->strides[d] >= s->in[d])
            return false;
    return true;
}

static struct point point_of(const struct kernels *k, const struct conv_shape *s)
{
    const int last = s->rank - 1;
    struct point p = {
        .k = k,
        .batch = s->batch,
        .groups = s->groups,
        .depth = s->in_channels / s->groups,
        .channels = s->out_channels / s->groups,
        .x_plane = dims_product(s->in, 0, s->rank),
        .y_plane = dims_product(s->out, 0, s->rank),
    };
    int64_t units, wanted;

    p.columns = is_flat(s) ? p.y_plane : s->out[last];
    p.x_pixel = is_flat(s) ? 1 : s->strides[last];
    p.x_row = last > 0 ? s->strides[0] * s->in[last] : 0;
    p.vectors = divide_up(p.y_plane, k->lanes);
    p.panels = divide_up(p.vectors, TILE_VECTORS);
    units = p.batch * p.groups * p.panels;
    wanted = bands_chunks(p.batch * p.y_plane * s->out_channels * p.depth);
    p.blocks = greater(lesser(divide_up(wanted, greater(units, 1)), p.channels / BLOCK), 1);
    p.per_chunk = divide_up(units * p.blocks, wanted);
    return p;
}

static int64_t panel_floats(const struct point *p)
{
    return lesser(p->depth, DEPTH) * TILE_VECTORS * p->k->lanes;
}

size_t conv_point_scratch(const struct kernels *k, const struct conv_shape *s, int threads)
{
    const struct point p = point_of(k, s);

    return (size_t)(threads * panel_floats(&p)) * sizeof(float);
}

/* `n` pixels of the result from `first` on, for each depth a row of `width`. */
static void pack(const struct point *p, const float *x, int64_t first, int64_t n, int64_t width, int64_t depth,
                 float *panel)
{
    int64_t row = first / p->columns, column = first % p->columns;

    for (int64_t at = 0, some; at < n; at += some, row++, column = 0) {
        some = lesser(n - at, p->columns - column);
        p->k->conv->every(x + row * p->x_row + column * p->x_pixel, p->x_plane, p->x_pixel, panel + at, width, depth,
                          some);
    }
    for (int64_t d = 0; n < width && d < depth; d++)
        memset(panel + d * width + n, 0, (size_t)(width - n) * sizeof *panel);
}

/* A panel of pixels and a block of the channels of a group. */
static void run_unit(const struct point *p, int64_t unit, float *panel)
{
    const int64_t block = unit % p->blocks, part = unit / p->blocks % p->panels, set = unit / p->blocks / p->panels;
    const int64_t before = even_start(p->vectors, p->panels, part);
    const int64_t vectors = even_start(p->vectors, p->panels, part + 1) - before, width = vectors * p->k->lanes;
    const int64_t first = before * p->k->lanes, n = lesser(width, p->y_plane - first);
    const int64_t from = p->channels * block / p->blocks, to = p->channels * (block + 1) / p->blocks;
    const int64_t parts = divide_up(to - from, p->k->conv->tile_pixels[vectors]);
    const int64_t in_all = set % p->groups * p->channels; /* channels of the result before the group */
    struct tile t = {
        .rows = 1,
        .x_pixel = p->depth,
        .w = panel,
        .w_step = width,
        .y_pixel = p->y_plane,
        .channels = (int)n,
        .w_padded = true,
    };

    for (int64_t d = 0; d < p->depth; d += t.run) {
        t.run = lesser(p->depth - d, DEPTH);
        t.add = d > 0;
        t.least = p->relu && d + t.run == p->depth ? 0 : -INFINITY;
        t.most = INFINITY;
        pack(p, p->x + (set * p->depth + d) * p->x_plane, first, n, width, t.run, panel);
        for (int64_t i = 0, c = from; i < parts; i++, c += t.pixels) {
            t.pixels = (int)((to - from) / parts + (i < (to - from) % parts));
            t.x = p->w + (in_all + c) * p->depth + d;
            t.pixel_bias = p->bias && d == 0 ? p->bias + in_all + c : NULL;
            t.y = p->y + (set * p->channels + c) * p->y_plane + first;
            p->k->conv->tile(&t, (int)vectors);
        }
    }
}

static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct point *p = context;
    const int64_t units = p->batch * p->groups * p->panels * p->blocks;

    for (int64_t u = chunk * p->per_chunk; u < lesser(units, (chunk + 1) * p->per_chunk); u++)
        run_unit(p, u, p->scratch + thread * panel_floats(p));
}

void conv_point(const struct kernels *k, struct pool *pool, const struct conv_shape *s, const float *x, const float *w,
                const float *bias, bool relu, float *y, void *scratch)
{
    struct point p = point_of(k, s);

    p.x = x;
    p.w = w;
    p.bias = bias;
    p.relu = relu;
    p.y = y;
    p.scratch = scratch;
    if (p.batch)
        pool_run(pool, divide_up(p.batch * p.groups * p.panels * p.blocks, p.per_chunk), run_chunk, &p);
}
