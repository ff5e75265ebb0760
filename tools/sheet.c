#include "sheet.h"
#include "canvas.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 8, MOST_ROWS = 12, CELL = 72, GAP = 8, NAMES = 150, TOP = 48, MOST_SIDE = 96, LEAST_SQUARE = 64 };

/* -- PNG (https://www.w3.org/TR/png-3/), stored and not deflated: what is small stays small -- */

static uint32_t crc_of(const unsigned char *p, size_t n)
{
    uint32_t crc = 0xffffffff;

    for (size_t k = 0; k < n; k++) {
        crc ^= p[k];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static void put32(struct page *to, uint32_t value)
{
    const char bytes[4] = { (char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value };

    page_add(to, bytes, 4);
}

static void put_chunk(struct page *to, const char *type, const struct page *content)
{
    struct page body = { 0 };

    page_add(&body, type, 4);
    page_add(&body, content->text ? content->text : "", content->length);
    put32(to, (uint32_t)content->length);
    page_add(to, body.text ? body.text : "", body.length);
    put32(to, crc_of((const unsigned char *)body.text, body.length));
    to->failed = to->failed || body.failed;
    page_free(&body);
}

/* A zlib stream of stored blocks (RFC 1950, RFC 1951). */
static void store(struct page *to, const struct page *raw)
{
    enum { MOST = 65535 };
    uint32_t a = 1, b = 0;

    page_add(to, "\x78\x01", 2);
    for (size_t at = 0; at < raw->length; at += MOST) {
        const size_t n = raw->length - at < MOST ? raw->length - at : MOST;
        const char head[5] = { at + n == raw->length, (char)n, (char)(n >> 8), (char)~n, (char)(~n >> 8) };

        page_add(to, head, 5);
        page_add(to, raw->text + at, n);
    }
    for (size_t k = 0; k < raw->length; k++) {
        a = (a + (unsigned char)raw->text[k]) % 65521;
        b = (b + a) % 65521;
    }
    put32(to, b << 16 | a);
}

static void put_base64(struct page *to, const struct page *from)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t at = 0; at < from->length; at += 3) {
        const size_t n = from->length - at < 3 ? from->length - at : 3;
        uint32_t bits = 0;
        char four[4] = { '=', '=', '=', '=' };

        for (size_t k = 0; k < n; k++)
            bits |= (uint32_t)(unsigned char)from->text[at + k] << (16 - 8 * k);
        for (size_t k = 0; k <= n; k++)
            four[k] = digits[bits >> (18 - 6 * k) & 63];
        page_add(to, four, 4);
    }
}

/* -- what a sample is -- */

struct view {
    bool picture, first; /* first: channels are */
    int64_t height, width, channels;
    double low, high; /* of all numbers */
};

static bool is_channels(int64_t n)
{
    return n == 1 || n == 3;
}

/* A row of many numbers that make a square is drawn as one. */
static void look_at_row(struct view *v, int64_t n)
{
    const int64_t side = (int64_t)sqrt((double)n);

    v->picture = n >= LEAST_SQUARE && side * side == n;
    v->height = v->picture ? side : 1;
    v->width = v->picture ? side : n;
}

static bool look(struct view *v, const kiln_dataset *data, struct command *c)
{
    const kiln_column_info *x = kiln_dataset_input(data, 0);
    const int64_t *d = x->dims;
    kiln_numbers n;

    *v = (struct view){ .channels = 1 };
    if (kiln_dataset_numbers(data, false, 0, &n, &c->err) != KILN_OK)
        return false;
    v->low = x->dtype == KILN_UINT8 ? 0 : isnan(n.least) ? 0 : n.least;
    v->high = x->dtype == KILN_UINT8 ? 255 : n.most > v->low ? n.most : v->low + 1;
    if (x->rank == 3 && (is_channels(d[0]) || is_channels(d[2]))) {
        v->picture = true;
        v->first = !is_channels(d[2]);
        v->channels = d[v->first ? 0 : 2];
        v->height = d[v->first ? 1 : 0];
        v->width = d[v->first ? 2 : 1];
    } else if (x->rank == 2) {
        v->picture = true;
        v->height = d[0];
        v->width = d[1];
    } else if (x->rank == 1) {
        look_at_row(v, d[0]);
    } else {
        return command_fail(c, KILN_UNSUPPORTED, NULL,
                            "a sample has %d dimensions, it can be drawn as a picture or a row", x->rank);
    }
    return true;
}

/* From 0 to 1; what is no number is 0. */
static double part_of(const struct view *v, double x)
{
    const double part = (x - v->low) / (v->high - v->low);

    return part > 0 ? part < 1 ? part : 1 : 0;
}

static void draw_picture(struct page *svg, const struct view *v, const kiln_tensor *t, double x0, double y0)
{
    const int64_t longest = v->height > v->width ? v->height : v->width, step = (longest + MOST_SIDE - 1) / MOST_SIDE;
    const int64_t height = (v->height + step - 1) / step, width = (v->width + step - 1) / step;
    const double scale = (double)CELL / (double)(height > width ? height : width);
    struct page raw = { 0 }, packed = { 0 }, png = { 0 }, head = { 0 };

    for (int64_t y = 0; y < height; y++) {
        page_add(&raw, "", 1); /* no filter */
        for (int64_t x = 0; x < width; x++)
            for (int64_t k = 0; k < v->channels; k++) {
                const int64_t at = y * step * v->width + x * step;
                const int64_t place = v->first ? k * v->height * v->width + at : at * v->channels + k;
                const char byte = (char)(unsigned char)(part_of(v, kiln_tensor_number(t, place)) * 255 + .5);

                page_add(&raw, &byte, 1);
            }
    }
    put32(&head, (uint32_t)width);
    put32(&head, (uint32_t)height);
    page_add(&head, v->channels == 3 ? "\x08\x02\0\0" : "\x08\0\0\0", 5);
    store(&packed, &raw);
    page_add(&png, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&png, "IHDR", &head);
    put_chunk(&png, "IDAT", &packed);
    put_chunk(&png, "IEND", &(struct page){ 0 });
    page_printf(svg, "<image x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" href=\"data:image/png;base64,",
                x0 + (CELL - (double)width * scale) / 2, y0 + (CELL - (double)height * scale) / 2,
                (double)width * scale, (double)height * scale);
    put_base64(svg, &png);
    page_printf(svg, "\"/>\n");
    svg->failed = svg->failed || raw.failed || packed.failed || png.failed || head.failed;
    page_free(&raw);
    page_free(&packed);
    page_free(&png);
    page_free(&head);
}

static void draw_row(struct page *svg, const struct view *v, const kiln_tensor *t, double x0, double y0)
{
    const int64_t n = kiln_tensor_count(t);

    page_printf(svg, "<path class=\"row\" d=\"M");
    for (int64_t k = 0; k < n; k++)
        page_printf(svg, "%s%.1f %.1f", k ? "L" : "", x0 + CELL * (n > 1 ? (double)k / (double)(n - 1) : .5),
                    y0 + CELL * (1 - part_of(v, kiln_tensor_number(t, k))));
    page_printf(svg, "\"/>\n");
}

/* -- the sheet -- */

static bool draw_sample(struct page *svg, const struct view *v, const kiln_dataset *data, int64_t i, int row,
                        int column, struct command *c)
{
    const double x = NAMES + column * (CELL + GAP), y = TOP + row * (CELL + GAP);
    kiln_tensor *t;

    if (kiln_dataset_sample(&t, data, false, 0, i, &c->err) != KILN_OK)
        return false;
    (v->picture ? draw_picture : draw_row)(svg, v, t, x, y);
    kiln_tensor_free(t);
    return true;
}

/* Has each sample one? */
static bool has_class(const kiln_dataset *data)
{
    const kiln_column_info *y = kiln_dataset_target(data, 0);

    return y->classes && !y->rank && !kiln_dataset_about(data)->unlabelled;
}

static bool class_of(int64_t *class, const kiln_dataset *data, int64_t i, struct command *c)
{
    kiln_tensor *t;

    if (kiln_dataset_sample(&t, data, true, 0, i, &c->err) != KILN_OK)
        return false;
    *class = (int64_t)kiln_tensor_number(t, 0);
    kiln_tensor_free(t);
    return true;
}

/* A row for each of the first classes. */
static bool draw_classes(struct page *svg, const struct view *v, const kiln_dataset *data, int rows, struct command *c)
{
    int drawn[MOST_ROWS] = { 0 }, left = rows * COLUMNS;
    bool ok = true;

    for (int64_t i = 0; ok && left && i < kiln_dataset_about(data)->count; i++) {
        int64_t class;

        ok = class_of(&class, data, i, c);
        if (!ok || class >= rows || drawn[class] == COLUMNS)
            continue;
        ok = draw_sample(svg, v, data, i, (int)class, drawn[class]++, c);
        left--;
    }
    return ok;
}

static bool draw_first(struct page *svg, const struct view *v, const kiln_dataset *data, int rows, struct command *c)
{
    for (int k = 0; k < rows * COLUMNS && k < kiln_dataset_about(data)->count; k++)
        if (!draw_sample(svg, v, data, k, k / COLUMNS, k % COLUMNS, c))
            return false;
    return true;
}

static void draw_names(struct page *svg, const kiln_dataset *data, int rows)
{
    const kiln_column_info *y = kiln_dataset_target(data, 0);
    char number[24];

    for (int k = 0; k < rows; k++) {
        snprintf(number, sizeof number, "%d", k);
        page_printf(svg, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", NAMES - GAP,
                    TOP + k * (CELL + GAP) + CELL / 2);
        figure_escaped(svg, y->class_names ? y->class_names[k] : number);
        page_printf(svg, "</text>\n");
    }
}

bool sheet_save(const kiln_dataset *data, const char *title, const char *path, struct command *c)
{
    const kiln_column_info *y = kiln_dataset_target(data, 0);
    const bool classes = has_class(data);
    const int rows = classes ? (int)(y->classes < MOST_ROWS ? y->classes : MOST_ROWS) : 5;
    const int width = NAMES + COLUMNS * (CELL + GAP), height = TOP + rows * (CELL + GAP) + GAP;
    struct page svg = { .command = c };
    struct view v;
    bool ok;

    if (!look(&v, data, c))
        return false;
    page_printf(&svg,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                "font-family=\"sans-serif\" font-size=\"12\">\n<style>image{image-rendering:pixelated}"
                ".row{fill:none;stroke:#0072b2}</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
                "<text x=\"%d\" y=\"26\" text-anchor=\"middle\" font-size=\"14\" font-weight=\"bold\">",
                width, height, width, height, width / 2);
    figure_escaped(&svg, title);
    page_printf(&svg, "</text>\n");
    ok = (classes ? draw_classes : draw_first)(&svg, &v, data, rows, c);
    if (classes)
        draw_names(&svg, data, rows);
    page_printf(&svg, "</svg>\n");
    if (ok)
        return page_save(&svg, path, c);
    page_free(&svg);
    return false;
}
