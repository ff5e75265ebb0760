/* A band of the rows of a plane at a time: channels that it reads are widened with their padding, one plane for each residue
 * of pixels modulo the strides. Pixel i of the band then meets, for each tap, pixel i + at[tap] of these planes, if rows of
 * the band are as long as theirs: sums are taken over all of that, and those between the rows are left out in the end. */
#include "kernels/index.h"
#include "kernels/integer_conv.h"
#include "kernels/parts.h"
#include <string.h>

enum { MOST_TAPS = 256, MOST_PHASES = 16, BAND_BYTES = CORE_CACHE / 4, RUNS = 64 };

struct planes {
    int64_t rows, bands; /* of the result's first dimension */
    int64_t size[MAX_RANK], pitch[MAX_RANK];
    int64_t plane, phases; /* numbers of a plane, and how many there are */
    int64_t flat;          /* sums of a channel */
    size_t bytes;          /* of a thread */
};

/* For bands of so many rows; false where it is too big. */
static bool planes_of(const struct conv_shape *s, int64_t rows, struct planes *p)
{
    double plane = 1;

    *p = (struct planes){ .rows = rows, .bands = divide_up(s->out[0], rows), .phases = 1, .plane = 1, .flat = 1 };
    for (int d = 0; d < s->rank; d++) {
        const double taps = (double)(s->kernel[d] - 1) * (double)s->dilations[d] / (double)s->strides[d];

        plane *= (double)(d ? s->out[d] : rows) + taps;
        if (plane * sizeof(int16_t) > BAND_BYTES || s->strides[d] > MOST_PHASES)
            return false;
        p->phases *= s->strides[d];
        if (p->phases > MOST_PHASES)
            return false;
    }
    for (int d = s->rank - 1; d >= 0; d--) {
        p->size[d] = (d ? s->out[d] : rows) + (s->kernel[d] - 1) * s->dilations[d] / s->strides[d];
        p->pitch[d] = p->plane;
        p->plane *= p->size[d];
        p->flat += ((d ? s->out[d] : rows) - 1) * p->pitch[d];
    }
    p->flat = round_up(p->flat, INTEGER_COLUMNS); /* and as much more is read behind the planes */
    p->bytes = aligned((size_t)(p->phases * p->plane + INTEGER_COLUMNS) * sizeof(int16_t)) +
               (size_t)(s->out_channels / s->groups * p->flat) * sizeof(int32_t);
    return p->bytes <= BAND_BYTES;
}

static bool cut(const struct conv_shape *s, struct planes *p)
{
    int64_t rows = s->out[0];

    if (!dims_product(s->out, 0, s->rank) || dims_product(s->kernel, 0, s->rank) > MOST_TAPS)
        return false;
    for (; rows > 0; rows /= 2)
        if (planes_of(s, rows, p))
            return true;
    return false;
}

size_t integer_planes_scratch(const struct conv_shape *s, int threads)
{
    struct planes p;

    return cut(s, &p) ? (size_t)threads * aligned(p.bytes) : 0;
}

struct planes_job {
    const struct kernels *k;
    const struct pool *pool;
    const struct integer_conv *c;
    struct planes p;
    int64_t at[MOST_TAPS], taps;
    int64_t units, unit_chunk; /* bands of groups of images */
    char *scratch;
};

static void find_taps(struct planes_job *j)
{
    const struct conv_shape *const s = &j->c->shape;
    int64_t tap[MAX_RANK] = { 0 };

    do {
        int64_t phase = 0, offset = 0;

        for (int d = 0; d < s->rank; d++) {
            phase = phase * s->strides[d] + tap[d] * s->dilations[d] % s->strides[d];
            offset += tap[d] * s->dilations[d] / s->strides[d] * j->p.pitch[d];
        }
        j->at[j->taps++] = phase * j->p.plane + offset;
    } while (next_index(s->rank, s->kernel, tap));
}

/* The pixels of a plane of x, from row `first` of the result on, that are those of a phase. */
static void widen_phase(const struct planes_job *j, const uint8_t *x, int64_t first, const int64_t *phase, int16_t *to)
{
    const struct conv_shape *const s = &j->c->shape;
    const int last = s->rank - 1;
    struct byte_run list[RUNS];
    struct byte_runs runs = { .x = x,
                              .runs = list,
                              .step = s->strides[last],
                              .flip = integer_flip(&j->c->x),
                              .zero = integer_zero(&j->c->x, 0) };
    int64_t base[MAX_RANK], at[MAX_RANK] = { 0 }, from, end, row = 0;

    for (int d = 0; d < s->rank; d++)
        base[d] = phase[d] - s->pads_begin[d] + (d ? 0 : first * s->strides[0]);
    from = greater(divide_up(-base[last], s->strides[last]), 0);
    end = lesser(divide_up(s->in[last] - base[last], s->strides[last]), j->p.size[last]);
    memset(to, 0, (size_t)j->p.plane * sizeof *to);
    do {
        int64_t pixel = 0;
        bool inside = from < end;

        for (int d = 0; d < last; d++) {
            const int64_t i = base[d] + at[d] * s->strides[d];

            inside = inside && i >= 0 && i < s->in[d];
            pixel = pixel * s->in[d] + i;
        }
        if (inside)
            list[runs.count++] =
                (struct byte_run){ pixel * s->in[last] + base[last] + from * s->strides[last], row + from, end - from };
        if (runs.count == RUNS) {
            j->k->integer->widen(&runs, to);
            runs.count = 0;
        }
        row += j->p.size[last];
    } while (next_index(last, j->p.size, at));
    j->k->integer->widen(&runs, to);
}

/* Sums of a band of the channels of a group. */
static void sum_band(const struct planes_job *j, int64_t image, int64_t group, int64_t first, int16_t *planes,
                     int32_t *sums)
{
    const struct conv_shape *const s = &j->c->shape;
    const int64_t channels = s->in_channels / s->groups, results = s->out_channels / s->groups;
    const int64_t plane = dims_product(s->in, 0, s->rank);
    const uint8_t flip = integer_flip(&j->c->w);
    int32_t w[MOST_TAPS];

    memset(sums, 0, (size_t)(results * j->p.flat) * sizeof *sums);
    for (int64_t c = 0; c < channels && !pool_late(j->pool); c++) {
        const uint8_t *const x = j->c->x.data + (image * s->in_channels + group * channels + c) * plane;
        int64_t phase[MAX_RANK] = { 0 };
        int16_t *to = planes;

        do {
            widen_phase(j, x, first, phase, to);
            to += j->p.plane;
        } while (next_index(s->rank, s->strides, phase));
        for (int64_t r = 0; r < results; r++) {
            const int64_t o = group * results + r;
            const uint8_t *const from = j->c->w.data + (o * channels + c) * j->taps;

            for (int64_t t = 0; t < j->taps; t++)
                w[t] = (from[t] ^ flip) - integer_zero(&j->c->w, o);
            j->k->integer->taps(
                &(struct integer_taps){ planes, j->at, w, j->taps, j->p.flat, sums + r * j->p.flat, true });
        }
    }
}

/* Rows of the band, without what lies between them. */
static void close_rows(const struct planes_job *j, int64_t rows, int32_t *sums)
{
    const struct conv_shape *const s = &j->c->shape;
    const int last = s->rank - 1;
    const int64_t width = last ? s->out[last] : rows;
    int64_t size[MAX_RANK], at[MAX_RANK] = { 0 };
    int32_t *to = sums;

    memcpy(size, s->out, sizeof size);
    size[0] = rows;
    do {
        int64_t from = 0;

        for (int d = 0; d < last; d++)
            from += at[d] * j->p.pitch[d];
        memmove(to, sums + from, (size_t)width * sizeof *to);
        to += width;
    } while (next_index(last, size, at));
}

static void finish_band(const struct planes_job *j, int64_t unit, int thread)
{
    const struct conv_shape *const s = &j->c->shape;
    const int64_t results = s->out_channels / s->groups, row = dims_product(s->out, 1, s->rank);
    const int64_t group = unit / j->p.bands % s->groups, image = unit / j->p.bands / s->groups;
    const int64_t first = unit % j->p.bands * j->p.rows, rows = lesser(s->out[0] - first, j->p.rows);
    char *const scratch = j->scratch + (size_t)thread * aligned(j->p.bytes);
    int16_t *const planes = (int16_t *)(void *)scratch;
    const size_t planes_bytes = aligned((size_t)(j->p.phases * j->p.plane + INTEGER_COLUMNS) * sizeof *planes);
    int32_t *const sums = (int32_t *)(void *)(scratch + planes_bytes);

    sum_band(j, image, group, first, planes, sums);
    for (int64_t r = 0; r < results; r++) {
        const struct integer_part part = { .product = group,
                                           .row = r,
                                           .column = (image * s->out[0] + first) * row,
                                           .columns = rows * row,
                                           .a_row = group * results + r };

        close_rows(j, rows, sums + r * j->p.flat);
        integer_finish(j->k, &j->c->result, &part, sums + r * j->p.flat);
    }
}

static void band_chunk(void *context, int64_t chunk, int thread)
{
    const struct planes_job *j = context;

    for (int64_t u = chunk * j->unit_chunk; u < lesser((chunk + 1) * j->unit_chunk, j->units); u++)
        finish_band(j, u, thread);
}

void integer_conv_planes(const struct kernels *k, struct pool *pool, const struct integer_conv *c, void *scratch)
{
    const struct conv_shape *const s = &c->shape;
    struct planes_job j = { .k = k, .pool = pool, .c = c, .scratch = scratch };
    int64_t work;

    if (!cut(s, &j.p))
        return;
    find_taps(&j);
    work = j.p.phases * j.p.plane + j.taps * j.p.flat * (s->out_channels / s->groups);
    work *= greater(s->in_channels / s->groups, 1);
    j.units = s->batch * s->groups * j.p.bands;
    j.unit_chunk = greater(JOB_PRODUCTS / 8 / work, 1); /* most is not to multiply */
    pool_run(pool, divide_up(j.units, j.unit_chunk), band_chunk, &j);
}
