/* Makes formula_NAME (kernels/formula.h), of two operands; formula.h says what a formula is written in. Needs
 *
 *   NAME        in lower case: add
 *   VALUE       y, of a and b
 *   INTS, UINTS  where they are defined, integers are taken too: with a sign, without
 *   INTEGER     y of integers; VALUE where it is not defined
 *   WORK        how long it takes (enum effort); LIGHT where it is not defined
 *   PRODUCT     true where y is a * b
 *
 * and forgets all of them. */
#include "ops/formula.h"
#ifndef FORMULA_LEVEL
#include "ops/elementwise.h"
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wdouble-promotion"
#define EITHER(single, wide) (single)
#define T                    float
#define LOOP                 GLUE(NAME, _, f32)
#define EXPR                 VALUE
#include "ops/binary_body.h"
#undef EXPR
#undef EITHER
#pragma GCC diagnostic pop

#ifndef FORMULA_LEVEL
#define EITHER(single, wide) (wide)
#define T                    double
#define LOOP                 GLUE(NAME, _, f64)
#define EXPR                 VALUE
#include "ops/binary_body.h"
#undef EXPR
#ifdef INTEGER
#define EXPR INTEGER
#else
#define EXPR VALUE
#endif
#define BODY "ops/binary_body.h"
#include "ops/each_integer.h"
#undef EXPR
#undef EITHER
#endif

#ifndef WORK
#define WORK LIGHT
#endif
#ifndef PRODUCT
#define PRODUCT false
#endif
#define FORMULA     GLUE(formula_, NAME, )
#define LOOP_F32    GLUE(NAME, _, f32)
#define LOOP_BEFORE NULL
#define TYPES       [F64] = GLUE(NAME, _, f64) INTEGER_PLACES
#define PROPERTIES  .work = WORK, .takes_one = true, .product = PRODUCT
#include "ops/formula_make.h"

#undef NAME
#undef VALUE
#undef INTS
#undef UINTS
#undef INTEGER
#undef WORK
#undef PRODUCT
