#include "data/csv_label.h"
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

    csv_hold_two(&c);
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

    csv_hold_two(&c);
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

/* Names are asked for while other lines are read. */
static bool keep_header(struct csv_reading *g, struct report *r)
{
    struct csv c = g->first;
    const char *at, *end, *copy = NULL;

    if (csv_next_line(&c, &at, &end))
        copy = arena_string(g->arena, at, (size_t)(end - at), r);
    if (!copy)
        return false;
    csv_text_of_bytes(&g->header_text, copy, (size_t)(end - at));
    g->header = g->first;
    g->header.text = &g->header_text;
    g->header.at = 0;
    g->header.end = g->header_text.length;
    return true;
}

/* How many fields the first line has; it is put back unless it is a header. */
static bool read_header(struct csv_reading *g, struct report *r)
{
    struct csv_table *t = g->table;
    struct csv c = g->first;
    const char *at, *end;
    struct field f;

    if (!csv_next_line(&c, &at, &end))
        return csv_text_sound(c.text, r) && fail(r, KILN_BAD_DATA, c.name, "no data");
    for (t->columns = 0; at; t->columns++)
        if (!csv_next_field(&c, &at, end, &f, r))
            return false;
    t->header = is_header(g->first) || is_counted(g->first);
    if (t->header && !keep_header(g, r))
        return false;
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
    return csv_text_sound(c.text, r) && (g->rows > 0 || fail(r, KILN_BAD_DATA, c.name, "a header, but no data"));
}

/* Would it be a number with a point in the place of its one comma? */
static bool has_decimal_comma(const struct csv *c, const struct field *f)
{
    char text[MAX_FIELD + 1], *comma;
    struct field other = { .at = text };
    double value;

    field_text(f, text);
    comma = strchr(text, ',');
    if (!comma)
        return false;
    *comma = '.';
    other.end = text + strlen(text);
    return field_is_number(&other) && field_number(c, &other, &value);
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
        return fail(r, KILN_BAD_DATA, c->name, "line %lld: field %lld%s is '%s', a number %sis needed", line, number,
                    name, text, has_decimal_comma(c, f) ? "with a point, not a comma, " : "");
    return fail(r, KILN_BAD_DATA, c->name, "line %lld: field %lld%s is '%s', more than a float can hold", line, number,
                name, text);
}

/* -- a pass over its rows -- */

/* What is known of a table. */
struct csv_file {
    struct row_source source;
    struct csv_reading reading;
    struct csv_table table;
    struct csv_request request; /* with all classes */
    const char *path;
    int64_t size;
    bool labelled; /* y is read */
};

struct csv_pass {
    struct row_reader reader;
    const struct csv_file *of;
    struct budget *budget;
    struct file_source file;
    struct csv_text text;
    struct csv at;
    struct csv_classes classes;
};

static bool read_label(struct csv_pass *p, const struct field *f, void *y, int64_t row, struct report *r)
{
    const struct csv_reading *g = &p->of->reading;

    if (!g->texts)
        return read_number(g, &p->at, f, g->table->label, (double *)y + row, r);
    ((int64_t *)y)[row] = csv_class_of(&p->classes, g, &p->at, f, r);
    return ((int64_t *)y)[row] >= 0;
}

static bool read_row(struct csv_pass *p, const char *at, const char *end, void *const *to, int64_t row,
                     struct report *r)
{
    const struct csv_reading *g = &p->of->reading;
    const struct csv_table *t = g->table;
    float *x = (float *)to[0] + row * t->x.dims[1];
    struct field f;
    double value = 0;

    for (int64_t column = 0; column < t->columns; column++) {
        if (!at)
            return fail(r, KILN_BAD_DATA, p->at.name, "line %lld: %lld fields, the first line has %lld",
                        (long long)p->at.line, (long long)column, (long long)t->columns);
        if (!csv_next_field(&p->at, &at, end, &f, r))
            return false;
        if (column == t->label) {
            if (p->of->labelled && !read_label(p, &f, to[1], row, r))
                return false;
            continue;
        }
        if (!read_number(g, &p->at, &f, column, &value, r))
            return false;
        *x++ = (float)value;
    }
    return true;
}

static bool next(struct row_reader *reader, int64_t n, void *const *to, int64_t *got, struct report *r)
{
    struct csv_pass *p = (struct csv_pass *)reader;
    const char *at, *end;

    for (*got = 0; *got < n && csv_next_line(&p->at, &at, &end); ++*got)
        if (!budget_in_time_at(p->budget, *got, p->at.name, r) || !read_row(p, at, end, to, *got, r))
            return false;
    return csv_text_sound(&p->text, r);
}

static void close_pass(struct row_reader *reader)
{
    struct csv_pass *p = (struct csv_pass *)reader;

    if (p->text.file)
        file_source_close(&p->file);
    csv_text_release(&p->text);
    csv_classes_release(&p->classes);
    if (p->at.c)
        freelocale(p->at.c);
    budget_free(p->budget, p);
}

/* The text, from its first row on. */
static bool open_text(struct csv_pass *p, struct report *r)
{
    const struct csv_file *f = p->of;

    if (!file_source_open(&p->file, f->path, r))
        return false;
    csv_text_of_file(&p->text, &p->file, p->budget);
    if (p->file.size != f->size)
        return fail(r, KILN_BAD_DATA, f->path, "the file has changed since it was looked at");
    p->at = f->reading.first;
    p->at.text = &p->text;
    p->at.budget = p->budget;
    p->at.c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return p->at.c || fail_no_memory(r, sizeof *p);
}

static struct row_reader *open_pass(const struct row_source *s, int64_t pass, struct budget *b, struct report *r)
{
    struct csv_pass *p = budget_zalloc(b, 1, sizeof *p, r);

    (void)pass;
    if (!p)
        return NULL;
    p->reader = (struct row_reader){ next, close_pass };
    p->of = (const struct csv_file *)s;
    p->budget = b;
    csv_classes_init(&p->classes, NULL, b); /* which are all known */
    if (open_text(p, r) && csv_classes_know(&p->classes, &p->of->request, r))
        return &p->reader;
    close_pass(&p->reader);
    return NULL;
}

/* -- looking at the table -- */

/* Names of classes that the file has by itself, in the arena and the order of their bytes. */
static bool take_classes(struct csv_file *file, const struct csv_classes *s, struct report *r)
{
    const char **names = arena_array(file->reading.arena, s->count, sizeof *names, r);

    if (!names)
        return false;
    memcpy(names, s->name, s->count * sizeof *names);
    file->request.class_names = names;
    file->request.classes = (int)s->count;
    return true;
}

/* All labels, where they are names that are not known yet, or need not be right. */
static bool look_at_labels(struct csv_file *file, struct csv_classes *classes, struct report *r)
{
    struct csv_reading *g = &file->reading;
    struct csv c = g->first;
    const char *at, *end;
    struct field f;
    double value;

    for (int64_t row = 0; csv_next_line(&c, &at, &end); row++) {
        if (!budget_in_time_at(c.budget, row, c.name, r))
            return false;
        for (int64_t k = 0; k <= g->table->label; k++)
            if (!csv_next_field(&c, &at, end, &f, r))
                return false;
        if (!(g->texts ? csv_class_of(classes, g, &c, &f, r) >= 0 : read_number(g, &c, &f, g->table->label, &value, r)))
            return false;
    }
    if (!csv_text_sound(c.text, r))
        return false;
    csv_classes_sort(classes);
    return !g->texts || file->request.class_names || take_classes(file, classes, r);
}

/* Where there need be no label, one that cannot be read is as none. */
static bool find_classes(struct csv_file *file, struct budget *b, struct report *r)
{
    const struct csv_request *q = &file->request;
    const bool may_lack = q->unlabelled && !q->gaps;
    struct report quiet = { 0 };
    struct csv_classes classes;

    if (!file->labelled || !(may_lack || (file->reading.texts && !q->class_names)))
        return true;
    csv_classes_init(&classes, file->reading.arena, b);
    file->labelled = csv_classes_know(&classes, q, r) && look_at_labels(file, &classes, may_lack ? &quiet : r);
    csv_classes_release(&classes);
    return file->labelled || (may_lack && data_are_bad(&quiet, r));
}

static bool look_at_rows(struct csv_file *file, struct budget *b, struct report *r)
{
    struct csv_reading *g = &file->reading;
    const struct csv_request *q = g->request;
    struct csv_table *t = g->table;

    if (!tensor_shape(&t->x, F32, 2, (const int64_t[]){ g->rows, t->columns - (t->label >= 0) }) ||
        !tensor_shape(&t->y, g->texts ? I64 : F64, 1, &g->rows))
        return fail(r, KILN_LIMIT, g->first.name, "%lld rows of %lld columns are too many", (long long)g->rows,
                    (long long)t->columns);
    if (!type_fits(g->request->input, &t->x, g->first.name, r))
        return false;
    file->labelled = t->label >= 0 && !(g->texts && q->values && q->unlabelled && !q->gaps);
    if (!find_classes(file, b, r))
        return false;
    if (!file->labelled)
        t->y = (struct tensor){ 0 };
    else if (g->texts) {
        t->class_names = file->request.class_names;
        t->classes = file->request.classes;
    }
    return true;
}

/* Of a file whose text is open. */
static bool look(struct csv_file *file, struct csv_text *text, const char *name, struct budget *b, struct report *r)
{
    struct csv_reading *g = &file->reading;
    bool ok;

    csv_start(&g->first, name, text, file->size, b);
    g->first.c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!g->first.c)
        return fail_no_memory(r, sizeof *g);
    ok = read_header(g, r) && count_rows(g, r) && csv_choose_label(g, r) && csv_text_sound(text, r) &&
         look_at_rows(file, b, r);
    freelocale(g->first.c);
    g->first.c = g->header.c = (locale_t)0;
    g->first.text = NULL;
    return ok;
}

static bool copy_names(struct csv_file *f, const struct csv_request *q, struct arena *a, struct report *r)
{
    const char **names = arena_array(a, (size_t)q->classes, sizeof *names, r);

    for (int k = 0; names && k < q->classes; k++)
        if (!(names[k] = arena_printf(a, r, "%s", q->class_names[k])))
            return false;
    f->request.class_names = names;
    return names;
}

static struct csv_file *file_new(const struct csv_request *q, struct arena *a, struct report *r)
{
    struct csv_file *f = arena_alloc(a, sizeof *f, r);

    if (!f)
        return NULL;
    f->source.open = open_pass;
    f->request = *q;
    if (q->class_names && !copy_names(f, q, a, r))
        return NULL;
    f->reading = (struct csv_reading){ .request = &f->request, .table = &f->table, .arena = a };
    return f;
}

/* What is no text, and what one may do about it. */
static bool check_text(struct file_source *f, const char *path, struct report *r)
{
    static const struct {
        const char *begins, *says;
    } others[] = {
        { "\x1f\x8b", "compressed by gzip, must be text: `gunzip` unpacks it" },
        { "PK\3\4", "an archive or a spreadsheet, must be text: a spreadsheet can be saved as CSV" },
        { "\xff\xfe", "text in UTF-16, must be in UTF-8: `iconv -f UTF-16 -t UTF-8` makes that of it" },
        { "\xfe\xff", "text in UTF-16, must be in UTF-8: `iconv -f UTF-16 -t UTF-8` makes that of it" },
        { "PAR1", "in Parquet's format, must be text" },
    };
    char begin[4] = { 0 };

    if (!file_source_read_at(f, 0, begin, f->size < 4 ? f->size : 4, r))
        return false;
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        if (memcmp(begin, others[k].begins, strlen(others[k].begins)) == 0)
            return fail(r, KILN_BAD_DATA, path, "is %s", others[k].says);
    return true;
}

struct row_source *csv_source(struct csv_table *out, const char *path, const struct csv_request *q, struct arena *a,
                              struct report *r)
{
    struct csv_file *f = file_new(q, a, r);
    struct file_source file;
    struct csv_text text;
    bool ok;

    *out = (struct csv_table){ 0 };
    if (!f || !(f->path = arena_printf(a, r, "%s", path)) || !file_source_open(&file, f->path, r))
        return NULL;
    f->size = file.size;
    csv_text_of_file(&text, &file, a->budget);
    ok = check_text(&file, f->path, r) && look(f, &text, f->path, a->budget, r);
    csv_text_release(&text);
    file_source_close(&file);
    *out = f->table;
    f->request.input = NULL; /* what the caller has lent */
    f->request.label = NULL;
    return ok ? &f->source : NULL;
}
