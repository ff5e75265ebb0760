#include "data/csv_label.h"
#include "model/file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -- the table -- */

/* Is the first line a header? It names a column whose next field is no name; where that is missing or not there, and may have been
 * one, the line has no number. */
static bool is_header(struct csv c)
{
    struct report quiet = { 0 };
    const char *at, *end, *below = NULL, *below_end = NULL;
    bool number = false, above_nothing = false;
    struct field f, g;

    if (!csv_next_line(&c, &at, &end))
        return false;
    csv_next_line(&c, &below, &below_end);
    while (at && csv_next_field(&c, &at, end, &f, &quiet)) {
        const bool is_below = below && csv_next_field(&c, &below, below_end, &g, &quiet);

        number = number || field_is_number(&f);
        if (!field_is_name(&f) || (is_below && field_is_name(&g)))
            continue;
        if (is_below && !field_is_missing(&g))
            return true;
        above_nothing = true;
    }
    return above_nothing && !number;
}

/* 0,1,2,... as pandas writes them over columns without names; three may be a row unless the next one has no whole numbers. */
static bool is_counted(struct csv c)
{
    struct report quiet = { 0 };
    const char *at, *end, *below = NULL, *below_end = NULL;
    bool whole = true;
    struct field f;
    double v;
    int64_t n = 0;

    if (!csv_next_line(&c, &at, &end))
        return false;
    csv_next_line(&c, &below, &below_end);
    for (; at; n++)
        if (!csv_next_field(&c, &at, end, &f, &quiet) || !field_is_number(&f) || !field_number(&c, &f, &v) ||
            v != (double)n)
            return false;
    while (below && csv_next_field(&c, &below, below_end, &f, &quiet))
        whole = whole && field_is_number(&f) && field_number(&c, &f, &v) && v == floor(v);
    return n > 3 || (n == 3 && !whole);
}

/* How many fields the first line has; it is put back unless it is a header. */
static bool read_header(struct csv_reading *g, struct report *r)
{
    struct csv_table *t = g->table;
    struct csv c = g->first;
    const char *at, *end;
    struct field f;

    g->header = c;
    if (!csv_next_line(&c, &at, &end))
        return fail(r, KILN_BAD_DATA, c.name, "no data");
    for (t->columns = 0; at; t->columns++)
        if (!csv_next_field(&c, &at, end, &f, r))
            return false;
    t->header = is_header(g->first) || is_counted(g->first);
    if (t->header)
        g->first = c;
    return true;
}

/* Counts the rows that follow, all of which must have as many fields, before memory is asked for. */
static bool count_rows(struct csv_reading *g, struct report *r)
{
    struct csv c = g->first;
    const char *at, *end;
    struct field f;

    for (g->rows = 0; csv_next_line(&c, &at, &end); g->rows++) {
        int64_t n = 0;

        if (!budget_in_time_at(c.budget, g->rows, c.name, r))
            return false;
        for (; at; n++)
            if (!csv_next_field(&c, &at, end, &f, r))
                return false;
        if (n != g->table->columns)
            return fail(r, KILN_BAD_DATA, c.name, "line %lld: %lld fields, the first line has %lld", (long long)c.line,
                        (long long)n, (long long)g->table->columns);
    }
    return g->rows > 0 || fail(r, KILN_BAD_DATA, c.name, "a header, but no data");
}

static bool read_number(const struct csv_reading *g, const struct csv *c, const struct field *f, int64_t column,
                        double *out, struct report *r)
{
    const long long line = (long long)c->line, number = (long long)column + 1;
    char text[MAX_FIELD + 1], name[MAX_FIELD + 8];

    if (field_is_number(f) && field_number(c, f, out))
        return true;
    if (g->request->gaps && field_is_missing(f)) {
        *out = NAN;
        return true;
    }
    field_text(f, text);
    csv_column_name(g, column, name);
    if (!*text)
        return fail(r, KILN_BAD_DATA, c->name, "line %lld: field %lld%s is empty, a number is needed", line, number,
                    name);
    if (!field_is_number(f))
        return fail(r, KILN_BAD_DATA, c->name, "line %lld: field %lld%s is '%s', a number is needed", line, number,
                    name, text);
    return fail(r, KILN_BAD_DATA, c->name, "line %lld: field %lld%s is '%s', more than a float can hold", line, number,
                name, text);
}

static bool read_label(const struct csv_reading *g, struct csv_classes *classes, const struct csv *c,
                       const struct field *f, int64_t row, struct report *r)
{
    struct tensor *y = &g->table->y;

    if (!g->texts)
        return read_number(g, c, f, g->table->label, (double *)y->data + row, r);
    ((int64_t *)y->data)[row] = csv_class_of(classes, g, c, f, r);
    return ((int64_t *)y->data)[row] >= 0;
}

/* Where there need be no label, one that cannot be read is as none. */
static bool read_or_drop(struct csv_reading *g, struct csv_classes *classes, const struct csv *c, const struct field *f,
                         int64_t row, struct report *r)
{
    struct report quiet = { 0 };

    if (!g->request->unlabelled || g->request->gaps)
        return read_label(g, classes, c, f, row, r);
    g->dropped = g->dropped || (!read_label(g, classes, c, f, row, &quiet) && data_are_bad(&quiet, r));
    return !failed(r);
}

static bool read_rows(struct csv_reading *g, struct csv_classes *classes, struct report *r)
{
    const struct csv_table *t = g->table;
    float *to = t->x.data;
    struct csv c = g->first;
    const char *at, *end;
    struct field f;
    double value = 0;

    for (int64_t row = 0; csv_next_line(&c, &at, &end); row++) {
        if (!budget_in_time_at(c.budget, row, c.name, r))
            return false;
        for (int64_t column = 0; column < t->columns; column++) {
            if (!csv_next_field(&c, &at, end, &f, r))
                return false;
            if (column == t->label) {
                if (!read_or_drop(g, classes, &c, &f, row, r))
                    return false;
                continue;
            }
            if (!read_number(g, &c, &f, column, &value, r))
                return false;
            *to++ = (float)value;
        }
    }
    return true;
}

/* Names of classes that the file has by itself, in the arena. */
static bool take_classes(struct csv_reading *g, struct csv_classes *s, struct report *r)
{
    struct csv_table *t = g->table;
    const char **names;

    t->class_names = g->request->class_names;
    t->classes = g->request->classes;
    if (t->class_names)
        return true;
    names = arena_array(g->arena, s->count, sizeof *names, r);
    if (!names || !csv_classes_sort(s, &t->y, r))
        return false;
    memcpy(names, s->name, s->count * sizeof *names);
    t->class_names = names;
    t->classes = (int)s->count;
    return true;
}

static bool read_table(struct csv_reading *g, struct budget *b, struct report *r)
{
    struct csv_table *t = g->table;
    struct csv_classes classes;
    bool ok;

    if (!tensor_shape(&t->x, F32, 2, (const int64_t[]){ g->rows, t->columns - (t->label >= 0) }) ||
        !tensor_shape(&t->y, g->texts ? I64 : F64, 1, &g->rows))
        return fail(r, KILN_LIMIT, g->first.name, "%lld rows of %lld columns are too many", (long long)g->rows,
                    (long long)t->columns);
    if (!type_fits(g->request->input, &t->x, g->first.name, r))
        return false;
    csv_classes_init(&classes, g->arena, b);
    t->x.data = budget_alloc(b, (size_t)tensor_bytes(&t->x), r);
    t->y.data = t->label >= 0 ? budget_alloc(b, (size_t)tensor_bytes(&t->y), r) : NULL;
    ok = t->x.data && (t->y.data || t->label < 0) && csv_classes_know(&classes, g->request, r) &&
         read_rows(g, &classes, r) && (!g->texts || g->dropped || take_classes(g, &classes, r));
    if (g->dropped) {
        budget_free(b, t->y.data);
        t->y.data = NULL;
    }
    csv_classes_release(&classes);
    return ok;
}

bool csv_parse(struct csv_table *out, const char *name, const char *bytes, size_t size, const struct csv_request *q,
               struct arena *a, struct budget *b, struct report *r)
{
    struct csv_reading g = { .request = q, .table = out, .arena = a };
    bool ok;

    *out = (struct csv_table){ 0 };
    csv_start(&g.first, name, bytes, size, b);
    g.first.c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!g.first.c)
        return fail_no_memory(r, sizeof g);
    ok = read_header(&g, r) && count_rows(&g, r) && csv_choose_label(&g, r) && read_table(&g, b, r);
    freelocale(g.first.c);
    if (!ok) {
        budget_free(b, out->x.data);
        budget_free(b, out->y.data);
        *out = (struct csv_table){ 0 };
    }
    return ok;
}

bool csv_load(struct csv_table *out, const char *path, const struct csv_request *q, struct arena *a, struct budget *b,
              struct report *r)
{
    uint8_t *bytes = NULL;
    size_t size;
    bool ok;

    *out = (struct csv_table){ 0 };
    if (!file_read(path, 0, &bytes, &size, b, r))
        return false;
    ok = csv_parse(out, path, (const char *)bytes, size, q, a, b, r);
    budget_free(b, bytes);
    return ok;
}
