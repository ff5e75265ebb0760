/* Event files as TensorBoard reads them: records with checksums, in each a message of proto/tensorboard.proto. */
#ifndef KILN_TOOLS_EVENTS_H
#define KILN_TOOLS_EVENTS_H

#include "tensorboard.pb-c.h"
#include "tools.h"

/* A file that is open. Events are kept until they are flushed; what is wrong is told then. */
struct events {
    struct command *command;
    const char *path;
    FILE *file;          /* NULL: it is not open, events go nowhere */
    struct page pending; /* whole records */
    int64_t written;     /* bytes, of whole records */
};

enum { BUCKETS = 30 };

/* How often values lie between left and right, as Keras' TensorBoard callback counts them. */
struct histogram {
    double row[BUCKETS][3]; /* left, right, count */
};

/* What an event is called; the name is anybody's. */
struct tag {
    const char *before, *name, *after;
};

/* The name of a new file in a directory, which is claimed; NULL with an error. It is never freed. */
const char *events_claim(const char *directory, struct command *c);
/* False with an error, as those below. */
bool events_open(struct events *e, const char *path, struct command *c);
void events_scalar(struct events *e, struct tag name, int64_t step, double value);
void events_histogram(struct events *e, struct tag name, int64_t step, const struct histogram *h);
void events_graph(struct events *e, const Board__GraphDef *graph);
/* Writes what there is. Where that cannot be, the file keeps what it had: whole records. */
bool events_flush(struct events *e);
bool events_close(struct events *e);

/* Equal widths from the least to the greatest; values that are not finite are left out. */
void histogram_of(struct histogram *h, const kiln_tensor *t);

#endif
