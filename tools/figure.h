/* Curves as SVG: panels side by side, each with named series over epochs 1, 2, ... */
#ifndef KILN_TOOLS_FIGURE_H
#define KILN_TOOLS_FIGURE_H

#include "history.h"

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

/* As the content of an element: what XML does not allow, or nobody could see, is written as \xNN. */
void figure_escaped(struct page *out, const char *s);
void figure_svg(struct page *out, const char *title, const struct panel *panels, size_t count);

/* Each measure that there are values of, of several runs, written as a file. False with an error. */
bool figure_of_histories(const char *path, const char *title, const struct history *runs, size_t count,
                         struct command *c);

#endif
