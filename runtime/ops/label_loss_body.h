/* The loops of a label's loss for one type T; label_loss.c includes this once for each. LOSS(f) names them. */

/* The loss of every label into `each` (NULL where not wanted) and summed with its weights into the job. */
static void LOSS(forward)(struct loss_job *j, const void *log_prob, const void *weight, void *each)
{
    const T *p = log_prob, *w = weight;
    T *l = each;

    for (int64_t n = 0; n < j->batch; n++)
        for (int64_t d = 0; d < j->inner; d++) {
            const int64_t at = n * j->inner + d, t = j->labels[at];
            const bool ignored = j->ignores && t == j->ignore_index;
            const T one = ignored ? 0 : w ? w[t] : 1;
            const T loss = ignored ? 0 : -one * p[(n * j->classes + t) * j->inner + d];

            j->sum += (double)loss;
            j->weights += (double)one;
            if (l)
                l[at] = loss;
        }
}

/* scale[at] = d(result)/d(-log_prob of the label); dw[t] adds up d(result)/d(weight[t]). */
static void LOSS(scales)(const struct loss_job *j, const void *log_prob, const void *weight, const void *upstream,
                         void *scales, double *dw)
{
    const T *p = log_prob, *w = weight, *g = upstream;
    const double mean = j->reduction == LOSS_MEAN ? j->sum / j->weights : 0;
    const double share = j->reduction == LOSS_MEAN ? 1 / j->weights : 1;
    T *scale = scales;

    for (int64_t n = 0; n < j->batch; n++)
        for (int64_t d = 0; d < j->inner; d++) {
            const int64_t at = n * j->inner + d, t = j->labels[at];
            const bool ignored = j->ignores && t == j->ignore_index;
            const double dy = (double)g[j->reduction == LOSS_NONE ? at : 0] * share;

            scale[at] = ignored ? 0 : (T)(dy * (w ? (double)w[t] : 1));
            if (dw && !ignored)
                dw[t] += dy * (-(double)p[(n * j->classes + t) * j->inner + d] - mean);
        }
}

/* dx = -scale at the label, 0 elsewhere; through a softmax, whose result dx holds then, softmax * scale more. */
static void LOSS(image)(void *context, int64_t n, int thread)
{
    const struct loss_job *j = context;
    const T *restrict scale = (const T *)j->scales + n * j->inner;
    T *restrict dx = (T *)j->dx + n * j->classes * j->inner;

    (void)thread;
    if (j->softmax && j->inner == 1)
        for (int64_t c = 0; c < j->classes; c++)
            dx[c] *= scale[0];
    else if (j->softmax)
        for (int64_t c = 0; c < j->classes; c++)
            for (int64_t d = 0; d < j->inner; d++)
                dx[c * j->inner + d] *= scale[d];
    else
        for (int64_t k = 0; k < j->classes * j->inner; k++)
            dx[k] = 0;
    for (int64_t d = 0; d < j->inner; d++) {
        const int64_t t = j->labels[n * j->inner + d];

        if (!j->ignores || t != j->ignore_index)
            dx[t * j->inner + d] -= scale[d];
    }
}

#undef LOSS
#undef T
