/* A model: the file's messages, which are the truth and are saved again, and the graph derived from them, which is run.
 * Read-only once made; shared by sessions. */
#ifndef KILN_MODEL_MODEL_H
#define KILN_MODEL_MODEL_H

#include "graph/graph.h"
#include "model/external.h"
#include "model/proto.h"
#include "model/scan.h"
#include "model/text.h"
#include "onnx.pb-c.h"

struct model {
    struct budget budget;
    struct arena arena;
    Onnx__ModelProto *proto;
    struct graph *graph;           /* NULL until model_build succeeds */
    const struct value **defaults; /* inputs that need not be given: initializers too, or read by nobody */
    size_t default_count;
    struct external external;
    struct external_file *external_files; /* that it was read from, or a model that it was made of */
    char *path;                           /* NULL: not from a file */
};

struct model_options {
    struct scan_limits limits;
    size_t memory;        /* bytes that the model may take in all; 0 is no limit */
    double seconds;       /* that reading it, and building it, may take; 0 is no limit */
    struct budget *total; /* that its memory is charged to, too; may be NULL */
    const char *cache;    /* a directory that links of external data may lead to, too; may be NULL */
};

/* The limits of memory and time of a model that is there, for another one. */
static inline struct model_options model_limits(const struct model *m)
{
    return (struct model_options){ .memory = m->budget.limit, .seconds = m->budget.seconds, .total = m->budget.total };
}

/* Reads the messages, text or binary; checks nothing but the wire format. Follow with model_build. NULL with errors in
 * the report. */
struct model *model_read(const char *path, const struct model_options *o, struct report *r);
/* From memory: there is no directory, so external data is refused. */
struct model *model_read_bytes(const void *bytes, size_t size, const struct model_options *o, struct report *r);
/* Another model of the same messages, to be changed; not built. What is sparse is dense in it: who changes weights meets
 * one form of them. */
struct model *model_copy(const struct model *m, struct report *r);
/* One whose memory is charged to `total` (which may be NULL), in place of what m's is charged to. */
struct model *model_copy_within(const struct model *m, struct budget *total, struct report *r);
/* The same messages, to be written: sparse is what was. */
struct model *model_copy_as_is(const struct model *m, struct report *r);
void model_free(struct model *m);

/* Verifies the messages and makes the graph. All errors are collected: every unsupported operator is told. */
bool model_build(struct model *m, struct report *r);

/* Does the name end in .onnxtxt? Such a file is read and written in the textual syntax. */
bool path_is_text(const char *path);
/* Packs and writes. External data stays where it is, unless it would not be found from there, as in another directory,
 * or the target is text: then the bytes are written into the file. A model may be saved over its own file, but never
 * over its external data. */
bool model_save(const struct model *m, const char *path, struct report *r);
/* The same as text or not, whatever the name. */
bool model_save_as(const struct model *m, const char *path, bool text, struct report *r);
/* The same to anywhere: external data becomes part of it. `o` is for text, and may be NULL. */
bool model_put(const struct model *m, bool text, const struct text_options *o, put_bytes *put, void *to,
               struct report *r);

/* -- external_files.c -- */

/* Finds the files of the external data of a model that has been read from a file. */
bool external_files_note(struct model *m, struct report *r);
bool external_files_copy(struct model *m, const struct model *from, struct report *r);
/* False, with an error, where `path` leads to one of them. For programs that use the library: a model is saved without
 * the registry of files.h there. */
bool external_files_spare(const struct model *m, const char *path, struct report *r);

/* Would a model at `path` find them as well? If in doubt, no. */
bool external_files_stay(const struct model *m, const char *path);

/* -- tensors as messages -- */

/* Checks a message and makes a tensor that points into it where it can, else into the arena. */
bool tensor_of_proto(struct tensor *out, const Onnx__TensorProto *t, struct external *external, struct arena *arena,
                     const char *where, struct report *r);
/* The same of a sparse tensor, as a dense one. */
bool tensor_of_sparse(struct tensor *out, const Onnx__SparseTensorProto *t, struct external *external,
                      struct arena *arena, const char *where, struct report *r);
/* Sparse initializers, and the sparse values of Constants, become dense ones. */
bool model_make_dense(struct model *m, struct report *r);
/* Fills an empty message; data as raw_data (strings as string_data). */
bool tensor_to_proto(Onnx__TensorProto *out, const char *name, const struct tensor *t, struct budget *b,
                     struct report *r);
/* The dimensions, which are known; NULL where memory ran out. */
Onnx__TensorShapeProto *shape_to_proto(const struct tensor *t, struct budget *b, struct report *r);
/* The declaration of a value of that name and type, whose dimensions are known; NULL where memory ran out. */
Onnx__ValueInfoProto *value_info_of(const char *name, const struct tensor *t, struct budget *b, struct report *r);
/* Type and shape that a message declares; dimensions that are symbols or absent are UNKNOWN. */
bool type_of_proto(struct tensor *out, const Onnx__TypeProto *t, const char *where, struct report *r);
/* The symbol of a dimension, which is one number wherever it stands; NULL where it has none. */
const char *symbol_of_proto(const Onnx__TensorShapeProto__Dimension *d);

#endif
