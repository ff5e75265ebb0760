/* Which method computes a convolution; then it is asked. */
#include "kernels/channels_last/method.h"

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
struct conv_weights_key conv_last_key(const struct conv_last *c)
{
    return c->method->key(c);
}
size_t conv_last_weights(const struct conv_last *c)
{
    return c->method->weights(c);
}
void conv_last_pack(const struct conv_last *c, struct pool *pool, const float *w, void *packed)
{
    c->method->pack(c, pool, w, packed);
}
size_t conv_last_scratch(const struct conv_last *c, int threads)
{
    return c->method->scratch(c, threads);
}
int64_t conv_last_blocks(const struct conv_last *c)
{
    return c->method->blocks(c);
}
void conv_last_run(const struct conv_last *c, struct pool *pool, const float *x, const void *packed,
                   const struct epilogue *e, float *y, void *scratch)
{
    c->method->run(c, pool, x, packed, e, y, scratch);
}
void conv_last_dw(const struct conv_last *c, struct pool *pool, const float *x, const float *dy, float *dw,
                  void *scratch)
{
    c->method->dw(c, pool, x, dy, dw, scratch);
}
