/* One loop of floats: the gradient of a unary operator that stands behind a normalisation (before_f32). Needs
 *   LOOP  its name
 *   VALUE, EXPR  y, of x; dx, of dy and x or y, where x is what the normalisation makes
 * and forgets LOOP and T. In one loop, so that what the normalisation read and dy are read side by side. */
static void LOOP(const float *from, const float *up, float *to, int64_t rows, int64_t columns, const float *mean,
                 const float *scale, const float *shift, struct numbers numbers)
{
    const T alpha = numbers.alpha, beta = numbers.beta;

    (void)alpha;
    (void)beta;
    for (int64_t r = 0; r < rows; r++, from += columns, up += columns, to += columns) {
        INDEPENDENT
        for (int64_t c = 0; c < columns; c++) {
            const T x = (from[c] - mean[c]) * scale[c] + shift[c], y = VALUE, dy = up[c];

            (void)y;
            to[c] = EXPR;
        }
    }
}
#undef LOOP
#undef T
