#include "data/csv.h"
#include "data/format.h"
#include <string.h>

/* "FILE[,label=NAME]": cuts it off. */
static const char *cut_label(char path[SPEC_SIZE], const char *where, const char *otherwise)
{
    static const char key[] = ",label=";
    char *found = NULL;

    strcpy(path, where); /* a SPEC is shorter */
    for (char *at = path; (at = strstr(at, key)); at++)
        found = at;
    if (!found)
        return otherwise;
    *found = 0;
    return found + strlen(key);
}

/* What people are told of it. */
static bool tell_label(struct dataset *d, const struct csv_table *t, const char *said, struct report *r)
{
    const char *place = t->label < 0                 ? "none"
                        : t->label == t->columns - 1 ? "the last column"
                        : t->label == 0              ? "the first column"
                                        : arena_printf(&d->columns, r, "column %lld", (long long)t->label + 1);

    if (!place)
        return false;
    d->label = t->label_name ? arena_printf(&d->columns, r, "%s, '%s'", place, t->label_name)
                             : arena_printf(&d->columns, r, "%s%s", place, t->label < 0 && said ? ", as was said" : "");
    return d->label;
}

static bool open(struct dataset *d, const struct format_request *q, struct report *r)
{
    static const struct column_request none;
    const struct data_options *o = q->options;
    const struct column_request *target = o->targets ? &o->target[o->unnamed] : &none;
    struct csv_request csv = { .values = target->values,
                               .unlabelled = o->unlabelled,
                               .gaps = o->gaps,
                               .input = o->inputs ? q->samples[0] : NULL,
                               .class_names = target->class_names,
                               .classes = target->class_names ? target->classes : 0 };
    char path[SPEC_SIZE];
    struct csv_table t;

    csv.label = cut_label(path, q->where, o->label);
    d->source = csv_source(&t, path, &csv, &d->columns, r);
    if (!d->source)
        return false;
    d->x->values = t.x;
    d->y->values = t.y;
    if (t.class_names && target->values)
        return fail(r, KILN_BAD_DATA, path, "the label is text ('%s', ...), numbers are to be predicted",
                    *t.class_names);
    if (!format_take_names(d->y, t.class_names, t.classes, target, path, r))
        return false;
    d->header = t.header;
    if (!tell_label(d, &t, csv.label, r))
        return false;
    if (t.y.rank)
        return true;
    if (o->unlabelled)
        format_unlabelled(d);
    return o->unlabelled || fail(r, KILN_BAD_DATA, path, "there is no label, and something must be to be predicted");
}

const struct format_def format_csv = {
    .row = { "csv",
             "a sample in each line, perhaps below a header: numbers, and a label, which is the last column or "
             "what --label or ',label=' says: its name, first, last, none",
             NULL },
    .where = "FILE",
    .labels = true,
    .endings = (const char *const[]){ ".csv", ".tsv", ".csv.gz", ".tsv.gz", NULL },
    .open = open,
};
