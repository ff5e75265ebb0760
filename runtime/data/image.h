/* Pictures in files: PNG (by libpng) and JPEG (by libjpeg-turbo), as far as the library was built with them. What they
 * decode to is charged to the budget before it is made. */
#ifndef KILN_DATA_IMAGE_H
#define KILN_DATA_IMAGE_H

#include "base/memory.h"

struct image_size {
    int64_t height, width;
    bool grey; /* has it one channel in the file? */
};

/* The file's bytes, and what it is called in messages. */
struct image_file {
    const char *name;
    const uint8_t *bytes;
    size_t size;
    struct budget *budget;
};

/* By the first bytes, whatever the name; an error where it is no picture that can be read here. */
bool image_look(struct image_size *out, const struct image_file *f, struct report *r);
/* [height, width, channels] bytes, without alpha; channels are 1 (grey: .299 R + .587 G + .114 B) or 3 (RGB). `size` is
 * what image_look said; freed with budget_free. NULL with an error, also where data are missing or damaged. */
uint8_t *image_read(const struct image_file *f, const struct image_size *size, int channels, struct report *r);
/* Is a file read that has this name: .png, .jpg, .jpeg? */
bool image_is_named(const char *name);

/* Bilinear, as tf.image.resize and keras.utils.image_dataset_from_directory do by default: between the centres of
 * pixels, without a filter where the picture becomes smaller. */
void image_resize(const uint8_t *from, const struct image_size *size, int channels, float *to, int64_t height,
                  int64_t width);

/* What a kind of files has: image_png.c, image_jpeg.c. Its `magic` is how files begin. */
struct image_kind {
    const char *name, *magic;
    size_t magic_size;
    bool (*look)(struct image_size *out, const struct image_file *f, struct report *r);
    /* [height, width, components] bytes: 1 component where the file has one, or where that is asked for by *grey and can be
     * had at once, which *grey then tells; else 3. */
    bool (*read)(const struct image_file *f, const struct image_size *size, bool *grey, uint8_t *to, struct report *r);
};
extern const struct image_kind image_png, image_jpeg; /* look is NULL where the library was built without it */

#endif
