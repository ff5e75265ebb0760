#include "data/cifar.h"
#include "data/format.h"

static bool open(struct dataset *d, const struct format_request *q, struct report *r)
{
    d->y->classes = 10;
    d->source = cifar_source(&d->x->values, &d->y->values, q->where, 10, q->part == PART_TEST, &d->columns, r);
    return d->source && cifar_names(&d->y->class_names, q->where, 10, &d->columns, r);
}

static const char *const class_names[] = { "airplane", "automobile", "bird",  "cat",  "deer",
                                           "dog",      "frog",       "horse", "ship", "truck" };

const struct format_def format_cifar10 = {
    .row = { "cifar10", "CIFAR-10, the binary version", NULL },
    .where = "DIR",
    .classes = 10,
    .parts = true,
    .open = open,
    .class_names = class_names,
};
