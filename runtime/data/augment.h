/* Images changed at random before a model learns from them, as Keras' ImageDataGenerator changes them: the same pixels
 * for the same transform (tests/keras/augment.py). Which transform a sample gets depends on the seed, the pass over the
 * data and the sample alone.
 *
 * A transform is done in Keras' order: rotation, shift, shear and zoom in one step, of which each pixel is read by
 * bilinear interpolation; channel shift; flips; brightness. What Keras does is kept where its names say something else:
 * tx, which height_shift_range draws, goes along the width, and the centre of what is turned is that of the turned image
 * (H and W changed) where it is no square. */
#ifndef KILN_DATA_AUGMENT_H
#define KILN_DATA_AUGMENT_H

#include "base/spec.h"
#include "tensor/tensor.h"

enum fill_mode { FILL_NEAREST, FILL_CONSTANT, FILL_REFLECT, FILL_WRAP };
enum data_format { FORMAT_BY_SHAPE, CHANNELS_LAST, CHANNELS_FIRST };

/* The options of ImageDataGenerator, by its names (augmentation_row tells what they are). */
struct augmentation {
    double rotation_range, width_shift_range, height_shift_range, shear_range;
    struct spec_range zoom_range;
    bool horizontal_flip, vertical_flip;
    double fill_mode, cval; /* an enum fill_mode */
    double channel_shift_range;
    struct spec_range brightness_range; /* 1 to 1: none */
    double data_format;                 /* an enum data_format */
};

extern const struct spec_row augmentation_row;

/* What is done to one image. */
struct transform {
    double theta, tx, ty, shear, zx, zy; /* degrees and pixels */
    bool flip_horizontal, flip_vertical;
    double channel_shift, brightness; /* NaN: none. Brightness makes bytes of all, and is none even where it is 1 */
};

/* How an image lies in memory. */
struct image {
    int64_t height, width, channels;
    bool channels_first;
};

/* "rotation_range=10,horizontal_flip=1" */
bool augmentation_read(struct augmentation *a, const char *keys, struct report *r);
/* The image that a sample is: [H,W,C], [C,H,W] or [H,W], of bytes or floats. */
bool augmentation_image(struct image *out, const struct augmentation *a, const struct tensor *sample, struct report *r);

struct transform transform_draw(const struct augmentation *a, const struct image *i, uint64_t seed, uint64_t pass,
                                int64_t sample);
/* From `in` to `out`, which do not overlap. */
void transform_apply(const struct transform *t, const struct augmentation *a, const struct image *i, const float *in,
                     float *out);

#endif
