/* One way to compute a convolution; conv.c asks them in turn. All functions but `fits` see only what they fit. */
#ifndef KILN_KERNELS_CHANNELS_LAST_METHOD_H
#define KILN_KERNELS_CHANNELS_LAST_METHOD_H

#include "kernels/channels_last/conv.h"
#include "kernels/machine.h"
#include "kernels/tile.h"

/* Tiles after which the time is looked at, of so many products for each of their pixels: bands are cut into lines, a
 * line is not cut. */
static inline int64_t tiles_for_a_look(double products)
{
    enum { MOST = 1024, SOME = 2 * JOB_PRODUCTS };

    return products * MOST <= SOME ? MOST : products >= SOME ? 1 : (int64_t)(SOME / products);
}

struct conv_method {
    const char *name;
    bool wide_pixels;                              /* does it know epilogue.pixel? */
    bool reads_weights;                            /* not only what was packed of them */
    bool (*fits)(struct conv_last *c, bool exact); /* fills detail */
    struct conv_weights_key (*key)(const struct conv_last *c);
    size_t (*weights)(const struct conv_last *c);
    void (*pack)(const struct conv_last *c, struct pool *pool, const float *w, void *packed);
    size_t (*scratch)(const struct conv_last *c, int threads);
    int64_t (*blocks)(const struct conv_last *c);
    void (*run)(const struct conv_last *c, struct pool *pool, const float *x, const float *w, const void *packed,
                const struct epilogue *e, float *y, void *scratch);
    /* db is NULL where it is not wanted, or dw does not sum dy on its way. */
    void (*dw)(const struct conv_last *c, struct pool *pool, const float *x, const float *dy, float *dw, float *db,
               void *scratch);
    bool (*sums_dy)(const struct conv_last *c);
};

extern const struct conv_method conv_depthwise, conv_winograd, conv_tiles;

#endif
