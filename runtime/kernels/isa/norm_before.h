/* One loop of the table, as unary.h: NAME is its name, EXPRESSION the gradient that reaches z where g is that of
 * act(z), with the parameters a and b. In one loop, so that x and dy are read side by side. */
static void LOOP(NAME)(const float *x, const float *dy, float *to, int64_t rows, int64_t columns, const float *mean,
                       const float *scale, const float *shift, float a, float b)
{
    (void)a;
    (void)b;
    for (int64_t r = 0; r < rows; r++, x += columns, dy += columns, to += columns) {
        INDEPENDENT
        for (int64_t c = 0; c < columns; c++) {
            const float z = (x[c] - mean[c]) * scale[c] + shift[c], g = dy[c];

            to[c] = EXPRESSION;
        }
    }
}
#undef NAME
#undef EXPRESSION
