#include "data/formats/pictures.h"
#include <stdlib.h>
#include <string.h>

/* -- what the model wants -- */

static bool is_channels(int64_t dim)
{
    return dim == 1 || dim == 3;
}

static bool want_image(struct pictures *g, const struct tensor *t)
{
    const int64_t *d = t->dims;
    int64_t channels;

    g->channels_first = is_channels(d[1]) || (!is_channels(d[3]) && d[1] == UNKNOWN);
    channels = d[g->channels_first ? 1 : 3];
    if (channels != UNKNOWN && !is_channels(channels)) {
        char text[TYPE_TEXT];

        return fail(g->report, KILN_BAD_DATA, g->where, "the model's input is %s, pictures have 1 or 3 channels",
                    tensor_text(t, text));
    }
    g->channels = channels == UNKNOWN ? 0 : (int)channels;
    g->height = d[g->channels_first ? 2 : 1] > 0 ? d[g->channels_first ? 2 : 1] : 0;
    g->width = d[g->channels_first ? 3 : 2] > 0 ? d[g->channels_first ? 3 : 2] : 0;
    return true;
}

bool pictures_start(struct pictures *g, const struct tensor *t)
{

    if (!t)
        return true;
    if (t->rank == 4)
        return want_image(g, t);
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

static bool make_room(struct pictures *g)
{
    const int64_t n = (int64_t)g->count, h = g->height, w = g->width, c = g->channels;
    const int64_t last[] = { n, h, w, c }, first[] = { n, c, h, w };
    struct tensor *x = &g->column->values;

    if (!tensor_shape(x, U8, g->no_channel ? 3 : 4, g->channels_first ? first : last))
        return fail(g->report, KILN_LIMIT, g->where, "%zu pictures of %lld x %lld are too many", g->count, (long long)h,
                    (long long)w);
    if (!type_fits(g->check, x, g->where, g->report))
        return false;
    x->data = budget_alloc(g->budget, to_size(tensor_bytes(x)), g->report);
    return x->data;
}

/* -- reading -- */

/* Float in place of bytes, when the first picture is met that has another size. */
static bool to_float(struct pictures *g, size_t done)
{
    struct tensor *x = &g->column->values, f = *x;
    const int64_t each = tensor_count(x) / (int64_t)g->count;

    if (!tensor_shape(&f, F32, x->rank, x->dims))
        return fail(g->report, KILN_LIMIT, g->where, "too many pictures");
    f.data = budget_alloc(g->budget, to_size(tensor_bytes(&f)), g->report);
    if (!f.data)
        return false;
    for (int64_t k = 0; k < (int64_t)done * each; k++)
        ((float *)f.data)[k] = ((const uint8_t *)x->data)[k];
    budget_free(g->budget, x->data);
    *x = f;
    return true;
}

/* One picture, [h, w, channels], to its place: bytes, or floats. */
static void place(const struct pictures *g, const void *from, size_t at)
{
    const struct tensor *x = &g->column->values;
    const int64_t pixels = g->height * g->width, c = g->channels, start = (int64_t)at * pixels * c;

    for (int64_t k = 0; k < pixels * c; k++) {
        const int64_t to = start + (g->channels_first ? k % c * pixels + k / c : k);

        if (x->dtype == U8)
            ((uint8_t *)x->data)[to] = ((const uint8_t *)from)[k];
        else
            ((float *)x->data)[to] = ((const float *)from)[k];
    }
}

/* In the size that is wanted, as x has it: bytes, or floats. */
static bool put(struct pictures *g, const uint8_t *pixels, const struct image_size *size, size_t at)
{
    const bool same = size->height == g->height && size->width == g->width;
    float *scaled;

    if (!same && g->column->values.dtype == U8 && !to_float(g, at))
        return false;
    if (g->column->values.dtype == U8) {
        place(g, pixels, at);
        return true;
    }
    scaled = budget_zalloc(g->budget, (size_t)(g->height * g->width * g->channels), sizeof *scaled, g->report);
    if (!scaled)
        return false;
    image_resize(pixels, size, g->channels, scaled, g->height, g->width);
    place(g, scaled, at);
    budget_free(g->budget, scaled);
    return true;
}

/* Would it be resized though nobody has said to what? */
static bool check_size(const struct pictures *g, const struct image_file *f, const struct image_size *size)
{
    if (g->fixed || (size->height == g->height && size->width == g->width))
        return true;
    return fail(g->report, KILN_BAD_DATA, f->name,
                "%lld x %lld pixels, the first picture has %lld x %lld and the model takes any: ',size=HEIGHTxWIDTH' "
                "behind the path says which",
                (long long)size->height, (long long)size->width, (long long)g->height, (long long)g->width);
}

bool pictures_put(struct pictures *g, const struct image_file *f, size_t at)
{
    struct image_size size;
    uint8_t *pixels;
    bool ok;

    if (!image_look(&size, f, g->report))
        return false;
    if (!g->column->values.data) {
        g->fixed = g->height && g->width;
        take_from_first(g, &size);
        if (!make_room(g))
            return false;
    }
    pixels = check_size(g, f, &size) ? image_read(f, &size, g->channels, g->report) : NULL;
    ok = pixels && put(g, pixels, &size, at);
    budget_free(g->budget, pixels);
    return ok;
}

bool pictures_size(struct pictures *g, char *path)
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
        return fail(g->report, KILN_BAD_ARGUMENT, NULL, "'%.40s' must be ',size=HEIGHTxWIDTH'", at);
    *at = 0;
    g->height = height;
    g->width = width;
    return true;
}
