/* The line that is drawn while an epoch runs, in a terminal of any width. */
#ifndef KILN_TOOLS_BAR_H
#define KILN_TOOLS_BAR_H

#include "tools.h"

/* Zero-initialise. */
struct bar {
    double drawn;   /* when it was drawn last */
    double begun;   /* when the epoch began, */
    int64_t epoch;  /* which this is, */
    int64_t before; /* and how many of its samples had been seen */
    int64_t step;   /* and how many steps taken */
};

/* Draws it, not more often than can be seen. `epochs` is how many there will be; `measures` has "  NAME VALUE" for each
 * measure, one after the other. */
void bar_draw(struct bar *b, const kiln_fit_step *s, int64_t epochs, const struct page *measures);
/* Takes it away, so that something else can be told. */
void bar_clear(void);

#endif
