/* Values in files: NumPy's .npy, and ONNX' messages TensorProto, SequenceProto, OptionalProto and MapProto, as in
 * the data sets of its backend tests (https://github.com/onnx/onnx/blob/main/docs/OnnxBackendTest.md). */
#ifndef KILN_DATA_VALUE_FILE_H
#define KILN_DATA_VALUE_FILE_H

#include "tensor/heap.h"

/* By the name: .npy, or else a message of that kind. The value is the heap's. */
bool value_load(struct tensor *out, const char *path, enum kind kind, struct heap *heap, struct report *r);

/* By the name: .pb is a TensorProto, all else .npy, which has no bfloat16, strings, or types of 8 bits and less but integers.
 * Whole or not at all. */
bool tensor_save(const struct tensor *t, const char *path, struct budget *b, struct report *r);

#endif
