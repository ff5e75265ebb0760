/* What LSTM and DynamicQuantizeLSTM of com.microsoft share. */
#ifndef KILN_OPS_LSTM_H
#define KILN_OPS_LSTM_H

#include "ops/recurrent.h"

struct lstm {
    struct recurrent r;
    bool input_forget;
    bool rounds; /* what is multiplied by R is rounded to 8 bits before, as by DynamicQuantizeLinear: all of a step */
};

bool lstm_parse(struct parse *p, void *attrs);
/* LSTM with `rounds`, and attributes that say so. */
extern const struct op lstm_rounding;

#endif
