#include "data/formats/images.h"
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Those of Debian are what the name says; another folder may hold MNIST itself. */
static bool name_classes(struct dataset *d)
{
    static const char *const names[] = { "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                         "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot" };

    d->y->class_names = names;
    d->y->classes = sizeof names / sizeof *names;
    return true;
}

static bool open(struct dataset *d, const struct format_request *q, struct report *r)
{
    const char *directory = q->where ? q->where : "/usr/share/datasets/fashion-mnist";
    const char *part = q->part == PART_TEST ? "t10k" : "train";
    char images[PATH_MAX], labels[PATH_MAX];

    for (int gz = 1; gz >= 0; gz--) {
        const char *end = gz ? ".gz" : "";

        if (snprintf(images, sizeof images, "%s/%s-images-idx3-ubyte%s", directory, part, end) >= PATH_MAX ||
            snprintf(labels, sizeof labels, "%s/%s-labels-idx1-ubyte%s", directory, part, end) >= PATH_MAX)
            return fail(r, KILN_BAD_ARGUMENT, NULL, "the name of the directory is longer than %d", PATH_MAX);
        if (access(images, F_OK) == 0)
            return images_open(d, images, labels, q, r) && (q->where || name_classes(d));
    }
    return fail(r, KILN_IO, images, "is not there, nor with .gz%s",
                q->where ? "" : "; on Debian it comes with the package dataset-fashion-mnist");
}

const struct format_def format_fashion_mnist = {
    .row = { "fashion-mnist", "its four IDX files; without DIR, those of Debian", NULL },
    .where = "DIR",
    .where_left_out = true,
    .classes = 10,
    .parts = true,
    .open = open,
};
