#include "image/image.h"
#include <string.h>

static bool is(const uint8_t *bytes, size_t size)
{
    return size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

#if KILN_PNG
#include <png.h>

enum { MOST_CHUNK = 8 << 20 }; /* bytes that a chunk may unpack to: colour profiles, texts */

/* All that is read or written around a setjmp is in here, behind a pointer: no variable of a function changes between
 * the two. */
struct png_reading {
    const struct image_file *file;
    size_t at;
    png_structp png;
    png_infop info;
    struct report *report;
    uint8_t *to;
    int64_t rows, row_bytes;
    png_bytep rows_at[]; /* [rows] */
};

/* libpng calls these from within; they may not return after an error. */
static PNG_NORETURN void on_error(png_structp png, png_const_charp message)
{
    const struct png_reading *g = png_get_error_ptr(png);

    if (!failed(g->report)) /* else it is known better */
        fail(g->report, KILN_BAD_DATA, g->file->name, "cannot be read: %s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static png_voidp allocate(png_structp png, png_alloc_size_t bytes)
{
    const struct png_reading *g = png_get_mem_ptr(png);

    return budget_alloc(g->file->budget, bytes, g->report);
}

static void release(png_structp png, png_voidp p)
{
    const struct png_reading *g = png_get_mem_ptr(png);

    budget_free(g->file->budget, p);
}

static void take(png_structp png, png_bytep to, size_t bytes)
{
    struct png_reading *g = png_get_io_ptr(png);

    if (bytes > g->file->size - g->at)
        png_error(png, "the file ends too early");
    if (!budget_in_time(g->file->budget, g->file->name, g->report))
        png_error(png, "");
    memcpy(to, g->file->bytes + g->at, bytes);
    g->at += bytes;
}

static bool start(struct png_reading *g, const struct image_file *f, struct report *r)
{
    g->file = f;
    g->report = r;
    g->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, g, on_error, on_warning, g, allocate, release);
    g->info = g->png ? png_create_info_struct(g->png) : NULL;
    if (g->info)
        return true;
    png_destroy_read_struct(&g->png, NULL, NULL);
    return failed(r) ? false : fail_no_memory(r, sizeof *g);
}

/* From here on libpng jumps: to where the caller of this has said setjmp. */
static void read_info(struct png_reading *g)
{
    png_set_read_fn(g->png, g, take);
    png_set_user_limits(g->png, 1 << 20, 1 << 20);
    png_set_chunk_malloc_max(g->png, MOST_CHUNK);
    png_read_info(g->png, g->info);
}

static bool look_within(struct png_reading *g, struct image_size *out)
{
    if (setjmp(png_jmpbuf(g->png)))
        return false;
    read_info(g);
    *out = (struct image_size){ png_get_image_height(g->png, g->info), png_get_image_width(g->png, g->info),
                                !(png_get_color_type(g->png, g->info) & PNG_COLOR_MASK_COLOR) };
    return true;
}

static bool look(struct image_size *out, const struct image_file *f, struct report *r)
{
    struct png_reading g = { 0 };
    bool ok;

    if (!start(&g, f, r))
        return false;
    ok = look_within(&g, out);
    png_destroy_read_struct(&g.png, &g.info, NULL);
    return ok;
}

/* 8 bits, grey or RGB. */
static bool read_within(struct png_reading *g)
{
    if (setjmp(png_jmpbuf(g->png)))
        return false;
    read_info(g);
    png_set_expand(g->png);
    png_set_strip_16(g->png);
    png_set_strip_alpha(g->png);
    png_set_interlace_handling(g->png);
    png_read_update_info(g->png, g->info);
    if ((int64_t)png_get_rowbytes(g->png, g->info) != g->row_bytes ||
        (int64_t)png_get_image_height(g->png, g->info) != g->rows)
        png_error(g->png, "it has other sizes than its header");
    png_read_image(g->png, g->rows_at);
    png_read_end(g->png, NULL);
    return true;
}

static bool read_picture(const struct image_file *f, const struct image_size *size, bool *grey, uint8_t *to,
                         struct report *r)
{
    struct png_reading *g = budget_zalloc(f->budget, 1, sizeof *g + (size_t)size->height * sizeof *g->rows_at, r);
    bool ok;

    if (!g)
        return false;
    *grey = size->grey;
    g->rows = size->height;
    g->row_bytes = size->width * (size->grey ? 1 : 3);
    for (int64_t k = 0; k < g->rows; k++)
        g->rows_at[k] = to + k * g->row_bytes;
    ok = start(g, f, r);
    if (ok) {
        ok = read_within(g);
        png_destroy_read_struct(&g->png, &g->info, NULL);
    }
    budget_free(f->budget, g);
    return ok;
}

const struct image_kind image_png = { "PNG", "png", is, look, read_picture };
#else
const struct image_kind image_png = { "PNG", "png", is, NULL, NULL };
#endif
