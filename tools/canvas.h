/* What a figure is drawn on: SVG, or PNG by cairo. Places are in pixels from the upper left, texts are anybody's. */
#ifndef KILN_TOOLS_CANVAS_H
#define KILN_TOOLS_CANVAS_H

#include "tools.h"

struct pen {
    const char *color; /* "#0072b2" */
    double width;
    bool dashed;
};

enum anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END };
enum lettering { LETTERS_PLAIN, LETTERS_TITLE, LETTERS_BOLD };

struct canvas {
    const struct canvas_kind *kind;
    struct page *out; /* where the file goes; what goes wrong makes it fail */
    void *cairo;      /* PNG alone */
    struct pen pen;   /* of the curve that is drawn */
};

struct canvas_kind {
    bool (*open)(struct canvas *c, double width, double height,
                 struct command *command); /* white; false with an error */
    void (*line)(struct canvas *c, double x1, double y1, double x2, double y2, const struct pen *pen);
    /* A curve: its points come between these two; one that is not joined begins anew. */
    void (*begin)(struct canvas *c, const struct pen *pen);
    void (*point)(struct canvas *c, double x, double y, bool joined);
    void (*end)(struct canvas *c);
    void (*dot)(struct canvas *c, double x, double y, double radius, const char *color);
    void (*text)(struct canvas *c, double x, double y, enum anchor anchor, enum lettering letters, const char *s);
    void (*close)(struct canvas *c); /* in any case */
};

extern const struct canvas_kind canvas_svg, canvas_png;

/* By the ending of a file's name: .png, all others are SVG. NULL with an error where cairo is not there. */
const struct canvas_kind *canvas_for(const char *path, struct command *c);

/* As the content of an element: what XML does not allow, or nobody could see, is written as \xNN. */
void figure_escaped(struct page *out, const char *s);

#endif
