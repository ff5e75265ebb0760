/* PBM, PGM and PPM, as text and as bytes, https://netpbm.sourceforge.net/doc/pnm.html */
#include "image/image.h"

struct pnm {
    const struct image_file *file;
    size_t at;
    int64_t width, height, most;
    int channels;
    bool bits, text;
};

static bool is(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
           (bytes[2] == '#' || bytes[2] == ' ' || (bytes[2] >= '\t' && bytes[2] <= '\r'));
}

static int peek(const struct pnm *p)
{
    return p->at < p->file->size ? p->file->bytes[p->at] : -1;
}

static void skip_blanks(struct pnm *p)
{
    for (;; p->at++) {
        const int c = peek(p);

        if (c == '#')
            while (peek(p) >= 0 && peek(p) != '\n' && peek(p) != '\r')
                p->at++;
        else if (c != ' ' && !(c >= '\t' && c <= '\r'))
            return;
        if (peek(p) < 0)
            return;
    }
}

/* -1: there is none, or it is above `most`. */
static int64_t number(struct pnm *p, int64_t most)
{
    int64_t v = -1;

    skip_blanks(p);
    for (; peek(p) >= '0' && peek(p) <= '9' && v <= most; p->at++)
        v = (v < 0 ? 0 : v) * 10 + (peek(p) - '0');
    return v <= most ? v : -1;
}

static bool read_header(struct pnm *p, const struct image_file *f, struct report *r)
{
    const int digit = f->bytes[1] - '0', sort = (digit - 1) % 3;

    *p = (struct pnm){ .file = f, .at = 2, .text = digit <= 3, .bits = sort == 0, .channels = sort == 2 ? 3 : 1 };
    p->width = number(p, INT32_MAX);
    p->height = number(p, INT32_MAX);
    p->most = p->bits ? 1 : number(p, UINT16_MAX);
    if (p->width < 0 || p->height < 0 || p->most < 1)
        return fail(r, KILN_BAD_DATA, f->name, "cannot be read: its header has no width, height or greatest value");
    p->at++; /* one blank */
    return true;
}

static bool look(struct image_size *out, const struct image_file *f, struct report *r)
{
    struct pnm p;

    if (!read_header(&p, f, r))
        return false;
    *out = (struct image_size){ p.height, p.width, p.channels == 1 };
    return true;
}

/* To 8 bits. */
static uint8_t scaled(const struct pnm *p, int64_t v)
{
    return (uint8_t)(v >= p->most ? 255 : (v * 510 + p->most) / (2 * p->most));
}

static bool read_bits(struct pnm *p, uint8_t *row)
{
    const size_t bytes = (size_t)(p->width + 7) / 8;

    if (p->at > p->file->size || p->file->size - p->at < bytes)
        return false;
    for (int64_t x = 0; x < p->width; x++) /* 1 is black */
        row[x] = p->file->bytes[p->at + (size_t)x / 8] >> (7 - x % 8) & 1 ? 0 : 255;
    p->at += bytes;
    return true;
}

static bool read_bytes(struct pnm *p, uint8_t *row)
{
    const int64_t count = p->width * p->channels;
    const size_t wide = p->most > UINT8_MAX ? 2 : 1;
    const uint8_t *from = p->file->bytes + p->at;

    if (p->at > p->file->size || (p->file->size - p->at) / wide < (size_t)count)
        return false;
    for (int64_t k = 0; k < count; k++)
        row[k] = scaled(p, wide == 1 ? from[k] : from[2 * k] << 8 | from[2 * k + 1]);
    p->at += wide * (size_t)count;
    return true;
}

static bool read_text(struct pnm *p, uint8_t *row)
{
    for (int64_t k = 0; k < p->width * p->channels; k++) {
        int64_t v;

        if (p->bits) { /* digits need no blanks between them */
            skip_blanks(p);
            v = peek(p) - '0';
            p->at++;
            if (v != 0 && v != 1)
                return false;
            row[k] = v ? 0 : 255;
            continue;
        }
        v = number(p, p->most);
        if (v < 0)
            return false;
        row[k] = scaled(p, v);
    }
    return true;
}

static bool read_picture(const struct image_file *f, const struct image_size *size, bool *grey, uint8_t *to,
                         struct report *r)
{
    struct pnm p;

    if (!read_header(&p, f, r))
        return false;
    *grey = size->grey;
    if (p.text)
        p.at--;
    for (int64_t y = 0; y < size->height; y++) {
        uint8_t *row = to + y * p.width * p.channels;

        if (!budget_in_time_at(f->budget, y, f->name, r))
            return false;
        if (!(p.text ? read_text(&p, row) : p.bits ? read_bits(&p, row) : read_bytes(&p, row)))
            return fail(r, KILN_BAD_DATA, f->name, "row %lld cannot be read: it has too few values, or wrong ones",
                        (long long)y);
    }
    return true;
}

const struct image_kind image_pnm = { "PNM", NULL, is, look, read_picture };
