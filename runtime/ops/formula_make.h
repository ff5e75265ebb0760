/* Makes a struct formula of the loops before it; for unary_formula.h and binary_formula.h. Needs
 *   FORMULA                its name
 *   LOOP_F32, LOOP_BEFORE  its loops of floats
 *   TYPES                  the places of the others in a table by dtype
 *   PROPERTIES             its other members
 * and forgets all of them. */
#ifdef FORMULA_LEVEL
extern const struct formula_loops GLUE(FORMULA, _, FORMULA_LEVEL);
const struct formula_loops GLUE(FORMULA, _, FORMULA_LEVEL) = { LOOP_F32, LOOP_BEFORE };
#else
static const struct formula_loops GLUE(FORMULA, _, plain) = { LOOP_F32, LOOP_BEFORE };
extern const struct formula FORMULA;
#if defined(__x86_64__)
extern const struct formula_loops GLUE(FORMULA, _, avx2), GLUE(FORMULA, _, avx512);
#define FORMULA_VECTORS [CPU_AVX2] = &GLUE(FORMULA, _, avx2), [CPU_AVX512] = &GLUE(FORMULA, _, avx512)
#else
#define FORMULA_VECTORS [CPU_AVX2] = NULL
#endif
const struct formula FORMULA = {
    .level = { [CPU_BASE] = &GLUE(FORMULA, _, plain), FORMULA_VECTORS },
    .types = { TYPES },
    PROPERTIES,
};
#undef FORMULA_VECTORS
#endif
#undef FORMULA
#undef LOOP_F32
#undef LOOP_BEFORE
#undef TYPES
#undef PROPERTIES
