/* Figures as SVG. */
#include "canvas.h"
#include <string.h>

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

static bool open_svg(struct canvas *c, double width, double height, struct command *command)
{
    (void)command;
    page_printf(c->out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
                "font-family=\"sans-serif\" font-size=\"12\">\n"
                "<style>.title{font-size:14px}</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                width, height, width, height);
    return true;
}

static void put_pen(struct page *out, const struct pen *pen)
{
    page_printf(out, " stroke=\"%s\" stroke-width=\"%.2g\"%s", pen->color, pen->width,
                pen->dashed ? " stroke-dasharray=\"5 3\"" : "");
}

static void line(struct canvas *c, double x1, double y1, double x2, double y2, const struct pen *pen)
{
    page_printf(c->out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"", x1, y1, x2, y2);
    put_pen(c->out, pen);
    page_printf(c->out, "/>\n");
}

static void begin(struct canvas *c, const struct pen *pen)
{
    page_printf(c->out, "<path fill=\"none\"");
    put_pen(c->out, pen);
    page_printf(c->out, " d=\"");
}

static void point(struct canvas *c, double x, double y, bool joined)
{
    page_printf(c->out, "%c%.2f %.2f", joined ? 'L' : 'M', x, y);
}

static void end(struct canvas *c)
{
    page_printf(c->out, "\"/>\n");
}

static void dot(struct canvas *c, double x, double y, double radius, const char *color)
{
    page_printf(c->out, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.2g\" fill=\"%s\"/>\n", x, y, radius, color);
}

static void text(struct canvas *c, double x, double y, enum anchor anchor, enum lettering letters, const char *s)
{
    page_printf(c->out, "<text x=\"%.1f\" y=\"%.1f\"%s%s%s>", x, y,
                anchor == ANCHOR_MIDDLE ? " text-anchor=\"middle\""
                : anchor == ANCHOR_END  ? " text-anchor=\"end\""
                                        : "",
                letters == LETTERS_PLAIN ? "" : " class=\"title\"",
                letters == LETTERS_BOLD ? " font-weight=\"bold\"" : "");
    figure_escaped(c->out, s);
    page_printf(c->out, "</text>\n");
}

static void close_svg(struct canvas *c)
{
    page_printf(c->out, "</svg>\n");
}

const struct canvas_kind canvas_svg = { open_svg, line, begin, point, end, dot, text, close_svg };
