/* External data: tensors whose bytes lie in files beside the model (https://onnx.ai/onnx/repo-docs/ExternalData.html).
 *
 * A location never leaves the model's directory: absolute paths, "..", backslashes and anything but regular files are
 * refused, as are keys that stand twice. Keys other than location, offset, length and checksum, such as onnxruntime's
 * prepacked weights, are left out, and that is told once for a model; `basepath`, which onnx's tools write and ignore,
 * is not worth a word.
 *
 * How many bytes there are, type and shape say. A length only repeats it: without one, or with one of 0, as older
 * writers left it, the file may go on behind the data; any other number is a mistake.
 *
 * Symbolic links are followed, as caches of models are made of them, where they lead to a file below the model's
 * directory; or, where the model itself is a link, below the directory of the file that was read for it. Whoever wrote
 * the model could have put its data there as well. Anything else would let a model that somebody else made read the
 * user's files, unless the user names the directory that links may lead to, too. Which file is opened and which is judged cannot differ (model/way.h).
 *
 * A file of several hard links is refused: one of its names may lie anywhere, and nothing tells. That a link leads to
 * it changes nothing, or a link beside such a file would be the way around this. */
#ifndef KILN_MODEL_EXTERNAL_H
#define KILN_MODEL_EXTERNAL_H

#include "base/memory.h"
#include "onnx.pb-c.h"
#include <sys/stat.h>

/* Zero-initialise for a model that has no directory. */
struct external {
    bool open;
    int directory;                    /* that of the model's path */
    int target;                       /* that of the file itself, where that path is one of a link; else -1 */
    int cache;                        /* where links may lead, too; else -1 */
    bool told;                        /* of a key that is left out */
    struct external_checked *checked; /* files whose checksums held, so that none is read twice for it */
    struct budget *budget;
};

/* `read` is the file that was read for the model; NULL where there is none. `cache` is a directory that links may lead
 * to, or NULL. */
bool external_open(struct external *e, const char *model_path, const struct stat *read, const char *cache,
                   struct budget *b, struct report *r);
bool external_copy(struct external *e, const struct external *from, struct budget *b, struct report *r);
void external_close(struct external *e);

static inline bool external_is(const Onnx__TensorProto *t)
{
    return t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

/* Each tensor of a model of which external_is, wherever it stands. False as soon as `visit` says so. */
typedef bool external_visit(void *user, Onnx__TensorProto *t);
bool external_each(const Onnx__ModelProto *m, external_visit *visit, void *user);

/* Is there a file that can be opened, and may be? */
bool external_finds(struct external *e, const Onnx__TensorProto *t);

/* The bytes of a tensor of which external_is; NULL on failure, freed with budget_free. `size` is what its type and
 * shape ask for. `where` is the place for messages. */
void *external_load(struct external *e, const Onnx__TensorProto *t, int64_t size, const char *where, struct budget *b,
                    struct report *r);

#endif
