/* Figures as PNG, by cairo (https://www.cairographics.org/manual/). */
#include "canvas.h"

const struct canvas_kind *canvas_for(const char *path, struct command *c)
{
#ifndef HAVE_CAIRO
    if (ends_with(path, ".png")) {
        command_fail(c, KILN_UNSUPPORTED, path,
                     "this kiln was built without cairo, which draws .png (Debian: libcairo2-dev); .svg needs nothing");
        return NULL;
    }
    return &canvas_svg;
#else
    (void)c;
    return ends_with(path, ".png") ? &canvas_png : &canvas_svg;
#endif
}

#ifdef HAVE_CAIRO
#include <cairo.h>
#include <stdlib.h>

enum { MOST_PIXELS = 32767 /* as cairo has it, in each direction */, SCALE = 2 };

static bool open_png(struct canvas *c, double width, double height, struct command *command)
{
    const double most = width > height ? width : height;
    const int scale = most * SCALE <= MOST_PIXELS ? SCALE : 1;
    cairo_surface_t *s;

    if (most > MOST_PIXELS)
        return command_fail(command, KILN_LIMIT, NULL, "a figure of %.0f pixels is too wide for PNG: SVG has no limit",
                            most);
    s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width * scale, (int)height * scale);
    c->cairo = cairo_create(s);
    cairo_surface_destroy(s); /* it lives as long as what draws on it */
    cairo_scale(c->cairo, scale, scale);
    cairo_set_source_rgb(c->cairo, 1, 1, 1);
    cairo_paint(c->cairo);
    return true;
}

/* "#ddd" or "#0072b2" */
static void set_color(cairo_t *cr, const char *color)
{
    const unsigned long n = strtoul(color + 1, NULL, 16);
    const bool brief = color[1] && color[2] && color[3] && !color[4];
    const unsigned bits = brief ? 4 : 8, most = (1u << bits) - 1;

    cairo_set_source_rgb(cr, (double)(n >> 2 * bits & most) / most, (double)(n >> bits & most) / most,
                         (double)(n & most) / most);
}

static void begin(struct canvas *c, const struct pen *pen)
{
    c->pen = *pen;
    cairo_new_path(c->cairo);
}

static void point(struct canvas *c, double x, double y, bool joined)
{
    (joined ? cairo_line_to : cairo_move_to)(c->cairo, x, y);
}

static void end(struct canvas *c)
{
    static const double dashes[] = { 5, 3 };

    set_color(c->cairo, c->pen.color);
    cairo_set_line_width(c->cairo, c->pen.width);
    cairo_set_dash(c->cairo, dashes, c->pen.dashed ? 2 : 0, 0);
    cairo_stroke(c->cairo);
}

static void line(struct canvas *c, double x1, double y1, double x2, double y2, const struct pen *pen)
{
    begin(c, pen);
    point(c, x1, y1, false);
    point(c, x2, y2, true);
    end(c);
}

static void dot(struct canvas *c, double x, double y, double radius, const char *color)
{
    cairo_new_path(c->cairo);
    cairo_arc(c->cairo, x, y, radius, 0, 6.2831853);
    set_color(c->cairo, color);
    cairo_fill(c->cairo);
}

static void text(struct canvas *c, double x, double y, enum anchor anchor, enum lettering letters, const char *s)
{
    struct page shown = { 0 };
    cairo_text_extents_t size;

    page_say(&shown, "%s", s); /* cairo takes UTF-8 alone */
    c->out->failed |= shown.failed;
    if (!shown.failed && shown.length) {
        cairo_select_font_face(c->cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                               letters == LETTERS_BOLD ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
        cairo_set_font_size(c->cairo, letters == LETTERS_PLAIN ? 12 : 14);
        cairo_set_source_rgb(c->cairo, 0, 0, 0);
        cairo_text_extents(c->cairo, shown.text, &size);
        cairo_move_to(c->cairo, x - size.x_advance * (anchor == ANCHOR_MIDDLE ? .5 : anchor == ANCHOR_END ? 1 : 0), y);
        cairo_show_text(c->cairo, shown.text);
    }
    page_free(&shown);
}

static cairo_status_t write_png(void *user, const unsigned char *bytes, unsigned count)
{
    page_add(user, (const char *)bytes, count);
    return CAIRO_STATUS_SUCCESS; /* that there is no memory is told at the end */
}

static void close_png(struct canvas *c)
{
    c->out->failed |=
        cairo_status(c->cairo) != CAIRO_STATUS_SUCCESS || /* what can go wrong is memory */
        cairo_surface_write_to_png_stream(cairo_get_target(c->cairo), write_png, c->out) != CAIRO_STATUS_SUCCESS;
    cairo_destroy(c->cairo);
}

const struct canvas_kind canvas_png = { open_png, line, begin, point, end, dot, text, close_png };
#endif
