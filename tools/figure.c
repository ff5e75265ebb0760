#include "figure.h"
#include "base/utf8.h"
#include "model/file.h"
#include "tools.h"
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 460, HEIGHT = 300, LEFT = 58, RIGHT = 16, TOP = 64, BOTTOM = 44, LEGEND_LINE = 18, COLORS = 6 };

/* Colours that stay apart for those who do not see all of them (Okabe and Ito). */
static const char *const colors[COLORS] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9" };

/* -- axes -- */

struct axis {
    double low, high, step;
};

/* Ticks at 1, 2 or 5 times a power of ten, some five of them. */
static struct axis axis_for(double low, double high)
{
    struct axis a = { low, high, 1 };
    double rough, power;

    if (!(high > low)) {
        a.low = low - .5;
        a.high = low + .5;
    }
    rough = (a.high - a.low) / 5;
    power = pow(10, floor(log10(rough)));
    rough /= power;
    a.step = power * (rough <= 1 ? 1 : rough <= 2 ? 2 : rough <= 5 ? 5 : 10);
    a.low = floor(a.low / a.step + 1e-9) * a.step;
    a.high = ceil(a.high / a.step - 1e-9) * a.step;
    return a;
}

/* As the content of an element: what XML does not allow, or nobody could see, is written as \xNN. */
static void add_escaped(struct text *out, const char *s)
{
    for (size_t left = strlen(s); left;) {
        const size_t n = utf8_shown(s, left);
        const char *entity = *s == '<'   ? "&lt;"
                             : *s == '>' ? "&gt;"
                             : *s == '&' ? "&amp;"
                             : *s == '"' ? "&quot;"
                                         : NULL;

        if (!n)
            text_printf(out, "\\x%02x", (unsigned)(unsigned char)*s);
        else if (entity)
            text_printf(out, "%s", entity);
        else
            text_add(out, s, n);
        s += n ? n : 1;
        left -= n ? n : 1;
    }
}

struct view {
    double x0; /* of the panel */
    struct axis x, y;
};

static double at_x(const struct view *v, double x)
{
    return v->x0 + LEFT + (x - v->x.low) / (v->x.high - v->x.low) * (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct view *v, double y)
{
    return TOP + HEIGHT - BOTTOM - (y - v->y.low) / (v->y.high - v->y.low) * (HEIGHT - BOTTOM);
}

static struct view make_view(const struct panel *p, double x0)
{
    double low = INFINITY, high = -INFINITY;
    size_t longest = 1;

    for (size_t s = 0; s < p->count; s++) {
        longest = p->series[s].count > longest ? p->series[s].count : longest;
        for (size_t k = 0; k < p->series[s].count; k++)
            if (isfinite(p->series[s].y[k])) {
                low = fmin(low, p->series[s].y[k]);
                high = fmax(high, p->series[s].y[k]);
            }
    }
    if (!(low <= high))
        low = 0, high = 1;
    return (struct view){ x0, axis_for(longest > 1 ? 1 : .5, longest > 1 ? (double)longest : 1.5),
                          axis_for(low, high) };
}

static void draw_axes(struct text *out, const struct panel *p, const struct view *v)
{
    const double left = at_x(v, v->x.low), right = at_x(v, v->x.high), bottom = at_y(v, v->y.low),
                 top = at_y(v, v->y.high);

    text_printf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"title\">", (left + right) / 2, top - 10);
    add_escaped(out, p->title);
    text_printf(out, "</text>\n<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">epoch</text>\n", (left + right) / 2,
                bottom + 34);
    for (double y = v->y.low; y <= v->y.high + v->y.step / 2; y += v->y.step)
        text_printf(out,
                    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>"
                    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n",
                    left, at_y(v, y), right, at_y(v, y), left - 6, at_y(v, y) + 4, fabs(y) < v->y.step / 2 ? 0. : y);
    for (double x = v->x.low; x <= v->x.high + v->x.step / 2; x += v->x.step)
        if (fabs(x - round(x)) < 1e-6)
            text_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.4g</text>\n", at_x(v, x),
                        bottom + 16, x);
    text_printf(out, "<path d=\"M%.1f %.1fV%.1fH%.1f\" class=\"axis\"/>\n", left, top, bottom, right);
}

static void draw_series(struct text *out, const struct series *s, const struct view *v)
{
    const char *color = colors[s->color % COLORS];
    bool open = false;

    text_printf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\"%s d=\"", color,
                s->dashed ? " stroke-dasharray=\"5 3\"" : "");
    for (size_t k = 0; k < s->count; k++) {
        if (isfinite(s->y[k]))
            text_printf(out, "%c%.2f %.2f", open ? 'L' : 'M', at_x(v, (double)k + 1), at_y(v, s->y[k]));
        open = isfinite(s->y[k]);
    }
    text_printf(out, "\"/>\n");
    for (size_t k = 0; k < s->count && s->count < 40; k++)
        if (isfinite(s->y[k]))
            text_printf(out, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"2\" fill=\"%s\"/>", at_x(v, (double)k + 1),
                        at_y(v, s->y[k]), color);
    text_printf(out, "\n");
}

static void draw_legend(struct text *out, const struct panel *p)
{
    for (size_t k = 0; k < p->count; k++) {
        const double x = LEFT + (double)(k % 2) * WIDTH, y = TOP + HEIGHT + 12 + (double)(k / 2) * LEGEND_LINE;

        text_printf(out, "<path d=\"M%.1f %.1fh26\" stroke=\"%s\" stroke-width=\"1.8\"%s/><text x=\"%.1f\" y=\"%.1f\">",
                    x, y, colors[p->series[k].color % COLORS], p->series[k].dashed ? " stroke-dasharray=\"5 3\"" : "",
                    x + 32, y + 4);
        add_escaped(out, p->series[k].name);
        text_printf(out, "</text>\n");
    }
}

void figure_svg(struct text *out, const char *title, const struct panel *panels, size_t count)
{
    const size_t lines = count ? (panels[0].count + 1) / 2 : 0;
    const double width = (double)count * WIDTH, height = TOP + HEIGHT + 20 + (double)lines * LEGEND_LINE;

    text_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n"
        "<style>.title{font-size:14px;text-anchor:middle}.grid{stroke:#ddd}.axis{stroke:#333;fill:none}</style>\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"%.0f\" y=\"26\" class=\"title\" "
        "font-weight=\"bold\">",
        width, height, width, height, width / 2);
    add_escaped(out, title);
    text_printf(out, "</text>\n");
    for (size_t p = 0; p < count; p++) {
        const struct view v = make_view(&panels[p], (double)p * WIDTH);

        draw_axes(out, &panels[p], &v);
        for (size_t s = 0; s < panels[p].count; s++)
            draw_series(out, &panels[p].series[s], &v);
    }
    if (count)
        draw_legend(out, &panels[0]);
    text_printf(out, "</svg>\n");
}

/* -- histories -- */

/* Columns: the epoch, what is measured in training, the same in validation, the seconds. */
enum { COLUMNS = 2 * MEASURES + 2 };

static void put_header(struct text *out)
{
    text_printf(out, "epoch");
    for (int k = 0; k < 2 * MEASURES; k++)
        text_printf(out, ",%s%s", k < MEASURES ? "" : "val_", measure_name(k % MEASURES));
    text_printf(out, ",seconds\n");
}

static void put_scores(struct text *out, const struct scores *s)
{
    for (int m = 0; m < MEASURES; m++)
        if (isnan(s->value[m]))
            text_add(out, ",", 1);
        else
            text_printf(out, ",%.17g", s->value[m]);
}

void history_csv(const struct history *h, struct text *out)
{
    put_header(out);
    for (size_t k = 0; k < h->epochs; k++) {
        const struct history_row *row = &h->row[k];

        text_printf(out, "%.0f", row->epoch);
        put_scores(out, &row->train);
        put_scores(out, &row->validation);
        text_printf(out, ",%.6g\n", row->seconds);
    }
}

/* Where the columns of a file go in a row; one of a metric that is not known goes nowhere. */
enum { MOST_COLUMNS = 100, NOWHERE = -1 };
struct columns {
    int count;
    int to[MOST_COLUMNS]; /* a place in the row, in bytes */
};

static int place_of(const char *name, size_t n)
{
    struct measure m;

    if (n == 5 && strncmp(name, "epoch", n) == 0)
        return offsetof(struct history_row, epoch);
    if (n == 7 && strncmp(name, "seconds", n) == 0)
        return offsetof(struct history_row, seconds);
    if (!measure_parse(&m, name, n, NULL))
        return NOWHERE;
    return (int)((m.validation ? offsetof(struct history_row, validation) : offsetof(struct history_row, train)) +
                 (size_t)m.which * sizeof(double));
}

static bool read_header(struct columns *c, const char *line)
{
    bool more = strncmp(line, "epoch,loss,", 11) == 0;

    for (c->count = 0; more && c->count < MOST_COLUMNS; line++) {
        const size_t n = strcspn(line, ",");

        c->to[c->count++] = place_of(line, n);
        line += n;
        more = *line;
    }
    return c->count && !more;
}

static bool read_row(struct history *h, const struct columns *c, const char *line, struct budget *b, struct report *r)
{
    struct history_row row = { .epoch = NAN, .seconds = NAN };

    for (int m = 0; m < MEASURES; m++)
        row.train.value[m] = row.validation.value[m] = NAN;
    for (int k = 0; k < c->count; k++) {
        double value;
        const size_t n = decimal_read(line, &value);

        if (n && c->to[k] != NOWHERE)
            *(double *)((char *)&row + c->to[k]) = value;
        line += n;
        if (*line != (k < c->count - 1 ? ',' : 0))
            return false;
        line += k < c->count - 1;
    }
    if (!budget_grow(b, &h->row, &h->capacity, h->epochs + 1, sizeof *h->row, r))
        return false;
    h->row[h->epochs++] = row;
    return true;
}

bool history_read(struct history *out, const char *path, struct budget *b, struct report *r)
{
    struct columns columns;
    uint8_t *bytes;
    size_t size;
    int line = 0;
    bool ok = true;

    if (!file_read(path, 1 << 24, &bytes, &size, b, r))
        return false;
    for (size_t at = 0; ok && at < size; line++) {
        const uint8_t *end = memchr(bytes + at, '\n', size - at);
        const size_t n = end ? (size_t)(end - bytes) - at : size - at;
        char text[1 << 12];

        snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : sizeof text - 1), (const char *)bytes + at);
        text[strcspn(text, "\r")] = 0;
        at += n + 1;
        ok = line ? !*text || read_row(out, &columns, text, b, r) : read_header(&columns, text);
        if (!ok && !failed(r))
            fail(r, KILN_BAD_DATA, path, "line %d is not of a history that `kiln train` writes", line + 1);
    }
    budget_free(b, bytes);
    return ok;
}

void history_release(struct history *h, struct budget *b)
{
    budget_free(b, h->row);
    budget_free(b, h->name);
    *h = (struct history){ 0 };
}

/* The series of one measure and its validation for all runs; those that have no value at all are left out. */
static size_t add_series(struct series *to, double *y, const struct history *runs, size_t count, int which,
                         char names[][80])
{
    size_t n = 0, at = 0;

    for (size_t k = 0; k < count; k++)
        for (int v = 0; v < 2; v++) {
            if (!runs[k].epochs)
                continue;
            for (size_t e = 0; e < runs[k].epochs; e++)
                y[at + e] = (v ? &runs[k].row[e].validation : &runs[k].row[e].train)->value[which];
            snprintf(names[n], sizeof names[n], "%.60s%s%s", runs[k].name ? runs[k].name : "", runs[k].name ? ", " : "",
                     v ? "validation" : "training");
            to[n] = (struct series){ names[n], (int)k, !v, y + at, runs[k].epochs };
            if (isfinite(y[at + runs[k].epochs - 1]) || isfinite(y[at]))
                n++;
            at += runs[k].epochs;
        }
    return n;
}

bool figure_of_histories(const char *path, const char *title, const struct history *runs, size_t count,
                         struct budget *b, struct report *r)
{
    struct arena arena = { .budget = b };
    struct text out = { .budget = b, .report = r };
    struct panel panels[MEASURES];
    size_t epochs = 0, drawn = 0;
    bool ok = true;

    for (size_t k = 0; k < count; k++)
        epochs += runs[k].epochs;
    for (int m = 0; m < MEASURES && ok; m++) {
        struct series *s = arena_array(&arena, 2 * count, sizeof *s, r);
        double *y = arena_array(&arena, 2 * epochs, sizeof *y, r);
        char(*names)[80] = arena_array(&arena, 2 * count, sizeof *names, r);

        ok = s && y && names;
        panels[drawn] = (struct panel){ .title = measure_name(m), .series = s };
        if (ok)
            panels[drawn].count = add_series(s, y, runs, count, m, names);
        drawn += ok && (m == 0 || panels[drawn].count); /* the loss in any case */
    }
    if (ok)
        figure_svg(&out, title, panels, drawn);
    ok = ok && !out.failed && file_write(path, out.data, out.length, r);
    text_release(&out);
    arena_release(&arena);
    return ok;
}

/* -- the verb -- */

enum { MAX_RUNS = 12 };

struct options {
    const char *output, *title;
    char **runs;
    int count;
};

static const struct argp_option argp_options[] = {
    { "output", 'o', "FILE.svg", 0, "where the figure goes", 0 },
    { "title", 't', "TEXT", 0, "what stands above it", 0 },
    { 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'o':
        o->output = arg;
        return 0;
    case 't':
        o->title = arg;
        return 0;
    case ARGP_KEY_ARGS:
        o->runs = state->argv + state->next;
        o->count = state->argc - state->next;
        return 0;
    case ARGP_KEY_END:
        if (!o->output || !o->count || o->count > MAX_RUNS)
            argp_error(state, "needs --output and 1 to %d histories", (int)MAX_RUNS);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run(int argc, char **argv)
{
    const struct argp argp = {
        argp_options,
        parse_option,
        "NAME=HISTORY.csv...",
        "Draw the curves of several training runs, from the histories that `kiln train --history` writes.",
        NULL,
        NULL,
        NULL
    };
    struct options o = { .title = "training" };
    struct history runs[MAX_RUNS] = { 0 };
    struct budget b = { 0 };
    struct teller teller = { 0 };
    struct report r = command_report(&teller);
    bool ok;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    ok = file_claim(o.output, FILE_WRITE, &r);
    for (int k = 0; k < o.count && ok; k++) {
        const char *equals = strchr(o.runs[k], '=');
        const size_t n = equals ? (size_t)(equals - o.runs[k]) : strlen(o.runs[k]);

        runs[k].name = budget_zalloc(&b, n + 1, 1, &r);
        if (runs[k].name)
            memcpy(runs[k].name, o.runs[k], n);
        ok = runs[k].name && history_read(&runs[k], equals ? equals + 1 : o.runs[k], &b, &r);
    }
    ok = ok && figure_of_histories(o.output, o.title, runs, (size_t)o.count, &b, &r);
    for (int k = 0; k < o.count && k < MAX_RUNS; k++)
        history_release(&runs[k], &b);
    return ok ? 0 : tell_rest(&teller, &r.error);
}

const struct verb verb_figure = { "figure", "draw the curves of training runs", run };
