#include "data/formats/pictures.h"
#include <stdlib.h>
#include <string.h>

/* -- what the model wants -- */

static bool is_channels(int64_t dim)
{
    return dim == 1 || dim == 3;
}

static bool want_image(struct pictures *g, const struct tensor *t, struct report *r)
{
    const int64_t *d = t->dims;
    int64_t channels;

    g->channels_first = is_channels(d[1]) || (!is_channels(d[3]) && d[1] == UNKNOWN);
    channels = d[g->channels_first ? 1 : 3];
    if (channels != UNKNOWN && !is_channels(channels)) {
        char text[TYPE_TEXT];

        return fail(r, KILN_BAD_DATA, g->where, "the model's input is %s, pictures have 1 or 3 channels",
                    tensor_text(t, text));
    }
    g->channels = channels == UNKNOWN ? 0 : (int)channels;
    g->height = d[g->channels_first ? 2 : 1] > 0 ? d[g->channels_first ? 2 : 1] : 0;
    g->width = d[g->channels_first ? 3 : 2] > 0 ? d[g->channels_first ? 3 : 2] : 0;
    return true;
}

bool pictures_start(struct pictures *g, const struct tensor *t, struct report *r)
{
    if (!t)
        return true;
    if (t->rank == 4)
        return want_image(g, t, r);
    if (t->rank == 3) {
        g->no_channel = true;
        g->channels = 1;
        g->height = t->dims[1] > 0 ? t->dims[1] : 0;
        g->width = t->dims[2] > 0 ? t->dims[2] : 0;
    }
    g->flat = t->rank == 2 && t->dims[1] > 0 ? t->dims[1] : 0;
    return true;
}

/* What nothing says is as the first picture has it. */
static void take_from_first(struct pictures *g, const struct image_size *first)
{
    if (!g->height)
        g->height = first->height;
    if (!g->width)
        g->width = first->width;
    if (!g->channels && g->flat)
        g->channels = g->flat == g->height * g->width ? 1 : 3;
    if (!g->channels)
        g->channels = first->grey ? 1 : 3;
}

static bool choose_type(struct pictures *g, enum dtype dtype, struct report *r)
{
    const int64_t n = g->count, h = g->height, w = g->width, c = g->channels;
    const int64_t last[] = { n, h, w, c }, first[] = { n, c, h, w };

    return tensor_shape(&g->type, dtype, g->no_channel ? 3 : 4, g->channels_first ? first : last) ||
           fail(r, KILN_LIMIT, g->where, "%lld pictures of %lld x %lld are too many", (long long)n, (long long)h,
                (long long)w);
}

/* -- looking -- */

static bool has_size(const struct pictures *g, const struct image_size *size)
{
    return size->height == g->height && size->width == g->width;
}

/* Would it be resized though nobody has said to what? */
static bool check_size(const struct pictures *g, const struct image_file *f, const struct image_size *size,
                       struct report *r)
{
    if (g->fixed || has_size(g, size))
        return true;
    return fail(r, KILN_BAD_DATA, f->name,
                "%lld x %lld pixels, the first picture has %lld x %lld and the model takes any: ',size=HEIGHTxWIDTH' "
                "behind the path says which",
                (long long)size->height, (long long)size->width, (long long)g->height, (long long)g->width);
}

bool pictures_look(struct pictures *g, const struct image_file *f, struct report *r)
{
    struct image_size size;

    if (!image_look(&size, f, r))
        return false;
    if (!g->begun) {
        g->begun = true;
        g->fixed = g->height && g->width;
        take_from_first(g, &size);
        if (!choose_type(g, U8, r) || !type_fits(g->check, &g->type, g->where, r))
            return false;
    }
    if (!check_size(g, f, &size, r))
        return false;
    if (has_size(g, &size) || g->resized)
        return true;
    g->resized = true;
    return choose_type(g, F32, r);
}

/* -- reading -- */

/* One picture, [h, w, channels], to its place: bytes, or floats. */
static void place(const struct pictures *g, const void *from, void *to)
{
    const int64_t pixels = g->height * g->width, c = g->channels;

    for (int64_t k = 0; k < pixels * c; k++) {
        const int64_t at = g->channels_first ? k % c * pixels + k / c : k;

        if (g->type.dtype == U8)
            ((uint8_t *)to)[at] = ((const uint8_t *)from)[k];
        else
            ((float *)to)[at] = ((const float *)from)[k];
    }
}

/* In the size that is wanted, as the column has it: bytes, or floats. */
static bool put(const struct pictures *g, const uint8_t *pixels, const struct image_size *size, void *to,
                struct budget *b, struct report *r)
{
    float *scaled;

    if (g->type.dtype == U8) {
        place(g, pixels, to);
        return true;
    }
    scaled = budget_zalloc(b, (size_t)(g->height * g->width * g->channels), sizeof *scaled, r);
    if (!scaled)
        return false;
    image_resize(pixels, size, g->channels, scaled, g->height, g->width);
    place(g, scaled, to);
    budget_free(b, scaled);
    return true;
}

bool pictures_read(const struct pictures *g, const struct image_file *f, void *to, struct report *r)
{
    struct image_size size;
    uint8_t *pixels;
    bool ok;

    if (!image_look(&size, f, r) || !check_size(g, f, &size, r))
        return false;
    if (g->type.dtype == U8 && !has_size(g, &size))
        return fail(r, KILN_BAD_DATA, f->name, "the file has changed since it was looked at");
    pixels = image_read(f, &size, g->channels, r);
    ok = pixels && put(g, pixels, &size, to, f->budget, r);
    budget_free(f->budget, pixels);
    return ok;
}

bool pictures_size(struct pictures *g, char *path, struct report *r)
{
    char *at = NULL, *end;
    long long height, width;

    for (char *p = path; (p = strstr(p, ",size=")); p++)
        at = p;
    if (!at)
        return true;
    height = strtoll(at + 6, &end, 10);
    width = *end == 'x' ? strtoll(end + 1, &end, 10) : 0;
    if (*end || height < 1 || width < 1 || height > INT_MAX || width > INT_MAX)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "'%.40s' must be ',size=HEIGHTxWIDTH'", at);
    *at = 0;
    g->height = height;
    g->width = width;
    return true;
}
