/* The attributes of Concat. */
#ifndef KILN_OPS_CONCAT_H
#define KILN_OPS_CONCAT_H

#include <stdbool.h>
#include <stdint.h>

struct concat {
    int64_t axis;
    bool channels_last; /* of inputs and output; the axis counts as ONNX does */
};

#endif
