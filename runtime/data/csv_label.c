#include "data/csv_label.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_NUMBER = 1000 }; /* what looks like a class is below */

/* -- columns -- */

bool csv_field_at(struct csv c, int64_t column, struct field *f)
{
    struct report quiet = { 0 };
    const char *at, *end;

    if (!csv_next_line(&c, &at, &end))
        return false;
    for (int64_t k = 0; k <= column; k++)
        if (!at || !csv_next_field(&c, &at, end, f, &quiet))
            return false;
    return true;
}

const char *csv_column_name(const struct csv_reading *g, int64_t column, char text[MAX_FIELD + 8])
{
    char name[MAX_FIELD + 1];
    struct field f;

    text[0] = 0;
    if (g->table->header && csv_field_at(g->header, column, &f) && field_text(&f, name))
        snprintf(text, MAX_FIELD + 8, " ('%s')", name);
    return text;
}

/* -- which one -- */

static bool is_text(const struct field *f)
{
    const bool sign = f->end - f->at == 1 && strchr("+-", *f->at);

    return !field_is_number(f) && (!field_is_missing(f) || sign);
}

/* The column of that name; -1. */
static int64_t named(const struct csv_reading *g, const char *name)
{
    struct report quiet = { 0 };
    char text[MAX_FIELD + 1];
    struct csv c = g->header;
    const char *at = NULL, *end;
    struct field f;

    if (g->table->header)
        csv_next_line(&c, &at, &end);
    for (int64_t k = 0; at && csv_next_field(&c, &at, end, &f, &quiet); k++)
        if (field_text(&f, text) && strcmp(text, name) == 0)
            return k;
    return -1;
}

static bool find_said(struct csv_reading *g, struct report *r)
{
    const char *label = g->request->label;
    struct csv_table *t = g->table;

    t->label = named(g, label);
    if (t->label >= 0)
        return true;
    if (strcmp(label, "first") == 0)
        t->label = 0;
    else if (strcmp(label, "last") == 0)
        t->label = t->columns - 1;
    else if (strcmp(label, "none") != 0)
        return fail(r, KILN_BAD_DATA, g->first.name,
                    "there is no column '%s'%s to be the label: a name, first, last or none", label,
                    t->header ? "" : ", and no header with names,");
    return true;
}

/* How the numbers of a column look. */
struct look {
    int64_t rows, zeros, distinct;
    bool numbers, whole, bounded; /* bounded: from 0 to below MOST_NUMBER */
    double least, most;
};

static bool look_at(const struct csv_reading *g, int64_t column, struct look *l, struct report *r)
{
    bool seen[MOST_NUMBER] = { false };
    struct csv c = g->first;

    *l = (struct look){ .numbers = true, .whole = true, .bounded = true, .least = INFINITY, .most = -INFINITY };
    for (; l->rows < g->rows && l->numbers; l->rows++) {
        const char *at, *end;
        struct field f;
        double v;

        if (!budget_in_time_at(c.budget, l->rows, c.name, r))
            return false;
        if (!csv_field_at(c, column, &f) || !field_is_number(&f) || !field_number(&c, &f, &v)) {
            l->numbers = false;
            return true;
        }
        csv_next_line(&c, &at, &end);
        l->least = fmin(l->least, v);
        l->most = fmax(l->most, v);
        l->zeros += v == 0;
        l->whole = l->whole && v == floor(v);
        l->bounded = l->bounded && v >= 0 && v < MOST_NUMBER;
        if (l->whole && l->bounded && !seen[(int)v]) {
            seen[(int)v] = true;
            l->distinct++;
        }
    }
    return true;
}

/* Whole numbers with few gaps, more than one. */
static bool like_classes(const struct look *l)
{
    return l->numbers && l->whole && l->bounded && l->distinct > 1 && 2 * l->distinct >= l->most - l->least + 1;
}

/* A pixel: always the same, a part of 1, or a byte with gaps or mostly 0. */
static bool like_pixels(const struct look *l)
{
    if (!l->numbers || l->least < 0 || l->most > 255)
        return false;
    if (l->least == l->most || (!l->whole && l->most <= 1))
        return true;
    return l->whole && (!like_classes(l) || (l->most >= 64 && 2 * l->zeros > l->rows));
}

static bool is_label_word(const struct csv_reading *g, int64_t column)
{
    static const char *const words[] = { "label",   "labels",   "class", "classes", "target",
                                         "targets", "category", "digit", "y" };
    char text[MAX_FIELD + 1];
    struct field f;

    if (!g->table->header || !csv_field_at(g->header, column, &f))
        return false;
    field_text(&f, text);
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (strcasecmp(words[k], text) == 0)
            return true;
    return false;
}

static bool fail_choice(const struct csv_reading *g, const char *why, struct report *r)
{
    char first[MAX_FIELD + 8], last[MAX_FIELD + 8];

    return fail(r, KILN_BAD_DATA, g->first.name,
                "is the first column%.60s the label, or the last%.60s? %s: say --label first, last, none or a name",
                csv_column_name(g, 0, first), csv_column_name(g, g->table->columns - 1, last), why);
}

/* The last column is the label, unless the first looks like one and the last does not. */
static bool check_last(const struct csv_reading *g, struct report *r)
{
    const int64_t last = g->table->columns - 1;
    struct look first, other;
    struct field f, e;

    if (is_label_word(g, last))
        return true;
    if (is_label_word(g, 0))
        return fail_choice(g, "The first is called so", r);
    if (!csv_field_at(g->first, 0, &f) || !csv_field_at(g->first, last, &e) || is_text(&e))
        return true;
    if (field_is_name(&f))
        return fail_choice(g, "The first holds text", r);
    if (g->request->values)
        return true;
    if (!look_at(g, 0, &first, r) || (like_classes(&first) && !look_at(g, last, &other, r)))
        return false;
    return !like_classes(&first) || 2 * first.distinct > first.rows || !like_pixels(&other) ||
           fail_choice(g, "The first holds few whole numbers, as classes are, the last looks like a pixel", r);
}

/* Would the model's input take so many columns? */
static bool input_takes(const struct csv_reading *g, int64_t columns)
{
    struct report quiet = { 0 };
    struct tensor x;

    return columns > 0 && tensor_shape(&x, F32, 2, (const int64_t[]){ g->rows, columns }) &&
           type_fits(g->request->input, &x, g->first.name, &quiet);
}

/* Does the first column look like the number of the row: is it called so, or does it count up by one? The last is no
 * text, which could be nothing but the label. */
static bool is_id(const struct csv_reading *g)
{
    static const char *const words[] = { "id", "index", "unnamed: 0" };
    struct csv c = g->first;
    char text[MAX_FIELD + 1];
    const char *at, *end;
    struct field f;
    double v, before = 0;
    int64_t row = 0;

    if (csv_field_at(c, g->table->columns - 1, &f) && is_text(&f))
        return false;
    if (g->table->header && csv_field_at(g->header, 0, &f) && field_text(&f, text))
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (strcasecmp(words[k], text) == 0)
                return true;
    for (; csv_field_at(c, 0, &f); row++, before = v) {
        if (!field_is_number(&f) || !field_number(&c, &f, &v) || v != floor(v) || (row && v != before + 1))
            return false;
        csv_next_line(&c, &at, &end);
    }
    return row > 2;
}

static bool find_unsaid(struct csv_reading *g, struct report *r)
{
    struct csv_table *t = g->table;
    const bool all = g->request->unlabelled && input_takes(g, t->columns), but_one = input_takes(g, t->columns - 1);

    if (all && !but_one)
        return true;
    if (all && g->request->input && !is_label_word(g, 0) && !is_label_word(g, t->columns - 1))
        return fail_choice(g, "The model takes any number of columns", r);
    if (g->request->unlabelled && !g->request->gaps && but_one && !is_label_word(g, t->columns - 1) && is_id(g)) {
        char first[MAX_FIELD + 8], last[MAX_FIELD + 8];

        return fail(r, KILN_BAD_DATA, g->first.name,
                    "is the first column%.60s an id, or the last%.60s the label? The model takes one column less: say "
                    "--label first or last, which is left out",
                    csv_column_name(g, 0, first), csv_column_name(g, t->columns - 1, last));
    }
    if (!check_last(g, r))
        return false;
    t->label = t->columns - 1;
    return true;
}

/* By its first field that says something. */
static bool holds_texts(const struct csv_reading *g, int64_t column)
{
    struct csv c = g->first;
    const char *at, *end;
    struct field f;

    while (csv_field_at(c, column, &f)) {
        if (!field_is_missing(&f) || is_text(&f))
            return is_text(&f);
        csv_next_line(&c, &at, &end);
    }
    return false;
}

bool csv_choose_label(struct csv_reading *g, struct report *r)
{
    struct csv_table *t = g->table;
    const struct csv_request *q = g->request;
    char text[MAX_FIELD + 1];
    struct field f;

    t->label = -1;
    if (!(q->label ? find_said : find_unsaid)(g, r))
        return false;
    if (t->columns - (t->label >= 0) < 1)
        return fail(r, KILN_BAD_DATA, g->first.name,
                    "1 column, at least 2 are needed: features, and what is to be predicted");
    if (t->label < 0)
        return true;
    if (csv_field_at(g->first, t->label, &f)) {
        field_text(&f, text);
        g->texts = holds_texts(g, t->label);
        for (int k = 0; k < q->classes && q->class_names && !g->texts; k++)
            g->texts = strcmp(q->class_names[k], text) == 0;
    }
    if (t->header && csv_field_at(g->header, t->label, &f) && field_text(&f, text))
        t->label_name = arena_printf(g->arena, r, "%s", text);
    return !t->header || t->label_name || !text[0];
}

/* -- classes -- */

void csv_classes_init(struct csv_classes *s, struct arena *a, struct budget *b)
{
    *s = (struct csv_classes){ .arena = a, .budget = b };
    map_init(&s->map, b);
}

void csv_classes_release(struct csv_classes *s)
{
    map_release(&s->map);
    budget_free(s->budget, s->name);
}

static bool add(struct csv_classes *s, const char *name, struct report *r)
{
    void **slot;

    if (!budget_grow(s->budget, &s->name, &s->room, s->count + 1, sizeof *s->name, r))
        return false;
    slot = map_put(&s->map, name, r);
    if (!slot)
        return false;
    s->name[s->count++] = name;
    *slot = (void *)(uintptr_t)s->count;
    return true;
}

bool csv_classes_know(struct csv_classes *s, const struct csv_request *q, struct report *r)
{
    for (int k = 0; q->class_names && k < q->classes; k++)
        if (!add(s, q->class_names[k], r))
            return false;
    return true;
}

int64_t csv_class_of(struct csv_classes *s, const struct csv_reading *g, const struct csv *at, const struct field *f,
                     struct report *r)
{
    char text[MAX_FIELD + 1], column[MAX_FIELD + 8];
    const size_t n = field_text(f, text);
    const char *name;
    size_t found;

    csv_column_name(g, g->table->label, column); /* which lies elsewhere than the field */
    if (!field_is_class(f) || strlen(text) != n) {
        fail(r, KILN_BAD_DATA, at->name, "line %lld: field %lld%s is '%s', the name of a class is needed",
             (long long)at->line, (long long)g->table->label + 1, column, text);
        return -1;
    }
    found = (size_t)(uintptr_t)map_get(&s->map, text);
    if (found)
        return (int64_t)found - 1;
    if (g->request->class_names) {
        fail(r, KILN_BAD_DATA, at->name,
             "line %lld: field %lld%s is '%s', which is none of the %d classes known: '%s', ...", (long long)at->line,
             (long long)g->table->label + 1, column, text, g->request->classes, *g->request->class_names);
        return -1;
    }
    name = s->count < INT_MAX ? arena_printf(s->arena, r, "%s", text) : NULL;
    return name && add(s, name, r) ? (int64_t)s->count - 1 : -1;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void csv_classes_sort(struct csv_classes *s)
{
    if (s->count)
        qsort(s->name, s->count, sizeof *s->name, by_bytes);
}
