/* What the passes of direct convolution share: the shape as tiles see it.
 *
 * The result's channels of a group are cut into vectors, vectors into panels of up to TILE_VECTORS. Packed weights are
 * [group][panel][kernel row][slot of kernel column][depth][lanes of the panel], lanes past the channels being 0. */
#ifndef KILN_KERNELS_CHANNELS_LAST_DIRECT_H
#define KILN_KERNELS_CHANNELS_LAST_DIRECT_H

#include "kernels/bands.h"
#include "kernels/channels_last/method.h"
#include "kernels/conv_axis.h"

struct direct {
    const struct kernels *k;
    struct conv_shape shape; /* a flat one is an image of one row */
    bool back;               /* the gradient by the input: its roles of x and y are changed */
    bool flat;               /* pixels meet one to one */
    int64_t groups, width,
        depth;        /* channels of the result and of the input in a group; small groups are taken together */
    int64_t together; /* ONNX' groups in one of these, zeros where they do not meet: they are taken apart where what is
                         read is not finite, which times 0 is NaN */
    int64_t x_channels, y_channels;
    int64_t in[2], out[2], taps;   /* of what is read, of what is written */
    int64_t every;                 /* so many columns of the kernel after each other are met by different phases */
    int64_t vectors, group_panels; /* of a group */
    int64_t panels;
    struct bands bands;
    int64_t panel_chunk; /* a chunk of work is some blocks by so many panels */
};

struct panel {
    int64_t group, first, vectors; /* the first of its vectors */
    int64_t channel, channels;     /* in the group */
    int64_t lanes, offset;         /* floats of a depth; where its weights start */
};

struct direct direct_of(const struct conv_last *c);
struct panel direct_panel(const struct direct *d, int64_t p);
/* Where an element of a kernel's row lies: for the gradient by the input, elements that the same pixels meet lie
 * together, in the order of the pixels that they meet. */
int64_t direct_slot(const struct direct *d, int64_t kernel_column);

size_t direct_weights(const struct conv_last *c);
void direct_pack(const struct conv_last *c, struct pool *pool, const float *w, void *packed);
size_t direct_dw_scratch(const struct conv_last *c);
void direct_dw(const struct conv_last *c, struct pool *pool, const float *x, const float *dy, float *dw, float *db,
               void *scratch);
bool direct_sums_dy(const struct conv_last *c);

#endif
