#include "data/augment.h"
#include "base/random.h"
#include <math.h>
#include <string.h>

/* -- options -- */

#define MOST 1e9 /* what no image has; the arithmetic of places stays exact to a part of a pixel */

static const char *const fill_modes[] = { "nearest", "constant", "reflect", "wrap", NULL };
static const char *const data_formats[] = { "by_shape", "channels_last", "channels_first", NULL };

const struct spec_row augmentation_row = {
    "images", "random changes, by the names of Keras' ImageDataGenerator",
    (const struct spec_option[]){
        { SPEC_FIELD(struct augmentation, rotation_range), "degrees, to both sides", .high = 360 },
        { SPEC_FIELD(struct augmentation, width_shift_range), "below 1 a part of it, else pixels", .high = 65536 },
        { SPEC_FIELD(struct augmentation, height_shift_range), "likewise", .high = 65536 },
        { SPEC_FIELD(struct augmentation, shear_range), "degrees, to both sides", .high = 360 },
        { SPEC_FIELD(struct augmentation, zoom_range), "above 1 is smaller", SPEC_RANGE, 0, 1000, 1 },
        { SPEC_FIELD(struct augmentation, horizontal_flip), "left is right half of the time", SPEC_FLAG },
        { SPEC_FIELD(struct augmentation, vertical_flip), "top is bottom half of the time", SPEC_FLAG },
        { SPEC_FIELD(struct augmentation, fill_mode), "beyond the edge", SPEC_WORD, .words = fill_modes },
        { SPEC_FIELD(struct augmentation, cval), "what a constant edge is", .low = -MOST, .high = MOST },
        { SPEC_FIELD(struct augmentation, channel_shift_range), "added, to both sides", .high = MOST },
        { SPEC_FIELD(struct augmentation, brightness_range), "of bytes", SPEC_RANGE, 0, 1000, 1 },
        { SPEC_FIELD(struct augmentation, data_format), "order", SPEC_WORD, .words = data_formats },
        { 0 } }
};

bool augmentation_read(struct augmentation *a, const char *keys, struct report *r)
{
    static const struct spec_subject about = { "augmentation of", NULL, KILN_BAD_ARGUMENT };

    return spec_read_keys(a, &augmentation_row, keys, &about, r);
}

static bool brightens(const struct augmentation *a)
{
    return a->brightness_range.low != 1 || a->brightness_range.high != 1;
}

/* -- the image -- */

static bool is_channels(int64_t n)
{
    return n >= 1 && n <= 4;
}

static bool find_channels(struct image *i, const struct augmentation *a, const struct tensor *sample, struct report *r)
{
    const int64_t *d = sample->dims;
    enum data_format format = (enum data_format)a->data_format;
    char type[TYPE_TEXT];

    if (format == FORMAT_BY_SHAPE && is_channels(d[0]) != is_channels(d[2]))
        format = is_channels(d[0]) ? CHANNELS_FIRST : CHANNELS_LAST;
    if (format == FORMAT_BY_SHAPE)
        return fail(r, KILN_BAD_DATA, NULL,
                    "a sample is %s, of which the first dimension may be the channels or the last: augmentation needs "
                    "data_format=channels_first or data_format=channels_last",
                    tensor_text(sample, type));
    *i =
        format == CHANNELS_FIRST ? (struct image){ d[1], d[2], d[0], true } : (struct image){ d[0], d[1], d[2], false };
    return true;
}

bool augmentation_image(struct image *out, const struct augmentation *a, const struct tensor *sample, struct report *r)
{
    char type[TYPE_TEXT];

    tensor_text(sample, type);
    if ((sample->dtype != U8 && (!dtype_is_float(sample->dtype) || dtype_size(sample->dtype) < 2)) ||
        sample->rank < 2 || sample->rank > 3)
        return fail(r, KILN_BAD_DATA, NULL,
                    "a sample is %s, augmentation needs images, [H,W,C], [C,H,W] or [H,W] of uint8 or floats", type);
    if (sample->rank == 2)
        *out = (struct image){ sample->dims[0], sample->dims[1], 1, false };
    else if (!find_channels(out, a, sample, r))
        return false;
    if (tensor_count(sample) < 1 || tensor_count(sample) > INT32_MAX)
        return fail(r, KILN_BAD_DATA, NULL, "a sample is %s, augmentation needs images of 1 to %d values", type,
                    (int)INT32_MAX);
    if (brightens(a) && out->channels != 1 && out->channels != 3 && out->channels != 4)
        return fail(r, KILN_BAD_DATA, NULL,
                    "a sample is %s, brightness_range needs 1, 3 or 4 channels (grey, RGB, RGBA)", type);
    return true;
}

/* -- what is drawn -- */

/* Each has a number of its own, so that one is the same whatever else is asked for. */
enum draw {
    DRAW_THETA,
    DRAW_TX,
    DRAW_TY,
    DRAW_SHEAR,
    DRAW_ZX,
    DRAW_ZY,
    DRAW_HORIZONTAL,
    DRAW_VERTICAL,
    DRAW_CHANNELS,
    DRAW_BRIGHTNESS,
    DRAW_TX_SIGN,
    DRAW_TY_SIGN,
    DRAWS = 16 /* of a sample, in its stream */
};

static double between(double low, double high, float u)
{
    return low + (high - low) * (double)u;
}

static double around_0(double range, float u)
{
    return range > 0 ? between(-range, range, u) : 0;
}

/* As Keras: a whole number n stands for one of 0 ... n-1 pixels, to one side or the other. */
static double draw_shift(double range, int64_t size, float u, float sign)
{
    if (range >= 1 && range == floor(range))
        return floor(range * (double)u) * (sign < 0.5f ? -1 : 1);
    return around_0(range, u) * (range < 1 ? (double)size : 1);
}

struct transform transform_draw(const struct augmentation *a, const struct image *i, uint64_t seed, uint64_t pass,
                                int64_t sample)
{
    float u[DRAWS];

    random_uniform(u, DRAWS, seed, random_stream(RANDOM_NODE_AUGMENT, pass), (uint64_t)sample * DRAWS);
    return (struct transform){
        .theta = around_0(a->rotation_range, u[DRAW_THETA]),
        .tx = draw_shift(a->height_shift_range, i->height, u[DRAW_TX], u[DRAW_TX_SIGN]),
        .ty = draw_shift(a->width_shift_range, i->width, u[DRAW_TY], u[DRAW_TY_SIGN]),
        .shear = around_0(a->shear_range, u[DRAW_SHEAR]),
        .zx = between(a->zoom_range.low, a->zoom_range.high, u[DRAW_ZX]),
        .zy = between(a->zoom_range.low, a->zoom_range.high, u[DRAW_ZY]),
        .flip_horizontal = a->horizontal_flip && u[DRAW_HORIZONTAL] < 0.5f,
        .flip_vertical = a->vertical_flip && u[DRAW_VERTICAL]<0.5f, .channel_shift = a->channel_shift_range> 0
                             ? around_0(a->channel_shift_range, u[DRAW_CHANNELS])
                             : (double)NAN,
        .brightness =
            brightens(a) ? between(a->brightness_range.low, a->brightness_range.high, u[DRAW_BRIGHTNESS]) : (double)NAN,
    };
}

/* -- where a pixel comes from -- */

/* An affine map: x' = at[0] x + at[1] y + at[2], y' likewise with at[3] ... at[5]. */
struct affine {
    double at[6];
};

/* `b` first, then `a`. */
static struct affine after(const struct affine *a, const struct affine *b)
{
    struct affine m;

    for (int row = 0; row < 6; row += 3) {
        for (int k = 0; k < 3; k++)
            m.at[row + k] = a->at[row] * b->at[k] + a->at[row + 1] * b->at[3 + k];
        m.at[row + 2] += a->at[row + 2];
    }
    return m;
}

/* In Keras' coordinates, where x belongs to the height until all is put together; then to the width. */
static struct affine map_of(const struct transform *t, const struct image *i)
{
    const double theta = t->theta * (M_PI / 180), shear = t->shear * (M_PI / 180);
    const double x = (double)i->height / 2 - .5, y = (double)i->width / 2 - .5;
    const struct affine centre = { { 1, 0, x, 0, 1, y } }, origin = { { 1, 0, -x, 0, 1, -y } };
    const struct affine steps[] = {
        { { 1, 0, t->tx, 0, 1, t->ty } },
        { { 1, -sin(shear), 0, 0, cos(shear), 0 } },
        { { t->zx, 0, 0, 0, t->zy, 0 } },
    };
    struct affine m = { { cos(theta), -sin(theta), 0, sin(theta), cos(theta), 0 } };

    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++)
        m = after(&m, &steps[k]);
    m = after(&centre, &m);
    return after(&m, &origin);
}

static bool moves(const struct transform *t)
{
    return t->theta != 0 || t->tx != 0 || t->ty != 0 || t->shear != 0 || t->zx != 1 || t->zy != 1;
}

/* A place along a dimension of n pixels becomes one from 0 to n - 1, for reflection half a pixel more to both sides. */
static double wrapped(double x, double n)
{
    return x >= 0 && x <= n - 1 ? x : n > 1 ? x - (n - 1) * floor(x / (n - 1)) : 0;
}

static double reflected(double x, double n)
{
    const double in_period = x - 2 * n * floor(x / (2 * n));

    return in_period >= n ? 2 * n - 1 - in_period : in_period;
}

/* -- sampling -- */

enum { BLOCK = 64 }; /* pixels of a row */

/* From one pixel, row or channel to the next. */
struct steps {
    int64_t pixel, row, channel;
};

static struct steps steps_of(const struct image *i)
{
    return i->channels_first ? (struct steps){ 1, i->width, i->width * i->height }
                             : (struct steps){ i->channels, i->width * i->channels, 1 };
}

/* Along one dimension: where the pixels at both sides of a place are, and how much of the second goes into it. */
struct taps {
    int32_t first[BLOCK], second[BLOCK];
    double part[BLOCK];
};

/* How a place along one dimension follows from row and column, map[0] row + map[1] column + map[2], and how many there
 * are. */
struct places {
    double map[3];
    int64_t size, step;
    enum fill_mode mode;
};

static void find_places(const struct places *p, double *place, int n, int64_t row, int64_t column)
{
    const double size = (double)p->size;

    for (int k = 0; k < n; k++)
        place[k] = (double)row * p->map[0] + (double)(column + k) * p->map[1] + p->map[2];
    if (p->mode == FILL_REFLECT)
        for (int k = 0; k < n; k++)
            place[k] = reflected(place[k], size);
    else if (p->mode == FILL_WRAP)
        for (int k = 0; k < n; k++)
            place[k] = wrapped(place[k], size);
}

/* Places beyond the edge are at the edge. Are they beyond, `outside` says. */
static void find_taps(const struct places *p, struct taps *t, bool *outside, int n, int64_t row, int64_t column)
{
    const double last = (double)(p->size - 1);
    const int32_t step = (int32_t)p->step;
    double place[BLOCK];

    find_places(p, place, n, row, column);
    for (int k = 0; k < n; k++) {
        const double at = place[k] > 0 ? place[k] < last ? place[k] : last : 0;
        const int32_t first = (int32_t)at, second = first + (at < last);

        outside[k] |= at != place[k];
        t->part[k] = at - first;
        t->first[k] = first * step;
        t->second[k] = second * step;
    }
}

/* Of one channel. */
static void read_taps(float *out, int64_t step, const float *in, const struct taps *y, const struct taps *x, int n)
{
    for (int k = 0; k < n; k++) {
        const float *upper = in + y->first[k], *lower = in + y->second[k];
        const int32_t a = x->first[k], b = x->second[k];
        const double right = x->part[k], down = y->part[k];
        const double above = (1 - right) * (double)upper[a] + right * (double)upper[b];
        const double below = (1 - right) * (double)lower[a] + right * (double)lower[b];

        out[k * step] = (float)((1 - down) * above + down * below);
    }
}

static void fill_outside(float *out, int64_t step, const bool *outside, int n, float value)
{
    for (int k = 0; k < n; k++)
        if (outside[k])
            out[k * step] = value;
}

/* `to` is how the pixels follow each other in the result, which begins at `out`. */
static void move(const struct affine *m, const struct augmentation *a, const struct image *i, const float *in,
                 float *out, const struct steps *to)
{
    const struct steps from = steps_of(i);
    const enum fill_mode mode = (enum fill_mode)a->fill_mode;
    const struct places down = { { m->at[4], m->at[3], m->at[5] }, i->height, from.row, mode };
    const struct places right = { { m->at[1], m->at[0], m->at[2] }, i->width, from.pixel, mode };

    for (int64_t row = 0; row < i->height; row++)
        for (int64_t column = 0; column < i->width; column += BLOCK) {
            const int n = i->width - column < BLOCK ? (int)(i->width - column) : BLOCK;
            float *const at = out + row * to->row + column * to->pixel;
            bool outside[BLOCK] = { false };
            struct taps y, x;

            find_taps(&down, &y, outside, n, row, column);
            find_taps(&right, &x, outside, n, row, column);
            for (int64_t c = 0; c < i->channels; c++) {
                read_taps(at + c * to->channel, to->pixel, in + c * from.channel, &y, &x, n);
                if (mode == FILL_CONSTANT)
                    fill_outside(at + c * to->channel, to->pixel, outside, n, (float)a->cval);
            }
        }
}

static void copy(const struct image *i, const float *in, float *out, const struct steps *to)
{
    const struct steps from = steps_of(i);

    for (int64_t c = 0; c < i->channels; c++)
        for (int64_t row = 0; row < i->height; row++)
            for (int64_t k = 0; k < i->width; k++)
                out[c * to->channel + row * to->row + k * to->pixel] =
                    in[c * from.channel + row * from.row + k * from.pixel];
}

/* -- values -- */

static void find_ends(const float *x, int64_t n, float *least, float *most)
{
    *least = *most = x[0];
    for (int64_t k = 1; k < n; k++) {
        *least = x[k] < *least ? x[k] : *least;
        *most = x[k] > *most ? x[k] : *most;
    }
}

static void shift_channels(float *x, int64_t n, float by)
{
    float least, most;

    find_ends(x, n, &least, &most);
    for (int64_t k = 0; k < n; k++) {
        const float v = x[k] + by;

        x[k] = v < least ? least : v > most ? most : v;
    }
}

/* Without its fraction. */
static int as_byte(float x)
{
    return x > 0 ? x < 255 ? (int)x : 255 : 0;
}

/* By way of bytes, as an image library has them: what does not lie within theirs is scaled to all of them first, and
 * back. The fourth channel is opacity, and stays. */
static void brighten(float *x, int64_t n, const struct image *i, float factor)
{
    const int64_t plane = i->channels_first ? i->width * i->height : 1;
    float least, most, range;
    bool scaled;

    find_ends(x, n, &least, &most);
    range = most - least;
    scaled = least < 0 || most > 255;
    for (int64_t k = 0; k < n; k++) {
        const bool opacity = i->channels == 4 && k / plane % 4 == 3;
        const int byte = as_byte(!scaled ? x[k] : range > 0 ? (x[k] - least) / range * 255 : 0);
        const float v = (float)(opacity ? byte : as_byte(factor * (float)byte));

        x[k] = scaled ? v / 255 * range + least : v;
    }
}

void transform_apply(const struct transform *t, const struct augmentation *a, const struct image *i, const float *in,
                     float *out)
{
    const int64_t n = i->height * i->width * i->channels;
    struct steps to = steps_of(i);
    float *first = out;

    if (t->flip_vertical) {
        first += (i->height - 1) * to.row;
        to.row = -to.row;
    }
    if (t->flip_horizontal) {
        first += (i->width - 1) * to.pixel;
        to.pixel = -to.pixel;
    }
    if (moves(t)) {
        const struct affine m = map_of(t, i);

        move(&m, a, i, in, first, &to);
    } else {
        copy(i, in, first, &to);
    }
    if (!isnan(t->channel_shift))
        shift_channels(out, n, (float)t->channel_shift);
    if (!isnan(t->brightness))
        brighten(out, n, i, (float)t->brightness);
}
