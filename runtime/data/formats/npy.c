#include "data/formats/arrays.h"
#include <string.h>
#include <strings.h>

/* Where the name of the second file begins: behind a comma that follows ".npy", or the only one; NULL without. */
static char *second(char *where)
{
    static const char between[] = ".npy,";
    char *comma = strchr(where, ',');

    for (char *at = where; *at; at++)
        if (strncasecmp(at, between, strlen(between)) == 0) {
            comma = at + strlen(between) - 1;
            break;
        }
    if (!comma)
        return NULL;
    *comma = 0;
    return comma + 1;
}

static bool open(struct dataset *d, const struct format_request *q, struct report *r)
{
    char x[SPEC_SIZE], *y;
    struct array_files *f;

    strcpy(x, q->where); /* a SPEC is shorter */
    y = second(x);
    if (!*x || (y && !*y) || (!y && !q->options->unlabelled))
        return fail(r, KILN_BAD_ARGUMENT, NULL,
                    "'%s' must name two files, the samples and what is to be predicted: "
                    "X.npy,Y.npy",
                    q->where);
    f = arrays_new(d, &array_npy, NULL, 2, r);
    if (!f || !arrays_add(f, d->x, x, q->options->inputs ? q->samples[0] : NULL, q, r))
        return false;
    if (y)
        return arrays_add(f, d->y, y, q->rows, q, r);
    format_unlabelled(d);
    return true;
}

const struct format_def format_npy = {
    .row = { "npy", "two arrays of NumPy, the second what is to be predicted", NULL },
    .where = "X.npy,Y.npy",
    .endings = (const char *const[]){ ".npy", NULL },
    .open = open,
};
