#include "shapes.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SHAPE = 0x1100 };

/* "1x3x224x224", or with commas; nothing is a scalar. -1 where it is none of these. */
static int read_dims(const char *s, int64_t dims[KILN_MAX_RANK])
{
    int rank = 0;

    while (*s) {
        char *end;

        errno = 0;
        if (rank == KILN_MAX_RANK || *s < '0' || *s > '9')
            return -1;
        dims[rank++] = strtoll(s, &end, 10);
        if (errno || (*end && ((*end != 'x' && *end != ',') || !end[1])))
            return -1;
        s = *end ? end + 1 : end;
    }
    return rank;
}

/* A name may have a '=' in it, dimensions have none. */
static void read_shape(struct shapes *s, char *arg, struct argp_state *state)
{
    char *equals = strrchr(arg, '=');
    kiln_shape *shape = &s->of[s->count];

    if (s->count == MAX_SHAPES)
        argp_error(state, "at most %d shapes can be given", MAX_SHAPES);
    shape->rank = equals ? read_dims(equals + 1, s->dims[s->count]) : -1;
    if (shape->rank < 0)
        argp_error(state, "--shape '%s' must be NAME=DIMENSIONS, as in 'image=1x3x224x224'", arg);
    if (!equals || shape->rank < 0)
        return; /* argp_error returns where the program asked for it */
    *equals = 0;
    shape->input = arg;
    shape->dims = s->dims[s->count++];
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case KEY_SHAPE:
        read_shape(state->input, arg, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "shape", KEY_SHAPE, "NAME=SHAPE", 0,
      "the shape of an input, such as 1x3x224x224, where the model leaves it open; a symbol becomes the same number "
      "everywhere",
      0 },
    { 0 },
};

static const struct argp shapes_argp = { .options = options, .parser = parse_option };

const struct argp_child shaped_options[] = { { &limits_argp, 0, "Limits:", 9 }, { &shapes_argp, 0, NULL, 0 }, { 0 } };

bool shapes_set(const struct shapes *shapes, struct command *c, kiln_model **m)
{
    kiln_edit_options o = KILN_EDIT_OPTIONS_INIT;
    kiln_model *shaped;

    if (!shapes->count)
        return true;
    o.shape_count = shapes->count;
    o.shapes = shapes->of;
    if (kiln_model_edit(&shaped, *m, &o, &c->err) != KILN_OK)
        return false;
    kiln_model_free(*m);
    *m = shaped;
    return true;
}
