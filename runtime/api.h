/* What stands behind the public types, and how a public function ends. */
#ifndef KILN_API_H
#define KILN_API_H

#include "run/session.h"
#include "tensor/heap.h"

struct model;

/* A getter's result is the session's own struct tensor: this must hold nothing else. */
struct kiln_tensor {
    struct tensor tensor;
};

/* The model behind a public one, which is nothing else: for trainers. */
const struct model *api_model(const kiln_model *model);

/* Hands the report to the caller; the status. An error that nobody told of is one all the same. */
kiln_status api_end(const struct report *r, bool ok, kiln_error *err);
/* The same for an argument that is wrong, told by a message. */
kiln_status api_refuse(kiln_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
