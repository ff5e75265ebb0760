#include "kernels/channels_last/integer.h"
#include "kernels/parts.h"
#include <string.h>

/* -- plan -- */

/* Of images with their padding. */
static int64_t reach(const struct conv_shape *s, int d)
{
    return (s->out[d] - 1) * s->strides[d] + (s->kernel[d] - 1) * s->dilations[d] + 1;
}

struct integer_plan integer_plan(const struct kernels *k, const struct conv_shape *s, bool x_has_sign)
{
    struct integer_plan p = { .depthwise = s->groups > 1, .taps = s->kernel[0] * s->kernel[1], .copied = x_has_sign };
    const bool side_by_side = s->dilations[1] == 1;

    p.panels = divide_up(s->out_channels, k->lanes);
    p.wide = p.panels * k->lanes;
    p.pairs = integer_pairs(p.taps);
    p.run = s->in_channels * (side_by_side ? s->kernel[1] : 1);
    p.runs = p.taps / (side_by_side ? s->kernel[1] : 1);
    p.quads = divide_up(p.run, 4);
    p.copied |= p.depthwise ? s->in_channels != p.wide : p.run % 4 != 0;
    for (int d = 0; d < 2; d++)
        p.copied |= s->pads_begin[d] || reach(s, d) > s->in[d];
    for (int d = 0; d < 2; d++)
        p.in[d] = p.copied ? reach(s, d) : s->in[d];
    return p;
}

size_t integer_plan_sums(const struct integer_plan *p)
{
    return aligned((size_t)p->wide * sizeof(int32_t));
}

/* Padding that is many times what it is put around is not copied with it. */
static bool is_copied_in_time(const struct conv_shape *s)
{
    enum { TIMES = 16, FEW = 1 << 16 };
    double pixels = 1, with_padding = 1;

    for (int d = 0; d < 2; d++) {
        pixels *= (double)s->in[d] + (double)s->out[d];
        with_padding *= (double)s->out[d] * (double)s->strides[d] + (double)s->kernel[d] * (double)s->dilations[d];
    }
    return with_padding <= TIMES * pixels + FEW;
}

bool integer_last_fits(const struct conv_shape *s, const struct integer_operand *w)
{
    const bool depthwise = s->groups > 1 && s->groups == s->in_channels && s->groups == s->out_channels;

    if (s->rank != 2 || !is_copied_in_time(s) || !s->batch || !s->in_channels || !s->out_channels || !s->out[0] ||
        !s->out[1] || !s->kernel[0] || !s->kernel[1] || !s->in[0] || !s->in[1])
        return false;
    if (depthwise)
        return true;
    for (int64_t k = 0; k < (w->zero ? w->zeros : 1); k++)
        if (integer_zero(w, k) != 0x80)
            return false;
    return s->groups == 1;
}

struct conv_shape integer_last_product(int64_t rows, int64_t depth, int64_t columns)
{
    return (struct conv_shape){ .batch = 1,
                                .groups = 1,
                                .in_channels = depth,
                                .out_channels = columns,
                                .rank = 2,
                                .in = { 1, rows },
                                .out = { 1, rows },
                                .kernel = { 1, 1 },
                                .strides = { 1, 1 },
                                .dilations = { 1, 1 } };
}

/* -- pack -- */

struct packing {
    const struct conv_shape *shape;
    const struct integer_weights *w;
    struct integer_plan plan;
    int lanes;
    int32_t *sums;
    int8_t *quads;
    int16_t *pairs;
};

/* w[o, c, t] less its zero point. */
static int32_t weight(const struct packing *p, int64_t o, int64_t c, int64_t t)
{
    const struct integer_operand *const w = &p->w->w;
    const uint8_t byte = w->data[o * p->w->out_step + c * p->w->in_step + t * p->w->tap_step];

    return (byte ^ integer_flip(w)) - integer_zero(w, o);
}

/* Number k of a run belongs to one of its taps, and there to a channel. */
static void pack_panel(const struct packing *p, int64_t panel)
{
    const struct integer_plan *const plan = &p->plan;
    const int64_t channels = p->shape->in_channels, taps = plan->taps / plan->runs;
    int8_t *to = p->quads + panel * plan->runs * plan->quads * 4 * p->lanes;

    for (int64_t run = 0; run < plan->runs; run++)
        for (int64_t q = 0; q < plan->quads; q++)
            for (int64_t o = panel * p->lanes; o < (panel + 1) * p->lanes; o++)
                for (int64_t k = 4 * q; k < 4 * q + 4; k++, to++) {
                    const bool is = k < plan->run && o < p->shape->out_channels;

                    *to = (int8_t)(is ? weight(p, o, k % channels, run * taps + k / channels) : 0);
                    p->sums[o] += *to;
                }
}

static void pack_depthwise(const struct packing *p, int64_t panel)
{
    for (int64_t o = panel * p->lanes; o < (panel + 1) * p->lanes; o++)
        for (int64_t t = 0; t < 2 * p->plan.pairs; t++) {
            const bool is = t < p->plan.taps && o < p->shape->out_channels;
            int16_t *const to = p->pairs + (t / 2 * p->plan.wide + o) * 2 + t % 2;

            *to = (int16_t)(is ? weight(p, o, 0, t) : 0);
            p->sums[o] += *to;
        }
}

static void pack_chunk(void *context, int64_t panel, int thread)
{
    const struct packing *p = context;

    (void)thread;
    memset(p->sums + panel * p->lanes, 0, (size_t)p->lanes * sizeof *p->sums);
    if (p->plan.depthwise)
        pack_depthwise(p, panel);
    else
        pack_panel(p, panel);
}

size_t integer_last_packed(const struct kernels *k, const struct conv_shape *s)
{
    const struct integer_plan p = integer_plan(k, s, false);

    return integer_plan_sums(&p) + (size_t)p.wide * (size_t)(p.depthwise ? p.pairs * 4 : p.runs * p.quads * 4);
}

void integer_last_pack(const struct kernels *k, struct pool *pool, const struct conv_shape *s,
                       const struct integer_weights *w, void *packed)
{
    struct packing p = { .shape = s, .w = w, .plan = integer_plan(k, s, false), .lanes = k->lanes, .sums = packed };
    char *const weights = (char *)packed + integer_plan_sums(&p.plan);

    p.quads = (int8_t *)weights;
    p.pairs = (int16_t *)(void *)weights;
    pool_run(pool, p.plan.panels, pack_chunk, &p);
}
