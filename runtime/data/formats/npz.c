#include "data/npz.h"
#include "data/format.h"

static bool load(struct dataset *d, const struct format_request *q, struct report *r)
{
    const char *x = q->part == PART_TEST ? "x_test" : "x_train", *y = q->part == PART_TEST ? "y_test" : "y_train";
    struct npz *z;
    bool ok = true;

    if (!npz_open(&z, q->where, d->budget, r))
        return false;
    if (!npz_has(z, "x_train") && !npz_has(z, "x_test")) {
        x = "x";
        y = "y";
        ok = format_no_parts(q, r);
    }
    ok = ok && npz_read(&d->x, z, x, q->samples, r) && npz_read(&d->y, z, y, q->targets, r);
    npz_close(z);
    return ok;
}

const struct format_def format_npz = {
    .row = { "npz", "NumPy arrays x and y, or x_train, y_train, x_test, y_test", NULL },
    .where = "FILE",
    .parts = true,
    .load = load,
};
