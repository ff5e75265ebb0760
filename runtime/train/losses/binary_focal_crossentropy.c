/* (1 - p_t)^gamma times the binary crossentropy, p_t = t q + (1 - t)(1 - q) (Lin et al., arXiv:1708.02002); the mean over
 * the outputs of a row. */
#include "train/losses/crossentropy.h"
#include <math.h>

struct settings {
    bool from_logits, apply_class_balancing;
    double alpha, gamma, label_smoothing;
};

/* What is wrong, 1 - p_t, to the power of gamma, and its derivative by that. */
static double focus(double wrong, double gamma, double *slope)
{
    *slope = wrong > 0 ? gamma * pow(wrong, gamma - 1) : 0;
    return pow(wrong, gamma);
}

static double of_output(double z, double t, bool logits, const struct settings *s, double *slope)
{
    const double q = logits ? 1 / (1 + exp(-z)) : z,
                 weight = s->apply_class_balancing ? t * s->alpha + (1 - t) * (1 - s->alpha) : 1;
    double by_wrong, by_z;
    const double loss = binary_crossentropy_of(z, t, logits, &by_z);
    const double factor = focus(1 - t * q - (1 - t) * (1 - q), s->gamma, &by_wrong);
    const double q_by_z = logits ? q * (1 - q) : 1;

    *slope = weight * (factor * by_z + by_wrong * (1 - 2 * t) * q_by_z * loss);
    return weight * factor * loss;
}

static double rows(const struct loss_row *r)
{
    const struct settings *s = r->settings;
    const double each = 1 / (double)r->row.n;
    double loss = 0;

    for (int64_t j = 0; j < r->row.n; j++) {
        double slope;

        loss +=
            of_output((double)r->row.x[j], smooth_target(&r->row, j, s->label_smoothing, 2), r->row.logits, s, &slope);
        if (r->gradient)
            r->gradient[j] = (float)(slope * r->scale * each);
    }
    return loss * each;
}

static const char *spelled(const void *settings, bool logits)
{
    (void)settings;
    return logits
               ? "p = sigmoid(x); cross = softplus(x) - x * t;"
                 "weight = apply_class_balancing * (t * alpha + (1 - t) * (1 - alpha)) + (1 - apply_class_balancing);"
                 "wrong = 1 - t * p - (1 - t) * (1 - p);"
                 "loss = mean(weight * pow(wrong, gamma) * cross)"
               : "q = min(max(x, 1e-7), 1 - 1e-7); cross = -(t * log(q) + (1 - t) * log(1 - q));"
                 "weight = apply_class_balancing * (t * alpha + (1 - t) * (1 - alpha)) + (1 - apply_class_balancing);"
                 "wrong = 1 - t * x - (1 - t) * (1 - x);"
                 "loss = mean(weight * pow(wrong, gamma) * cross)";
}

const struct loss_def loss_binary_focal_crossentropy = {
    .row = { "binary_focal_crossentropy", "as binary, what is right counts less",
             (const struct spec_option[]){
                 FROM_LOGITS(struct settings),
                 { SPEC_FIELD(struct settings, apply_class_balancing), "weigh the two classes by alpha", SPEC_FLAG },
                 { SPEC_FIELD(struct settings, alpha), "of class 1; 1 - alpha of class 0", .high = 1, .fallback = .25 },
                 { SPEC_FIELD(struct settings, gamma), "how much less", .high = 100, .fallback = 2 },
                 LABEL_SMOOTHING(struct settings),
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .labels = LABELS_PROBABILITIES,
    .activation = ACTIVATION_SIGMOID,
    .spelled = spelled,
    .rows = rows,
};
