/* The attributes of Pad, for passes (plan/pass.h). */
#ifndef KILN_OPS_PAD_H
#define KILN_OPS_PAD_H

#include "ops/op.h"

enum { PAD_DATA, PAD_PADS, PAD_VALUE, PAD_AXES }; /* inputs */
enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP };

struct pad {
    enum pad_mode mode;
    bool channels_last;
    float value; /* where there is no input for it */
};

#endif
