/* Writes a set in the binary form of CIFAR-10 or CIFAR-100, made from Fashion-MNIST, for those who do not have the real
 * ones. Usage: stand_in cifar10|cifar100 DIR [TRAIN TEST]: so many images (50000 10000); DIR must be there. The same
 * bytes each time.
 *
 * A garment of 28x28 lies somewhere in 32x32 and is dyed, on a ground of any colour with some noise. Of CIFAR-10 the
 * class is that of the garment and its colour any; of CIFAR-100 it is garment and colour together, of ten each. */
#include <inttypes.h>
#include <kiln.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FROM = 28, TO = 32, PLANE = TO * TO, IMAGE = 3 * PLANE };
enum { CLASSES = 10, COLORS = 10, FILES = 5, GROUND = 96, NOISE = 16 };

static const struct color {
    const char *name;
    unsigned char rgb[3];
} colors[COLORS] = {
    { "red", { 255, 30, 30 } },     { "orange", { 255, 140, 0 } },  { "yellow", { 255, 255, 40 } },
    { "lime", { 160, 255, 60 } },   { "green", { 20, 150, 50 } },   { "cyan", { 40, 240, 255 } },
    { "blue", { 40, 70, 255 } },    { "violet", { 130, 40, 220 } }, { "pink", { 255, 120, 200 } },
    { "white", { 255, 255, 255 } },
};

static int fail(const kiln_error *e)
{
    fprintf(stderr, "stand_in: %s%s%s\n", e->where, *e->where ? ": " : "", e->message);
    return EXIT_FAILURE;
}

/* SplitMix64: number `k` of what is drawn for one image. */
static uint64_t draw(uint64_t image, uint64_t k)
{
    uint64_t z = (image << 16) + k + UINT64_C(0x9e3779b97f4a7c15);

    z *= UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* One of 0 to below - 1. */
static int draw_below(uint64_t image, uint64_t k, int below)
{
    return (int)((draw(image, k) >> 32) % (uint64_t)below);
}

/* What is drawn for an image, by number. */
enum { DRAW_X, DRAW_Y, DRAW_COLOR, DRAW_LIGHT, DRAW_GARMENT, DRAW_GROUND = 7, DRAW_NOISE = 10 };

/* The garment's colour in rgb; which of the ten it is, which any but CIFAR-100 has no use for. */
static int choose_color(uint64_t image, bool named, int rgb[3])
{
    const int which = draw_below(image, DRAW_COLOR, COLORS), light = 70 + draw_below(image, DRAW_LIGHT, 31);

    for (int c = 0; c < 3; c++)
        rgb[c] = named ? colors[which].rgb[c] * light / 100 : 64 + draw_below(image, DRAW_GARMENT + (uint64_t)c, 192);
    return which;
}

/* `pixels` become the image, channel after channel; the number of the garment's colour. */
static int paint(unsigned char *pixels, const unsigned char *garment, uint64_t image, bool named)
{
    const int dx = draw_below(image, DRAW_X, TO - FROM + 1), dy = draw_below(image, DRAW_Y, TO - FROM + 1);
    int rgb[3];
    const int which = choose_color(image, named, rgb);

    for (int c = 0; c < 3; c++) {
        const int ground = draw_below(image, DRAW_GROUND + (uint64_t)c, GROUND);

        for (int p = 0; p < PLANE; p++) {
            const int x = p % TO - dx, y = p / TO - dy, k = c * PLANE + p;
            const int cloth = x >= 0 && x < FROM && y >= 0 && y < FROM ? garment[y * FROM + x] : 0;
            const int value =
                ground + (rgb[c] - ground) * cloth / 255 + draw_below(image, DRAW_NOISE + (uint64_t)k, NOISE);

            pixels[k] = (unsigned char)(value > 255 ? 255 : value);
        }
    }
    return which;
}

/* Images from `first` on as records, a label or two before each; numbers of images go on from `base`. */
static kiln_status write_records(const char *path, const kiln_dataset *data, int64_t first, int64_t count,
                                 uint64_t base, bool fine, kiln_error *err)
{
    const size_t record = (fine ? 2 : 1) + IMAGE;
    unsigned char *bytes = malloc((size_t)count * record), *at = bytes;
    kiln_status status = KILN_OK;

    if (!bytes)
        return snprintf(err->message, sizeof err->message, "out of memory"), KILN_NO_MEMORY;
    for (int64_t i = first; i < first + count && status == KILN_OK; i++, at += record) {
        kiln_tensor *x = NULL, *y = NULL;

        if ((status = kiln_dataset_sample(&x, data, false, 0, i, err)) == KILN_OK &&
            (status = kiln_dataset_sample(&y, data, true, 0, i, err)) == KILN_OK) {
            const int label = (int)*(const int64_t *)kiln_tensor_data(y);
            const int color = paint(at + record - IMAGE, kiln_tensor_data(x), base + (uint64_t)i, fine);

            at[0] = (unsigned char)label;
            if (fine)
                at[1] = (unsigned char)(label * COLORS + color);
        }
        kiln_tensor_free(x);
        kiln_tensor_free(y);
    }
    if (status == KILN_OK)
        status = kiln_file_write(NULL, path, bytes, (size_t)count * record, err);
    free(bytes);
    return status;
}

/* A line for each class. */
static kiln_status write_names(const char *path, const char *const *garments, bool fine, kiln_error *err)
{
    char text[CLASSES * COLORS * 32] = "";
    size_t used = 0;

    for (int k = 0; k < CLASSES; k++)
        for (int c = 0; c < (fine ? COLORS : 1); c++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s\n", fine ? colors[c].name : "",
                                     fine ? " " : "", garments[k]);
    return kiln_file_write(NULL, path, text, used, err);
}

static kiln_status write_set(const char *folder, bool fine, const kiln_dataset *train, const kiln_dataset *test,
                             int64_t trains, int64_t tests, kiln_error *err)
{
    const int files = fine ? 1 : FILES;
    char path[4096];
    kiln_status status = KILN_OK;

    for (int k = 0; k < files && status == KILN_OK; k++) {
        const int64_t first = trains * k / files;

        if (fine)
            snprintf(path, sizeof path, "%s/train.bin", folder);
        else
            snprintf(path, sizeof path, "%s/data_batch_%d.bin", folder, k + 1);
        status = write_records(path, train, first, trains * (k + 1) / files - first, 0, fine, err);
    }
    snprintf(path, sizeof path, "%s/%s.bin", folder, fine ? "test" : "test_batch");
    if (status == KILN_OK) /* other numbers than any image to train with has */
        status = write_records(path, test, 0, tests, UINT64_C(1) << 32, fine, err);
    snprintf(path, sizeof path, "%s/%s.txt", folder, fine ? "fine_label_names" : "batches.meta");
    return status ? status : write_names(path, kiln_dataset_target(train, 0)->class_names, fine, err);
}

int main(int argc, char **argv)
{
    const bool fine = argc > 1 && strcmp(argv[1], "cifar100") == 0;
    const int64_t trains = argc > 4 ? atoll(argv[3]) : 50000, tests = argc > 4 ? atoll(argv[4]) : 10000;
    kiln_data_options options = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *train, *test;
    kiln_error err = { 0 };

    if ((argc != 3 && argc != 5) || (!fine && strcmp(argv[1], "cifar10") != 0) || trains < FILES || tests < 1)
        return fprintf(stderr, "Usage: stand_in cifar10|cifar100 DIR [TRAIN TEST]\n"), 64;
    options.limit = trains;
    if (kiln_dataset_open(&train, "fashion-mnist:train", &options, &err))
        return fail(&err);
    options.limit = tests;
    if (kiln_dataset_open(&test, "fashion-mnist:test", &options, &err))
        return fail(&err);
    if (kiln_dataset_about(train)->count < trains || kiln_dataset_about(test)->count < tests)
        return fprintf(stderr, "stand_in: Fashion-MNIST has no %" PRId64 " and %" PRId64 " images\n", trains, tests),
               EXIT_FAILURE;
    if (write_set(argv[2], fine, train, test, trains, tests, &err))
        return fail(&err);
    kiln_dataset_free(train);
    kiln_dataset_free(test);
    return EXIT_SUCCESS;
}
