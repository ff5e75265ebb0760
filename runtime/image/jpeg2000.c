#include "image/image.h"
#include <string.h>

static bool is_file(const uint8_t *bytes, size_t size)
{
    return size >= 12 && memcmp(bytes, "\0\0\0\x0cjP  \r\n\x87\n", 12) == 0;
}

static bool is(const uint8_t *bytes, size_t size)
{
    return is_file(bytes, size) || (size >= 4 && memcmp(bytes, "\xff\x4f\xff\x51", 4) == 0);
}

#if KILN_JPEG2000
#include <openjpeg.h>

struct jpeg2000_reading {
    const struct image_file *file;
    struct report *report;
    size_t at;
    opj_stream_t *stream;
    opj_codec_t *codec;
    opj_image_t *image;
};

static void on_error(const char *text, void *user)
{
    const struct jpeg2000_reading *g = user;

    if (!failed(g->report))
        fail(g->report, KILN_BAD_DATA, g->file->name, "cannot be read: %.*s", (int)strcspn(text, "\n"), text);
}

static OPJ_SIZE_T take(void *to, OPJ_SIZE_T bytes, void *user)
{
    struct jpeg2000_reading *g = user;
    const size_t left = g->file->size - g->at, n = bytes < left ? bytes : left;

    if (!n || !budget_in_time(g->file->budget, g->file->name, g->report))
        return (OPJ_SIZE_T)-1;
    memcpy(to, g->file->bytes + g->at, n);
    g->at += n;
    return n;
}

static OPJ_BOOL seek(OPJ_OFF_T to, void *user)
{
    struct jpeg2000_reading *g = user;

    if (to < 0 || (uint64_t)to > g->file->size)
        return OPJ_FALSE;
    g->at = (size_t)to;
    return OPJ_TRUE;
}

static OPJ_OFF_T skip(OPJ_OFF_T by, void *user)
{
    struct jpeg2000_reading *g = user;
    const OPJ_OFF_T left = (OPJ_OFF_T)(g->file->size - g->at), n = by < left ? by : left;

    if (by < 0 || !n)
        return -1;
    g->at += (size_t)n;
    return n;
}

static void end(struct jpeg2000_reading *g)
{
    opj_image_destroy(g->image);
    if (g->codec)
        opj_destroy_codec(g->codec);
    if (g->stream)
        opj_stream_destroy(g->stream);
}

static bool damaged(const struct jpeg2000_reading *g)
{
    return failed(g->report) ? false : fail(g->report, KILN_BAD_DATA, g->file->name, "cannot be read: it is damaged");
}

/* Up to its sizes. */
static bool begin(struct jpeg2000_reading *g, const struct image_file *f, struct report *r)
{
    enum { CHUNK = 1 << 16 };
    opj_dparameters_t parameters;

    *g = (struct jpeg2000_reading){ .file = f, .report = r };
    g->stream = opj_stream_create(CHUNK, OPJ_TRUE);
    g->codec = opj_create_decompress(is_file(f->bytes, f->size) ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K);
    if (!g->stream || !g->codec)
        return fail_no_memory(r, CHUNK);
    opj_stream_set_user_data(g->stream, g, NULL);
    opj_stream_set_user_data_length(g->stream, f->size);
    opj_stream_set_read_function(g->stream, take);
    opj_stream_set_seek_function(g->stream, seek);
    opj_stream_set_skip_function(g->stream, skip);
    opj_set_error_handler(g->codec, on_error, g);
    opj_set_default_decoder_parameters(&parameters);
    if (!opj_setup_decoder(g->codec, &parameters) || !opj_decoder_set_strict_mode(g->codec, OPJ_TRUE) ||
        !opj_read_header(g->stream, g->codec, &g->image))
        return damaged(g);
    if (!g->image || !g->image->numcomps || g->image->x1 <= g->image->x0 || g->image->y1 <= g->image->y0)
        return damaged(g);
    if (g->image->numcomps > 4)
        return fail(r, KILN_UNSUPPORTED, f->name, "has %u channels, at most 4 are supported", g->image->numcomps);
    return true;
}

static bool look(struct image_size *out, const struct image_file *f, struct report *r)
{
    struct jpeg2000_reading g;
    const bool ok = begin(&g, f, r);

    if (ok)
        *out = (struct image_size){ (int64_t)g.image->y1 - g.image->y0, (int64_t)g.image->x1 - g.image->x0, false };
    end(&g);
    return ok;
}

/* 8 bits of a component at a place, of which there may be fewer than of pixels. */
static int sample(const opj_image_comp_t *c, int64_t y, int64_t x)
{
    const int64_t most = ((int64_t)1 << c->prec) - 1;
    int64_t v;

    y = y / c->dy < c->h ? y / c->dy : c->h - 1;
    x = x / c->dx < c->w ? x / c->dx : c->w - 1;
    v = c->data[y * c->w + x] + (c->sgnd ? (int64_t)1 << (c->prec - 1) : 0);
    v = v < 0 ? 0 : v > most ? most : v;
    return (int)(c->prec > 8 ? v >> (c->prec - 8) : v * 255 / most);
}

static uint8_t clamped(double v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + .5);
}

static void put_pixel(const opj_image_t *image, bool differences, int64_t y, int64_t x, uint8_t *to)
{
    int v[3];

    for (unsigned c = 0; c < 3; c++)
        v[c] = sample(&image->comps[image->numcomps < 3 ? 0 : c], y, x);
    for (int c = 0; c < 3; c++)
        to[c] = (uint8_t)v[c];
    if (!differences)
        return;
    to[0] = clamped(v[0] + 1.402 * (v[2] - 128));
    to[1] = clamped(v[0] - .344136 * (v[1] - 128) - .714136 * (v[2] - 128));
    to[2] = clamped(v[0] + 1.772 * (v[1] - 128));
}

static bool check(const struct jpeg2000_reading *g, const struct image_size *size)
{
    const opj_image_t *image = g->image;

    if ((int64_t)image->y1 - image->y0 != size->height || (int64_t)image->x1 - image->x0 != size->width)
        return damaged(g);
    for (unsigned c = 0; c < image->numcomps; c++) {
        const opj_image_comp_t *of = &image->comps[c];

        if (!of->data || !of->w || !of->h || !of->dx || !of->dy || of->prec < 1 || of->prec > 31)
            return damaged(g);
    }
    return (image->color_space != OPJ_CLRSPC_CMYK && image->color_space != OPJ_CLRSPC_EYCC) ||
           fail(g->report, KILN_UNSUPPORTED, g->file->name, "is in colours of print");
}

/* OpenJPEG takes memory that nobody can charge by the block: as much is held while it works. */
static bool read_picture(const struct image_file *f, const struct image_size *size, bool *grey, uint8_t *to,
                         struct report *r)
{
    struct jpeg2000_reading g;
    const int64_t pixels = size->height * size->width;
    void *held = NULL;
    bool ok = begin(&g, f, r);

    *grey = false;
    ok = ok && (held = budget_alloc(f->budget, to_size(pixels * 12 * g.image->numcomps + (1 << 22)), r));
    if (ok && (!opj_decode(g.codec, g.stream, g.image) || !opj_end_decompress(g.codec, g.stream)))
        ok = damaged(&g);
    ok = ok && !failed(r) && check(&g, size);
    if (ok) {
        const bool differences = g.image->numcomps >= 3 && (g.image->color_space == OPJ_CLRSPC_SYCC ||
                                                            (g.image->comps[0].dx == 1 && g.image->comps[1].dx != 1));

        for (int64_t y = 0; y < size->height; y++)
            for (int64_t x = 0; x < size->width; x++)
                put_pixel(g.image, differences, y, x, to + 3 * (y * size->width + x));
    }
    budget_free(f->budget, held);
    end(&g);
    return ok;
}

const struct image_kind image_jpeg2000 = { "JPEG 2000", "jpeg2000", is, look, read_picture };
#else
const struct image_kind image_jpeg2000 = { "JPEG 2000", "jpeg2000", is, NULL, NULL };
#endif
