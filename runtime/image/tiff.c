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

/* Where a file ends too early libtiff goes on without what lies behind, as a palette. */
static int on_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list args)
{
    return strstr(format, "IO error") ? on_error(tiff, user, module, format, args) : 1;
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

/* From ORIENTATION_LEFTTOP on rows are columns, which libtiff does not turn. */
static int orientation_of(TIFF *tiff)
{
    uint16_t orientation = ORIENTATION_TOPLEFT;

    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &orientation);
    return orientation;
}

/* Colours stay what they are: libtiff would multiply them by an alpha that is not in them yet. */
static void keep_colours(TIFF *tiff)
{
    uint16_t count = 0, *kinds = NULL, first = EXTRASAMPLE_ASSOCALPHA;

    if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds) && count == 1 && kinds[0] == EXTRASAMPLE_UNASSALPHA)
        TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &first);
}

/* Where pixel k of a picture that lies, as it is stored, stands upright. */
static int64_t upright(int64_t k, const struct image_size *size, int orientation)
{
    const int64_t row = k / size->height, column = k % size->height;
    const bool right = orientation == ORIENTATION_RIGHTTOP || orientation == ORIENTATION_RIGHTBOT;
    const bool bottom = orientation == ORIENTATION_RIGHTBOT || orientation == ORIENTATION_LEFTBOT;

    return (bottom ? size->height - 1 - column : column) * size->width + (right ? size->width - 1 - row : row);
}

static bool look(struct image_size *out, const struct image_file *f, struct report *r)
{
    struct tiff_reading g;
    TIFF *tiff = begin(&g, f, BESIDE, r);
    uint32_t width = 0, height = 0;
    bool lies;

    if (!tiff)
        return false;
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
    lies = orientation_of(tiff) >= ORIENTATION_LEFTTOP;
    *out = (struct image_size){ lies ? width : height, lies ? height : width, false };
    TIFFClose(tiff);
    return !failed(r);
}

static bool read_within(TIFF *tiff, const struct image_file *f, const struct image_size *size, bool lies,
                        uint32_t *raster, struct report *r)
{
    const uint32_t width = (uint32_t)(lies ? size->height : size->width);
    const uint32_t height = (uint32_t)(lies ? size->width : size->height);
    char why[1024] = "";

    if (lies)
        TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
    keep_colours(tiff);
    if (!TIFFRGBAImageOK(tiff, why))
        return failed(r) ? false : fail(r, KILN_UNSUPPORTED, f->name, "cannot be read: %s", why);
    return (TIFFReadRGBAImageOriented(tiff, width, height, raster, ORIENTATION_TOPLEFT, 1) && !failed(r)) ||
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
    const int orientation = tiff ? orientation_of(tiff) : ORIENTATION_TOPLEFT;
    const bool lies = orientation >= ORIENTATION_LEFTTOP;
    bool ok = tiff && read_within(tiff, f, size, lies, raster, r);

    *grey = false;
    for (int64_t k = 0; ok && k < pixels; k++) {
        uint8_t *pixel = to + 3 * (lies ? upright(k, size, orientation) : k);

        pixel[0] = (uint8_t)TIFFGetR(raster[k]);
        pixel[1] = (uint8_t)TIFFGetG(raster[k]);
        pixel[2] = (uint8_t)TIFFGetB(raster[k]);
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
