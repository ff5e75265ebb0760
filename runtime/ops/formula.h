/* The language of formulas (kernels/formula.h).
 *
 * A formula is a scalar expression in C, written once, in the file of its operator, by including unary_formula.h or
 * binary_formula.h. The build compiles that file as it is, and once more for each instruction set, with FORMULA_LEVEL
 * defined as the name of that: then the formulas are made into loops of floats and nothing else is looked at, so what
 * follows them in the file stands under #ifndef FORMULA_LEVEL.
 *
 * The same expression is compiled for float and for double, and for integers where the operator takes them. T is the
 * type; a constant that is no integer is cast to it, (T)0.5, or a float would be widened (which is an error here).
 * The functions below are libm's for double, and for float those of kernels/isa/functions.h, which have no branch,
 * so that the compiler makes vectors of them (libm's again for the trigonometric functions and their inverse ones);
 * EITHER(single, wide) is its first argument for float, where that has an approximation of its own, and the second for
 * double. What is no better than `condition ? a : b` will do for a branch. */
#ifndef KILN_OPS_FORMULA_H
#define KILN_OPS_FORMULA_H

#include "kernels/formula.h"
#include "kernels/isa/functions.h"
#include "kernels/loop.h"

/* For kernels/isa/lanes.h, where a loop is made by hand. */
#ifndef FORMULA_LEVEL
#define LANES 4
#elif defined(__AVX512F__)
#define LANES 16
#else
#define LANES 8
#endif

static inline double sigmoid_wide(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
static inline double softplus_wide(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

#define ABS(x)      _Generic((x), float : __builtin_fabsf, default : __builtin_fabs)(x)
#define SQRT(x)     _Generic((x), float : __builtin_sqrtf, default : __builtin_sqrt)(x)
#define EXP(x)      _Generic((x), float : exp_of, default : exp)(x)
#define EXPM1(x)    _Generic((x), float : expm1_of, default : expm1)(x) /* for x <= 0 */
#define LOG(x)      _Generic((x), float : log_of, default : log)(x)
#define TANH(x)     _Generic((x), float : tanh_of, default : tanh)(x)
#define SIN(x)      _Generic((x), float : sinf, default : sin)(x)
#define COS(x)      _Generic((x), float : cosf, default : cos)(x)
#define TAN(x)      _Generic((x), float : tanf, default : tan)(x)
#define ASIN(x)     _Generic((x), float : asinf, default : asin)(x)
#define ACOS(x)     _Generic((x), float : acosf, default : acos)(x)
#define ATAN(x)     _Generic((x), float : atanf, default : atan)(x)
#define SINH(x)     _Generic((x), float : sinh_of, default : sinh)(x)
#define COSH(x)     _Generic((x), float : cosh_of, default : cosh)(x)
#define ASINH(x)    _Generic((x), float : asinh_of, default : asinh)(x)
#define ACOSH(x)    _Generic((x), float : acosh_of, default : acosh)(x)
#define ATANH(x)    _Generic((x), float : atanh_of, default : atanh)(x)
#define FLOOR(x)    _Generic((x), float : __builtin_floorf, default : __builtin_floor)(x)
#define CEIL(x)     _Generic((x), float : __builtin_ceilf, default : __builtin_ceil)(x)
#define ROUND(x)    _Generic((x), float : __builtin_rintf, default : __builtin_rint)(x) /* of two the even one */
#define ERF(x)      _Generic((x), float : erf_of, default : erf)(x)
#define SIGMOID(x)  _Generic((x), float : sigmoid_of, default : sigmoid_wide)(x)
#define SOFTPLUS(x) _Generic((x), float : softplus_of, default : softplus_wide)(x)

#endif
