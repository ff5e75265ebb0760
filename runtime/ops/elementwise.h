/* Operators that compute each element of their output from one element of each input, broadcast
 * (https://onnx.ai/onnx/repo-docs/Broadcasting.html).
 *
 * An operator supplies loops over a run of elements: one for each type it computes in, made by including a body
 * (unary_body.h, binary_body.h, ternary_body.h) with its expression, or an entry of the kernel table. Here shapes are
 * collapsed into as few strided dimensions as they need, cut into chunks of fixed size for the pool, and float16 and
 * bfloat16 widened in blocks. */
#ifndef KILN_OPS_ELEMENTWISE_H
#define KILN_OPS_ELEMENTWISE_H

#include "kernels/chain.h"
#include "ops/op.h"

enum { OPERANDS = 4 };

struct numbers { /* the attributes of most of these operators */
    float alpha, beta;
};

/* Says in a row of an operator's table that its nodes may become steps of a chain (plan/pass_fuse.c) where they see
 * float: which entry of the kernel table they are, and of which inputs. */
struct chain_rule {
    enum chain_op op;
    int p, q; /* inputs; q is CHAIN_NOTHING for none */
    /* Sets op and the numbers from what the node has; false where this node is no step. All other inputs must then be
     * looked at here. NULL: as above, without numbers, and other inputs must be left out. */
    bool (*read)(const struct node *n, struct chain_step *s);
};
#define CHAIN_OF_1(name)            (&(const struct chain_rule){ CHAIN_##name, 0, CHAIN_NOTHING, NULL })
#define CHAIN_OF_NUMBERS(name)      (&(const struct chain_rule){ CHAIN_##name, 0, CHAIN_NOTHING, chain_numbers })
#define CHAIN_OF_2(name)            (&(const struct chain_rule){ CHAIN_##name, 0, 1, NULL })
#define CHAIN_OF_GRAD(name)         (&(const struct chain_rule){ CHAIN_##name, 1, 0, NULL })
#define CHAIN_OF_GRAD_NUMBERS(name) (&(const struct chain_rule){ CHAIN_##name, 1, 0, chain_numbers })
bool chain_numbers(const struct node *n, struct chain_step *s); /* attributes are struct numbers: alpha, beta */
/* The float of an input that nobody can change; false where it is none, or not one number. */
bool chain_constant(const struct node *n, int k, float *value);

/* A run of n elements, at least 1. Operand k is x[k][i * step[k]]; step is 1, or 0 for one element that all share, but
 * never 0 for every operand where n is above 1. y may be one of x. */
struct span {
    void *y;
    const void *x[OPERANDS];
    int64_t step[OPERANDS];
    int64_t n;
    struct numbers numbers;
    const void *attrs;
    const struct kernels *k;
    union { /* for the loops that are a kernel */
        unary_f32 *unary;
        unary_grad_f32 *grad;
    } kernel;
};
typedef void elementwise_loop(const struct span *s);

/* Iterations are independent of each other, though y may be an x. */
#ifdef __clang__
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

struct elementwise {
    elementwise_loop *loop;
    /* What the loop reads and writes; other types are converted in blocks. UNDEFINED: what is stored, but float for the
     * halves. */
    enum dtype x_as[OPERANDS], y_as;
    int64_t chunk;    /* elements of a piece of work; 0 for loops about as fast as memory */
    struct span span; /* what the loop sees of it: numbers, attrs, kernel */
};
enum { CHUNK_CHEAP = 32768, CHUNK_KERNEL = 16384, CHUNK_LIBM = 4096 };

/* y = loop(x...): does nothing where y is NULL (nobody reads it) or empty. Always true. */
bool elementwise(struct step *s, const struct elementwise *e, struct tensor *y, int inputs,
                 const struct tensor *const *x);

/* -- plan: for .infer -- */

/* The output has the type of input 0, and every input its shape; may take its memory. */
bool unary_infer(struct infer *i);
bool binary_infer(struct infer *i);   /* all inputs broadcast; the output has the dtype of input 0 */
bool variadic_infer(struct infer *i); /* the same; one input alone is a view */
bool compare_infer(struct infer *i);  /* all inputs broadcast; the output is bool */
/* All inputs from `first` on broadcast into output 0, whose dtype is given. */
bool broadcast_infer(struct infer *i, int first, enum dtype dtype);

/* -- run -- */

/* out[0] = f(in[0]): floats by the kernel (NULL: by loops), other types by loops[dtype]. */
bool unary_run(struct step *s, unary_f32 *kernel, elementwise_loop *const loops[DTYPES], struct numbers numbers);
/* out[0] = gradient of f, from in[0], the gradient of its output, and in[1], its input or output: as the operator saved
 * it. */
bool unary_grad_run(struct step *s, unary_grad_f32 *kernel, elementwise_loop *const loops[DTYPES],
                    struct numbers numbers);
/* out[0] = f(in[0], in[1]). */
bool binary_run(struct step *s, elementwise_loop *const loops[DTYPES]);
/* out[0] = f(f(in[0], in[1]), in[2])...; a single input as it is. */
bool variadic_run(struct step *s, elementwise_loop *const loops[DTYPES]);
/* out[0] = in[0], where it is not a view of it already. */
bool copy_run(struct step *s);

/* -- differentiate -- */

/* dL/d(input 0) by a private node with inputs (gradient of the output, saved) and the attributes of this one. */
bool unary_gradient(struct backward *b, const struct op *grad, struct value *saved);

/* A row of the operator behind unary_gradient. */
#define UNARY_GRAD_ROW(attributes_size, runner, rule)                                                                  \
    {                                                                                                                  \
        .since = 1, .signature = "T dy, T saved -> T dx", .types = "T: floats bf16", .attrs_size = attributes_size,    \
        .infer = unary_infer, .run = runner, .no_gradient = "is a gradient itself", .chain = rule                      \
    }

/* Max and Min: the gradient goes to the inputs that the output equals; where several do, each gets the same part of
 * it. */
bool extremum_gradient(struct backward *b);

#endif
