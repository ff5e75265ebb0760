/* Pictures in files: BMP and PNM, and PNG (by libpng), JPEG (by libjpeg-turbo), JPEG 2000 (by OpenJPEG), TIFF (by libtiff)
 * and WebP (by libwebp) as far as the library was built with them. What they decode to is charged to the budget before it
 * is made. */
#ifndef KILN_IMAGE_IMAGE_H
#define KILN_IMAGE_IMAGE_H

#include "base/memory.h"

struct image_size {
    int64_t height, width;
    bool grey; /* has it one channel in the file? */
};

/* Those who have said what a file decodes to differ by a little: in how JPEG's transform rounds, and what grey is. */
enum image_way {
    IMAGE_KERAS, /* tf.io.decode_image: the fast transform; .299 R + .587 G + .114 B, cut, or a JPEG's own lightness */
    IMAGE_ONNX   /* the reference, which is Pillow: the accurate one; the same of R, G and B, rounded */
};

/* The file's bytes, and what it is called in messages. */
struct image_file {
    const char *name;
    const uint8_t *bytes;
    size_t size;
    struct budget *budget;
    enum image_way way;
};

/* By the first bytes, whatever the name; an error where it is no picture that can be read here. */
bool image_look(struct image_size *out, const struct image_file *f, struct report *r);
/* [height, width, channels] bytes, without alpha; channels are 1 (grey) or 3 (RGB). `size` is what image_look said; freed with budget_free. NULL with an error, also where data are missing or damaged. */
uint8_t *image_read(const struct image_file *f, const struct image_size *size, int channels, struct report *r);
/* Is a file read that has this name: .png, .jpg, .jpeg? */
bool image_is_named(const char *name);

/* Bilinear, as tf.image.resize and keras.utils.image_dataset_from_directory do by default: between the centres of
 * pixels, without a filter where the picture becomes smaller. */
void image_resize(const uint8_t *from, const struct image_size *size, int channels, float *to, int64_t height,
                  int64_t width);

/* What a kind of files has: a file each. */
struct image_kind {
    const char *name, *feature;                    /* that the library is built with for it; NULL: none is needed */
    bool (*is)(const uint8_t *bytes, size_t size); /* by how they begin */
    bool (*look)(struct image_size *out, const struct image_file *f, struct report *r);
    /* [height, width, components] bytes: 1 component where the file has one, or where that is asked for by *grey and can be
     * had at once, which *grey then tells; else 3. */
    bool (*read)(const struct image_file *f, const struct image_size *size, bool *grey, uint8_t *to, struct report *r);
};
/* look is NULL where the library was built without it */
extern const struct image_kind image_bmp, image_jpeg, image_jpeg2000, image_png, image_pnm, image_tiff, image_webp;

#endif
