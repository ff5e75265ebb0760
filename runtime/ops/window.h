/* Windows that slide over the spatial dimensions (those after batch and channels): what Conv, ConvTranspose and the
 * pools share. */
#ifndef KILN_OPS_WINDOW_H
#define KILN_OPS_WINDOW_H

#include "ops/move.h"
#include "ops/op.h"

enum auto_pad { NOTSET, SAME_UPPER, SAME_LOWER, VALID };

enum { MAX_SPATIAL = MAX_RANK - 2 };

struct window_attrs { /* as written: a list of count 0 is absent */
    enum auto_pad auto_pad;
    bool ceil_mode;
    struct ints kernel_shape, strides, dilations, pads;
    uint32_t padded; /* not written, but by window_pad. Bit d: of the pads some are the image's own: it is not empty */
};

enum window_form { /* what an opset version has beyond kernel_shape, strides, pads and auto_pad */
                   WINDOW_DILATIONS = 1,
                   WINDOW_CEIL = 2,
                   WINDOW_KERNEL = 4, /* kernel_shape is required */
};

/* Reads the attributes and checks their values; the rank of the input is not known yet. */
bool window_parse(struct parse *p, struct window_attrs *a, unsigned form);

/* The attributes that are given, as emit takes them. */
enum { WINDOW_TEXT = 4 * INTS_TEXT + 64 };
const char *window_text(char buffer[WINDOW_TEXT], const struct window_attrs *a);

/* An attribute of sizes, each at least `least`; count 0 where it is absent. */
bool window_list(struct parse *p, const char *name, struct ints *list, int64_t least);

/* More pads, two for each spatial dimension, around those that there are. False, and nothing has changed, where
 * auto_pad computes them, where those that there are do not fit, or where they would be more than can be written. */
bool window_pad(struct window_attrs *a, const struct ints *more);

struct window { /* all that a kernel wants to know, for one shape of the input */
    int rank;
    int64_t in[MAX_SPATIAL], out[MAX_SPATIAL], kernel[MAX_SPATIAL];
    int64_t strides[MAX_SPATIAL], dilations[MAX_SPATIAL];
    int64_t pads_begin[MAX_SPATIAL], pads_end[MAX_SPATIAL];
};

/* Fills rank, in, kernel, strides, dilations and the explicit pads. `kernel` holds the weight's spatial dimensions,
 * NULL: kernel_shape alone tells. While running, `i` is NULL, here and below: what planning accepted cannot fail. */
bool window_read(struct infer *i, const struct window_attrs *a, const struct tensor *x, const int64_t *kernel,
                 struct window *w);
/* What follows: pads of auto_pad, and the output's size. window_read first. */
bool window_slide(struct infer *i, const struct window_attrs *a, struct window *w);
/* (kernel - 1) * dilation + 1; false where it overflows. */
bool window_extent(const struct window *w, int d, int64_t *extent);

#endif
