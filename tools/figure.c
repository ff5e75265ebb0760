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

void figure_escaped(struct page *out, const char *s)
{
    for (size_t left = strlen(s); left;) {
        const size_t n = kiln_shown(s, left);
        const char *entity = *s == '<'   ? "&lt;"
                             : *s == '>' ? "&gt;"
                             : *s == '&' ? "&amp;"
                             : *s == '"' ? "&quot;"
                                         : NULL;

        if (!n)
            page_printf(out, "\\x%02x", (unsigned)(unsigned char)*s);
        else if (entity)
            page_printf(out, "%s", entity);
        else
            page_add(out, s, n);
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

static void draw_axes(struct page *out, const struct panel *p, const struct view *v)
{
    const double left = at_x(v, v->x.low), right = at_x(v, v->x.high), bottom = at_y(v, v->y.low),
                 top = at_y(v, v->y.high);

    page_printf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"title\">", (left + right) / 2, top - 10);
    figure_escaped(out, p->title);
    page_printf(out, "</text>\n<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">epoch</text>\n", (left + right) / 2,
                bottom + 34);
    for (double y = v->y.low; y <= v->y.high + v->y.step / 2; y += v->y.step)
        page_printf(out,
                    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>"
                    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n",
                    left, at_y(v, y), right, at_y(v, y), left - 6, at_y(v, y) + 4, fabs(y) < v->y.step / 2 ? 0. : y);
    for (double x = v->x.low; x <= v->x.high + v->x.step / 2; x += v->x.step)
        if (fabs(x - round(x)) < 1e-6)
            page_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.4g</text>\n", at_x(v, x),
                        bottom + 16, x);
    page_printf(out, "<path d=\"M%.1f %.1fV%.1fH%.1f\" class=\"axis\"/>\n", left, top, bottom, right);
}

static void draw_series(struct page *out, const struct series *s, const struct view *v)
{
    const char *color = colors[s->color % COLORS];
    bool open = false;

    page_printf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\"%s d=\"", color,
                s->dashed ? " stroke-dasharray=\"5 3\"" : "");
    for (size_t k = 0; k < s->count; k++) {
        if (isfinite(s->y[k]))
            page_printf(out, "%c%.2f %.2f", open ? 'L' : 'M', at_x(v, (double)k + 1), at_y(v, s->y[k]));
        open = isfinite(s->y[k]);
    }
    page_printf(out, "\"/>\n");
    for (size_t k = 0; k < s->count && s->count < 40; k++)
        if (isfinite(s->y[k]))
            page_printf(out, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"2\" fill=\"%s\"/>", at_x(v, (double)k + 1),
                        at_y(v, s->y[k]), color);
    page_printf(out, "\n");
}

static void draw_legend(struct page *out, const struct panel *p)
{
    for (size_t k = 0; k < p->count; k++) {
        const double x = LEFT + (double)(k % 2) * WIDTH, y = TOP + HEIGHT + 12 + (double)(k / 2) * LEGEND_LINE;

        page_printf(out, "<path d=\"M%.1f %.1fh26\" stroke=\"%s\" stroke-width=\"1.8\"%s/><text x=\"%.1f\" y=\"%.1f\">",
                    x, y, colors[p->series[k].color % COLORS], p->series[k].dashed ? " stroke-dasharray=\"5 3\"" : "",
                    x + 32, y + 4);
        figure_escaped(out, p->series[k].name);
        page_printf(out, "</text>\n");
    }
}

void figure_svg(struct page *out, const char *title, const struct panel *panels, size_t count)
{
    const size_t lines = count ? (panels[0].count + 1) / 2 : 0;
    const double width = (double)count * WIDTH, height = TOP + HEIGHT + 20 + (double)lines * LEGEND_LINE;

    page_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n"
        "<style>.title{font-size:14px;text-anchor:middle}.grid{stroke:#ddd}.axis{stroke:#333;fill:none}</style>\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"%.0f\" y=\"26\" class=\"title\" "
        "font-weight=\"bold\">",
        width, height, width, height, width / 2);
    figure_escaped(out, title);
    page_printf(out, "</text>\n");
    for (size_t p = 0; p < count; p++) {
        const struct view v = make_view(&panels[p], (double)p * WIDTH);

        draw_axes(out, &panels[p], &v);
        for (size_t s = 0; s < panels[p].count; s++)
            draw_series(out, &panels[p].series[s], &v);
    }
    if (count)
        draw_legend(out, &panels[0]);
    page_printf(out, "</svg>\n");
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
            d->series[n] = (struct series){ d->names[n], (int)k, !v, y, h->epochs };
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
    struct page svg = { 0 };
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
    if (ok)
        figure_svg(&svg, title, panels, drawn);
    ok = ok ? page_save(&svg, path, c) : command_no_memory(c);
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
    static struct command c;
    struct history runs[MAX_RUNS] = { 0 };
    bool ok;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    ok = command_start(&c, 1) && kiln_file_claim(c.context, o.output, KILN_FILE_OUTPUT, &c.err) == KILN_OK;
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

const struct verb verb_figure = { "figure", "draw the curves of training runs", run };
