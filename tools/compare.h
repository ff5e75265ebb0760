/* Are two values the same, within tolerances? */
#ifndef KILN_TOOLS_COMPARE_H
#define KILN_TOOLS_COMPARE_H

#include "kiln.h"

struct tolerance {
    double relative, absolute; /* |got - expected| <= absolute + relative * |expected|, as numpy's allclose */
};

/* Kind, dtype, shape and values. On a difference, false with one line that says where in `why`. NaN equals NaN. */
enum { WHY_TEXT = 256 };
bool same_value(const kiln_tensor *got, const kiln_tensor *expected, struct tolerance t, char why[WHY_TEXT]);

#endif
