/* As unary.h, for two operands, p and q. */
static void LOOP(NAME)(const float *left, const float *right, float *out, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const float p = left[i], q = right[i];

        out[i] = EXPRESSION;
    }
}
#undef NAME
#undef EXPRESSION
