#include "run/cost.h"
#include "ops/conv.h"
#include "ops/layout.h"
#include <string.h>

static double count(const struct tensor *t)
{
    return t && t->kind == TENSOR && tensor_known(t) ? (double)tensor_count(t) : 0;
}

static double bytes(const struct tensor *t)
{
    return t ? count(t) * (double)dtype_size(t->dtype) : 0;
}

/* -- arithmetic ---------------------------------------------------------------------------------------------------- */

/* Each pixel of `pixels`, which has a channel for each row of the weights w, meets all of that row. */
static double rows_met(const struct tensor *pixels, const struct tensor *w)
{
    const double rows = w && w->rank > 0 ? (double)w->dims[0] : 0;

    return rows > 0 ? 2 * count(pixels) * count(w) / rows : 0;
}

/* The output may have more than the convolution makes: the other parts of a Concat, what its chain broadcasts to. */
static double convolution(const struct conv_attrs *a, const struct tensor *in, const struct tensor *w)
{
    const struct tensor x = layout_onnx(a->channels_last, in);
    struct conv_shape s;
    double pixels;

    if (!conv_shape_read(NULL, a, &x, w, &s))
        return 0;
    pixels = (double)s.batch;
    for (int d = 0; d < s.rank; d++)
        pixels *= (double)s.out[d];
    return 2 * pixels * count(w);
}

/* How many products are added for each element of [rows, ...], made of `a`. */
static double depth(const struct tensor *a, const struct tensor *made)
{
    return made && made->rank > 0 && made->dims[0] > 0 ? count(a) / (double)made->dims[0] : 0;
}

static double last_dim(const struct tensor *t)
{
    return t && t->rank > 0 ? (double)t->dims[t->rank - 1] : 0;
}

static int made(struct tensor *const *out, int a, int b)
{
    return (out[a] != NULL) + (out[b] != NULL);
}

enum { DY, FIRST, SECOND }; /* inputs of every gradient here; its outputs are those of FIRST and SECOND */

static double flops_of(const struct node *n, const struct tensor *const *in, struct tensor *const *out)
{
    const char *op = n->op_name;

    if (strcmp(op, "Conv") == 0)
        return convolution(n->attrs, in[0], in[1]);
    if (strcmp(op, "ConvTranspose") == 0)
        return rows_met(in[0], in[1]);
    if (strcmp(op, "ConvGrad") == 0)
        return made(out, 0, 1) * rows_met(in[DY], in[SECOND]);
    if (strcmp(op, "ConvTransposeGrad") == 0)
        return made(out, 0, 1) * rows_met(in[FIRST], in[SECOND]);
    if (strcmp(op, "Gemm") == 0)
        return 2 * count(out[0]) * depth(in[0], out[0]);
    if (strcmp(op, "GemmGrad") == 0)
        return made(out, 0, 1) * 2 * count(in[DY]) * depth(in[FIRST], in[DY]);
    if (strcmp(op, "MatMul") == 0)
        return 2 * count(out[0]) * last_dim(in[0]);
    if (strcmp(op, "MatMulGrad") == 0)
        return made(out, 0, 1) * 2 * count(in[DY]) * last_dim(in[FIRST]);
    return 0;
}

/* -- memory -------------------------------------------------------------------------------------------------------- */

/* Those that look at as much of their first input as they write. */
static bool picks(const char *op)
{
    return strcmp(op, "Gather") == 0 || strcmp(op, "Slice") == 0 || strcmp(op, "Split") == 0;
}

/* Of channels: those that others have written, or will, do not count. */
static double own_part(const struct node *n, const struct tensor *w)
{
    const struct conv_attrs *a = strcmp(n->op_name, "Conv") == 0 ? n->attrs : NULL;

    return a && a->into_channels ? (double)w->dims[0] / (double)a->into_channels : 1;
}

struct cost cost_of(const struct node *n, const struct tensor *const *in, struct tensor *const *out)
{
    const double part = own_part(n, n->inputs > 1 ? in[1] : NULL);
    double written = 0, read = 0;

    for (int k = 0; k < n->slots; k++)
        written += part * bytes(out[k]);
    for (int k = 0; k < n->inputs; k++)
        if (part == 1 || k != CONV_INTO)
            read += k == 0 && picks(n->op_name) ? written : bytes(in[k]);
    return (struct cost){ flops_of(n, in, out), read + written };
}
