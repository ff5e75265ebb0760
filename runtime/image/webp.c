#include "image/image.h"
#include <string.h>

static bool is(const uint8_t *bytes, size_t size)
{
    return size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0;
}

#if KILN_WEBP
#include <webp/decode.h>

static bool look(struct image_size *out, const struct image_file *f, struct report *r)
{
    WebPBitstreamFeatures of;

    if (WebPGetFeatures(f->bytes, f->size, &of) != VP8_STATUS_OK)
        return fail(r, KILN_BAD_DATA, f->name, "cannot be read: its header is damaged");
    if (of.has_animation)
        return fail(r, KILN_UNSUPPORTED, f->name, "is an animation");
    *out = (struct image_size){ of.height, of.width, false };
    return true;
}

/* libwebp takes memory that nobody can charge by the block: as much is held while it works. */
static bool read_picture(const struct image_file *f, const struct image_size *size, bool *grey, uint8_t *to,
                         struct report *r)
{
    enum { BYTES = 8 }; /* of a pixel, at most: lossless pictures are decoded whole */
    const int64_t pixels = size->height * size->width;
    void *held = budget_alloc(f->budget, to_size(pixels * BYTES + (1 << 20)), r);
    bool ok;

    *grey = false;
    if (!held)
        return false;
    ok = WebPDecodeRGBInto(f->bytes, f->size, to, (size_t)(3 * pixels), (int)(3 * size->width)) ||
         fail(r, KILN_BAD_DATA, f->name, "cannot be read: it is damaged, or ends too early");
    budget_free(f->budget, held);
    return ok;
}

const struct image_kind image_webp = { "WebP", "webp", is, look, read_picture };
#else
const struct image_kind image_webp = { "WebP", "webp", is, NULL, NULL };
#endif
