/* A column of pictures, as the model wants them: its size, grey or colour, channels first or last. */
#ifndef KILN_DATA_FORMATS_PICTURES_H
#define KILN_DATA_FORMATS_PICTURES_H

#include "data/format.h"
#include "data/image.h"

struct pictures {
    struct column *column;
    const struct type_check *check; /* of the input; NULL */
    struct budget *budget;
    struct report *report;
    const char *where; /* they are, for messages */
    size_t count;
    int64_t height, width; /* wanted; 0: those of the first */
    int channels;          /* 1 or 3; 0: as the first */
    int64_t flat;          /* values of a sample that is one row; 0 */
    bool channels_first, no_channel, fixed;
};

/* With what goes before channels filled in. `wanted` is the type of the model's input; NULL: as the first picture is. */
bool pictures_start(struct pictures *g, const struct tensor *wanted);
/* Cuts ",size=HEIGHTxWIDTH" off the path: what the model leaves open. */
bool pictures_size(struct pictures *g, char *path);
/* Decodes picture `at`; at the first one room is made for all. They come in order: bytes as long as none is resized, float
 * from then on. */
bool pictures_put(struct pictures *g, const struct image_file *f, size_t at);

#endif
