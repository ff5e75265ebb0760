/* The body of an inference request, and of its answer (https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol,
 * with the binary tensor data extension, and Triton's classification). */
#ifndef KILN_SERVE_INFER_H
#define KILN_SERVE_INFER_H

#include "serve/model.h"
#include "serve/reading.h"

/* A body as it came. */
struct body {
    const char *bytes;
    size_t length, json; /* bytes in all, of its JSON */
};

/* Makes a job of it; NULL where there is no memory. A job that cannot be run has its error, and a code that is not 0. */
struct job *infer_read(struct served *m, const struct body *body, struct account *account);
/* The answer to a job with code 200; *json is how many bytes of it are JSON, where others follow, else 0. */
void infer_write(const struct job *job, struct page *to, size_t *json);

#endif
