#include "adapt/layer_name.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What stands behind a layer's name: Keras' and PyTorch's parameters, TensorFlow's operators. */
static bool is_part(const char *s, size_t length)
{
    static const char *const words[] = {
        "weight",
        "bias",
        "kernel",
        "gamma",
        "beta",
        "moving_mean",
        "moving_var",
        "moving_variance",
        "running_mean",
        "running_var",
        "embeddings",
        "recurrent_kernel",
        "readvariableop",
        "merged_input",
        "convolution",
        "cast",
        "biasadd",
        "squeeze",
        "matmul",
        "depthwise",
        "separable_conv2d",
        "weight_bias",
        "expanddims_1",
        "conv_transpose",
    };

    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (strlen(words[k]) == length && strncasecmp(words[k], s, length) == 0)
            return true;
    return false;
}

/* Where the last part of a name begins, with what separates it; 0 where there is but one. */
static size_t last_part(const char *s, size_t length)
{
    while (length && s[length - 1] != '/' && s[length - 1] != '.')
        length--;
    return length ? length - 1 : 0;
}

static void put(char out[LAYER_NAME], const char *s, size_t length)
{
    snprintf(out, LAYER_NAME, "%.*s", (int)(length < LAYER_NAME ? length : LAYER_NAME - 1), s);
}

/* "conv1.weight" and "seq/conv1/convolution/ReadVariableOp:0" -> "conv1", "seq/conv1". */
static bool by_own_name(char out[LAYER_NAME], const char *name)
{
    size_t length = strcspn(name, ":"), cut;
    const size_t whole = length;

    while ((cut = last_part(name, length)) && is_part(name + cut + 1, length - cut - 1))
        length = cut;
    if (length == whole)
        return false;
    put(out, name, length);
    return true;
}

void layer_name(char out[LAYER_NAME], const struct parameter *p)
{
    const char *reader = p->reader ? p->reader->name : "";

    out[0] = 0;
    if (by_own_name(out, p->value->name))
        return;
    while (*reader == '/')
        reader++;
    put(out, reader, last_part(reader, strlen(reader)));
}
