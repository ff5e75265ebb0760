/* Curves as SVG: panels side by side, each with named series over epochs 1, 2, ... */
#ifndef KILN_TOOLS_FIGURE_H
#define KILN_TOOLS_FIGURE_H

#include "tools.h"

struct series {
    const char *name;
    int color;   /* index; series of one run share it */
    bool dashed; /* training; validation is drawn through */
    const double *y;
    size_t count; /* NaN leaves a gap */
};

struct panel {
    const char *title;
    const struct series *series;
    size_t count;
};

void figure_svg(struct page *out, const char *title, const struct panel *panels, size_t count);

/* Room for what a model is measured by: the library's measures are fewer. */
enum { MOST_MEASURES = 32 };

/* The history of a training run, as `kiln train --history` writes it. */
struct history {
    char *name; /* in the legend */
    size_t epochs;
    struct history_row {
        double epoch, seconds;
        double train[MOST_MEASURES], validation[MOST_MEASURES]; /* NaN where there is none */
    } * row;
};
/* False with an error, as all below. */
bool history_add(struct history *h, const struct history_row *row, struct command *c);
bool history_read(struct history *out, const char *path, struct command *c);
bool history_write(const struct history *h, const char *path, struct command *c);
void history_release(struct history *h);

/* Each measure that there are values of, of several runs, written as a file. */
bool figure_of_histories(const char *path, const char *title, const struct history *runs, size_t count,
                         struct command *c);

#endif
