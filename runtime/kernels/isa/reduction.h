/* Sums of EXPRESSION, of vectors p and q (q is p where only one array comes), as NAME##_block. Lanes are added in pairs
 * at the end. */
static float GLUE(NAME, _, loop)(const float *left, const float *right, int64_t n)
{
    vec s[4] = { { 0 } };
    int64_t i = 0;

    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (int k = 0; k < 4; k++) {
            const vec p = load(left + i + k * LANES), q = load(right + i + k * LANES);

            (void)q;
            s[k] += EXPRESSION;
        }
    for (; i + LANES <= n; i += LANES) {
        const vec p = load(left + i), q = load(right + i);

        (void)q;
        s[0] += EXPRESSION;
    }
    if (i < n) {
        const vec p = load_some(left + i, n - i), q = load_some(right + i, n - i);

        (void)q;
        s[1] += EXPRESSION;
    }
    return total((s[0] + s[1]) + (s[2] + s[3]));
}
#undef NAME
#undef EXPRESSION
