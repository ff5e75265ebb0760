/* Shapes of convolutions, drawn. */
#ifndef KILN_TESTS_RANDOM_CONV_H
#define KILN_TESTS_RANDOM_CONV_H

#include "kernels/conv.h"
#include "numbers.h"

static inline struct conv_shape random_conv_shape(int round)
{
    struct conv_shape s = { .batch = 1 + random_below(3), .groups = round % 4 ? 1 : 1 + random_below(4) };
    int64_t channels = 1 + random_below(round % 3 ? 5 : 40), out_channels = 1 + random_below(round % 2 ? 5 : 40);

    if (round % 16 == 0) { /* depthwise */
        channels = 1;
        out_channels = 1 + random_below(2);
        s.groups = 1 + random_below(9);
    }
    s.in_channels = channels * s.groups;
    s.out_channels = out_channels * s.groups;
    s.rank = round % 10 == 0 ? 1 : round % 10 == 1 ? 3 : round % 50 == 2 ? 0 : 2;
    for (int d = 0; d < s.rank; d++) {
        int64_t span = -1;

        while (span < 0) {
            s.kernel[d] = 1 + random_below(random_below(3) ? 3 : 6);
            s.strides[d] = random_below(3) ? 1 : 1 + random_below(4);
            s.dilations[d] = random_below(3) ? 1 : 1 + random_below(3);
            s.pads_begin[d] = random_below(2) ? 0 : random_below(5) - 1;
            s.in[d] = 1 + random_below(s.rank == 3 ? 7 : s.rank == 1 ? 90 : 18);
            span = s.in[d] + s.pads_begin[d] + random_below(3) - (s.kernel[d] - 1) * s.dilations[d] - 1;
        }
        s.out[d] = span / s.strides[d] + 1;
        if (s.rank == 2 && random_below(4) == 0) { /* this dimension may be merged with the next */
            s.kernel[d] = s.strides[d] = 1;
            s.pads_begin[d] = 0;
            s.out[d] = s.in[d];
        }
    }
    return s;
}

#endif
