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

/* The largest error of floats, in units of the last place of what was expected. */
struct ulps {
    kiln_dtype dtype; /* of the tensor; UNDEFINED where there were no floats */
    double most;
};
/* Widens `worst` by two values that are the same within tolerances. */
void ulps_apart(struct ulps *worst, const kiln_tensor *got, const kiln_tensor *expected);

#endif
