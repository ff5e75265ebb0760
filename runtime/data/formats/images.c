#include "data/formats/images.h"
#include "data/formats/arrays.h"

/* Grey images have one channel. */
static struct tensor with_channel(const struct tensor *images)
{
    struct tensor x = *images;

    if (x.rank != 3)
        return x;
    x.dims[3] = x.dims[2];
    x.dims[2] = x.dims[1];
    x.dims[1] = 1;
    x.rank = 4;
    return x;
}

struct image_check {
    struct type_check check;
    const struct type_check *samples;
};

static bool images_fit(const struct type_check *c, const struct tensor *type, const char *name, struct report *r)
{
    const struct tensor x = with_channel(type);

    return type_fits(((const struct image_check *)c)->samples, &x, name, r);
}

bool images_open(struct dataset *d, const char *images, const char *labels, const struct format_request *q,
                 struct report *r)
{
    const struct image_check fits = { { images_fit }, q->samples[0] };
    struct tensor *const x = &d->x->values, *const y = &d->y->values;
    struct array_files *f = arrays_new(d, &array_idx, NULL, 2, r);

    if (!f || !arrays_add(f, d->x, images, &fits.check, q, r) || !arrays_add(f, d->y, labels, q->rows, q, r))
        return false;
    if (x->rank < 2)
        return fail(r, KILN_BAD_DATA, images, "1 dimension, images have 2 or more");
    if (y->rank != 1)
        return fail(r, KILN_BAD_DATA, labels, "%d dimensions, labels have 1", y->rank);
    *x = with_channel(x);
    return true;
}
