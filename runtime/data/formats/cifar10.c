#include "data/cifar.h"
#include "data/format.h"

/* Where batches.meta.txt is not there to tell. */
static const char *const class_names[] = { "airplane", "automobile", "bird",  "cat",  "deer",
                                           "dog",      "frog",       "horse", "ship", "truck" };

static bool open(struct dataset *d, const struct format_request *q, struct report *r)
{
    d->y->classes = 10;
    d->source = cifar_source(&d->x->values, &d->y->values, q->where, 10, q->part == PART_TEST, &d->columns, r);
    if (!d->source || !cifar_names(&d->y->class_names, q->where, 10, &d->columns, r))
        return false;
    if (!d->y->class_names)
        d->y->class_names = class_names;
    return true;
}

const struct format_def format_cifar10 = {
    .row = { "cifar10", "CIFAR-10, the binary version", NULL },
    .where = "DIR",
    .classes = 10,
    .parts = true,
    .open = open,
};
