/* One loop of the table: NAME is its name, EXPRESSION what it computes of x (and the parameters a and b). No include
 * guard: this is included once for each entry. */
static void LOOP(NAME)(const float *in, float *out, int64_t n, float a, float b)
{
    (void)a;
    (void)b;
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const float x = in[i];

        out[i] = EXPRESSION;
    }
}
#undef NAME
#undef EXPRESSION
