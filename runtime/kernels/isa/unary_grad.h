/* As unary.h, for gradients: EXPRESSION is of x (what the table calls s), g (dy) and the parameters a and b. */
static void LOOP(NAME)(const float *in, const float *dy, float *out, int64_t n, float a, float b)
{
    (void)a;
    (void)b;
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const float x = in[i], g = dy[i];

        out[i] = EXPRESSION;
    }
}
#undef NAME
#undef EXPRESSION
