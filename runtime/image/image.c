#include "image/image.h"
#include <math.h>
#include <string.h>
#include <strings.h>

enum { MOST_SIDE = 1 << 20 };

static const struct image_kind *const kinds[] = { &image_png,      &image_jpeg, &image_webp, &image_tiff,
                                                  &image_jpeg2000, &image_bmp,  &image_pnm };
enum { KINDS = sizeof kinds / sizeof *kinds };

bool image_is_named(const char *name)
{
    static const char *const endings[] = { ".png", ".jpg", ".jpeg" };
    const size_t n = strlen(name);

    for (size_t k = 0; k < sizeof endings / sizeof *endings; k++)
        if (n > strlen(endings[k]) && strcasecmp(name + n - strlen(endings[k]), endings[k]) == 0)
            return true;
    return false;
}

static const struct image_kind *kind_of(const struct image_file *f, struct report *r)
{
    for (size_t k = 0; k < KINDS; k++) {
        if (!kinds[k]->is(f->bytes, f->size))
            continue;
        if (kinds[k]->look)
            return kinds[k];
        fail(r, KILN_UNSUPPORTED, f->name, "is %s, which this library was built without (-D%s=enabled)", kinds[k]->name,
             kinds[k]->feature);
        return NULL;
    }
    fail(r, KILN_BAD_DATA, f->name, "is no picture of a kind that is read: BMP, JPEG, JPEG 2000, PNG, PNM, TIFF, WebP");
    return NULL;
}

bool image_look(struct image_size *out, const struct image_file *f, struct report *r)
{
    const struct image_kind *kind = kind_of(f, r);

    if (!kind || !kind->look(out, f, r))
        return false;
    return (out->height > 0 && out->width > 0 && out->height <= MOST_SIDE && out->width <= MOST_SIDE) ||
           fail(r, KILN_BAD_DATA, f->name, "%lld x %lld pixels, must be 1 to %d each way", (long long)out->height,
                (long long)out->width, (int)MOST_SIDE);
}

/* For Keras as libpng does: parts of 2^15, cut; for ONNX as Pillow: parts of 2^16, rounded. */
static void to_grey(uint8_t *at, int64_t pixels, enum image_way way)
{
    enum { RED = 9797, GREEN = 19234, BLUE = (1 << 15) - RED - GREEN };
    enum { RED_16 = 19595, GREEN_16 = 38470, BLUE_16 = (1 << 16) - RED_16 - GREEN_16, HALF = 1 << 15 };

    for (int64_t k = 0; k < pixels; k++) {
        const int red = at[3 * k], green = at[3 * k + 1], blue = at[3 * k + 2];

        at[k] = (uint8_t)(way == IMAGE_KERAS ? (RED * red + GREEN * green + BLUE * blue) >> 15
                                             : (RED_16 * red + GREEN_16 * green + BLUE_16 * blue + HALF) >> 16);
    }
}

/* From the last one on: in place. */
static void to_colour(uint8_t *at, int64_t pixels)
{
    for (int64_t k = pixels - 1; k >= 0; k--)
        at[3 * k] = at[3 * k + 1] = at[3 * k + 2] = at[k];
}

uint8_t *image_read(const struct image_file *f, const struct image_size *size, int channels, struct report *r)
{
    const struct image_kind *kind = kind_of(f, r);
    const int64_t pixels = size->height * size->width;
    bool grey = channels == 1 && f->way == IMAGE_KERAS;
    uint8_t *to = kind ? budget_alloc(f->budget, to_size(pixels * (size->grey && channels == 1 ? 1 : 3)), r) : NULL;

    if (!to)
        return NULL;
    if (!kind->read(f, size, &grey, to, r)) {
        budget_free(f->budget, to);
        return NULL;
    }
    if (grey && channels == 3)
        to_colour(to, pixels);
    if (!grey && channels == 1)
        to_grey(to, pixels, f->way);
    return to;
}

/* -- sizes -- */

/* Which two pixels of a line one of another length lies between, and how near to the second. */
static void between(int64_t k, int64_t from, int64_t to, int64_t *low, int64_t *high, float *part)
{
    const float at = ((float)k + .5f) * ((float)from / (float)to) - .5f, below = floorf(at);

    *low = below < 0 ? 0 : (int64_t)below;
    *high = (int64_t)ceilf(at);
    *high = *high < from - 1 ? *high : from - 1;
    *part = at - below;
}

void image_resize(const uint8_t *from, const struct image_size *size, int channels, float *to, int64_t height,
                  int64_t width)
{
    for (int64_t y = 0; y < height; y++) {
        int64_t top, bottom;
        float down;

        between(y, size->height, height, &top, &bottom, &down);
        for (int64_t x = 0; x < width; x++) {
            int64_t left, right;
            float across;

            between(x, size->width, width, &left, &right, &across);
            for (int c = 0; c < channels; c++) {
                const float tl = from[(top * size->width + left) * channels + c];
                const float tr = from[(top * size->width + right) * channels + c];
                const float bl = from[(bottom * size->width + left) * channels + c];
                const float br = from[(bottom * size->width + right) * channels + c];
                const float upper = tl + (tr - tl) * across, lower = bl + (br - bl) * across;

                *to++ = upper + (lower - upper) * down;
            }
        }
    }
}
