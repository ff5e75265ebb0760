#include "data/csv.h"
#include "data/format.h"

static bool load(struct dataset *d, const struct format_request *q, struct report *r)
{
    const bool values = q->options->targets && q->options->target[q->options->unnamed].values;

    return csv_load(&d->x->values, &d->y->values, q->where, values, &d->header, d->budget, r);
}

const struct format_def format_csv = {
    .row = { "csv", "features, then a label, in each line, perhaps below a header", NULL },
    .where = "FILE",
    .load = load,
};
