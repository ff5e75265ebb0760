/* Nodes whose values were found by hand. */
#ifndef KILN_TESTS_BY_HAND_H
#define KILN_TESTS_BY_HAND_H

#include "fixture.h"
#include <math.h>
#include <stdio.h>

/* What nodes make of the floats x: y, a float of any shape. */
struct by_hand {
    const char *nodes;
    int64_t in;
    int out;
    float x[8], y[12];
};

static void check_by_hand(const struct by_hand *c, int opset)
{
    float x[8];
    const float *y;
    char text[1000];
    struct fixture f;

    memcpy(x, c->x, sizeof x);
    snprintf(text, sizeof text,
             "<ir_version: %d, opset_import: [\"\": %d, \"com.microsoft\": 1]> g (float[N] x) => (float y) { %s }",
             opset < 7 ? 3 : 14, opset, c->nodes);
    begin(&f, text);
    set(&f, "x", F32, 1, &c->in, x);
    run_ok(&f);
    y = floats(&f, 0, c->out);
    for (int k = 0; k < c->out; k++) {
        const float need = c->y[k];

        ck_assert_msg(isnan(need)   ? isnan(y[k])
                      : isinf(need) ? y[k] == need
                                    : fabsf(y[k] - need) <= 1e-6f * fabsf(need),
                      "%s: y[%d] is %g, must be %g", c->nodes, k, (double)y[k], (double)need);
    }
    end(&f);
}

#endif
