#include "history.h"
#include "json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { EPOCH, SECONDS, RATE, MEASURES }; /* in a row */

static size_t row_length(const struct history *h)
{
    return MEASURES + 2 * h->measures;
}

static const double *row_of(const struct history *h, size_t epoch)
{
    return h->rows + epoch * row_length(h);
}

double history_value(const struct history *h, size_t epoch, size_t measure, bool validation)
{
    return row_of(h, epoch)[MEASURES + measure + (validation ? h->measures : 0)];
}

bool history_add_measure(struct history *h, const char *name, size_t length, struct command *c)
{
    char **more = realloc(h->measure, (h->measures + 1) * sizeof *more);

    if (!more)
        return command_no_memory(c);
    h->measure = more;
    more[h->measures] = strndup(name, length);
    if (!more[h->measures])
        return command_no_memory(c);
    h->measures++;
    return true;
}

/* A row that is to be filled. */
static double *new_row(struct history *h, struct command *c)
{
    const size_t n = row_length(h);
    double *more = realloc(h->rows, (h->epochs + 1) * n * sizeof *more);

    if (!more) {
        command_no_memory(c);
        return NULL;
    }
    h->rows = more;
    more += n * h->epochs++;
    for (size_t k = 0; k < n; k++)
        more[k] = (double)NAN;
    return more;
}

bool history_add(struct history *h, double epoch, double seconds, const double *train, const double *validation,
                 struct command *c)
{
    double *row = new_row(h, c);

    if (!row)
        return false;
    row[EPOCH] = epoch;
    row[SECONDS] = seconds;
    memcpy(row + MEASURES, train, h->measures * sizeof *row);
    memcpy(row + MEASURES + h->measures, validation, h->measures * sizeof *row);
    return true;
}

void history_note_rate(struct history *h, double rate)
{
    h->rates = true;
    h->rows[(h->epochs - 1) * row_length(h) + RATE] = rate;
}

void history_release(struct history *h)
{
    for (size_t k = 0; k < h->measures; k++)
        free(h->measure[k]);
    free(h->measure);
    free(h->rows);
    free(h->name);
    *h = (struct history){ 0 };
}

/* -- writing -- */

/* In quotes where it needs them. What no terminal may see stands as \xNN, so that a row is a line. */
static void put_name(struct page *out, const char *prefix, const char *name)
{
    const bool quoted = strpbrk(name, ",\"") != NULL;
    struct page shown = { .command = out->command };

    page_say(&shown, "%s%s", prefix, name);
    out->failed |= shown.failed;
    page_add(out, ",\"", quoted ? 2 : 1);
    for (size_t k = 0; k < shown.length; k++) {
        page_add(out, shown.text + k, 1);
        if (quoted && shown.text[k] == '"')
            page_add(out, "\"", 1);
    }
    page_add(out, "\"", quoted);
    page_free(&shown);
}

static void put_row(struct page *out, const struct history *h, const double *row)
{
    page_printf(out, "%.0f", row[EPOCH]);
    for (size_t k = MEASURES; k < row_length(h); k++)
        if (isnan(row[k]))
            page_add(out, ",", 1);
        else
            page_printf(out, ",%.17g", row[k]);
    if (h->rates)
        page_printf(out, ",%.9g", row[RATE]);
    page_printf(out, ",%.6g\n", row[SECONDS]);
}

static void put_csv(struct page *out, const struct history *h)
{
    page_printf(out, "epoch");
    for (int validation = 0; validation < 2; validation++)
        for (size_t k = 0; k < h->measures; k++)
            put_name(out, validation ? "val_" : "", h->measure[k]);
    page_printf(out, "%s,seconds\n", h->rates ? ",learning_rate" : "");
    for (size_t k = 0; k < h->epochs; k++)
        put_row(out, h, row_of(h, k));
}

/* An object in a line; null stands for what there is no number for. */
static bool put_object(struct page *out, const struct history *h, const double *row)
{
    struct json j = { .out = out };

    json_begin(&j, NULL, '{');
    json_whole(&j, "epoch", (int64_t)row[EPOCH]);
    for (size_t k = 0; k < 2 * h->measures; k++) {
        const char *name = h->measure[k % h->measures];
        char *validation = NULL;

        if (k >= h->measures && asprintf(&validation, "val_%s", name) < 0)
            return false;
        json_number(&j, validation ? validation : name, row[MEASURES + k], 17);
        free(validation);
    }
    if (h->rates)
        json_number(&j, "learning_rate", row[RATE], 9);
    json_number(&j, "seconds", row[SECONDS], 6);
    json_end(&j, '}');
    return true;
}

bool history_write(const struct history *h, const char *path, struct command *c)
{
    struct page out = { 0 };
    bool ok = true;

    if (!ends_with(path, ".jsonl"))
        put_csv(&out, h);
    else
        for (size_t k = 0; ok && k < h->epochs; k++)
            ok = put_object(&out, h, row_of(h, k));
    if (ok)
        return page_save(&out, path, c);
    page_free(&out);
    return command_no_memory(c);
}

/* -- reading -- */

/* Where the columns of a file go in a row; NOWHERE: a validation of what is not measured. */
enum { MOST_COLUMNS = 1000, NOWHERE = -1 };
struct columns {
    int count;
    int to[MOST_COLUMNS];
};

/* A name in the header, without its quotes, in place of which it is written. *line is moved past it. */
static size_t read_name(char **line, char **name)
{
    char *from = *line, *to = from;
    const bool quoted = *from == '"';

    *name = from;
    if (!quoted)
        return (size_t)((*line += strcspn(from, ",")) - from);
    for (from++; *from && (*from != '"' || from[1] == '"'); from++) {
        from += *from == '"';
        *to++ = *from;
    }
    *line = from + (*from == '"');
    return (size_t)(to - *name);
}

static bool is(const char *name, size_t n, const char *what)
{
    return strlen(what) == n && strncmp(name, what, n) == 0;
}

static int find_measure(const struct history *h, const char *name, size_t n)
{
    for (size_t k = 0; k < h->measures; k++)
        if (is(name, n, h->measure[k]))
            return (int)k;
    return NOWHERE;
}

/* Validation follows training, so its measures are known when they come: noted as MEASURES + k, then + 1000. */
static bool read_header(struct history *h, struct columns *columns, char *line, struct command *c)
{
    bool more = strncmp(line, "epoch,loss,", 11) == 0;

    for (columns->count = 0; more && columns->count < MOST_COLUMNS;) {
        char *name;
        const size_t n = read_name(&line, &name);
        const bool validation = n > 4 && strncmp(name, "val_", 4) == 0 && find_measure(h, name + 4, n - 4) != NOWHERE;
        int *to = &columns->to[columns->count++];

        if (is(name, n, "epoch"))
            *to = EPOCH;
        else if (is(name, n, "seconds"))
            *to = SECONDS;
        else if (is(name, n, "learning_rate"))
            *to = RATE;
        else if (validation)
            *to = MEASURES + MOST_COLUMNS + find_measure(h, name + 4, n - 4);
        else if (n > 4 && strncmp(name, "val_", 4) == 0)
            *to = NOWHERE;
        else if (history_add_measure(h, name, n, c))
            *to = MEASURES + (int)h->measures - 1;
        else
            return false;
        more = *line == ',';
        line += more;
    }
    for (int k = 0; k < columns->count; k++)
        if (columns->to[k] >= MEASURES + MOST_COLUMNS)
            columns->to[k] += (int)h->measures - MOST_COLUMNS;
    return columns->count && !more && !*line;
}

static bool read_row(struct history *h, const struct columns *columns, const char *line, struct command *c)
{
    double *row = new_row(h, c);

    for (int k = 0; row && k < columns->count; k++) {
        double value;
        const size_t n = read_real(line, &value);

        if (n && columns->to[k] != NOWHERE)
            row[columns->to[k]] = value;
        line += n;
        if (*line != (k < columns->count - 1 ? ',' : 0))
            return false;
        line += k < columns->count - 1;
    }
    return row;
}

static bool read_lines(struct history *out, FILE *f, const char *path, struct command *c)
{
    struct columns columns = { 0 };
    char *line = NULL;
    size_t room = 0;
    bool ok = true;

    for (int number = 0; ok && getline(&line, &room, f) >= 0; number++) {
        line[strcspn(line, "\r\n")] = 0;
        if (number && !*line)
            continue;
        ok = number ? read_row(out, &columns, line, c) : read_header(out, &columns, line, c);
        if (!ok && c->err.code == KILN_OK)
            command_fail(c, KILN_BAD_DATA, path, "line %d is not of a history that `kiln train` writes", number + 1);
    }
    if (ok && !feof(f))
        ok = command_fail_system(c, path);
    free(line);
    return ok;
}

bool history_read(struct history *out, const char *path, struct command *c)
{
    enum { MOST_BYTES = 1 << 24 };
    struct stat s;
    FILE *f;
    bool ok;

    if (kiln_file_claim(c->context, path, KILN_FILE_INPUT, &c->err) != KILN_OK)
        return false;
    f = fopen(path, "r");
    if (!f)
        return command_fail_system(c, path);
    if (fstat(fileno(f), &s))
        ok = command_fail_system(c, path);
    else if (s.st_size > MOST_BYTES)
        ok = command_fail(c, KILN_LIMIT, path, "has %lld bytes, a history has at most %d", (long long)s.st_size,
                          (int)MOST_BYTES);
    else
        ok = read_lines(out, f, path, c);
    fclose(f);
    return ok;
}
