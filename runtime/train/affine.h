/* Constants that PyTorch's exporters write as the scale and the bias of a normalisation that has none (affine=False,
 * elementwise_affine=False, bias=False): ones and zeros, which are no parameters.
 *
 * The newer exporter tells in the node's metadata of what it made it: None stands in their place. Without that names
 * tell: a parameter keeps its own, "norm.weight", and is an initializer; what the exporters make themselves is a Constant
 * node, "/norm/Constant_output_0", or "val_7". */
#ifndef KILN_TRAIN_AFFINE_H
#define KILN_TRAIN_AFFINE_H

#include "model/model.h"

enum affine {
    AFFINE_UNSAID,    /* nothing tells */
    AFFINE_PARAMETER, /* the layer has it */
    AFFINE_NONE       /* it has not */
};

/* What the node's metadata tell of the layer's scale, or else of its bias. */
enum affine affine_told(const struct model *m, const struct node *n, bool scale);
/* The same of the bias of a Conv, ConvTranspose, Gemm or MatMul. */
enum affine affine_bias_told(const struct model *m, const struct node *n);
/* What the metadata of a node tell of the BatchNormalization that it was made of: epsilon, and ONNX' momentum, which is 1 -
 * PyTorch's; 0 where they do not. PyTorch writes 0 for a momentum of None, by which it averages over all batches. */
void affine_batch_norm_told(const struct model *m, const struct node *n, double *epsilon, double *momentum);
/* Is the constant such a one, where this node reads it? */
enum affine affine_of(const struct model *m, const struct node *reader, const struct value *v,
                      const struct tensor *content);
/* Does the node normalise, and may it have a scale and a bias? */
bool affine_is_normalization(const struct node *n);

#endif
