#include "figure.h"
#include <math.h>
#include <stdlib.h>
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

struct view {
    double x0; /* of the panel */
    struct axis x, y;
    bool log; /* x.low and x.high are powers of ten */
};

static double at_x(const struct view *v, double x)
{
    return v->x0 + LEFT + ((v->log ? log10(x) : x) - v->x.low) / (v->x.high - v->x.low) * (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct view *v, double y)
{
    return TOP + HEIGHT - BOTTOM - (y - v->y.low) / (v->y.high - v->y.low) * (HEIGHT - BOTTOM);
}

static double x_of(const struct series *s, size_t k)
{
    return s->x ? s->x[k] : (double)k + 1;
}

static struct view make_view(const struct panel *p, double x0)
{
    double low = INFINITY, high = -INFINITY, first = INFINITY, last = -INFINITY;
    struct view v = { .x0 = x0, .log = p->log };

    for (size_t s = 0; s < p->count; s++)
        for (size_t k = 0; k < p->series[s].count; k++) {
            const double x = x_of(&p->series[s], k), y = p->series[s].y[k];

            first = fmin(first, x);
            last = fmax(last, x);
            if (isfinite(y)) {
                low = fmin(low, y);
                high = fmax(high, y);
            }
        }
    if (!(low <= high))
        low = 0, high = 1;
    v.y = axis_for(low, high);
    if (v.log)
        v.x = (struct axis){ log10(first), log10(last), 1 + floor((log10(last) - log10(first)) / 9) };
    else
        v.x = axis_for(last > 1 ? 1 : .5, last > 1 ? last : 1.5);
    return v;
}

static void draw_x_ticks(struct canvas *c, const struct view *v, double bottom)
{
    const double from = v->log ? ceil(v->x.low - 1e-9) : v->x.low;
    char text[32];

    for (double x = from; x <= v->x.high + (v->log ? 1e-9 : v->x.step / 2); x += v->x.step) {
        if (fabs(x - round(x)) > 1e-6)
            continue;
        snprintf(text, sizeof text, v->log ? "1e%.0f" : "%.4g", x);
        c->kind->text(c, at_x(v, v->log ? pow(10, x) : x), bottom + 16, ANCHOR_MIDDLE, LETTERS_PLAIN, text);
    }
}

static void draw_axes(struct canvas *c, const struct panel *p, const struct view *v)
{
    static const struct pen grid = { "#ddd", 1, false }, axis = { "#333", 1, false };
    const double left = v->x0 + LEFT, right = v->x0 + WIDTH - RIGHT, bottom = at_y(v, v->y.low),
                 top = at_y(v, v->y.high);
    char text[32];

    c->kind->text(c, (left + right) / 2, top - 10, ANCHOR_MIDDLE, LETTERS_TITLE, p->title);
    c->kind->text(c, (left + right) / 2, bottom + 34, ANCHOR_MIDDLE, LETTERS_PLAIN, p->x_title ? p->x_title : "epoch");
    for (double y = v->y.low; y <= v->y.high + v->y.step / 2; y += v->y.step) {
        snprintf(text, sizeof text, "%.4g", fabs(y) < v->y.step / 2 ? 0. : y);
        c->kind->line(c, left, at_y(v, y), right, at_y(v, y), &grid);
        c->kind->text(c, left - 6, at_y(v, y) + 4, ANCHOR_END, LETTERS_PLAIN, text);
    }
    draw_x_ticks(c, v, bottom);
    c->kind->line(c, left, top, left, bottom, &axis);
    c->kind->line(c, left, bottom, right, bottom, &axis);
    if (p->mark > 0) {
        snprintf(text, sizeof text, " %.2g", p->mark);
        c->kind->line(c, at_x(v, p->mark), top, at_x(v, p->mark), bottom, &axis);
        c->kind->text(c, at_x(v, p->mark), top + 12, ANCHOR_START, LETTERS_PLAIN, text);
    }
}

static struct pen pen_of(const struct series *s)
{
    return (struct pen){ colors[s->color % COLORS], 1.8, s->dashed };
}

static void draw_series(struct canvas *c, const struct series *s, const struct view *v)
{
    const struct pen pen = pen_of(s);
    bool open = false;

    c->kind->begin(c, &pen);
    for (size_t k = 0; k < s->count; k++) {
        if (isfinite(s->y[k]))
            c->kind->point(c, at_x(v, x_of(s, k)), at_y(v, s->y[k]), open);
        open = isfinite(s->y[k]);
    }
    c->kind->end(c);
    for (size_t k = 0; k < s->count && s->count < 40; k++)
        if (isfinite(s->y[k]))
            c->kind->dot(c, at_x(v, x_of(s, k)), at_y(v, s->y[k]), 2, pen.color);
}

/* Below the first panels, one after the other. */
static void draw_legend(struct canvas *c, const struct panel *p, size_t columns)
{
    for (size_t k = 0; k < p->count; k++) {
        const double x = LEFT + (double)(k % columns) * WIDTH,
                     y = TOP + HEIGHT + 12 + (double)(k / columns) * LEGEND_LINE;
        const struct pen pen = pen_of(&p->series[k]);

        c->kind->line(c, x, y, x + 26, y, &pen);
        c->kind->text(c, x + 32, y + 4, ANCHOR_START, LETTERS_PLAIN, p->series[k].name);
    }
}

bool figure_save(const char *path, const char *title, const struct panel *panels, size_t count, struct command *command)
{
    const size_t columns = count > 1 ? 2 : 1, lines = count ? (panels[0].count + columns - 1) / columns : 0;
    const double width = (double)(count ? count : 1) * WIDTH, height = TOP + HEIGHT + 20 + (double)lines * LEGEND_LINE;
    struct page out = { 0 };
    struct canvas c = { .kind = canvas_for(path, command), .out = &out };

    if (!c.kind || !c.kind->open(&c, width, height, command))
        return false;
    c.kind->text(&c, width / 2, 26, ANCHOR_MIDDLE, LETTERS_BOLD, title);
    for (size_t p = 0; p < count; p++) {
        const struct view v = make_view(&panels[p], (double)p * WIDTH);

        draw_axes(&c, &panels[p], &v);
        for (size_t s = 0; s < panels[p].count; s++)
            draw_series(&c, &panels[p].series[s], &v);
    }
    if (count)
        draw_legend(&c, &panels[0], columns);
    c.kind->close(&c);
    return page_save(&out, path, command);
}

/* -- figures of them -- */

enum { NAME_TEXT = 80 };

/* What is drawn of one measure. */
struct drawing {
    struct series *series;
    double *y;
    char (*names)[NAME_TEXT];
};

static bool drawing_open(struct drawing *d, size_t runs, size_t epochs)
{
    d->series = calloc(2 * runs + 1, sizeof *d->series);
    d->y = calloc(2 * epochs + 1, sizeof *d->y);
    d->names = calloc(2 * runs + 1, sizeof *d->names);
    return d->series && d->y && d->names;
}

static void drawing_close(struct drawing *d)
{
    free(d->series);
    free(d->y);
    free(d->names);
    *d = (struct drawing){ 0 };
}

/* The series of one measure and its validation for all runs; those that have no value at all are left out. */
static size_t add_series(struct drawing *d, const struct history *runs, size_t count, const char *measure)
{
    size_t n = 0, at = 0;

    for (size_t k = 0; k < count; k++)
        for (int v = 0; v < 2; v++) {
            const struct history *h = &runs[k];
            double *y = d->y + at;
            size_t which = 0;

            while (which < h->measures && strcmp(h->measure[which], measure) != 0)
                which++;
            if (!h->epochs || which == h->measures)
                continue;
            for (size_t e = 0; e < h->epochs; e++)
                y[e] = history_value(h, e, which, v);
            snprintf(d->names[n], NAME_TEXT, "%.60s%s%s", h->name ? h->name : "", h->name ? ", " : "",
                     v ? "validation" : "training");
            d->series[n] =
                (struct series){ .name = d->names[n], .color = (int)k, .dashed = !v, .y = y, .count = h->epochs };
            if (isfinite(y[h->epochs - 1]) || isfinite(y[0]))
                n++;
            at += h->epochs;
        }
    return n;
}

/* Is it one of the measures of an earlier run, or of an earlier place? */
static bool is_known(const struct history *runs, size_t run, size_t which)
{
    for (size_t k = 0; k <= run; k++)
        for (size_t m = 0; m < (k < run ? runs[k].measures : which); m++)
            if (strcmp(runs[k].measure[m], runs[run].measure[which]) == 0)
                return true;
    return false;
}

/* Panels for the measures of a run that no earlier one has: the loss in any case, others that have values. */
static bool add_panels(struct panel *panels, struct drawing *drawings, size_t *drawn, const struct history *runs,
                       size_t count, size_t run, size_t epochs)
{
    for (size_t m = 0; m < runs[run].measures; m++) {
        struct drawing *d = &drawings[*drawn];
        struct panel *p = &panels[*drawn];

        if (is_known(runs, run, m))
            continue;
        drawing_close(d);
        if (!drawing_open(d, count, epochs))
            return false;
        *p = (struct panel){ .title = runs[run].measure[m], .series = d->series };
        p->count = add_series(d, runs, count, p->title);
        *drawn += !*drawn || p->count;
    }
    return true;
}

bool figure_of_histories(const char *path, const char *title, const struct history *runs, size_t count,
                         struct command *c)
{
    size_t epochs = 0, most = 1, drawn = 0;
    struct drawing *drawings;
    struct panel *panels;
    bool ok;

    for (size_t k = 0; k < count; k++) {
        epochs += runs[k].epochs;
        most += runs[k].measures;
    }
    drawings = calloc(most, sizeof *drawings);
    panels = calloc(most, sizeof *panels);
    ok = drawings && panels;
    for (size_t k = 0; ok && k < count; k++)
        ok = add_panels(panels, drawings, &drawn, runs, count, k, epochs);
    ok = ok ? figure_save(path, title, panels, drawn, c) : command_no_memory(c);
    for (size_t k = 0; drawings && k < most; k++)
        drawing_close(&drawings[k]);
    free(drawings);
    free(panels);
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
    { "output", 'o', "FILE", 0, "where the figure goes: PNG where it ends in .png, else SVG", 0 },
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

static const struct argp argp = {
    argp_options,
    parse_option,
    "NAME=HISTORY.csv...",
    "Draw the curves of several training runs, from the histories that `kiln train --history` writes.",
    NULL,
    NULL,
    NULL
};

static int run(int argc, char **argv)
{
    struct options o = { .title = "training" };
    static struct command c;
    struct history runs[MAX_RUNS] = { 0 };
    bool ok;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    ok = command_start(&c, 1) && canvas_for(o.output, &c) &&
         kiln_file_claim(c.context, o.output, KILN_FILE_OUTPUT, &c.err) == KILN_OK;
    for (int k = 0; k < o.count && ok; k++) {
        const char *equals = strchr(o.runs[k], '=');

        runs[k].name = strndup(o.runs[k], equals ? (size_t)(equals - o.runs[k]) : strlen(o.runs[k]));
        ok = (runs[k].name || command_no_memory(&c)) && history_read(&runs[k], equals ? equals + 1 : o.runs[k], &c);
    }
    ok = ok && figure_of_histories(o.output, o.title, runs, (size_t)o.count, &c);
    for (int k = 0; k < o.count && k < MAX_RUNS; k++)
        history_release(&runs[k]);
    return command_end(&c, ok);
}

const struct verb verb_figure = {
    "figure",
    "draw the curves of training runs",
    run,
    &argp,
    "Two runs in one figure:\n"
    "    kiln figure --output curves.svg --title 'with and without' with=bn.csv without=plain.csv\n",
};
