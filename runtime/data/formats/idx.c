#include "data/formats/images.h"
#include <string.h>

static bool open(struct dataset *d, const struct format_request *q, struct report *r)
{
    char images[SPEC_SIZE];
    const char *comma = strchr(q->where, ',');

    if (!comma || strchr(comma + 1, ',') || comma == q->where || !comma[1])
        return fail(r, KILN_BAD_ARGUMENT, NULL, "'idx:%s' must name two files: idx:IMAGES,LABELS", q->where);
    memcpy(images, q->where, (size_t)(comma - q->where));
    images[comma - q->where] = 0;
    return images_open(d, images, comma + 1, q, r);
}

const struct format_def format_idx = {
    .row = { "idx", "two IDX files, plain or gzipped", NULL },
    .where = "IMAGES,LABELS",
    .open = open,
};
