#include "kernels/conv_axis.h"
#include "kernels/index.h"
#include "kernels/integer_conv.h"

enum { PIECE = 1024 }; /* pixels of a row whose sums are kept together */

struct direct {
    const struct kernels *k;
    const struct pool *pool;
    const struct integer_conv *c;
    int64_t taps, plane; /* of x */
    int64_t rows;        /* of a plane of y */
    int64_t pieces;      /* of a row */
    int64_t units, unit_chunk;
};

/* A piece of a row: of which image and channel, and where in y. */
struct piece {
    int64_t image, channel, row, from, count;
    int64_t at[MAX_RANK]; /* of the row */
};

/* Adds what the channels of a group bring to one tap. */
static void add_tap(const struct direct *d, const struct piece *p, const int64_t *tap, int64_t number, int32_t *sums)
{
    const struct conv_shape *const s = &d->c->shape;
    const int last = s->rank - 1;
    const int64_t channels = s->in_channels / s->groups, group = p->channel / (s->out_channels / s->groups);
    const struct axis axis = axis_forward(s, last);
    const struct span meets = axis_meeting(&axis, tap[last]);
    const int64_t from = greater(p->from, meets.from), n = lesser(p->from + p->count, meets.to) - from;
    const uint8_t flip = integer_flip(&d->c->w), *w = d->c->w.data + p->channel * channels * d->taps + number;
    const uint8_t *x = d->c->x.data;
    int64_t pixel = 0;

    for (int k = 0; k < last; k++) {
        const int64_t at = p->at[k] * s->strides[k] + tap[k] * s->dilations[k] - s->pads_begin[k];

        if (at < 0 || at >= s->in[k])
            return;
        pixel = pixel * s->in[k] + at;
    }
    if (n <= 0)
        return;
    pixel = pixel * s->in[last] + from * axis.stride + axis.base + tap[last] * axis.spread;
    x += (p->image * s->in_channels + group * channels) * d->plane + pixel;
    for (int64_t c = 0; c < channels; c++, x += d->plane, w += d->taps)
        d->k->integer->axpy((*w ^ flip) - integer_zero(&d->c->w, p->channel), x, axis.stride, integer_flip(&d->c->x),
                            integer_zero(&d->c->x, 0), sums + (from - p->from), n);
}

static void direct_piece(const struct direct *d, int64_t unit)
{
    const struct conv_shape *const s = &d->c->shape;
    const int last = s->rank - 1;
    const int64_t width = s->out[last], group_channels = s->out_channels / s->groups;
    int64_t tap[MAX_RANK] = { 0 }, number = 0;
    int32_t sums[PIECE] = { 0 };
    struct integer_part part;
    struct piece p;

    p.from = unit % d->pieces * PIECE;
    p.count = lesser(width - p.from, PIECE);
    p.row = unit / d->pieces % d->rows;
    p.channel = unit / d->pieces / d->rows % s->out_channels;
    p.image = unit / d->pieces / d->rows / s->out_channels;
    index_at(last, s->out, p.row, p.at);
    do
        add_tap(d, &p, tap, number++, sums);
    while (next_index(s->rank, s->kernel, tap) && !pool_late(d->pool));
    part = (struct integer_part){ .product = p.channel / group_channels,
                                  .row = p.channel % group_channels,
                                  .column = (p.image * d->rows + p.row) * width + p.from,
                                  .columns = p.count,
                                  .a_row = p.channel };
    integer_finish(d->k, &d->c->result, &part, sums);
}

static void direct_chunk(void *context, int64_t chunk, int thread)
{
    const struct direct *d = context;

    (void)thread;
    for (int64_t u = chunk * d->unit_chunk; u < lesser((chunk + 1) * d->unit_chunk, d->units); u++)
        direct_piece(d, u);
}

void integer_conv_direct(const struct kernels *k, struct pool *pool, const struct integer_conv *c)
{
    const struct conv_shape *const s = &c->shape;
    struct direct d = { .k = k, .pool = pool, .c = c };
    int64_t work;

    d.taps = dims_product(s->kernel, 0, s->rank);
    d.plane = dims_product(s->in, 0, s->rank);
    d.rows = dims_product(s->out, 0, s->rank - 1);
    d.pieces = divide_up(s->out[s->rank - 1], PIECE);
    d.units = s->batch * s->out_channels * d.rows * d.pieces;
    work = d.taps * greater(s->in_channels / s->groups, 1) * lesser(s->out[s->rank - 1], PIECE);
    d.unit_chunk =
        greater(JOB_PRODUCTS / 8 / greater(work, 1), 1); /* a product takes several times what it does in a tile */
    pool_run(pool, divide_up(d.units, d.unit_chunk), direct_chunk, &d);
}
