/* As binary.h, with a scalar for q. */
static void LOOP(NAME)(const float *left, float q, float *out, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const float p = left[i];

        out[i] = EXPRESSION;
    }
}
#undef NAME
#undef EXPRESSION
