#include "image/image.h"
#include <string.h>

static bool is(const uint8_t *bytes, size_t size)
{
    return size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

#if KILN_JPEG
#include <setjmp.h>
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

enum { MOST_SCANS = 500 }; /* of a progressive file; each goes over the whole picture */

/* As in image_png.c, what changes around a setjmp is behind a pointer. */
struct jpeg_reading {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr error;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const struct image_file *file;
    struct report *report;
    uint8_t *to;
    uint8_t *line; /* of four components */
    void *held;
    bool inks; /* four components */
    bool grey; /* the picture becomes so, or is */
};

static _Noreturn void escape(struct jpeg_reading *g)
{
    longjmp(g->escape, 1);
}

static void on_error(j_common_ptr jpeg)
{
    struct jpeg_reading *g = jpeg->client_data;
    char text[JMSG_LENGTH_MAX];

    jpeg->err->format_message(jpeg, text);
    if (jpeg->err->msg_code == JERR_OUT_OF_MEMORY)
        fail_no_memory(g->report, sizeof *g);
    else
        fail(g->report, KILN_BAD_DATA, g->file->name, "cannot be read: %s", text);
    escape(g);
}

/* Of warnings those are harmless that take nothing from the picture. */
static void on_message(j_common_ptr jpeg, int level)
{
    const int code = jpeg->err->msg_code;

    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM && code != JWRN_JFIF_MAJOR)
        on_error(jpeg);
}

static void on_output(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void on_progress(j_common_ptr jpeg)
{
    struct jpeg_reading *g = jpeg->client_data;

    if (g->jpeg.input_scan_number > MOST_SCANS) {
        fail(g->report, KILN_LIMIT, g->file->name, "more than %d scans", (int)MOST_SCANS);
        escape(g);
    }
    if (!budget_in_time(g->file->budget, g->file->name, g->report))
        escape(g);
}

/* From here on libjpeg jumps: to where the caller of this has said setjmp. */
static void read_header(struct jpeg_reading *g)
{
    jpeg_create_decompress(&g->jpeg);
    g->progress.progress_monitor = on_progress;
    g->jpeg.progress = &g->progress;
    jpeg_mem_src(&g->jpeg, g->file->bytes, (unsigned long)g->file->size);
    jpeg_read_header(&g->jpeg, TRUE);
}

static void start(struct jpeg_reading *g, const struct image_file *f, struct report *r)
{
    g->file = f;
    g->report = r;
    g->jpeg.err = jpeg_std_error(&g->error);
    g->error.error_exit = on_error;
    g->error.emit_message = on_message;
    g->error.output_message = on_output;
    g->jpeg.client_data = g;
}

static bool look_within(struct jpeg_reading *g, struct image_size *out)
{
    if (setjmp(g->escape))
        return false;
    read_header(g);
    *out = (struct image_size){ g->jpeg.image_height, g->jpeg.image_width, g->jpeg.num_components == 1 };
    return true;
}

static bool look(struct image_size *out, const struct image_file *f, struct report *r)
{
    struct jpeg_reading g = { 0 };
    bool ok;

    start(&g, f, r);
    ok = look_within(&g, out);
    jpeg_destroy_decompress(&g.jpeg);
    return ok;
}

/* libjpeg keeps the coefficients of a progressive picture, all of them, in memory that nobody can charge by the block:
 * as much is held while it works. */
static bool hold(struct jpeg_reading *g, const struct image_size *size)
{
    int64_t bytes = 1 << 20;

    if (jpeg_has_multiple_scans(&g->jpeg))
        bytes += (size->height + 64) * (size->width + 64) * 2 * g->jpeg.num_components;
    bytes += (size->width + 64) * 4;
    g->held = budget_alloc(g->file->budget, to_size(bytes), g->report);
    g->line = g->held;
    return g->held;
}

/* Inks to light; Adobe's programs write them inverted. */
static void from_inks(const struct jpeg_reading *g, uint8_t *to, int64_t width)
{
    const bool inverted = g->jpeg.saw_Adobe_marker;

    for (int64_t k = 0; k < width; k++) {
        const uint8_t *ink = g->line + 4 * k;
        const int black = inverted ? ink[3] : 255 - ink[3];

        for (int c = 0; c < 3; c++)
            to[3 * k + c] = (uint8_t)((inverted ? ink[c] : 255 - ink[c]) * black / 255);
    }
}

static bool read_within(struct jpeg_reading *g, const struct image_size *size)
{
    if (setjmp(g->escape))
        return false;
    read_header(g);
    g->inks = g->jpeg.num_components == 4;
    g->grey = g->grey && !g->inks;
    g->jpeg.out_color_space = g->inks ? JCS_CMYK : g->grey ? JCS_GRAYSCALE : JCS_RGB;
    g->jpeg.dct_method = g->file->way == IMAGE_KERAS ? JDCT_IFAST : JDCT_ISLOW;
    if (!hold(g, size))
        return false;
    jpeg_start_decompress(&g->jpeg);
    if (g->jpeg.output_height != size->height || g->jpeg.output_width != size->width ||
        g->jpeg.output_components != (g->inks   ? 4
                                      : g->grey ? 1
                                                : 3))
        return fail(g->report, KILN_BAD_DATA, g->file->name, "it has other sizes than its header");
    while (g->jpeg.output_scanline < g->jpeg.output_height) {
        uint8_t *const row = g->to + g->jpeg.output_scanline * size->width * (g->grey ? 1 : 3);
        JSAMPROW line = g->inks ? g->line : row;

        if (!budget_in_time_at(g->file->budget, g->jpeg.output_scanline, g->file->name, g->report))
            return false;
        jpeg_read_scanlines(&g->jpeg, &line, 1);
        if (g->inks)
            from_inks(g, row, size->width);
    }
    jpeg_finish_decompress(&g->jpeg);
    return true;
}

static bool read_picture(const struct image_file *f, const struct image_size *size, bool *grey, uint8_t *to,
                         struct report *r)
{
    struct jpeg_reading g = { .to = to, .grey = size->grey || *grey };
    bool ok;

    start(&g, f, r);
    ok = read_within(&g, size);
    *grey = g.grey;
    budget_free(f->budget, g.held);
    jpeg_destroy_decompress(&g.jpeg);
    return ok;
}

const struct image_kind image_jpeg = { "JPEG", "jpeg", is, look, read_picture };
#else
const struct image_kind image_jpeg = { "JPEG", "jpeg", is, NULL, NULL };
#endif
