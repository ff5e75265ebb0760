/* Real or imaginary parts of a line, between a tensor of type `outside` and a lane of type `inside`. No include guard:
 * included once for each two; forgets both, and NAME. */

static void NAME(load)(const struct dft_job *j, int64_t from, const struct lanes *l, int64_t lane, void *to)
{
    const struct transform *const t = j->t;
    const int64_t count = lesser(t->read, t->mirrored ? one_side(t->n) : t->n), step = j->inner * t->read_parts;

    for (int64_t k = 0; k < count; k++)
        ((inside *)to)[k * l->count + lane] = (inside)((const outside *)j->x)[from + k * step];
}

static void NAME(store)(const struct dft_job *j, int64_t to, const struct lanes *l, int64_t lane, const void *from)
{
    const struct transform *const t = j->t;
    const int64_t count = lesser(t->written, t->doubled ? one_side(t->n) : t->n), step = j->inner * t->parts;

    for (int64_t k = 0; k < count; k++)
        ((outside *)j->y)[to + k * step] =
            (outside)(((const inside *)from)[k * l->count + lane] * (inside)factor_of(t, k));
    for (int64_t k = count; k < t->written; k++)
        ((outside *)j->y)[to + k * step] = 0;
}

#undef NAME
#undef outside
#undef inside
