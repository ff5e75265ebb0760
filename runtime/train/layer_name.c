#include "train/layer_name.h"
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

/* "conv1.weight" and "seq/conv1/convolution/ReadVariableOp:0" -> "conv1", "seq/conv1": its length, 0 where it is none. */
static size_t by_own_name(const char *name)
{
    size_t length = strcspn(name, ":"), cut;
    const size_t whole = length;

    while ((cut = last_part(name, length)) && is_part(name + cut + 1, length - cut - 1))
        length = cut;
    return length == whole ? 0 : length;
}

/* Another initializer that the same node reads, whose name tells; NULL. */
static const struct value *by_others(const struct parameter *p)
{
    for (int k = 0; p->reader && k < p->reader->inputs; k++) {
        const struct value *v = p->reader->in[k];

        if (v && v->initializer && v != p->value && by_own_name(v->name))
            return v;
    }
    return NULL;
}

const char *layer_name(const struct parameter *p, struct arena *arena, struct report *r)
{
    const char *reader = p->reader ? p->reader->name : "";
    const size_t own = by_own_name(p->value->name);
    const struct value *beside;

    if (own)
        return arena_string(arena, p->value->name, own, r);
    while (*reader == '/')
        reader++;
    if (!last_part(reader, strlen(reader)) && (beside = by_others(p)))
        return arena_string(arena, beside->name, by_own_name(beside->name), r);
    return arena_string(arena, reader, last_part(reader, strlen(reader)), r);
}
