/* kiln.ChannelShuffle
 *
 *   y = Reshape(Transpose<perm = [0, 2, 1, 3, 4]>(Reshape(x, [n, g, c, h, w])), [n, g * c, h, w])
 *
 * Channel i * c + j of x [n, g * c, h, w] is channel j * g + i of y: what ShuffleNet has between grouped convolutions.
 * With channels last it is one move of neighbours. Where x has other dimensions, or another number of them, and as many
 * elements, y is what the three nodes make. */
#include "ops/channel_shuffle.h"
#include "ops/layout.h"
#include "ops/move.h"
#include "ops/rank.h"

/* -- plan -- */

struct shuffle_plan {
    struct tensor y; /* as ONNX has it */
    bool straight;   /* x has the same dimensions */
};

/* The batch that makes as many elements as x has; -1 where none does. */
static int64_t batch_of(const struct channel_shuffle *a, const struct tensor *x)
{
    const int64_t count = tensor_count(x);
    int64_t image = a->groups, all;

    if (!mul_size(image, a->channels, &image) || !mul_size(image, a->size[0], &image) ||
        !mul_size(image, a->size[1], &image))
        return -1;
    if (a->batch < 0)
        return count % image ? -1 : count / image;
    return mul_size(image, a->batch, &all) && all == count ? a->batch : -1;
}

static int rank(const struct node *n, int k)
{
    (void)n;
    (void)k;
    return 4;
}

static bool infer(struct infer *i)
{
    const struct channel_shuffle *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0), onnx = layout_onnx(a->channels_last, x);
    struct shuffle_plan *p = infer_plan(i, sizeof *p);
    int64_t dims[MAX_RANK];

    if (!p)
        return false;
    p->y.dtype = x->dtype;
    p->y.rank = 4;
    p->y.dims[0] = batch_of(a, x);
    p->y.dims[1] = a->groups * a->channels;
    p->y.dims[2] = a->size[0];
    p->y.dims[3] = a->size[1];
    if (p->y.dims[0] < 0)
        return infer_error(
            i, "the input has %lld elements, which are no images of %lld groups of %lld channels of %lld x %lld",
            (long long)tensor_count(x), (long long)a->groups, (long long)a->channels, (long long)a->size[0],
            (long long)a->size[1]);
    p->straight = same_shape(&onnx, &p->y);
    if (a->channels_last && !p->straight)
        need_scratch(i, 2 * (size_t)tensor_bytes(x));
    layout_dims(a->channels_last, 4, p->y.dims, dims);
    return set_out(i, 0, x->dtype, 4, dims);
}

/* -- run -- */

/* `outer` times [groups, channels, inner] -> [channels, groups, inner]. */
static void exchange(const struct step *s, int64_t outer, int64_t inner, const void *from, void *to)
{
    const struct channel_shuffle *a = s->attrs;
    const int64_t g = a->groups, c = a->channels;
    const struct move m = { .size = dtype_size(s->in[0]->dtype),
                            .rank = 4,
                            .dims = { outer, c, g, inner },
                            .in = { g * c * inner, inner, c * inner, 1 },
                            .out = { g * c * inner, g * inner, inner, 1 } };

    move_run(s->k, s->pool, &m, from, to);
}

static bool run(struct step *s)
{
    const struct channel_shuffle *a = s->attrs;
    const struct shuffle_plan *p = s->plan;
    const int64_t pixels = a->size[0] * a->size[1], batch = p->y.dims[0];
    char *const planes = s->scratch, *const shuffled = scratch_at(s, (size_t)tensor_bytes(s->in[0]));

    if (!a->channels_last) {
        exchange(s, batch, pixels, s->in[0]->data, s->out[0]->data);
    } else if (p->straight) {
        exchange(s, batch * pixels, 1, s->in[0]->data, s->out[0]->data);
    } else {
        layout_copy(s->k, s->pool, s->in[0], false, s->in[0]->data, planes);
        exchange(s, batch, pixels, planes, shuffled);
        layout_copy(s->k, s->pool, &p->y, true, shuffled, s->out[0]->data);
    }
    return true;
}

static bool channels_last(const struct node *n, int rank, void *attrs)
{
    struct channel_shuffle *a = attrs;

    (void)n;
    a->channels_last = rank == 4;
    return a->channels_last;
}

/* Not where the batch is told, or may be made of other dimensions than the first. */
static bool batch_independent(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    const struct channel_shuffle *a = n->attrs;

    return rows[0] && a->batch < 0 && types[0]->rank == 4 && batch_of(a, types[0]) == types[0]->dims[0];
}

const struct op channel_shuffle_op = {
    .name = "ChannelShuffle",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T X -> T Y",
              .types = "T: all bf16",
              .attrs_size = sizeof(struct channel_shuffle),
              .rank = rank,
              .infer = infer,
              .run = run,
              .channels_last = channels_last,
              .batch_independent = batch_independent,
              .no_gradient = "is made where no gradient is taken" },
            { 0 },
        },
};
