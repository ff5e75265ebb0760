/* -(sum of alpha (1 - q)^gamma t log q) over the classes, q the softmax of the logits, or probabilities that are
 * renormalised, clipped in both cases (Lin et al., arXiv:1708.02002). */
#include "train/losses/crossentropy.h"
#include <math.h>

struct settings {
    bool from_logits;
    double alpha, gamma, label_smoothing;
};

/* Of one class, before it is clipped q, with the label t; *slope is the derivative by q. */
static double of_class(double q, double t, const struct settings *s, double *slope)
{
    const bool outside = clip_probability(&q);
    const double factor = s->alpha * pow(1 - q, s->gamma);

    *slope = outside ? 0 : t * (s->alpha * s->gamma * pow(1 - q, s->gamma - 1) * log(q) - factor / q);
    return -factor * t * log(q);
}

/* With q = p / S: dL/dp_i = (dL/dq_i - sum_j dL/dq_j q_j) / S; and by a logit the same, times q_i instead of 1 / S. */
static double rows(const struct loss_row *r)
{
    const struct settings *s = r->settings;
    const struct output_row *row = &r->row;
    const double classes = (double)row->n;
    struct softmax_sum softmax = { 0 };
    double loss = 0, back = 0, slope;

    if (row->logits)
        softmax = softmax_sum_of(row);
    for (int64_t j = 0; !row->logits && j < row->n; j++)
        softmax.sum += (double)row->x[j];
    for (int pass = 0; pass < 1 + (r->gradient != NULL); pass++)
        for (int64_t j = 0; j < row->n; j++) {
            const double x = (double)row->x[j], q = (row->logits ? exp(x - softmax.top) : x) / softmax.sum;
            const double of = of_class(q, smooth_target(row, j, s->label_smoothing, classes), s, &slope);

            loss += pass ? 0 : of;
            back += pass ? 0 : slope * q;
            if (pass)
                r->gradient[j] = (float)((slope - back) * (row->logits ? q : 1 / softmax.sum) * r->scale);
        }
    return loss;
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    return logits ? "q = min(max(softmax(x), 1e-7), 1 - 1e-7);"
                    "loss = -sum(alpha * pow(1 - q, gamma) * t * log(q))"
                  : "q = min(max(x / sum(x), 1e-7), 1 - 1e-7);"
                    "loss = -sum(alpha * pow(1 - q, gamma) * t * log(q))";
}

const struct loss_def loss_categorical_focal_crossentropy = {
    .row = { "categorical_focal_crossentropy", "as categorical, what is right counts less",
             (const struct spec_option[]){
                 FROM_LOGITS(struct settings),
                 { SPEC_FIELD(struct settings, alpha), "of all classes", .high = 1e6, .fallback = .25 },
                 { SPEC_FIELD(struct settings, gamma), "how much less", .high = 100, .fallback = 2 },
                 LABEL_SMOOTHING(struct settings),
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .labels = LABELS_PROBABILITIES,
    .activation = ACTIVATION_SOFTMAX,
    .along_classes = true,
    .spelled = spelled,
    .rows = rows,
};
