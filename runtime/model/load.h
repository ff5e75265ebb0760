/* A model's file to messages. The bytes of big weights go from the file straight to where they stay, so that they are
 * never in memory twice: what is unpacked is the file without them. */
#ifndef KILN_MODEL_LOAD_H
#define KILN_MODEL_LOAD_H

#include "model/scan.h"
#include <sys/stat.h>

/* Binary, or the textual syntax: by its name or by its first character. `limits` may be NULL. NULL on failure. *file, which may be
 * NULL, is the one that was read. */
Onnx__ModelProto *load_model(const char *path, const struct scan_limits *limits, struct stat *file, struct budget *b,
                             struct report *r);

#endif
