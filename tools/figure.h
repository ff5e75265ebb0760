/* Curves as SVG: panels side by side, each with named series over epochs 1, 2, ... */
#ifndef KILN_TOOLS_FIGURE_H
#define KILN_TOOLS_FIGURE_H

#include "train/fit.h"

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

void figure_svg(struct text *out, const char *title, const struct panel *panels, size_t count);

/* The history of a training run, as `kiln train --history` writes it. */
struct history {
    char *name; /* in the legend */
    size_t epochs, capacity;
    struct history_row {
        double epoch, seconds;
        struct scores train, validation; /* NaN where there is none */
    } * row;
};
bool history_read(struct history *out, const char *path, struct budget *b, struct report *r);
void history_csv(const struct history *h, struct text *out);
void history_release(struct history *h, struct budget *b);

/* Each measure that there are values of, of several runs, written as a file. */
bool figure_of_histories(const char *path, const char *title, const struct history *runs, size_t count,
                         struct budget *b, struct report *r);

#endif
