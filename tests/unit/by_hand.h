/* What nodes make of the floats x: y, a float of any shape. */
#ifndef KILN_TESTS_UNIT_BY_HAND_H
#define KILN_TESTS_UNIT_BY_HAND_H

#include "fixture.h"
#include <math.h>
#include <stdio.h>

struct by_hand {
    const char *nodes;
    int in, out;
    float x[8], y[12];
};

/* `opsets` as a model imports them: "\"\": 27". */
static inline void check_by_hand(const struct by_hand *of, const char *opsets)
{
    const int64_t in = of->in;
    float x[8];
    const float *y;
    char text[1280];
    struct fixture f;

    memcpy(x, of->x, sizeof x);
    ck_assert_int_lt(snprintf(text, sizeof text,
                              "<ir_version: 14, opset_import: [%s]> g (float[N] x) => (float y) { %s }", opsets,
                              of->nodes),
                     sizeof text);
    begin(&f, text);
    set(&f, "x", F32, 1, &in, x);
    run_ok(&f);
    y = floats(&f, 0, of->out);
    for (int k = 0; k < of->out; k++) {
        const float need = of->y[k];

        ck_assert_msg(isnan(need)   ? isnan(y[k])
                      : isinf(need) ? y[k] == need
                                    : fabsf(y[k] - need) <= 1e-6f * fabsf(need),
                      "%s: y[%d] is %.9g, must be %.9g", of->nodes, k, (double)y[k], (double)need);
    }
    end(&f);
}

#endif
