#include "data/cifar.h"
#include "data/format.h"

static bool open(struct dataset *d, const struct format_request *q, struct report *r)
{
    d->y->classes = 100;
    d->source = cifar_source(&d->x->values, &d->y->values, q->where, 100, q->part == PART_TEST, &d->columns, r);
    return d->source && cifar_names(&d->y->class_names, q->where, 100, &d->columns, r);
}

const struct format_def format_cifar100 = {
    .row = { "cifar100", "CIFAR-100, the binary version", NULL },
    .where = "DIR",
    .classes = 100,
    .parts = true,
    .open = open,
};
