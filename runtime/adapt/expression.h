/* Constants that nodes compute of the parameters of BatchNormalization, where an exporter has left that to them: then
 * all four are in the file. */
#ifndef KILN_ADAPT_EXPRESSION_H
#define KILN_ADAPT_EXPRESSION_H

#include "adapt/normalization.h"

struct factor_expression {
    const struct value *gamma, *variance; /* gamma is NULL where there is none */
    double epsilon;
};

/* Is it gamma / sqrt(variance + epsilon), or that without gamma? */
bool factor_expression(const struct search *s, const struct value *v, struct factor_expression *out);
/* Is it sqrt(variance + epsilon)? */
bool deviation_expression(const struct search *s, const struct value *v, struct factor_expression *out);
/* Is it beta - mean * factor, or that without beta, which is NULL then? */
bool summand_expression(const struct value *v, const struct value *factor, const struct value **beta,
                        const struct value **mean);
/* What a constant is, looked at through nodes that leave its numbers what they are. */
const struct value *expression_root(const struct value *v);

#endif
