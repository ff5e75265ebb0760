/* For unary_formula.h: its loops for one type of real numbers, REAL, whose names end in SUFFIX. Forgets both. */
#define T    REAL
#define LOOP GLUE(NAME, _, SUFFIX)
#define EXPR VALUE
#include "ops/unary_body.h"
#undef EXPR
#ifdef DX_OF_X
#define T     REAL
#define LOOP  GLUE(NAME, _of_x_, SUFFIX)
#define SAVED x
#define EXPR  DX_OF_X
#include "ops/unary_grad_body.h"
#undef EXPR
#undef SAVED
#endif
#ifdef DX_OF_Y
#define T     REAL
#define LOOP  GLUE(NAME, _of_y_, SUFFIX)
#define SAVED y
#define EXPR  DX_OF_Y
#include "ops/unary_grad_body.h"
#undef EXPR
#undef SAVED
#endif
#undef REAL
#undef SUFFIX
