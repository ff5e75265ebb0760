/* -log of the probability of a sequence, over all ways in which the steps of a sample can spell it: each step says a
 * class or class 0, which is nothing; a class that is said again at once is the same one (Graves et al., Connectionist
 * Temporal Classification). The outputs are logits; the labels end where as many are not 0. */
#include "train/loss.h"
#include <math.h>

/* The sequence with nothing before, between and behind its labels: place s is label s / 2 where s is odd. */
struct spelling {
    const struct output_row *row;
    int64_t places;
    double *said;    /* [steps][places] log of all ways to be at a place after a step */
    double *left;    /* [2][places] log of all ways to go on from there, of a step and the next */
    double *log_sum; /* [steps] that softmax divides by */
};

static int64_t scratch(int64_t steps, int64_t length)
{
    const int64_t places = 2 * length + 1;

    return (int64_t)sizeof(double) * (steps * places + 2 * places + steps);
}

static struct spelling spelling_of(const struct loss_row *r)
{
    const struct output_row *row = &r->row;
    struct spelling p = { .row = row, .places = 1 };

    for (int64_t k = 0; k < row->length; k++)
        p.places += 2 * (row->sequence[k] != 0);
    p.said = r->scratch;
    p.left = p.said + row->steps * p.places;
    p.log_sum = p.left + 2 * p.places;
    for (int64_t t = 0; t < row->steps; t++) {
        const float *x = row->x + t * row->n;
        double top = -INFINITY, sum = 0;

        for (int64_t c = 0; c < row->n; c++)
            top = (double)x[c] > top || isnan(x[c]) ? (double)x[c] : top;
        for (int64_t c = 0; c < row->n; c++)
            sum += exp((double)x[c] - top);
        p.log_sum[t] = top + log(sum);
    }
    return p;
}

static int64_t class_at(const struct spelling *p, int64_t place)
{
    return place % 2 ? p->row->sequence[place / 2] : 0;
}

static double log_output(const struct spelling *p, int64_t step, int64_t class)
{
    return (double)p->row->x[step * p->row->n + class] - p->log_sum[step];
}

static double log_add(double a, double b)
{
    const double top = a > b ? a : b;

    return isinf(top) && top < 0 ? top : top + log(exp(a - top) + exp(b - top));
}

/* May a step leave out the nothing between two labels? Not where they are the same. */
static bool may_jump(const struct spelling *p, int64_t to)
{
    return to >= 2 && to % 2 && class_at(p, to) != class_at(p, to - 2);
}

static double spell(const struct spelling *p)
{
    const int64_t last = p->row->steps - 1;

    for (int64_t t = 0; t <= last; t++)
        for (int64_t s = 0; s < p->places; s++) {
            const double *before = p->said + (t - 1) * p->places;
            double ways = t ? before[s] : s < 2 ? 0 : -INFINITY;

            if (t && s)
                ways = log_add(ways, before[s - 1]);
            if (t && may_jump(p, s))
                ways = log_add(ways, before[s - 2]);
            p->said[t * p->places + s] = ways + log_output(p, t, class_at(p, s));
        }
    return p->places > 1 ? log_add(p->said[last * p->places + p->places - 1], p->said[last * p->places + p->places - 2])
                         : p->said[last * p->places];
}

/* From the step behind it. */
static void go_back(const struct spelling *p, int64_t t, double *left, const double *next)
{
    for (int64_t s = 0; s < p->places; s++) {
        left[s] = t < p->row->steps - 1 ? next[s] + log_output(p, t + 1, class_at(p, s))
                  : s + 2 >= p->places  ? 0
                                        : -INFINITY;
        for (int64_t to = s + 1; t < p->row->steps - 1 && to < p->places && to < s + 3; to++)
            if (to == s + 1 || may_jump(p, to))
                left[s] = log_add(left[s], next[to] + log_output(p, t + 1, class_at(p, to)));
    }
}

static double rows(const struct loss_row *r)
{
    const struct spelling p = spelling_of(r);
    const double log_all = spell(&p);
    const int64_t n = r->row.n;

    for (int64_t t = r->row.steps - 1; r->gradient && t >= 0; t--) {
        double *left = p.left + t % 2 * p.places;
        float *to = r->gradient + t * n;

        go_back(&p, t, left, p.left + (t + 1) % 2 * p.places);
        for (int64_t c = 0; c < n; c++)
            to[c] = (float)(exp(log_output(&p, t, c)) * r->scale);
        for (int64_t s = 0; s < p.places; s++)
            to[class_at(&p, s)] -= (float)(exp(p.said[t * p.places + s] + left[s] - log_all) * r->scale);
    }
    return -log_all;
}

const struct loss_def loss_ctc = {
    .row = { "ctc", "sequences of classes above 0, by the logits of steps", NULL },
    .labels = LABELS_SEQUENCES,
    .rows = rows,
    .scratch = scratch,
};
