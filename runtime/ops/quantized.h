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

/* Input k; NULL where it is left out, or k is below 0. */
const struct tensor *quantized_given(const struct step *s, int k);
/* The sums are quantised again by these. */
void quantized_again(struct integer_result *r, float y_scale, const struct tensor *y_zero);

/* The inputs of a product, or of a convolution, by number; NULL names none. */
struct quantized_inputs {
    int a, a_zero, b, b_zero; /* of a convolution: x, and w */
    const char *a_name, *b_name;
    int bias;    /* of a convolution, -1: there is none */
    int a_scale; /* of a product; -1: there is none */
};

/* Plans the products of inputs a and b, and the memory that takes: what is in *scratch is kept free before it. */
bool quantized_product_infer(struct infer *i, const struct quantized_inputs *in, size_t scratch, struct product *p);
/* Is input k one number, or one for each row (of each matrix) of the operand, or of each column? */
bool has_rows(struct infer *i, int k, const char *name, int operand, bool columns);
/* `r` says what becomes of the sums. */
bool quantized_product_run(struct step *s, const struct quantized_inputs *in, const struct integer_result *r,
                           char *scratch);

/* Of x as ONNX has it: the shape of the convolution, and the dimensions of its result. */
bool quantized_conv_shape(struct infer *i, const struct quantized_inputs *in, const struct tensor *x,
                          struct conv_shape *s, int64_t *dims);
bool quantized_conv_infer(struct infer *i, const struct quantized_inputs *in, enum dtype y, size_t scratch);
bool quantized_conv_run(struct step *s, const struct quantized_inputs *in, const struct integer_result *r,
                        char *scratch);

/* Is what a QuantizeLinear divides rounded to float, no more and no less? */
bool quantizes_in_floats(const struct node *n);

enum { QLINEAR_CONV_W = 3 }; /* the input of QLinearConv that its weights are */

/* -- channels last, and by a constant matrix (quantized_last.c): kernels/channels_last/integer.h -- */

struct integer_operand quantized_operand(const struct tensor *t, const struct tensor *zero);
/* Can a convolution be laid out so? Its weights and their zero points are constants. */
bool quantized_conv_goes_last(const struct node *n, const struct quantized_inputs *in);
bool quantized_conv_last_infer(struct infer *i, const struct quantized_inputs *in, enum dtype y);
bool quantized_conv_last_run(struct step *s, const struct quantized_inputs *in, const struct integer_result *r);
/* Plans a product so, with `scratch` kept free before it; false where it is another, or B is no constant. */
bool quantized_quads_infer(struct infer *i, const struct quantized_inputs *in, size_t scratch, const struct product *p);
/* False where it was not planned so. */
bool quantized_quads_run(struct step *s, const struct quantized_inputs *in, const struct integer_result *r,
                         char *scratch);
void quantized_last_tell(const struct node *n, const void *plan, struct text *out);

#endif
