#include "choice.h"
#include <stdlib.h>
#include <string.h>

/* -- names of classes -- */

/* What the metadata have of the output; of whole numbers, which are classes of another output's numbers, the only names
 * that there are. */
static const char *names_of(const struct prediction *y, const kiln_model *m, bool given)
{
    const char *const said = model_metadata_of(m, "kiln.classes.", y->name);
    const char *key, *value, *only = NULL;
    size_t count = 0;

    for (size_t k = 0; kiln_model_metadata(m, k, &key, &value); k++)
        if (strncmp(key, "kiln.classes.", strlen("kiln.classes.")) == 0) {
            only = value;
            count++;
        }
    return said ? said : given && count == 1 ? only : NULL;
}

static bool is_given(const struct prediction *y)
{
    return !kiln_dtype_is_float(kiln_tensor_dtype(y->values));
}

/* As many lines as it has elements for a sample. */
bool prediction_name(struct command *c, struct prediction *y, const kiln_model *m)
{
    const bool given = y->width == 1 && is_given(y);
    const char *said = names_of(y, m, given);
    int64_t n = 0;

    for (const char *s = said; s && n < INT32_MAX; s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL)
        n++;
    if (!said || (!given && n != (y->width == 1 ? 2 : y->width)))
        return true;
    y->classes = calloc((size_t)n + 1, sizeof *y->classes);
    for (int64_t k = 0; y->classes && k < n; k++) {
        const size_t length = strcspn(said, "\n");

        y->classes[k] = strndup(said, length);
        if (!y->classes[k])
            return command_no_memory(c);
        said += length + 1;
    }
    y->class_count = n;
    return y->classes || command_no_memory(c);
}

const char *prediction_class_name(const struct prediction *y, int64_t class)
{
    return y->classes && class >= 0 && class < y->class_count ? y->classes[class] : NULL;
}

void prediction_release(struct prediction *y)
{
    for (char **name = y->classes; name && *name; name++)
        free(*name);
    free(y->classes);
    kiln_tensor_free(y->values);
}

/* -- which class -- */

bool prediction_choose(struct command *c, struct prediction *y, const kiln_model *m, const double *threshold)
{
    const kiln_scores scores = kiln_model_scores(m, y->at);

    if (y->width != 1 && kiln_tensor_rank(y->values) > 2)
        return command_fail(c, KILN_BAD_ARGUMENT, NULL,
                            "--classes: output '%.80s' has more than one row for each sample", y->name);
    if (y->width != 1 && is_given(y))
        return command_fail(c, KILN_BAD_ARGUMENT, NULL,
                            "--classes: output '%.80s' has %lld whole numbers for each sample, a class is one", y->name,
                            (long long)y->width);
    if (y->width != 1 && scores.each && !y->classes)
        return command_fail(c, KILN_BAD_ARGUMENT, NULL,
                            "--classes: each number of output '%.80s' says yes or no by itself (Sigmoid), so that a "
                            "sample may have several labels, or none; without --classes they are written as they are",
                            y->name);
    y->choice = y->width != 1 ? CHOICE_LARGEST : is_given(y) ? CHOICE_GIVEN : CHOICE_ABOVE;
    y->threshold = threshold ? *threshold : scores.logits ? 0 : .5;
    y->assumed = y->choice == CHOICE_ABOVE && !threshold && !scores.known;
    return true;
}

int64_t prediction_class(const struct prediction *y, int64_t i)
{
    int64_t best = 0;

    if (y->choice == CHOICE_GIVEN)
        return (int64_t)kiln_tensor_number(y->values, i);
    if (y->choice == CHOICE_ABOVE)
        return kiln_tensor_number(y->values, i) > y->threshold;
    for (int64_t k = 1; k < y->width; k++)
        if (kiln_tensor_number(y->values, i * y->width + k) > kiln_tensor_number(y->values, i * y->width + best))
            best = k;
    return best;
}
