/* The loop of a binary operator of ops/qlinear.h as LOOP: VALUE(a, b) is what is quantised. */
static void LOOP(const struct elements *s)
{
    enum { BLOCK = 512 };
    const struct qlinear_binary *const q = s->attrs;
    const uint8_t *const a = s->x[0], *const b = s->x[1];
    float v[BLOCK];

    for (int64_t at = 0; at < s->n; at += BLOCK) {
        const int64_t n = s->n - at < BLOCK ? s->n - at : BLOCK;

        for (int64_t k = 0; k < n; k++)
            v[k] =
                VALUE(qlinear_value(&q->a, a[(at + k) * s->step[0]]), qlinear_value(&q->b, b[(at + k) * s->step[1]]));
        s->k->integer->quantize_8(&q->c.q, v, (uint8_t *)s->y + at, n);
    }
}
#undef LOOP
#undef VALUE
