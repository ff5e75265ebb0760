/* The loss of an output, as training would choose it for the data that there are: written down where it is worth it, told in
 * any case, and so is what these data have that it could not take. */
#include "adapt/loss.h"
#include "data/element.h"
#include "train/class_axis.h"
#include "train/loss.h"
#include <stdio.h>
#include <string.h>

static const struct column *column_of(const struct dataset *d, const struct value *output, bool first)
{
    for (size_t k = 0; d && !d->unlabelled && k < d->targets; k++)
        if (column_is(&d->y[k], output->name, first && d->targets == 1))
            return &d->y[k];
    return NULL;
}

/* An output, and what its loss is chosen by. */
struct learner {
    struct value *output;
    struct tensor type;
    const struct column *y; /* NULL: nothing is known of its labels */
    bool fresh;             /* the labels are those of a head that is gone */
    bool asked;             /* classes were asked for: the data say nothing */
    struct loss_data data;
    char loss[100];
};

/* Does the output tell by itself what its numbers are? */
static bool tells_itself(const struct loss *l)
{
    return l->def->activation && !(l->logits && l->at == l->out);
}

/* -- the data -- */

static int64_t numbers_of(const struct tensor *t)
{
    return dims_product(t->dims, 1, t->rank);
}

/* Could the loss take such labels? Each number of the output may have one, or a row of them has. */
static bool takes_labels(const struct loss *l, const struct learner *o)
{
    const int64_t each = numbers_of(&o->y->values), width = numbers_of(&o->type);

    if (o->y->hot && l->classes && o->y->hot != l->classes)
        return false;
    if (l->def->labels == LABELS_CLASSES)
        return loss_is_single(&o->y->values, &o->type, l->width) && o->y->classes <= l->classes;
    if (l->def->labels == LABELS_PROBABILITIES)
        return each == width ? o->y->classes <= 2 : each && width % each == 0 && o->y->classes <= width / each;
    return each == width;
}

/* Every loss that takes probabilities refuses others. */
static bool are_probabilities(const struct column *y)
{
    element_get *const get = y->values.data ? element_getter(y->values.dtype) : NULL;

    for (int64_t k = 0; get && k < tensor_count(&y->values); k++)
        if (!(get(y->values.data, k) >= 0 && get(y->values.data, k) <= 1))
            return false;
    return true;
}

static bool takes_data(const struct loss *l, const struct learner *o)
{
    if (l->def->labels == LABELS_SEQUENCES || l->def->labels == LABELS_AS_GIVEN)
        return true;
    if (column_has_labels(o->y))
        return takes_labels(l, o);
    return numbers_of(&o->y->values) == numbers_of(&o->type) &&
           (l->def->labels != LABELS_PROBABILITIES || are_probabilities(o->y));
}

static const char *labels_misfit(struct adapt *a, const struct learner *o, const struct loss *l)
{
    const struct column *y = o->y;
    const int64_t each = numbers_of(&y->values), width = numbers_of(&o->type);
    const bool yes_or_no = l->def->labels == LABELS_PROBABILITIES && each == width;
    const bool rows =
        l->def->labels == LABELS_CLASSES ? loss_is_single(&y->values, &o->type, l->width) : each && width % each == 0;
    const int64_t classes = yes_or_no ? 2 : l->width;
    const char *from_1 = y->least == 1 && y->classes == classes + 1 ? ": these begin at 1" : "";

    if (!rows)
        return arena_printf(a->arena, a->report, "%lld labels of a sample, it has %lld numbers", (long long)each,
                            (long long)width);
    if (y->hot && y->hot != l->classes)
        return arena_printf(a->arena, a->report, "labels are one-hot rows of %lld numbers, it has %d classes",
                            (long long)y->hot, l->classes);
    if (yes_or_no)
        return arena_printf(a->arena, a->report, "labels go from %lld to %d, a number of it tells 2 apart%s",
                            (long long)y->least, y->classes - 1, from_1);
    return arena_printf(a->arena, a->report, "labels go from %lld to %d, it has %lld numbers for a label%s",
                        (long long)y->least, y->classes - 1, (long long)l->width, from_1);
}

static const char *misfit(struct adapt *a, const struct learner *o, const struct loss *l)
{
    const struct column *y = o->y;
    const int64_t each = numbers_of(&y->values), width = numbers_of(&o->type);

    if (column_has_labels(y))
        return labels_misfit(a, o, l);
    if (y->negative && (l->def->labels == LABELS_PROBABILITIES || each != width))
        return arena_printf(a->arena, a->report, "the label of sample %lld is %lld, classes are whole numbers from 0",
                            (long long)(y->negative - 1), (long long)y->least);
    if (each == width)
        return "not all that is to be predicted lies between 0 and 1, as probabilities do";
    return arena_printf(a->arena, a->report, "%lld number%s of a sample %s to be predicted, it has %lld",
                        (long long)each, each == 1 ? "" : "s", each == 1 ? "is" : "are", (long long)width);
}

/* -- deciding -- */

static bool tell(struct adapt *a, const struct learner *o, const char *found, const char *evidence, const char *done)
{
    return found && evidence && done &&
           adapt_tell(a, &(struct finding){ .name = o->output->name,
                                            .found = found,
                                            .evidence = evidence,
                                            .certainty = DOUBTFUL,
                                            .done = done });
}

/* Why it is that one: "a head of 5 classes was asked for", "the model ends in Softmax". */
static const char *reason_of(struct adapt *a, const struct learner *o, const struct loss *l)
{
    static const char word[] = "because ";
    const char *because = strstr(l->said, word);

    if (o->asked && !tells_itself(l))
        return arena_printf(a->arena, a->report, "a head of %d classes was asked for", o->data.classes);
    return because ? because + strlen(word) : l->said;
}

static bool tell_misfit(struct adapt *a, const struct learner *o, const struct loss *l, bool taken)
{
    const char *reason = reason_of(a, o, l);
    const char *done = !taken ? "no loss is written down: training chooses one by its own data"
                       : reason
                           ? arena_printf(a->arena, a->report, "%s is taken all the same, because %s", o->loss, reason)
                           : NULL;

    return tell(a, o, "labels that it does not fit", misfit(a, o, l), done);
}

/* Is it worth to be written down? One number may be anything, and of a head that is gone the labels say nothing. */
static bool is_decided(const struct learner *o, const struct loss *l)
{
    if (o->asked)
        return l->def->labels != LABELS_NUMBERS;
    return tells_itself(l) || (!o->fresh && takes_data(l, o));
}

static bool tell_loss(struct adapt *a, const struct learner *o, const struct loss *l)
{
    const bool asked = o->asked && !tells_itself(l);
    const char *evidence = asked ? reason_of(a, o, l) : l->said;

    return evidence && adapt_tell(a, &(struct finding){ .name = o->output->name,
                                                        .found = "the loss",
                                                        .evidence = evidence,
                                                        .certainty = asked ? CERTAIN : LIKELY,
                                                        .done = o->loss });
}

/* What is told of the loss, and of data that it could not take. */
static bool tell_all(struct adapt *a, const struct learner *o, const struct loss *l, bool decided)
{
    if (decided && !tell_loss(a, o, l))
        return false;
    if (!decided && o->fresh && o->y)
        return tell(a, o, "labels of a head that is gone", "another one was put in its place",
                    "no loss is written down: training chooses one by its own data");
    return !o->y || takes_data(l, o) || (!decided && o->asked) || tell_misfit(a, o, l, decided);
}

/* As training would choose it for these data. An output that nothing can be chosen for is left to that. */
static bool choose(struct adapt *a, struct learner *o, struct loss *l)
{
    const struct target_options t = { .form = o->data.form, .classes = o->data.classes, .labels = o->data.labels };
    const struct tensor *type = &o->type;
    struct report quiet = { 0 };
    int axis;

    if (!tensor_known(type) || !dtype_is_float(type->dtype) || dtype_is_small(type->dtype) || !type->rank)
        return false;
    axis = o->asked ? a->class_axis : class_axis_find(o->output, type, &t, &quiet);
    return (axis || type->rank == 1) && loss_choose(l, NULL, o->output, type, axis, &o->data, a->arena, &quiet);
}

/* False where nothing is known of what it learns. */
static bool find_learner(struct adapt *a, size_t k, struct learner *o)
{
    struct value *output = a->model->graph->outputs[k];

    *o = (struct learner){ .output = output,
                           .y = column_of(a->options->data, output, k == 0),
                           .fresh = a->fresh && a->fresh[k],
                           .asked = a->classified && strcmp(a->classified, output->name) == 0 };
    if (o->asked)
        o->data = (struct loss_data){ TARGETS_CLASSES, (int)a->options->classes, NULL };
    else if (o->y)
        o->data = (struct loss_data){ column_has_labels(o->y) ? TARGETS_CLASSES : TARGETS_VALUES, o->y->classes,
                                      &o->y->values };
    return o->asked || o->y;
}

bool loss_decide(struct adapt *a, size_t k, const struct tensor *type, const char **loss)
{
    struct learner o;
    struct loss l;
    bool decided;

    *loss = NULL;
    if (!find_learner(a, k, &o))
        return true;
    o.type = *type;
    o.type.data = NULL;
    if (!choose(a, &o, &l))
        return true;
    decided = is_decided(&o, &l);
    snprintf(o.loss, sizeof o.loss, "%s%s", l.def->row.name, l.logits && l.at == l.out ? ":from_logits=true" : "");
    *loss = decided ? arena_string(a->arena, o.loss, strlen(o.loss), a->report) : NULL;
    return (!decided || *loss) && tell_all(a, &o, &l, decided);
}
