/* PNG and JPEG, and folders of them. The JPEG files are Pillow's; what they decode to, and what becomes of it in other
 * sizes, is what tf.io.decode_image and tf.image.resize of TensorFlow 2.21 make of them. */
#include "data/format.h"
#include "image/image.h"
#include "scratch.h"
#include "unit.h"
#include <zlib.h>

/* clang-format off */
static const uint8_t colour_jpeg[] = {
    0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 0x4a, 0x46, 0x49, 0x46, 0x00, 0x01, 0x01, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0xff, 0xdb,
    0x00, 0x43, 0x00, 0x0a, 0x07, 0x07, 0x08, 0x07, 0x06, 0x0a, 0x08, 0x08, 0x08, 0x0b, 0x0a, 0x0a, 0x0b, 0x0e, 0x18, 0x10, 0x0e, 0x0d,
    0x0d, 0x0e, 0x1d, 0x15, 0x16, 0x11, 0x18, 0x23, 0x1f, 0x25, 0x24, 0x22, 0x1f, 0x22, 0x21, 0x26, 0x2b, 0x37, 0x2f, 0x26, 0x29, 0x34,
    0x29, 0x21, 0x22, 0x30, 0x41, 0x31, 0x34, 0x39, 0x3b, 0x3e, 0x3e, 0x3e, 0x25, 0x2e, 0x44, 0x49, 0x43, 0x3c, 0x48, 0x37, 0x3d, 0x3e,
    0x3b, 0xff, 0xdb, 0x00, 0x43, 0x01, 0x0a, 0x0b, 0x0b, 0x0e, 0x0d, 0x0e, 0x1c, 0x10, 0x10, 0x1c, 0x3b, 0x28, 0x22, 0x28, 0x3b, 0x3b,
    0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b,
    0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b,
    0x3b, 0x3b, 0x3b, 0x3b, 0xff, 0xc2, 0x00, 0x11, 0x08, 0x00, 0x07, 0x00, 0x09, 0x03, 0x01, 0x22, 0x00, 0x02, 0x11, 0x01, 0x03, 0x11,
    0x01, 0xff, 0xc4, 0x00, 0x16, 0x00, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x02, 0x03, 0xff, 0xc4, 0x00, 0x14, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x03, 0xff, 0xda, 0x00, 0x0c, 0x03, 0x01, 0x00, 0x02, 0x10, 0x03, 0x10, 0x00, 0x00, 0x01, 0x9c, 0x84, 0x4f, 0xff, 0xc4,
    0x00, 0x17, 0x10, 0x01, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02,
    0x12, 0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x01, 0x05, 0x02, 0x9a, 0x30, 0xff, 0xc4, 0x00, 0x16, 0x11, 0x00, 0x03, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x33, 0xff, 0xda, 0x00, 0x08, 0x01, 0x03, 0x01,
    0x01, 0x3f, 0x01, 0x42, 0x47, 0xff, 0xc4, 0x00, 0x18, 0x11, 0x00, 0x02, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x04, 0x51, 0xff, 0xda, 0x00, 0x08, 0x01, 0x02, 0x01, 0x01, 0x3f, 0x01, 0x55, 0xe3, 0xc3,
    0xff, 0xc4, 0x00, 0x14, 0x10, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
    0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x06, 0x3f, 0x02, 0x3f, 0xff, 0xc4, 0x00, 0x14, 0x10, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x01, 0x3f, 0x21, 0x27,
    0xff, 0xda, 0x00, 0x0c, 0x03, 0x01, 0x00, 0x02, 0x00, 0x03, 0x00, 0x00, 0x00, 0x10, 0xf3, 0xff, 0xc4, 0x00, 0x15, 0x11, 0x01, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x31, 0xff, 0xda, 0x00, 0x08, 0x01, 0x03,
    0x01, 0x01, 0x3f, 0x10, 0x83, 0xff, 0xc4, 0x00, 0x15, 0x11, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x11, 0xff, 0xda, 0x00, 0x08, 0x01, 0x02, 0x01, 0x01, 0x3f, 0x10, 0x88, 0xff, 0xc4, 0x00, 0x17, 0x10,
    0x01, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x11, 0x51, 0xff, 0xda,
    0x00, 0x08, 0x01, 0x01, 0x00, 0x01, 0x3f, 0x10, 0x89, 0x4c, 0x7f, 0xff, 0xd9
};
static const uint8_t grey_jpeg[] = {
    0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 0x4a, 0x46, 0x49, 0x46, 0x00, 0x01, 0x01, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0xff, 0xdb,
    0x00, 0x43, 0x00, 0x0a, 0x07, 0x07, 0x08, 0x07, 0x06, 0x0a, 0x08, 0x08, 0x08, 0x0b, 0x0a, 0x0a, 0x0b, 0x0e, 0x18, 0x10, 0x0e, 0x0d,
    0x0d, 0x0e, 0x1d, 0x15, 0x16, 0x11, 0x18, 0x23, 0x1f, 0x25, 0x24, 0x22, 0x1f, 0x22, 0x21, 0x26, 0x2b, 0x37, 0x2f, 0x26, 0x29, 0x34,
    0x29, 0x21, 0x22, 0x30, 0x41, 0x31, 0x34, 0x39, 0x3b, 0x3e, 0x3e, 0x3e, 0x25, 0x2e, 0x44, 0x49, 0x43, 0x3c, 0x48, 0x37, 0x3d, 0x3e,
    0x3b, 0xff, 0xc0, 0x00, 0x0b, 0x08, 0x00, 0x07, 0x00, 0x09, 0x01, 0x01, 0x11, 0x00, 0xff, 0xc4, 0x00, 0x15, 0x00, 0x01, 0x01, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x04, 0xff, 0xc4, 0x00, 0x19, 0x10, 0x00, 0x02,
    0x03, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x04, 0x14, 0x51, 0xff, 0xda,
    0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x3f, 0x00, 0x13, 0xd3, 0x44, 0xb8, 0xd7, 0x0f, 0xff, 0xd9
};
static const uint8_t colour_pixels[] = {
    11, 188, 19, 20, 182, 18, 37, 170, 17, 57, 155, 16, 81, 137, 14, 102, 121, 14, 123, 106, 14, 138, 96, 14, 146, 83, 12, 14, 189, 32,
    23, 183, 33, 40, 171, 31, 59, 155, 29, 84, 137, 29, 105, 122, 28, 126, 107, 30, 141, 96, 29, 151, 86, 28, 20, 191, 61, 28, 184, 59,
    45, 172, 59, 65, 157, 58, 89, 138, 57, 110, 122, 56, 131, 108, 58, 147, 98, 58, 157, 88, 55, 26, 192, 92, 34, 185, 90, 51, 172, 92,
    71, 158, 90, 95, 139, 88, 116, 123, 89, 137, 109, 88, 153, 99, 89, 162, 88, 87, 32, 193, 126, 40, 186, 124, 57, 173, 126, 77, 158,
    125, 101, 140, 122, 122, 124, 123, 143, 109, 123, 158, 98, 123, 167, 88, 120, 36, 192, 153, 45, 186, 152, 61, 173, 151, 81, 158,
    150, 106, 140, 150, 127, 125, 149, 147, 109, 150, 163, 99, 151, 171, 87, 146, 39, 192, 172, 48, 186, 173, 64, 172, 172, 84, 158,
    171, 109, 140, 171, 130, 124, 170, 150, 109, 169, 166, 99, 170, 175, 88, 167
};
static const uint8_t colour_as_grey[] = {
    116, 115, 113, 110, 106, 103, 101, 99, 94, 119, 118, 116, 112, 109, 106, 104, 102, 99, 125, 123, 121, 118, 114, 111, 109, 108, 105,
    131, 129, 127, 124, 120, 117, 115, 114, 110, 137, 135, 133, 130, 126, 123, 121, 119, 115, 141, 140, 137, 134, 131, 128, 125, 124,
    119, 144, 143, 140, 137, 134, 131, 128, 127, 123
};
static const uint8_t grey_pixels[] = {
    116, 115, 113, 110, 106, 103, 101, 99, 94, 119, 118, 116, 112, 109, 106, 104, 102, 99, 125, 123, 121, 118, 114, 111, 109, 108, 105,
    131, 129, 127, 124, 120, 117, 115, 114, 110, 137, 135, 133, 130, 126, 123, 121, 119, 115, 141, 140, 137, 134, 131, 128, 125, 124,
    119, 144, 143, 140, 137, 134, 131, 128, 127, 123
};
static const float smaller[] = {
    18.625f, 184.916672f, 27.875f, 55.9166679f, 156.958328f, 24.875f, 106.625f, 119.791664f, 23.5f, 143.5f, 91.875f, 23.5f, 31.f,
    187.625f, 90.75f, 68.5f, 159.75f, 90.25f, 118.625f, 121.25f, 88.875f, 156.375f, 94.875f, 88.25f, 42.625f, 188.25f, 159.125f, 79.5f,
    159.833328f, 157.125f, 130.5f, 122.708336f, 156.041656f, 167.125f, 94.625f, 155.708328f
};
static const float larger[] = {
    116.f, 115.272728f, 113.909088f, 111.909088f, 109.272728f, 106.f, 103.545456f, 101.727272f, 100.090912f, 97.6363678f, 94.f,
    117.650002f, 116.922729f, 115.55909f, 113.359093f, 110.472725f, 107.650002f, 105.195457f, 103.377274f, 101.740913f, 99.5863647f,
    96.75f, 120.5f, 119.590912f, 118.159088f, 115.886368f, 112.909088f, 110.25f, 107.795456f, 105.977272f, 104.454544f, 102.681816f,
    100.5f, 124.699997f, 123.281822f, 121.659088f, 119.640907f, 116.981819f, 113.75f, 111.295456f, 109.477272f, 108.272728f,
    106.881813f, 104.699997f, 128.899994f, 127.445457f, 125.80909f, 123.80909f, 121.172729f, 117.900002f, 115.445457f, 113.627274f,
    112.445457f, 110.904541f, 108.25f, 133.100006f, 131.645462f, 130.009094f, 128.009094f, 125.372726f, 122.099998f, 119.645454f,
    117.827271f, 116.486366f, 114.659088f, 111.75f, 137.199997f, 135.781815f, 134.131821f, 132.109085f, 129.481812f, 126.25f,
    123.795456f, 121.94545f, 120.313637f, 118.145454f, 115.199997f, 140.f, 139.090912f, 137.25f, 134.909088f, 132.409088f, 129.75f,
    127.295456f, 125.f, 123.431824f, 121.454544f, 118.f, 142.350006f, 141.622726f, 139.713638f, 137.259094f, 134.80455f, 132.350006f,
    129.895462f, 127.44091f, 125.895454f, 124.109093f, 120.800003f, 144.f, 143.27272f, 141.363632f, 138.909088f, 136.454544f, 134.f,
    131.545456f, 129.090912f, 127.545456f, 125.909088f, 123.f
};
/* clang-format on */

enum { HEIGHT = 7, WIDTH = 9 };

static struct image_file file_of(const void *bytes, size_t size)
{
    return (struct image_file){ "a picture", bytes, size, &budget, IMAGE_KERAS };
}

/* -- PNG files, by hand -- */

static void put_chunk(struct text *to, const char *type, const void *bytes, size_t size)
{
    const size_t at = to->length + 4;
    unsigned char number[4];
    uLong crc;

    for (int k = 0; k < 4; k++)
        number[k] = (unsigned char)(size >> (24 - 8 * k));
    text_add(to, (char *)number, 4);
    text_add(to, type, 4);
    text_add(to, bytes, size);
    crc = crc32(0, (const Bytef *)(void *)(to->data + at), (uInt)(size + 4));
    for (int k = 0; k < 4; k++)
        number[k] = (unsigned char)(crc >> (24 - 8 * k));
    text_add(to, (char *)number, 4);
}

/* `bits` deep; `type` is 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha; rows without filters. */
static struct text png(uint32_t width, uint32_t height, int bits, int type, const uint8_t *pixels, size_t row)
{
    struct text out = { .budget = &budget, .report = &report };
    unsigned char header[13] = { 0 }, *raw = calloc(height, row + 1);
    uLongf size = compressBound((uLong)(height * (row + 1)));
    Bytef *packed = malloc(size);

    for (int k = 0; k < 4; k++) {
        header[k] = (unsigned char)(width >> (24 - 8 * k));
        header[4 + k] = (unsigned char)(height >> (24 - 8 * k));
    }
    header[8] = (unsigned char)bits;
    header[9] = (unsigned char)type;
    for (uint32_t y = 0; y < height; y++)
        memcpy(raw + y * (row + 1) + 1, pixels + y * row, row);
    ck_assert_int_eq(compress(packed, &size, raw, height * (row + 1)), Z_OK);
    text_add(&out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&out, "IHDR", header, sizeof header);
    if (type == 3)
        put_chunk(&out, "PLTE", "\x0a\x14\x1e\xff\x00\x80", 6);
    put_chunk(&out, "IDAT", packed, size);
    put_chunk(&out, "IEND", "", 0);
    free(raw);
    free(packed);
    return out;
}

/* What it decodes to. */
static void expect_pixels(const void *bytes, size_t size, int channels, int height, int width, const uint8_t *want)
{
    const struct image_file f = file_of(bytes, size);
    struct image_size s;
    uint8_t *got;

    expect_ok(image_look(&s, &f, &report));
    ck_assert(s.height == height && s.width == width);
    got = image_read(&f, &s, channels, &report);
    expect_ok(got);
    for (int k = 0; k < height * width * channels; k++)
        ck_assert_msg(got[k] == want[k], "value %d is %d, not %d", k, got[k], want[k]);
    budget_free(&budget, got);
}

static bool without(const struct image_kind *kind)
{
    return !kind->look;
}

START_TEST(png_of_every_kind)
{
    static const uint8_t rgb[] = { 200, 100, 50, 0, 255, 7 }, grey[] = { 124, 150, 9, 200 };
    const struct {
        int bits, type, width;
        const uint8_t *row;
        size_t bytes;
        uint8_t colour[6], grey[2];
    } rows[] = {
        { 8, 0, 2, grey, 2, { 124, 124, 124, 150, 150, 150 }, { 124, 150 } },
        { 8, 2, 2, rgb, 6, { 200, 100, 50, 0, 255, 7 }, { 124, 150 } },
        { 1, 0, 2, (const uint8_t[]){ 0x40 }, 1, { 0, 0, 0, 255, 255, 255 }, { 0, 255 } },
        { 1, 3, 2, (const uint8_t[]){ 0x40 }, 1, { 10, 20, 30, 255, 0, 128 }, { 18, 90 } },
        { 8, 4, 2, grey, 4, { 124, 124, 124, 9, 9, 9 }, { 124, 9 } },
        { 16, 0, 2, grey, 4, { 124, 124, 124, 9, 9, 9 }, { 124, 9 } },
        { 8, 6, 1, (const uint8_t[]){ 1, 2, 3, 0 }, 4, { 1, 2, 3 }, { 1 } },
    };

    if (without(&image_png))
        return;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct text t = png((uint32_t)rows[k].width, 1, rows[k].bits, rows[k].type, rows[k].row, rows[k].bytes);

        expect_pixels(t.data, t.length, 3, 1, rows[k].width, rows[k].colour);
        expect_pixels(t.data, t.length, 1, 1, rows[k].width, rows[k].grey);
        text_release(&t);
    }
}
END_TEST

START_TEST(jpeg_is_what_tensorflow_reads)
{
    if (without(&image_jpeg))
        return;
    expect_pixels(colour_jpeg, sizeof colour_jpeg, 3, HEIGHT, WIDTH, colour_pixels);
    expect_pixels(colour_jpeg, sizeof colour_jpeg, 1, HEIGHT, WIDTH, colour_as_grey);
    expect_pixels(grey_jpeg, sizeof grey_jpeg, 1, HEIGHT, WIDTH, grey_pixels);
}
END_TEST

START_TEST(sizes_are_what_tensorflow_makes)
{
    static const struct image_size size = { HEIGHT, WIDTH, false };
    float got[110];

    image_resize(colour_pixels, &size, 3, got, 3, 4);
    for (int k = 0; k < 36; k++)
        ck_assert_msg(got[k] == smaller[k], "%d: %.9g, not %.9g", k, (double)got[k], (double)smaller[k]);
    image_resize(grey_pixels, &size, 1, got, 10, 11);
    for (int k = 0; k < 110; k++)
        ck_assert_msg(got[k] == larger[k], "%d: %.9g, not %.9g", k, (double)got[k], (double)larger[k]);
}
END_TEST

/* -- files that are not sound -- */

/* Decodes, or fails with an error; nothing else. */
static bool decodes(const void *bytes, size_t size)
{
    const struct image_file f = file_of(bytes, size);
    struct image_size s;
    uint8_t *got;
    bool ok;

    if (!image_look(&s, &f, &report))
        return false;
    got = image_read(&f, &s, 3, &report);
    ok = got;
    budget_free(&budget, got);
    return ok;
}

static void try_broken(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size);

    budget.limit = 64 << 20;
    for (size_t n = 0; n < size; n++) {
        uint8_t *part = malloc(n + !n); /* so that a byte too many is found by a sanitizer */

        memcpy(part, bytes, n);
        ck_assert_msg(!decodes(part, n), "%zu bytes of %zu were taken", n, size);
        free(part);
        ck_assert(failed(&report));
        report = (struct report){ 0 };
    }
    for (size_t n = 0; n < size; n++)
        for (int bit = 0; bit < 8; bit += 3) {
            memcpy(copy, bytes, size);
            copy[n] ^= (uint8_t)(1 << bit);
            ck_assert(decodes(copy, size) != failed(&report));
            report = (struct report){ 0 };
        }
    free(copy);
}

START_TEST(truncated_or_flipped)
{
    struct text t = png(WIDTH, HEIGHT, 8, 2, colour_pixels, (size_t)WIDTH * 3);

    if (!without(&image_png))
        try_broken(t.data, t.length);
    text_release(&t);
    if (without(&image_jpeg))
        return;
    try_broken(colour_jpeg, sizeof colour_jpeg);
    try_broken(grey_jpeg, sizeof grey_jpeg);
}
END_TEST

START_TEST(huge_ones_cost_what_they_may)
{
    uint8_t *zeros = calloc(1, 1 << 20), jpeg[sizeof grey_jpeg];
    struct text t = png(60000, 60000, 1, 0, zeros, 0); /* no data: only what the header says */
    size_t at = 0;

    budget.limit = 16 << 20;
    if (!without(&image_png)) {
        ck_assert(!decodes(t.data, t.length));
        expect_error(KILN_LIMIT, "");
        text_release(&t);
        t = png(1 << 21, 1, 1, 0, zeros, 1 << 18);
        ck_assert(!decodes(t.data, t.length));
        expect_error(KILN_BAD_DATA, "");
    }
    text_release(&t);
    memcpy(jpeg, grey_jpeg, sizeof jpeg);
    while (jpeg[at] != 0xff || jpeg[at + 1] != 0xc0)
        at++;
    memset(jpeg + at + 5, 0xfe, 4); /* height and width */
    if (!without(&image_jpeg)) {
        ck_assert(!decodes(jpeg, sizeof jpeg));
        expect_error(KILN_LIMIT, "");
    }
    ck_assert(!decodes("GIF89a", 6));
    expect_error(KILN_BAD_DATA, "is no picture of a kind that is read");
    free(zeros);
}
END_TEST

/* -- folders -- */

static struct dataset d;

/* A grey PNG, h x w, all of it `value`. */
static void put_png(const char *path, int h, int w, uint8_t value)
{
    uint8_t pixels[400];
    struct text t;

    memset(pixels, value, sizeof pixels);
    t = png((uint32_t)w, (uint32_t)h, 8, 0, pixels, (size_t)w);
    put_file(path, t.data, t.length);
    text_release(&t);
}

static void put_classes(void)
{
    char path[64];

    ck_assert(!mkdir("p", 0700) && !mkdir("p/b", 0700) && !mkdir("p/a c", 0700) && !mkdir("p/.hidden", 0700));
    for (int k = 0; k < 4; k++) {
        snprintf(path, sizeof path, "p/b/%d.png", k);
        put_png(path, 4, 6, (uint8_t)(10 * k));
    }
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "p/a c/%d.PNG", k);
        put_png(path, 4, 6, (uint8_t)(100 + k));
    }
    put_file("p/b/notes.txt", "x", 1);
}

static bool open_as(const char *spec, const struct tensor *input, const struct column_request *target, bool unlabelled)
{
    const struct column_request x = { .type = input }, none = { 0 };
    const struct data_options o = {
        .inputs = input != NULL, .input = &x, .targets = 1, .target = target ? target : &none, .unlabelled = unlabelled
    };

    return dataset_open(&d, spec, PART_TRAIN, &o, &budget, &report);
}

static struct tensor input_of(int rank, int64_t a, int64_t b, int64_t c)
{
    return (struct tensor){ .dtype = F32, .rank = rank, .dims = { UNKNOWN, a, b, c } };
}

START_TEST(folders_are_classes)
{
    static const char *const files[] = { "b/0.png", "a c/0.PNG", "b/1.png", "b/2.png", "a c/1.PNG", "b/3.png" };
    static const uint8_t values[] = { 0, 100, 10, 20, 101, 30 };
    static const char *const other[] = { "b", "x", "a c" }, *const few[] = { "b" };

    if (without(&image_png))
        return;
    put_classes();
    expect_ok(open_as("p", NULL, NULL, false));
    ck_assert(d.count == 6 && d.x->values.dtype == U8 && d.x->values.rank == 4 && d.x->values.dims[1] == 4 &&
              d.x->values.dims[2] == 6 && d.x->values.dims[3] == 1);
    ck_assert(d.y->classes == 2 && !strcmp(d.y->class_names[0], "a c") && !strcmp(d.y->class_names[1], "b"));
    for (int k = 0; k < 6; k++) {
        ck_assert_str_eq(d.names[k], files[k]);
        ck_assert_int_eq(((uint8_t *)d.x->values.data)[24 * k], values[k]);
        ck_assert_int_eq(((int64_t *)d.y->values.data)[k], *files[k] == 'b');
    }
    dataset_release(&d);
    expect_ok(open_as("folder:p", NULL, &(struct column_request){ .class_names = other, .classes = 3 }, false));
    ck_assert(d.y->classes == 3 && ((int64_t *)d.y->values.data)[0] == 0 && ((int64_t *)d.y->values.data)[1] == 2);
    dataset_release(&d);
    ck_assert(!open_as("p", NULL, &(struct column_request){ .class_names = few, .classes = 1 }, false));
    expect_error(KILN_BAD_DATA, "folder 'a c' is none of the 1 classes known: 'b', ...");
    ck_assert(!open_as("p/b", NULL, NULL, false));
    expect_error(KILN_BAD_DATA, "there are no folders in it");
    expect_ok(open_as("p/b", NULL, NULL, true));
    ck_assert(d.unlabelled && d.count == 4 && !strcmp(d.names[3], "3.png"));
    dataset_release(&d);
}
END_TEST

START_TEST(pictures_are_as_the_model_wants)
{
    static const struct {
        int rank;
        int64_t a, b, c;
        const char *error; /* NULL: taken */
        int64_t dims[3];
        enum dtype dtype;
    } rows[] = {
        { 4, 4, 6, 1, NULL, { 4, 6, 1 }, U8 },
        { 4, 4, 6, 3, NULL, { 4, 6, 3 }, U8 },
        { 4, 1, 4, 6, NULL, { 1, 4, 6 }, U8 },
        { 4, 3, 8, 5, NULL, { 3, 8, 5 }, F32 },
        { 4, UNKNOWN, UNKNOWN, 3, NULL, { 4, 6, 3 }, U8 },
        { 4, 3, UNKNOWN, UNKNOWN, NULL, { 3, 4, 6 }, U8 },
        { 4, 4, 6, 4, "pictures have 1 or 3 channels", { 0 }, U8 },
        { 3, 2, 3, 0, NULL, { 2, 3 }, F32 },
        { 2, 24, 0, 0, NULL, { 4, 6, 1 }, U8 },
        { 2, 72, 0, 0, NULL, { 4, 6, 3 }, U8 },
        { 2, 25, 0, 0, "a sample is", { 0 }, U8 },
    };

    if (without(&image_png))
        return;
    put_classes();
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const struct tensor input = input_of(rows[k].rank, rows[k].a, rows[k].b, rows[k].c);

        if (rows[k].error) {
            ck_assert(!open_as("p", &input, NULL, false));
            expect_error(KILN_BAD_DATA, rows[k].error);
            continue;
        }
        expect_ok(open_as("p", &input, NULL, false));
        ck_assert_int_eq(d.x->values.dtype, rows[k].dtype);
        for (int n = 1; n < d.x->values.rank; n++)
            ck_assert_int_eq(d.x->values.dims[n], rows[k].dims[n - 1]);
        dataset_release(&d);
    }
}
END_TEST

START_TEST(sizes_that_differ_are_asked_for)
{
    const struct tensor open = input_of(4, 1, UNKNOWN, UNKNOWN), fixed = input_of(4, 1, 4, 6);

    if (without(&image_png))
        return;
    put_classes();
    put_png("p/b/9.png", 5, 6, 7);
    ck_assert(!open_as("p", &open, NULL, false));
    expect_error(KILN_BAD_DATA, "5 x 6 pixels, the first picture has 4 x 6 and the model takes any");
    expect_ok(open_as("p,size=2x3", &open, NULL, false));
    ck_assert(d.x->values.dims[2] == 2 && d.x->values.dims[3] == 3 && d.x->values.dtype == F32);
    dataset_release(&d);
    expect_ok(open_as("p", &fixed, NULL, false)); /* bytes until the last one, then floats */
    ck_assert(d.count == 7 && d.x->values.dtype == F32 && ((float *)d.x->values.data)[24] == 100 &&
              ((float *)d.x->values.data)[24 * 6] == 7);
    dataset_release(&d);
    ck_assert(!open_as("p,size=2", &open, NULL, false));
    expect_error(KILN_BAD_ARGUMENT, "must be ',size=HEIGHTxWIDTH'");
}
END_TEST

/* Folders in the folder of a class are of it; a link may lead back. */
START_TEST(a_class_has_all_that_is_below)
{
    static const char *const files[] = { "b/0.png",   "b/1.png",   "a c/0.PNG", "b/2.png",    "b/3.png",
                                         "b/x/4.png", "a c/1.PNG", "b/z/6.png", "b/x/y/5.png" };

    if (without(&image_png))
        return;
    put_classes();
    ck_assert(!mkdir("p/b/x", 0700) && !mkdir("p/b/x/y", 0700) && !mkdir("p/b/z", 0700) && !symlink("..", "p/b/z/up"));
    put_png("p/b/x/4.png", 4, 6, 40);
    put_png("p/b/x/y/5.png", 4, 6, 50);
    put_png("p/b/z/6.png", 4, 6, 60);
    expect_ok(open_as("p", NULL, NULL, false));
    ck_assert_int_eq(d.count, 9);
    for (int k = 0; k < 9; k++)
        ck_assert_msg(strcmp(d.names[k], files[k]) == 0 && ((int64_t *)d.y->values.data)[k] == (*files[k] == 'b'),
                      "%d is %s", k, d.names[k]);
    dataset_release(&d);
}
END_TEST

START_TEST(parts_are_folders)
{
    if (without(&image_png))
        return;
    ck_assert(!mkdir("q", 0700) && !mkdir("q/train", 0700) && !mkdir("q/train/a", 0700) && !mkdir("q/test", 0700) &&
              !mkdir("q/test/a", 0700));
    put_png("q/train/a/1.png", 2, 2, 1);
    put_png("q/test/a/2.png", 2, 2, 2);
    expect_ok(open_as("q", NULL, NULL, false));
    ck_assert_int_eq(*(uint8_t *)d.x->values.data, 1);
    dataset_release(&d);
    expect_ok(open_as("q:test", NULL, NULL, false));
    ck_assert_int_eq(*(uint8_t *)d.x->values.data, 2);
    dataset_release(&d);
    put_classes();
    ck_assert(!open_as("p:test", NULL, NULL, false));
    expect_error(KILN_BAD_ARGUMENT, "no test part");
    put_file("p/b/0.png", "nothing", 7);
    ck_assert(!open_as("p", NULL, NULL, false));
    expect_error(KILN_BAD_DATA, "is no picture of a kind that is read");
    ck_assert(!open_as("folder:absent", NULL, NULL, false));
    expect_error(KILN_IO, "cannot be opened");
}
END_TEST

START_TEST(memory_may_run_out_anywhere)
{
    size_t peak;

    if (without(&image_png))
        return;
    put_classes();
    put_png("p/b/9.png", 5, 6, 7);
    expect_ok(open_as("p,size=2x3", NULL, NULL, false));
    dataset_release(&d);
    peak = budget.peak;
    for (size_t limit = 1; limit < peak; limit += 97) {
        budget.limit = limit;
        ck_assert(!open_as("p,size=2x3", NULL, NULL, false));
        expect_error(KILN_LIMIT, "");
        ck_assert_uint_eq(budget.used, 0);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("pictures");

    add_test_between(s, enter_scratch, leave_scratch, png_of_every_kind);
    add_test_between(s, enter_scratch, leave_scratch, jpeg_is_what_tensorflow_reads);
    add_test_between(s, enter_scratch, leave_scratch, sizes_are_what_tensorflow_makes);
    add_test_between(s, enter_scratch, leave_scratch, truncated_or_flipped);
    add_test_between(s, enter_scratch, leave_scratch, huge_ones_cost_what_they_may);
    add_test_between(s, enter_scratch, leave_scratch, folders_are_classes);
    add_test_between(s, enter_scratch, leave_scratch, pictures_are_as_the_model_wants);
    add_test_between(s, enter_scratch, leave_scratch, sizes_that_differ_are_asked_for);
    add_test_between(s, enter_scratch, leave_scratch, a_class_has_all_that_is_below);
    add_test_between(s, enter_scratch, leave_scratch, parts_are_folders);
    add_test_between(s, enter_scratch, leave_scratch, memory_may_run_out_anywhere);
    return s;
}
