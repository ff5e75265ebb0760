/* CIFAR-10 and CIFAR-100, the "binary version" of https://www.cs.toronto.edu/~kriz/cifar.html: records of one label
 * (CIFAR-100: a coarse and a fine one), then 32 x 32 pixels of red, of green, of blue. */
#ifndef KILN_DATA_CIFAR_H
#define KILN_DATA_CIFAR_H

#include "data/rows.h"
#include "tensor/tensor.h"

/* x: uint8 [N,3,32,32]; y: int64 [N], fine labels: their types are told, without data. `classes` is 10 or 100.
 * `directory` is where the files are, or where their archive was unpacked. In the arena; NULL with an error. */
struct row_source *cifar_source(struct tensor *x, struct tensor *y, const char *directory, int classes, bool test,
                                struct arena *a, struct report *r);
/* What the (fine) classes are called, by the text file beside them, in the arena; *names is NULL where there is none. */
bool cifar_names(const char *const **names, const char *directory, int classes, struct arena *a, struct report *r);

#endif
