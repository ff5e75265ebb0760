/* NonMaxSuppression, https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html
 *
 * For each class of each image: boxes in the order of their scores, the highest first, of those that are as high the one
 * that stands first; a box is left out where the part that it and one before it have in common is more than
 * iou_threshold of what both cover together. At most max_output_boxes_per_class are taken, which is 0 where it is not
 * given. The output are [image, class, box], a row for each.
 *
 * With score_threshold only scores above it count; the standard's words would also keep those that equal it, its test
 * data and the reference do not. What is no number comes last. How many rows there are only running can tell; no
 * gradient flows. */
#include "kernels/parts.h"
#include "ops/ordered.h"
#include "ops/rank.h"
#include <string.h>

enum { BOXES, SCORES, MOST, IOU_THRESHOLD, SCORE_THRESHOLD }; /* inputs */

struct suppression {
    bool center; /* [x, y, width, height] of the centre; else [y1, x1, y2, x2], corners on any diagonal */
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    const int64_t center = attr_int(p, "center_point_box", 0);

    ((struct suppression *)attrs)->center = center;
    return center == 0 || center == 1 || parse_error(p, "center_point_box is %lld, must be 0 or 1", (long long)center);
}

/* -- plan -- */

/* An empty one counts as left out. */
static const struct tensor *number(const struct tensor *t)
{
    return t && tensor_count(t) ? t : NULL;
}

static bool infer(struct infer *i)
{
    static const char *const names[] = { "", "", "max_output_boxes_per_class", "iou_threshold", "score_threshold" };
    const struct tensor *boxes = typed_in(i, BOXES), *scores = typed_in(i, SCORES);
    int64_t classes, indices, bytes;
    char text[2][TYPE_TEXT];

    if (boxes->rank != 3 || boxes->dims[2] != 4)
        return infer_error(i, "'boxes' is %s, must be [images, boxes, 4]", tensor_text(boxes, text[0]));
    if (scores->rank != 3 || scores->dims[0] != boxes->dims[0] || scores->dims[2] != boxes->dims[1])
        return infer_error(i, "'scores' is %s, must be [images, classes, boxes] for 'boxes' of %s",
                           tensor_text(scores, text[0]), tensor_text(boxes, text[1]));
    for (int k = MOST; k <= SCORE_THRESHOLD; k++)
        if (typed_in(i, k) && tensor_count(typed_in(i, k)) > 1)
            return infer_error(i, "'%s' has %lld values, must have 1", names[k],
                               (long long)tensor_count(typed_in(i, k)));
    /* how many boxes each class has, and which; then what each thread sorts with */
    classes = scores->dims[0] * scores->dims[1];
    if (!mul_size(scores->dims[2], classes + infer_threads(i), &indices) || !add_size(indices, classes, &indices) ||
        !mul_size(indices, (int64_t)sizeof(int64_t), &bytes))
        return infer_error(i, "'scores' has more values than can be sorted");
    need_scratch(i, to_size(bytes));
    return set_out(i, 0, I64, 2, (const int64_t[]){ UNKNOWN, 3 });
}

/* -- run -- */

struct edges {
    float least[2], most[2];
};

/* The two dimensions the other way about cover the same. */
static struct edges edges_of(bool center, const float *box)
{
    struct edges e;

    for (int d = 0; d < 2; d++) {
        const float half = box[2 + d] / 2;

        if (center) {
            e.least[d] = box[d] - half;
            e.most[d] = box[d] + half;
        } else {
            e.least[d] = box[d] < box[2 + d] ? box[d] : box[2 + d];
            e.most[d] = box[d] < box[2 + d] ? box[2 + d] : box[d];
        }
    }
    return e;
}

static float area(const struct edges *e)
{
    return (e->most[0] - e->least[0]) * (e->most[1] - e->least[1]);
}

static bool overlap(const struct edges *a, const struct edges *b, float threshold)
{
    struct edges both;
    float common, together;

    for (int d = 0; d < 2; d++) {
        both.least[d] = a->least[d] > b->least[d] ? a->least[d] : b->least[d];
        both.most[d] = a->most[d] < b->most[d] ? a->most[d] : b->most[d];
        if (!(both.most[d] > both.least[d]))
            return false;
    }
    common = area(&both);
    together = area(a) + area(b) - common;
    return common > 0 && area(a) > 0 && area(b) > 0 && together > 0 && common / together > threshold;
}

struct job {
    bool center;
    int64_t classes, n, most; /* classes of an image, boxes of an image, boxes to be taken of a class */
    float overlap;
    const float *boxes, *scores, *least; /* of scores; NULL: all count */
    int64_t *taken, *order, *others;     /* scratch: by class; for each class; for each thread */
    const struct pool *pool;
};

static bool before(const void *context, int64_t a, int64_t b)
{
    const float *const scores = context;

    return scores[a] > scores[b] || (scores[b] != scores[b] && scores[a] == scores[a]);
}

/* Takes boxes out of `order`, the first ones; returns how many. */
static int64_t take(const struct job *j, const float *boxes, int64_t *order, int64_t count)
{
    int64_t taken = 0;

    for (int64_t k = 0; k < count && taken < j->most && !pool_late(j->pool); k++) {
        const struct edges box = edges_of(j->center, boxes + 4 * order[k]);
        bool free = true;

        for (int64_t t = 0; t < taken && free; t++) {
            const struct edges other = edges_of(j->center, boxes + 4 * order[t]);

            free = !overlap(&box, &other, j->overlap);
        }
        if (free)
            order[taken++] = order[k];
    }
    return taken;
}

static void suppress(void *context, int64_t which, int thread)
{
    const struct job *j = context;
    const float *scores = j->scores + which * j->n;
    int64_t *order = j->order + which * j->n, count = 0;

    for (int64_t k = 0; k < j->n && j->most; k++)
        if (!j->least || scores[k] > *j->least)
            order[count++] = k;
    j->taken[which] = 0;
    if (sort_indices(j->pool, order, j->others + thread * j->n, count, before, scores))
        j->taken[which] = take(j, j->boxes + which / j->classes * j->n * 4, order, count);
}

static bool put_rows(struct step *s, const struct job *j, int64_t classes)
{
    int64_t rows = 0, *y;

    for (int64_t which = 0; which < classes; which++)
        rows += j->taken[which];
    if (!step_alloc(s, 0, I64, 2, (const int64_t[]){ rows, 3 }))
        return false;
    y = s->out[0]->data;
    for (int64_t which = 0; which < classes; which++)
        for (int64_t k = 0; k < j->taken[which]; k++, y += 3) {
            y[0] = which / j->classes;
            y[1] = which % j->classes;
            y[2] = j->order[which * j->n + k];
        }
    return true;
}

static bool run(struct step *s)
{
    const struct tensor *scores = s->in[SCORES], *most = number(s->in[MOST]), *threshold = number(s->in[IOU_THRESHOLD]),
                        *least = number(s->in[SCORE_THRESHOLD]);
    const int64_t classes = scores->dims[0] * scores->dims[1];
    struct job j = { .center = ((const struct suppression *)s->attrs)->center,
                     .classes = scores->dims[1],
                     .n = scores->dims[2],
                     .most = most ? greater(*(const int64_t *)most->data, 0) : 0,
                     .overlap = threshold ? *(const float *)threshold->data : 0,
                     .boxes = s->in[BOXES]->data,
                     .scores = scores->data,
                     .least = least ? least->data : NULL,
                     .pool = s->pool };

    if (!(j.overlap >= 0 && j.overlap <= 1))
        return step_error(s, "'iou_threshold' is %g, must be in [0, 1]", (double)j.overlap);
    j.taken = s->scratch;
    j.order = j.taken + classes;
    j.others = j.order + classes * j.n;
    if (classes)
        pool_run(s->pool, classes, suppress, &j);
    return put_rows(s, &j, classes);
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[1,3,4]{0,0,1,1,1,1,0,0.1,0,2,1,3} f32[1,2,3]{0.3,0.9,0.5,0.5,0.5,0.7} i64[1]{3} f32[1]{0.5}", "",           \
      "i64[4,3]", 0 },                                                                                                 \
        { "f32[1,2,4]{0,0,1,1,0,0,1,1} f32[1,1,2]{0.3,0.9} i64[]{2} f32[]{1} f32[]{0.3}", "", "i64[1,3]", 0 },         \
        { "f32[2,2,4] f32[2,3,2]", "", "i64[0,3]", 0 }, { "f32[2,2,4] f32[2,3,2] i64[1]{-1}", "", "i64[0,3]", 0 },     \
        { "f32[1,2,4] f32[1,1,2] i64[0]", "", "i64[0,3]", 0 },                                                         \
    {                                                                                                                  \
        "f32[1,2,4]{0.5,0.5,1,1,0.5,0.6,1,1} f32[1,1,2]{0.3,0.9} i64[]{9}", "center_point_box=1", "i64[1,3]", 0        \
    }

static const struct op_case cases[] = { CASES, { 0 } };

#define ROW(version)                                                                                                   \
    {                                                                                                                  \
        .since = version,                                                                                              \
        .signature = "T boxes, T scores, I max_output_boxes_per_class?, T iou_threshold?, T score_threshold? -> "      \
                     "I selected_indices",                                                                             \
        .types = "T: f32; I: i64", .attrs_size = sizeof(struct suppression), .parse = parse, .rank = rank_of_matrix,   \
        .infer = infer, .run = run, .gradient = zero_gradient, .cases = cases                                          \
    }

const struct op op_non_max_suppression = {
    .name = "NonMaxSuppression",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(11), ROW(10), { 0 } },
};
