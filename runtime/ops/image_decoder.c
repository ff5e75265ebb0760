/* ImageDecoder, https://onnx.ai/onnx/operators/onnx__ImageDecoder.html
 *
 * The pixels of a picture, [height, width, channels]: as the reference's, which are Pillow's, but that there are as many
 * channels as pixel_format has, whatever the file has, and alpha is left out. What cannot be decoded is an error, where the
 * standard allows an empty image: nobody is to go on with nothing. */
#include "image/image.h"
#include "ops/rank.h"
#include <string.h>

struct image_decoder {
    enum { RGB, BGR, GREY } format;
};

static bool parse(struct parse *p, void *attrs)
{
    static const char *const formats[] = { "RGB", "BGR", "Grayscale", NULL };
    struct image_decoder *a = attrs;

    a->format = attr_choice(p, "pixel_format", formats, RGB);
    return true;
}

static int rank(const struct node *n, int k)
{
    (void)n;
    (void)k;
    return 3;
}

static bool infer(struct infer *i)
{
    const struct image_decoder *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);

    if (x->rank != 1)
        return infer_error(i, "'encoded_stream' has %d dimensions, must have 1", x->rank);
    return set_out(i, 0, U8, 3, (const int64_t[]){ UNKNOWN, UNKNOWN, a->format == GREY ? 1 : 3 });
}

static bool told(struct step *s, const struct report *r)
{
    if (r->error.code == KILN_BAD_DATA)
        return step_error(s, "the picture %s", r->error.message);
    return fail(s->report, r->error.code, r->error.where, "%s", r->error.message);
}

static void turn(uint8_t *at, int64_t pixels)
{
    for (int64_t k = 0; k < pixels; k++) {
        const uint8_t red = at[3 * k];

        at[3 * k] = at[3 * k + 2];
        at[3 * k + 2] = red;
    }
}

static bool run(struct step *s)
{
    const struct image_decoder *a = s->attrs;
    const int channels = a->format == GREY ? 1 : 3;
    const struct tensor *x = s->in[0];
    char where[WHERE_TEXT];
    const struct image_file f = { node_where(s->node, where), x->data, (size_t)tensor_bytes(x), s->heap->budget,
                                  IMAGE_ONNX };
    struct report r = { 0 };
    struct image_size size;
    uint8_t *pixels;
    bool ok;

    if (!image_look(&size, &f, &r) || !(pixels = image_read(&f, &size, channels, &r)))
        return told(s, &r);
    ok = step_alloc(s, 0, U8, 3, (const int64_t[]){ size.height, size.width, channels });
    if (ok && s->out[0]) {
        memcpy(s->out[0]->data, pixels, (size_t)tensor_bytes(s->out[0]));
        if (a->format == BGR)
            turn(s->out[0]->data, size.height * size.width);
    }
    budget_free(f.budget, pixels);
    return ok;
}

/* -- test -- */

/* 2 x 1 pixels: a PPM, a PGM in text, and a BMP of 24 bits. */
#define PPM "u8[17]{80,54,10,50,32,49,10,50,53,53,10,255,0,0,10,20,30}"
#define PGM "u8[17]{80,50,35,120,10,50,32,49,32,49,53,32,49,53,32,55,10}"
#define BMP                                                                                                            \
    "u8[62]{66,77,62,0,0,0,0,0,0,0,54,0,0,0,40,0,0,0,2,0,0,0,1,0,0,0,1,0,24,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"  \
    "0,"                                                                                                               \
    "0,0,0,0,1,2,3,4,5,6,0,0}"

static const struct op_case cases[] = {
    { PPM, "", "u8[1,2,3]", 0 },
    { PPM, "pixel_format='BGR'", "u8[1,2,3]", 0 },
    { BMP, "pixel_format='Grayscale'", "u8[1,2,1]", 0 },
    { PGM, "pixel_format='RGB'", "u8[1,2,3]", 0 },
    { 0 },
};

const struct op op_image_decoder = {
    .name = "ImageDecoder",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 20,
                                       .signature = "T1 encoded_stream -> T2 image",
                                       .types = "T1: u8; T2: u8",
                                       .attrs_size = sizeof(struct image_decoder),
                                       .parse = parse,
                                       .rank = rank,
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "a file is no number",
                                       .cases = cases },
                                     { 0 } },
};
