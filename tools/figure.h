/* Curves: panels side by side, each with named series over epochs 1, 2, ... or over numbers of their own. */
#ifndef KILN_TOOLS_FIGURE_H
#define KILN_TOOLS_FIGURE_H

#include "canvas.h"
#include "history.h"

struct series {
    const char *name;
    int color;   /* index; series of one run share it */
    bool dashed; /* training; validation is drawn through */
    const double *y;
    size_t count;    /* NaN leaves a gap */
    const double *x; /* NULL: 1, 2, ... */
};

struct panel {
    const char *title;
    const struct series *series;
    size_t count;
    const char *x_title; /* NULL: "epoch" */
    bool log;            /* x is drawn by its logarithm */
    double mark;         /* an x that is to be seen; 0: none */
};

/* As PNG or SVG, by the ending. Both: false with an error. */
bool figure_save(const char *path, const char *title, const struct panel *panels, size_t count,
                 struct command *command);

/* Each measure that there are values of, of several runs, written as a file. */
bool figure_of_histories(const char *path, const char *title, const struct history *runs, size_t count,
                         struct command *c);

#endif
