#include "ops/quantized.h"
#include "kernels/integer_conv.h"
#include <string.h>

/* -- shapes -- */

bool has_values(struct infer *i, int k, const char *name, int64_t count, const char *each)
{
    const struct tensor *t = typed_in(i, k);
    char type[TYPE_TEXT];

    if (!t || (t->rank <= 1 && (tensor_count(t) == 1 || (each && t->rank == 1 && t->dims[0] == count))))
        return true;
    return each ? infer_error(i, "'%s' is %s, must be one value, or a vector of %lld, one for each %s", name,
                              tensor_text(t, type), (long long)count, each)
                : infer_error(i, "'%s' is %s, must be one value", name, tensor_text(t, type));
}

bool has_one_value(struct infer *i, int k, const char *name)
{
    return has_values(i, k, name, 1, NULL);
}

bool has_rows(struct infer *i, int k, const char *name, int operand, bool columns)
{
    const struct tensor *t = typed_in(i, k), *of = typed_in(i, operand);
    const int matrix = of->rank - 2, kept = columns ? of->rank - 1 : matrix;
    bool fits = t && t->rank > 1 && t->rank == of->rank;

    for (int d = 0; fits && d < t->rank; d++)
        fits = t->dims[d] == (d < matrix || d == kept ? of->dims[d] : 1);
    return fits || has_values(i, k, name, matrix < 0 ? 1 : of->dims[kept], columns ? "column" : "row");
}

/* -- operands -- */

struct integer_operand quantized_operand(const struct tensor *t, const struct tensor *zero)
{
    return (struct integer_operand){ .data = t->data,
                                     .zero = zero ? zero->data : NULL,
                                     .zeros = zero ? tensor_count(zero) : 0,
                                     .has_sign = t->dtype == I8 };
}

void quantized_again(struct integer_result *r, float y_scale, const struct tensor *y_zero)
{
    r->y_scale = y_scale;
    r->zero = y_zero->dtype == I8 ? *(const int8_t *)y_zero->data : *(const uint8_t *)y_zero->data;
    saturation(y_zero->dtype, &r->least, &r->most);
}

/* What a weight is packed by: sizes, and the zero points, which are taken off. Bytes of it are compared: it has no
 * gaps. */
struct packed {
    int64_t columns, depth, count;                               /* of a product */
    int64_t groups, in_channels, out_channels, kernel[MAX_RANK]; /* of a convolution */
    int64_t rank;                                                /* 0: it is of a product */
    int64_t zeros;
    uint8_t zero[];
};

static void make_packed(const void *key, const struct tensor *w, const struct kernels *k, struct pool *pool, void *out)
{
    const struct packed *p = key;
    const struct integer_operand b = { w->data, p->zeros ? p->zero : NULL, p->zeros, w->dtype == I8 };
    struct conv_shape s = {
        .groups = p->groups, .in_channels = p->in_channels, .out_channels = p->out_channels, .rank = (int)p->rank
    };

    memcpy(s.kernel, p->kernel, sizeof s.kernel);
    if (p->rank)
        integer_conv_pack(k, pool, &s, &b, out);
    else
        integer_pack_columns(k, pool, &b, p->count, p->columns, p->depth, out);
}

/* Asks for input `w` packed once, where its zero points are known. */
static bool packed_once(struct infer *i, int w, int zero, const struct packed *head, size_t bytes)
{
    const struct tensor *z = typed_in(i, zero);
    struct packed *key;
    size_t size;

    if (!bytes || (z && !z->data))
        return false;
    size = sizeof *key + (z ? (size_t)tensor_count(z) : 0);
    key = infer_alloc(i, size);
    if (!key)
        return false;
    memcpy(key, head, sizeof *key);
    key->zeros = z ? tensor_count(z) : 0;
    if (z)
        memcpy(key->zero, z->data, (size_t)key->zeros);
    return need_prepared(i, w, bytes, make_packed, key, size);
}

/* -- products -- */

struct matrices { /* how many rows A has, and how many matrices B */
    int64_t rows, count;
};

static struct matrices matrices_of(const struct tensor *a, const struct tensor *b)
{
    return (struct matrices){ .rows = dims_product(a->dims, 0, a->rank - 1),
                              .count = b->rank > 2 ? dims_product(b->dims, 0, b->rank - 2) : 1 };
}

/* Is what the operands take when they are packed to be counted? */
static bool countable(struct infer *i, const struct product *p, const struct matrices *m)
{
    const double most = 0x1p56, depth = (double)p->k + 2;
    const double numbers = depth * ((double)m->rows + (double)m->count * ((double)p->n + INTEGER_LANES));

    return numbers < most || infer_error(i, "about %g numbers, must be less than %g", numbers, most);
}

bool quantized_product_infer(struct infer *i, const struct quantized_inputs *in, size_t scratch, struct product *p)
{
    struct matrices m;
    size_t rows, columns;

    if (!product_infer(i, in->a, in->a_name, in->b, in->b_name, p))
        return false;
    m = matrices_of(typed_in(i, in->a), typed_in(i, in->b));
    if (!countable(i, p, &m) || !has_rows(i, in->a_zero, "a_zero_point", in->a, false) ||
        !has_rows(i, in->b_zero, "b_zero_point", in->b, true))
        return false;
    if (quantized_quads_infer(i, in, scratch, p))
        return true;
    rows = aligned(integer_rows_bytes(m.rows, p->k));
    columns = (size_t)m.count * integer_columns_bytes(infer_kernels(i), p->n, p->k);
    if (packed_once(i, in->b, in->b_zero, &(struct packed){ .columns = p->n, .depth = p->k, .count = m.count },
                    columns))
        columns = 0;
    need_scratch(i, scratch + rows + columns);
    return true;
}

static void operands_of(struct integer_product *q, const struct product *p, const struct tensor *a,
                        const struct tensor *b)
{
    q->rows = p->m;
    q->columns = p->n;
    q->depth = p->k;
    if (product_is_one(p)) {
        q->rows *= dims_product(p->batch, 0, p->rank);
        return;
    }
    q->batch_rank = p->rank;
    memcpy(q->batch, p->batch, sizeof q->batch);
    product_strides(a, p->rank, 1, q->a_batch);
    product_strides(b, p->rank, 1, q->b_batch);
}

const struct tensor *quantized_given(const struct step *s, int k)
{
    return k >= 0 && k < s->node->inputs ? s->in[k] : NULL;
}

bool quantized_product_run(struct step *s, const struct quantized_inputs *in, const struct integer_result *r,
                           char *scratch)
{
    const struct tensor *a = s->in[in->a], *b = s->in[in->b];
    const struct integer_operand left = quantized_operand(a, quantized_given(s, in->a_zero)),
                                 right = quantized_operand(b, quantized_given(s, in->b_zero));
    const struct matrices m = matrices_of(a, b);
    int16_t *const rows = (int16_t *)(void *)scratch;
    struct integer_product q = { .a = rows, .b = prepared_for(s, in->b), .result = *r };
    const char *why;
    struct product p;

    if (quantized_quads_run(s, in, r, scratch))
        return true;
    if (!product_of(a, b, &p, &why))
        return step_error(s, "%s", why);
    operands_of(&q, &p, a, b);
    integer_pack_rows(s->k, s->pool, &left, m.rows, p.k, rows);
    if (!q.b) {
        int16_t *const columns = rows + aligned(integer_rows_bytes(m.rows, p.k)) / sizeof *rows;

        integer_pack_columns(s->k, s->pool, &right, m.count, p.n, p.k, columns);
        q.b = columns;
    }
    if (quantized_given(s, in->bias))
        q.result.column_bias = s->in[in->bias]->data;
    q.result.image = q.result.row_step = p.n;
    q.result.product_step = p.m * p.n;
    integer_multiply(s->k, s->pool, &q);
    return true;
}

/* -- convolutions -- */

bool quantized_conv_shape(struct infer *i, const struct quantized_inputs *in, const struct tensor *x,
                          struct conv_shape *s, int64_t *dims)
{
    const struct conv_attrs *a = infer_attrs(i);
    const struct tensor *w = typed_in(i, in->b);
    int64_t channels;

    if (!conv_check(i, a, x, w, typed_in(i, in->bias), false, &channels) || !conv_shape_read(i, a, x, w, s) ||
        !has_one_value(i, in->a_zero, "x_zero_point") ||
        !has_values(i, in->b_zero, "w_zero_point", channels, "output channel"))
        return false;
    dims[0] = x->dims[0];
    dims[1] = channels;
    for (int d = 0; d < s->rank; d++)
        dims[2 + d] = s->out[d];
    return true;
}

bool quantized_conv_infer(struct infer *i, const struct quantized_inputs *in, enum dtype y, size_t scratch)
{
    const struct tensor *x = typed_in(i, in->a);
    int64_t dims[MAX_RANK];
    struct packed key = { .columns = 0 };
    struct conv_shape s;

    if (!quantized_conv_shape(i, in, x, &s, dims) || !set_out(i, 0, y, x->rank, dims))
        return false;
    key.groups = s.groups;
    key.in_channels = s.in_channels;
    key.out_channels = s.out_channels;
    key.rank = s.rank;
    memcpy(key.kernel, s.kernel, sizeof key.kernel);
    scratch += integer_conv_scratch(
        infer_kernels(i), &s, packed_once(i, in->b, in->b_zero, &key, integer_conv_packed_bytes(&s)), infer_threads(i));
    need_scratch(i, scratch);
    return true;
}

bool quantized_conv_run(struct step *s, const struct quantized_inputs *in, const struct integer_result *r,
                        char *scratch)
{
    const struct tensor *x = s->in[in->a], *w = s->in[in->b], *bias = quantized_given(s, in->bias);
    struct integer_conv c = { .x = quantized_operand(x, quantized_given(s, in->a_zero)),
                              .w = quantized_operand(w, quantized_given(s, in->b_zero)),
                              .packed = prepared_for(s, in->b),
                              .result = *r };

    if (!conv_shape_read(NULL, s->attrs, x, w, &c.shape))
        return step_error(s, "the shapes do not fit");
    c.result.bias = bias ? bias->data : NULL;
    integer_conv(s->k, s->pool, &c, scratch);
    return true;
}
