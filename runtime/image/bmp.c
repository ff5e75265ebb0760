/* BMP, https://learn.microsoft.com/windows/win32/gdi/bitmap-storage */
#include "image/image.h"

enum { FILE_HEADER = 14, CORE_HEADER = 12, INFO_HEADER = 40 };
enum { PLAIN, RUNS_8, RUNS_4, FIELDS, ALPHA_FIELDS = 6 }; /* as pixels are packed */

struct bmp {
    const struct image_file *file;
    int64_t width, height;
    bool down; /* its first row is the highest one */
    int bits, packing;
    size_t palette, entry, colours; /* where it lies, bytes of a colour, how many there are */
    size_t pixels;
    uint32_t mask[3];
};

static bool is(const uint8_t *bytes, size_t size)
{
    return size >= FILE_HEADER + CORE_HEADER && bytes[0] == 'B' && bytes[1] == 'M';
}

/* Little endian, `bytes` of them; 0 behind the end. */
static uint32_t number(const struct bmp *b, size_t at, int bytes)
{
    uint32_t v = 0;

    for (int k = 0; k < bytes; k++)
        if (at < b->file->size && b->file->size - at > (size_t)k)
            v |= (uint32_t)b->file->bytes[at + (size_t)k] << 8 * k;
    return v;
}

static void read_core(struct bmp *b)
{
    b->width = number(b, FILE_HEADER + 4, 2);
    b->height = number(b, FILE_HEADER + 6, 2);
    b->bits = (int)number(b, FILE_HEADER + 10, 2);
    b->entry = 3;
}

static void read_info(struct bmp *b, uint32_t header)
{
    const int64_t height = (int32_t)number(b, FILE_HEADER + 8, 4);

    b->width = (int32_t)number(b, FILE_HEADER + 4, 4);
    b->height = height < 0 ? -height : height;
    b->down = height < 0;
    b->bits = (int)number(b, FILE_HEADER + 14, 2);
    b->packing = (int)(number(b, FILE_HEADER + 16, 4) & INT32_MAX);
    b->colours = number(b, FILE_HEADER + 32, 4);
    b->entry = 4;
    for (int c = 0; c < 3; c++)
        b->mask[c] = b->packing == FIELDS || b->packing == ALPHA_FIELDS
                         ? number(b, FILE_HEADER + INFO_HEADER + 4 * (size_t)c, 4)
                     : b->bits == 16 ? (uint32_t)0x7c00 >> 5 * c
                                     : (uint32_t)0xff0000 >> 8 * c;
    if (header == INFO_HEADER && b->packing == FIELDS)
        b->palette += 12;
}

static bool read_header(struct bmp *b, const struct image_file *f, struct report *r)
{
    uint32_t header;
    bool known;

    *b = (struct bmp){ .file = f };
    header = number(b, FILE_HEADER, 4);
    b->palette = FILE_HEADER + (size_t)header;
    b->pixels = number(b, 10, 4);
    if (header == CORE_HEADER)
        read_core(b);
    else if (header >= INFO_HEADER && header <= f->size)
        read_info(b, header);
    if (b->width <= 0 || b->height <= 0)
        return fail(r, KILN_BAD_DATA, f->name, "cannot be read: its header is damaged");
    known = b->packing == PLAIN
                ? b->bits == 1 || b->bits == 4 || b->bits == 8 || b->bits == 16 || b->bits == 24 || b->bits == 32
            : b->packing == RUNS_8                               ? b->bits == 8
            : b->packing == RUNS_4                               ? b->bits == 4
            : b->packing == FIELDS || b->packing == ALPHA_FIELDS ? b->bits == 16 || b->bits == 32
                                                                 : false;
    if (!known)
        return fail(r, KILN_UNSUPPORTED, f->name, "has %d bits for a pixel, packed in way %d", b->bits, b->packing);
    if (b->bits <= 8 && (!b->colours || b->colours > (size_t)1 << b->bits))
        b->colours = (size_t)1 << b->bits;
    return true;
}

static bool look(struct image_size *out, const struct image_file *f, struct report *r)
{
    struct bmp b;

    if (!read_header(&b, f, r))
        return false;
    *out = (struct image_size){ b.height, b.width, false };
    return true;
}

/* A colour of the palette; black where it has none. */
static void put_colour(const struct bmp *b, uint32_t index, uint8_t *to)
{
    const size_t at = b->palette + index * b->entry;

    for (size_t c = 0; c < 3; c++)
        to[c] = index < b->colours ? (uint8_t)number(b, at + 2 - c, 1) : 0;
}

/* The bits of a mask as 8. */
static uint8_t field(uint32_t v, uint32_t mask)
{
    if (!mask)
        return 0;
    while (!(mask & 1)) {
        mask >>= 1;
        v >>= 1;
    }
    return (uint8_t)((uint64_t)(v & mask) * 255 / mask);
}

static uint8_t *row_of(const struct bmp *b, uint8_t *to, int64_t y)
{
    return to + (b->down ? y : b->height - 1 - y) * b->width * 3;
}

static bool read_plain(const struct bmp *b, uint8_t *to, struct report *r)
{
    const size_t row = (size_t)((b->width * b->bits + 31) / 32) * 4;

    for (int64_t y = 0; y < b->height; y++) {
        const size_t at = b->pixels + (size_t)y * row;
        uint8_t *rgb = row_of(b, to, y);

        if (!budget_in_time_at(b->file->budget, y, b->file->name, r))
            return false;
        if (at > b->file->size || b->file->size - at < (size_t)((b->width * b->bits + 7) / 8))
            return fail(r, KILN_BAD_DATA, b->file->name, "the file ends too early");
        for (int64_t x = 0; x < b->width; x++, rgb += 3) {
            const uint8_t *from = b->file->bytes + at + x * b->bits / 8;

            if (b->bits <= 8)
                put_colour(b, *from >> (8 - b->bits - x * b->bits % 8) & ((1u << b->bits) - 1), rgb);
            else if (b->bits == 24)
                for (int c = 0; c < 3; c++)
                    rgb[c] = from[2 - c];
            else
                for (int c = 0; c < 3; c++)
                    rgb[c] = field(number(b, at + (size_t)(x * b->bits / 8), b->bits / 8), b->mask[c]);
        }
    }
    return true;
}

struct pen {
    size_t at;
    int64_t x, y;
};

static void draw(const struct bmp *b, struct pen *p, uint32_t index, uint8_t *to)
{
    if (p->x < b->width && p->y < b->height)
        put_colour(b, index, row_of(b, to, p->y) + 3 * p->x);
    p->x++;
}

/* `count` indices as they stand, or one or two in turn. */
static void draw_run(const struct bmp *b, struct pen *p, uint32_t count, bool listed, uint8_t *to)
{
    const uint32_t each = b->bits == 8 ? 1 : 2; /* indices in a byte */

    for (uint32_t k = 0; k < count; k++) {
        const uint32_t byte = number(b, p->at + (listed ? k / each : 0), 1);

        draw(b, p, each == 1 ? byte : k % 2 ? byte & 15 : byte >> 4, to);
    }
    if (listed)
        p->at += ((count + each - 1) / each + 1) / 2 * 2;
    else
        p->at++;
}

/* What no run draws has the first colour. */
static bool read_runs(const struct bmp *b, uint8_t *to, struct report *r)
{
    enum { END_OF_ROW, END, MOVE };
    struct pen p = { .at = b->pixels };

    for (int64_t k = 0; k < b->width * b->height; k++)
        put_colour(b, 0, to + 3 * k);
    for (int64_t step = 1; p.y < b->height; step++) {
        const uint32_t count = number(b, p.at, 1), value = number(b, p.at + 1, 1);

        if (!budget_in_time_at(b->file->budget, step, b->file->name, r))
            return false;
        if (p.at > b->file->size || b->file->size - p.at < 2)
            return fail(r, KILN_BAD_DATA, b->file->name, "the file ends too early");
        p.at += count ? 1 : 2;
        if (count) {
            draw_run(b, &p, count, false, to);
        } else if (value == END) {
            return true;
        } else if (value == END_OF_ROW) {
            p.x = 0;
            p.y++;
        } else if (value == MOVE) {
            p.x += number(b, p.at, 1);
            p.y += number(b, p.at + 1, 1);
            p.at += 2;
        } else {
            draw_run(b, &p, value, true, to);
        }
    }
    return true;
}

static bool read_picture(const struct image_file *f, const struct image_size *size, bool *grey, uint8_t *to,
                         struct report *r)
{
    struct bmp b;

    (void)size;
    *grey = false;
    return read_header(&b, f, r) &&
           (b.packing == RUNS_8 || b.packing == RUNS_4 ? read_runs(&b, to, r) : read_plain(&b, to, r));
}

const struct image_kind image_bmp = { "BMP", NULL, is, look, read_picture };
