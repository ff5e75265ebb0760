/* Makes formula_NAME (kernels/formula.h), of one operand; formula.h says what a formula is written in. Needs
 *
 *   NAME      in lower case: softsign
 *   VALUE     y, of x, and of alpha and beta (struct numbers)
 *   INTS      where it is defined, integers with a sign are taken too; UINTS: those without
 *   INTEGER   y of integers; VALUE where it is not defined
 *   WORK      how long it takes (enum effort); LIGHT where it is not defined
 *   DX_OF_X   the gradient, of dy and x: formula_NAME_of_x. It takes as long as VALUE
 *   DX_OF_Y   the same of dy and y: formula_NAME_of_y, which is light. Either will do, or none
 *   RISES     where it is defined, the formula may stand behind a normalisation (kernels/norm_block.h); with a pool as
 *             well where this, of alpha and beta, is true: y never falls as x rises
 *   DX_BEFORE, BEFORE_LOOP
 *             the gradient there, of dy and x, where it is another one; a loop of its own (before_f32)
 *   TIMES_X   a formula for x * y, which a chain then makes in one loop
 *
 * and, if it is an operator whose one input and whose attributes are no more than this,
 *
 *   OPERATOR  its name, "Softsign": then `run` and `chain` are made for its rows, and, from DX_OF_X or DX_OF_Y,
 *             `gradient`, whose nodes are OPERATOR with "Grad" behind it; UNARY_PARTS names them, or UNARY_PARTS_FLAT
 *             where the gradient is zero (elementwise.h)
 *   NUMBERS   where it is defined, its attributes are struct numbers
 *   SLOPE_OF_X, SLOPE_OF_Y
 *             a function that emits the slope (struct slope), for gradients of gradients: DX_OF_X and DX_OF_Y without dy
 *   Y_TELLS   with both gradients: where this, of alpha and beta, is true, y is what is saved, else x
 *
 * and forgets all of them. */
#include "ops/formula.h"
#ifndef FORMULA_LEVEL
#include "ops/elementwise.h"
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wdouble-promotion"
#define EITHER(single, wide) (single)
#define REAL                 float
#define SUFFIX               f32
#include "ops/unary_loops.h"
#if defined(RISES) && !defined(BEFORE_LOOP)
#ifdef DX_BEFORE
#define EXPR DX_BEFORE
#elif defined(DX_OF_Y)
#define EXPR DX_OF_Y
#else
#define EXPR DX_OF_X
#endif
#define BEFORE_LOOP GLUE(NAME, _, before)
#define T           float
#define LOOP        BEFORE_LOOP
#include "ops/before_body.h"
#undef EXPR
#endif
#undef EITHER
#pragma GCC diagnostic pop

#ifndef FORMULA_LEVEL
#define EITHER(single, wide) (wide)
#define REAL                 double
#define SUFFIX               f64
#include "ops/unary_loops.h"
#ifdef INTEGER
#define EXPR INTEGER
#else
#define EXPR VALUE
#endif
#define BODY "ops/unary_body.h"
#include "ops/each_integer.h"
#undef EXPR
#undef EITHER

#ifdef RISES
static bool GLUE(NAME, _, rises)(struct numbers of)
{
    const float alpha = of.alpha, beta = of.beta;

    (void)alpha;
    (void)beta;
    return RISES;
}
#endif
#endif

/* -- the formulas -- */

#ifndef WORK
#define WORK LIGHT
#endif
#ifdef DX_OF_X
#define FORMULA     GLUE(formula_, NAME, _of_x)
#define LOOP_F32    GLUE(NAME, _, of_x_f32)
#define LOOP_BEFORE NULL
#define TYPES       [F64] = GLUE(NAME, _, of_x_f64)
#define PROPERTIES  .work = WORK
#include "ops/formula_make.h"
#define PROPERTY_OF_X &GLUE(formula_, NAME, _of_x)
#else
#define PROPERTY_OF_X NULL
#endif
#ifdef DX_OF_Y
#define FORMULA     GLUE(formula_, NAME, _of_y)
#define LOOP_F32    GLUE(NAME, _, of_y_f32)
#define LOOP_BEFORE NULL
#define TYPES       [F64] = GLUE(NAME, _, of_y_f64)
#define PROPERTIES  .work = LIGHT
#include "ops/formula_make.h"
#define PROPERTY_OF_Y &GLUE(formula_, NAME, _of_y)
#else
#define PROPERTY_OF_Y NULL
#endif
#ifdef RISES
#define LOOP_BEFORE    BEFORE_LOOP
#define PROPERTY_RISES GLUE(NAME, _, rises)
#else
#define LOOP_BEFORE    NULL
#define PROPERTY_RISES NULL
#endif
#ifdef TIMES_X
#define PROPERTY_TIMES_X &TIMES_X
#else
#define PROPERTY_TIMES_X NULL
#endif
#define FORMULA  GLUE(formula_, NAME, )
#define LOOP_F32 GLUE(NAME, _, f32)
#define TYPES    [F64] = GLUE(NAME, _, f64) INTEGER_PLACES
#define PROPERTIES                                                                                                     \
    .work = WORK, .dx_of_x = PROPERTY_OF_X, .dx_of_y = PROPERTY_OF_Y, .rises = PROPERTY_RISES,                         \
    .times_x = PROPERTY_TIMES_X
#include "ops/formula_make.h"

#if defined(OPERATOR) && !defined(FORMULA_LEVEL)
#include "ops/unary_operator.h"
#endif
#undef NAME
#undef VALUE
#undef INTS
#undef UINTS
#undef INTEGER
#undef WORK
#undef DX_OF_X
#undef DX_OF_Y
#undef RISES
#undef DX_BEFORE
#undef BEFORE_LOOP
#undef TIMES_X
#undef OPERATOR
#undef NUMBERS
#undef Y_TELLS
#undef SLOPE_OF_X
#undef SLOPE_OF_Y
#undef PROPERTY_OF_X
#undef PROPERTY_OF_Y
#undef PROPERTY_RISES
#undef PROPERTY_TIMES_X
