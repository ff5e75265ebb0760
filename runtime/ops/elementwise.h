/* Operators that compute each element of their output from one element of each input, broadcast
 * (https://onnx.ai/onnx/repo-docs/Broadcasting.html).
 *
 * An operator supplies loops over a run of elements: a formula (formula.h), or, where it has none, one loop for each
 * type it computes in, made by including a body (unary_body.h, binary_body.h, ternary_body.h) with its expression. Here
 * shapes are collapsed into as few strided dimensions as they need, cut into chunks of fixed size for the pool, and
 * float16 and bfloat16 widened in blocks. */
#ifndef KILN_OPS_ELEMENTWISE_H
#define KILN_OPS_ELEMENTWISE_H

#include "kernels/chain.h"
#include "kernels/loop.h"
#include "kernels/machine.h"
#include "ops/op.h"

/* Says in a row of an operator's table that its nodes may become steps of a chain (plan/pass_fuse.c) where they see
 * float: by which formula, and of which inputs. */
struct chain_rule {
    const struct formula *formula;
    int p, q; /* inputs; q is CHAIN_NOTHING for none */
    /* Sets formula and numbers from what the node has; false where this node is no step. All other inputs must then be
     * looked at here. NULL: as above, without numbers, and other inputs must be left out. */
    bool (*read)(const struct node *n, struct chain_step *s);
};
#define CHAIN_OF_2(formula) (&(const struct chain_rule){ &formula, 0, 1, NULL })
bool chain_numbers(const struct node *n, struct chain_step *s); /* attributes are struct numbers: alpha, beta */
/* The float of an input that nobody can change; false where it is none, or not one number. */
bool chain_constant(const struct node *n, int k, float *value);

/* What the nodes of this operator compute, where one formula tells all, or the first one that may. */
static inline const struct formula *formula_of(const struct op *op)
{
    return op->defs->chain->formula;
}

struct elementwise {
    elementwise_loop *loop;
    /* What the loop reads and writes; other types are converted in blocks. UNDEFINED: what is stored, but float for the
     * halves. */
    enum dtype x_as[OPERANDS], y_as;
    int64_t chunk;        /* elements of a piece of work; 0 for loops about as fast as memory */
    struct elements span; /* what the loop sees of it: numbers, attrs */
};
enum { CHUNK_CHEAP = JOB_ELEMENTS, CHUNK_KERNEL = JOB_ELEMENTS / 2, CHUNK_LIBM = JOB_ELEMENTS / 8 };

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

bool unary_run(struct step *s, const struct formula *f, struct numbers numbers); /* out[0] = f(in[0]) */
/* out[0] = gradient of f, from in[0], the gradient of its output, and in[1], its input or output: as the operator saved
 * it. */
bool unary_grad_run(struct step *s, const struct formula *f, struct numbers numbers);
bool binary_run(struct step *s, const struct formula *f); /* out[0] = f(in[0], in[1]) */
/* Before in[0] is divided by in[1]: an error where they are integers, and one of in[1] is 0. */
bool divisor_fits(struct step *s);
/* out[0] = f(f(in[0], in[1]), in[2])...; a single input as it is. */
bool variadic_run(struct step *s, const struct formula *f);
/* out[0] = in[0], where it is not a view of it already. */
bool copy_run(struct step *s);

/* -- differentiate -- */

/* dL/d(input 0) by a private node with inputs (gradient of the output, saved) and the attributes of this one. */
bool unary_gradient(struct backward *b, const struct op *grad, struct value *saved);

/* What a unary operator's slope is emitted of: its input or its output, as the operator saved it, halves in float. */
struct slope {
    struct emitter *e;
    struct value *of;
    enum dtype dtype; /* F32 or F64 */
    struct numbers numbers;
    struct value **where; /* may be set: where this is false the gradient is 0, whatever flows in */
};
typedef struct value *emit_slope(const struct slope *s); /* NULL: it is 1 */
/* The gradient's node spelled out: dy times the slope. */
bool unary_spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out,
                     emit_slope *slope, struct numbers numbers);
/* A number of the slope's type. */
struct value *slope_number(const struct slope *s, double number);
/* A node of the standard, of one operand or of two. */
struct value *slope_1(const struct slope *s, const char *op, struct value *a);
struct value *slope_2(const struct slope *s, const char *op, struct value *a, struct value *b);
struct value *slope_where(const struct slope *s, struct value *condition, struct value *a, struct value *b);
/* 1 - x^2 as (1 - x) (1 + x), which keeps its digits next to 1; x^2 + 1. */
struct value *slope_unit_less_square(const struct slope *s);
struct value *slope_square_and_unit(const struct slope *s);

/* What unary_formula.h made, in the rows of an operator. */
#define UNARY_PARTS .infer = unary_infer, .run = run, .chain = &chain, .gradient = gradient, .flags = OP_ELEMENTWISE
/* The same where the output is constant in pieces. */
#define UNARY_PARTS_FLAT                                                                                               \
    .infer = unary_infer, .run = run, .chain = &chain, .gradient = zero_gradient, .flags = OP_ELEMENTWISE
/* Ceil, Floor and Round; before opset 6, too. */
#define ROUNDING_ROW(version, list)                                                                                    \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, UNARY_PARTS_FLAT, .cases = rounding_cases          \
    }
#define ROUNDING_ROW_1                                                                                                 \
    {                                                                                                                  \
        .since = 1, .signature = "T X -> T Y", .types = "T: floats", UNARY_PARTS_FLAT, .cases = rounding_cases_1       \
    }

/* Add, Sub, Mul and Div, since B is broadcast. */
#define ARITHMETIC_ROW(version, list, formula, learned, tests)                                                         \
    {                                                                                                                  \
        .since = version, .signature = "T A, T B -> T C", .types = list, .infer = binary_infer, .run = run,            \
        .chain = CHAIN_OF_2(formula), .gradient = gradient, .flags = OP_ELEMENTWISE, .parameters = learned,            \
        .cases = tests                                                                                                 \
    }
/* All their rows. */
#define ARITHMETIC_ROWS(formula, learned, tests)                                                                       \
    ARITHMETIC_ROW(14, "T: floats bf16 ints uints", formula, learned, tests),                                          \
        ARITHMETIC_ROW(13, "T: floats bf16 i32 i64 u32 u64", formula, learned, tests),                                 \
        ARITHMETIC_ROW(7, "T: floats i32 i64 u32 u64", formula, learned, tests),                                       \
        BROADCAST_ROW(6, "T A, T B -> T C", "T: floats i32 i64 u32 u64", broadcast_cases),                             \
        BROADCAST_ROW(1, "T A, T B -> T C", "T: floats", broadcast_cases)

/* The same of comparison.h. */
#define COMPARISON_PARTS .infer = compare_infer, .run = run, .gradient = zero_gradient, .flags = OP_ELEMENTWISE
#define COMPARISON_ROW(version, list, tests)                                                                           \
    {                                                                                                                  \
        .since = version, .signature = "T A, T B -> T1 C", .types = list "; T1: bool", COMPARISON_PARTS,               \
        .cases = tests                                                                                                 \
    }

/* A row of the operator behind unary_gradient. */
#define UNARY_GRAD_ROW(attributes_size, runner, rule, spelling)                                                        \
    {                                                                                                                  \
        .since = 1, .signature = "T dy, T saved -> T dx", .types = "T: floats bf16", .attrs_size = attributes_size,    \
        .infer = unary_infer, .run = runner, .no_gradient = "is a gradient itself", .chain = rule,                     \
        .spell_out = spelling                                                                                          \
    }

/* Max and Min: the gradient goes to the inputs that the output equals; where several do, each gets the same part of
 * it. */
bool extremum_gradient(struct backward *b);

/* -- test: for .cases -- */

/* Of unary operators that take real numbers alone; of positive ones. */
extern const struct op_case unary_cases[], unary_cases_positive[], unary_cases_within_1[];
/* Of binary operators that take numbers of every type; of those whose result is a bool. */
extern const struct op_case arithmetic_cases[], comparison_cases[], comparison_cases_1[];
extern const struct op_case rounding_cases[], rounding_cases_1[]; /* of Ceil, Floor and Round */
extern const struct op_case extremum_cases[];                     /* of Max and Min */
extern const struct op_case logical_cases[], logical_cases_1[];   /* of And, Or and Xor */
extern const struct op_case bitwise_cases[];                      /* of BitwiseAnd, BitwiseOr and BitwiseXor */

#endif
