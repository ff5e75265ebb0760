/* What operators on integers of 8 bits share: operands that have scales and zero points, products and convolutions of
 * them in integers (kernels/integer.h), and how the sums are quantised again. */
#ifndef KILN_OPS_QUANTIZED_H
#define KILN_OPS_QUANTIZED_H

#include "kernels/integer.h"
#include "ops/conv.h"
#include "ops/product.h"

/* The least and the greatest number of an integer type. */
static inline void saturation(enum dtype d, float *least, float *most)
{
    const bool has_sign = dtype_traits[d].class == CLASS_INT;
    const int bits = dtype_traits[d].bits;

    *least = has_sign ? -(float)(1u << (bits - 1)) : 0;
    *most = (float)(1u << (has_sign ? bits - 1 : bits)) - 1;
}

/* Is input k, called `name`, one number: a scalar, or a vector of one? Left out is right, too. */
bool has_one_value(struct infer *i, int k, const char *name);
/* Or one for each of `count`, which are what is said? */
bool has_values(struct infer *i, int k, const char *name, int64_t count, const char *each);

/* The sums are quantised again by these. */
void quantized_again(struct integer_result *r, float y_scale, const struct tensor *y_zero);

/* The inputs of a product, or of a convolution, by number; NULL names none. */
struct quantized_inputs {
    int a, a_zero, b, b_zero; /* of a convolution: x, and w */
    const char *a_name, *b_name;
    int bias; /* of a convolution, -1: there is none */
};

/* Plans the products of inputs a and b, and the memory that takes: what is in *scratch is kept free before it. */
bool quantized_product_infer(struct infer *i, const struct quantized_inputs *in, size_t scratch, struct product *p);
/* Is input k one number, or one for each row (of each matrix) of the operand, or of each column? */
bool has_rows(struct infer *i, int k, const char *name, int operand, bool columns);
/* `r` says what becomes of the sums. */
bool quantized_product_run(struct step *s, const struct quantized_inputs *in, const struct integer_result *r,
                           char *scratch);

bool quantized_conv_infer(struct infer *i, const struct quantized_inputs *in, enum dtype y, size_t scratch);
bool quantized_conv_run(struct step *s, const struct quantized_inputs *in, const struct integer_result *r,
                        char *scratch);

#endif
