#include "image/image.h"
#include <string.h>

static bool is(const uint8_t *bytes, size_t size)
{
    return size >= 4 && (memcmp(bytes, "II*\0", 4) == 0 || memcmp(bytes, "MM\0*", 4) == 0 ||
                         memcmp(bytes, "II+\0", 4) == 0 || memcmp(bytes, "MM\0+", 4) == 0);
}

#if KILN_TIFF
#include <stdio.h>
#include <tiffio.h>

struct tiff_reading {
    const struct image_file *file;
    struct report *report;
    uint64_t at;
};

/* libtiff tells of several errors for one; the first is the cause. */
static int on_error(TIFF *tiff, void *user, const char *module, const char *format, va_list args)
{
    const struct tiff_reading *g = user;
    char text[256];

    (void)tiff;
    (void)module;
    vsnprintf(text, sizeof text, format, args);
    if (!failed(g->report))
        fail(g->report, KILN_BAD_DATA, g->file->name, "cannot be read: %s", text);
    return 1;
}

static int on_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list args)
{
    (void)tiff;
    (void)user;
    (void)module;
    (void)format;
    (void)args;
    return 1;
}

static tmsize_t take(thandle_t user, void *to, tmsize_t bytes)
{
    struct tiff_reading *g = user;
    const uint64_t left = g->at < g->file->size ? g->file->size - g->at : 0;
    const size_t n = (uint64_t)bytes < left ? (size_t)bytes : (size_t)left;

    if (!budget_in_time(g->file->budget, g->file->name, g->report))
        return -1;
    if (n)
        memcpy(to, g->file->bytes + g->at, n);
    g->at += n;
    return (tmsize_t)n;
}

static tmsize_t put(thandle_t user, void *from, tmsize_t bytes)
{
    (void)user;
    (void)from;
    (void)bytes;
    return -1;
}

static toff_t seek(thandle_t user, toff_t by, int from)
{
    struct tiff_reading *g = user;

    g->at = by + (from == SEEK_SET ? 0 : from == SEEK_CUR ? g->at : g->file->size);
    return g->at;
}

static int leave(thandle_t user)
{
    (void)user;
    return 0;
}

static toff_t size_of(thandle_t user)
{
    const struct tiff_reading *g = user;

    return g->file->size;
}

/* `most`: bytes that one block of its memory may have. */
static TIFF *begin(struct tiff_reading *g, const struct image_file *f, int64_t most, struct report *r)
{
    TIFFOpenOptions *o = TIFFOpenOptionsAlloc();
    TIFF *tiff = NULL;

    *g = (struct tiff_reading){ .file = f, .report = r };
    if (o) {
        TIFFOpenOptionsSetMaxSingleMemAlloc(o, (tmsize_t)most);
        TIFFOpenOptionsSetErrorHandlerExtR(o, on_error, g);
        TIFFOpenOptionsSetWarningHandlerExtR(o, on_warning, g);
        tiff = TIFFClientOpenExt("a picture", "rm", g, take, put, seek, leave, size_of, NULL, NULL, o);
        TIFFOpenOptionsFree(o);
    }
    if (!tiff && !failed(r))
        fail(r, KILN_BAD_DATA, f->name, "cannot be read: its header is damaged");
    return tiff;
}

enum { BESIDE = 1 << 22 }; /* bytes: what libtiff has beside pixels */

static bool look(struct image_size *out, const struct image_file *f, struct report *r)
{
    struct tiff_reading g;
    TIFF *tiff = begin(&g, f, BESIDE, r);
    uint32_t width = 0, height = 0;

    if (!tiff)
        return false;
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
    *out = (struct image_size){ height, width, false };
    TIFFClose(tiff);
    return !failed(r);
}

static bool read_within(TIFF *tiff, const struct image_file *f, const struct image_size *size, uint32_t *raster,
                        struct report *r)
{
    char why[1024] = "";

    if (!TIFFRGBAImageOK(tiff, why))
        return failed(r) ? false : fail(r, KILN_UNSUPPORTED, f->name, "cannot be read: %s", why);
    return (TIFFReadRGBAImageOriented(tiff, (uint32_t)size->width, (uint32_t)size->height, raster, ORIENTATION_TOPLEFT,
                                      1) &&
            !failed(r)) ||
           (!failed(r) && fail(r, KILN_BAD_DATA, f->name, "cannot be read: it is damaged"));
}

/* Whatever it has, by libtiff's own way to 8 bits of red, green and blue. As much memory as that takes is held. */
static bool read_picture(const struct image_file *f, const struct image_size *size, bool *grey, uint8_t *to,
                         struct report *r)
{
    enum { BYTES = 16 }; /* of a pixel in a strip: four samples of 32 bits */
    const int64_t pixels = size->height * size->width, most = pixels * BYTES + BESIDE;
    uint32_t *raster = budget_alloc(f->budget, to_size(pixels * 4 + most), r);
    struct tiff_reading g;
    TIFF *tiff = raster ? begin(&g, f, most, r) : NULL;
    bool ok = tiff && read_within(tiff, f, size, raster, r);

    *grey = false;
    for (int64_t k = 0; ok && k < pixels; k++) {
        to[3 * k] = (uint8_t)TIFFGetR(raster[k]);
        to[3 * k + 1] = (uint8_t)TIFFGetG(raster[k]);
        to[3 * k + 2] = (uint8_t)TIFFGetB(raster[k]);
    }
    if (tiff)
        TIFFClose(tiff);
    budget_free(f->budget, raster);
    return ok;
}

const struct image_kind image_tiff = { "TIFF", "tiff", is, look, read_picture };
#else
const struct image_kind image_tiff = { "TIFF", "tiff", is, NULL, NULL };
#endif
