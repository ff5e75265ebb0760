/* A column of pictures, as the model wants them: its size, grey or colour, channels first or last. */
#ifndef KILN_DATA_FORMATS_PICTURES_H
#define KILN_DATA_FORMATS_PICTURES_H

#include "data/format.h"
#include "image/image.h"

struct pictures {
    const struct type_check *check; /* of the input, while they are looked at; NULL */
    const char *where;              /* they are, for messages */
    int64_t count;
    int64_t height, width; /* wanted; 0: those of the first */
    int channels;          /* 1 or 3; 0: as the first */
    int64_t flat;          /* values of a sample that is one row; 0 */
    bool channels_first, no_channel;
    bool begun, fixed;  /* the first was looked at; somebody has said how large they are */
    bool resized;       /* one has another size: they are floats */
    struct tensor type; /* of the column, when all were looked at */
};

/* With what goes before channels filled in. `wanted` is the type of the model's input; NULL: as the first picture is. */
bool pictures_start(struct pictures *g, const struct tensor *wanted, struct report *r);
/* Cuts ",size=HEIGHTxWIDTH" off the path: what the model leaves open. */
bool pictures_size(struct pictures *g, char *path, struct report *r);
/* Looks how large one is, of `count`: bytes as long as none is to be resized, else float. */
bool pictures_look(struct pictures *g, const struct image_file *f, struct report *r);
/* Is the type settled, whatever others there are? */
static inline bool pictures_settled(const struct pictures *g)
{
    return g->resized && g->fixed;
}
/* Decodes one to where it goes: a row of the column. */
bool pictures_read(const struct pictures *g, const struct image_file *f, void *to, struct report *r);

#endif
