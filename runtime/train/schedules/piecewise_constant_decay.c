/* values[0] up to step boundaries[0], that one among them, then values[1] ... */
#include "train/schedule.h"

struct settings {
    struct spec_list boundaries, values;
};

static const char *refuses(const void *settings)
{
    const struct settings *s = settings;

    if (s->values.count != s->boundaries.count + 1)
        return "there must be one of 'values' more than of 'boundaries'";
    for (size_t k = 1; k < s->boundaries.count; k++)
        if (!(s->boundaries.at[k] > s->boundaries.at[k - 1]))
            return "'boundaries' must rise";
    return NULL;
}

static float rate(const void *settings, float initial, int64_t step)
{
    const struct settings *s = settings;
    size_t k = 0;

    (void)initial;
    while (k < s->boundaries.count && (double)step > s->boundaries.at[k])
        k++;
    return (float)s->values.at[k];
}

const struct schedule_def schedule_piecewise_constant_decay = {
    .row = { "piecewise_constant_decay", "another rate behind each boundary",
             (const struct spec_option[]){
                 { SPEC_FIELD(struct settings, boundaries), "where pieces end", SPEC_LIST, .high = 1e15 },
                 { SPEC_FIELD(struct settings, values), "their rates", SPEC_LIST, .high = MOST_RATE },
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .refuses = refuses,
    .rate = rate,
};
