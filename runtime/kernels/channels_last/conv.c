/* Which method computes a convolution; then it is asked. */
#include "kernels/channels_last/method.h"
#include "kernels/reduce.h"

bool conv_last_plan(struct conv_last *c, const struct kernels *k, const struct conv_shape *s, enum conv_pass pass,
                    bool exact)
{
    static const struct conv_method *const methods[] = { &conv_depthwise, &conv_winograd, &conv_tiles };

    if (s->rank != 2)
        return false;
    *c = (struct conv_last){ .shape = *s, .pass = pass, .k = k };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        c->method = methods[i];
        if (methods[i]->fits(c, exact))
            return true;
    }
    c->method = NULL;
    return false;
}

const char *conv_last_name(const struct conv_last *c)
{
    return c->method->name;
}
bool conv_last_wide_pixels(const struct conv_last *c)
{
    return c->method->wide_pixels;
}
struct conv_weights_key conv_last_key(const struct conv_last *c)
{
    return c->method->key(c);
}
size_t conv_last_weights(const struct conv_last *c)
{
    return c->method->weights(c);
}

bool conv_last_reads_weights(const struct conv_last *c)
{
    return c->method->reads_weights;
}
void conv_last_pack(const struct conv_last *c, struct pool *pool, const float *w, void *packed)
{
    c->method->pack(c, pool, w, packed);
}
/* The sum of dy over all but its channels. */
static struct reduce_shape sum_of_dy(const struct conv_last *c)
{
    const struct conv_shape *s = &c->shape;
    const struct tensor dy = { .dtype = F32, .rank = 4, .dims = { s->batch, s->out[0], s->out[1], s->out_channels } };
    struct reduce_shape sum;

    reduce_shape_of(&sum, &dy, 7);
    return sum;
}

size_t conv_last_scratch(const struct conv_last *c, int threads)
{
    const size_t own = c->method->scratch(c, threads);
    const struct reduce_shape sum = sum_of_dy(c);
    const size_t apart = c->pass == CONV_DW && !c->method->sums_dy(c) ? reduce_scratch(&sum) : 0;

    return own > apart ? own : apart;
}
int64_t conv_last_blocks(const struct conv_last *c)
{
    return c->method->blocks(c);
}
void conv_last_run(const struct conv_last *c, struct pool *pool, const float *x, const float *w, const void *packed,
                   const struct epilogue *e, float *y, void *scratch)
{
    c->method->run(c, pool, x, w, packed, e, y, scratch);
}
void conv_last_dw(const struct conv_last *c, struct pool *pool, const float *x, const float *dy, float *dw, float *db,
                  void *scratch)
{
    const bool apart = db && !c->method->sums_dy(c);

    if (apart) {
        const struct reduce_shape sum = sum_of_dy(c);

        reduce(c->k, pool, &sum, REDUCE_SUM, F32, dy, db, scratch);
    }
    c->method->dw(c, pool, x, dy, dw, apart ? NULL : db, scratch);
}
