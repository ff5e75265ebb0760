/* "kiln.ChannelShuffle": Reshape, Transpose and Reshape that exchange two dimensions in which channels are counted, as
 * one node, made by plan/pass_shuffle.c. */
#ifndef KILN_OPS_CHANNEL_SHUFFLE_H
#define KILN_OPS_CHANNEL_SHUFFLE_H

#include "ops/op.h"

struct channel_shuffle { /* the attributes: [batch, groups, channels, size] is what the first Reshape makes */
    int64_t batch;       /* -1: follows from the others */
    int64_t groups, channels, size[2];
    bool channels_last; /* of input and output */
};

extern const struct op channel_shuffle_op;

#endif
