/* Conv of floats with its channels last (conv_attrs.channels_last): what stands behind the functions of conv.c. */
#ifndef KILN_OPS_CONV_LAST_H
#define KILN_OPS_CONV_LAST_H

#include "ops/conv.h"

/* A row of pixels is an image of one row: the shape has two dimensions then. */
void conv_last_lift(struct conv_shape *s);
bool conv_last_infer(struct infer *i, const struct conv_attrs *a, const struct conv_extras *extras);
bool conv_last_step(struct step *s, const struct conv_extras *extras);
/* Of the gradient: inputs dY, X, W; outputs dX, dW, dB. */
bool conv_last_grad_infer(struct infer *i);
bool conv_last_grad_step(struct step *s);
/* Which methods were chosen, and what is done at the end. */
void conv_last_tell(const struct node *n, const struct conv_extras *extras, const void *plan, struct text *out);
void conv_last_grad_tell(const struct node *n, const void *plan, struct text *out);

#endif
