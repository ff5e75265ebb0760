/* Kiln: load an ONNX model, run it, train it, write it back.
 *
 *   kiln_model    a graph and its weights; read-only and shared once opened
 *   kiln_session  a model made ready to run: buffers, plans, threads
 *   kiln_trainer  a model made ready to learn: a session with a loss, an optimiser and the state that changes
 *   kiln_tensor   a value that goes in or comes out
 *
 * Conventions. A function that makes something has it as its first, out parameter and returns a status, 0 or negative; on failure *out is
 * NULL and nothing is consumed. `err` may be NULL. kiln_x_free(NULL) does nothing. A pointer returned by a getter belongs to the object it
 * was asked of and lives as long, unless its comment says less. Options are structs, started with their _INIT. A NULL options pointer
 * means the defaults.
 *
 * Threads. A model may be used by any number of threads at once. A session or a trainer belongs to one thread at a time. Different
 * objects never share anything that changes.
 *
 * The library never prints, exits, aborts, or reads the environment. Sizes are in elements unless the name says bytes; shapes are row-major.
 * Operators: https://onnx.ai/onnx/operators/. */
#ifndef KILN_H
#define KILN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define KILN_API
#else
#define KILN_API __attribute__((visibility("default")))
#endif

#define KILN_VERSION_MAJOR 0
#define KILN_VERSION_MINOR 1
#define KILN_VERSION_PATCH 0

/* -- status ---------------------------------------------------------------------------------------------------------- */

/* name, number, what it means in a few words; the command exits with the number's absolute value */
#define KILN_STATUSES(X)                                                                                               \
    X(KILN_OK, 0, "ok")                                                                                                \
    X(KILN_BAD_ARGUMENT, -2, "an argument is wrong")                                                                   \
    X(KILN_BAD_MODEL, -3, "the model is not valid")                                                                    \
    X(KILN_UNSUPPORTED, -4, "valid, but not supported")                                                                \
    X(KILN_BAD_DATA, -5, "an input or a data set is not valid")                                                        \
    X(KILN_LIMIT, -6, "a limit would be passed")                                                                       \
    X(KILN_IO, -7, "reading or writing failed")                                                                        \
    X(KILN_NO_MEMORY, -8, "out of memory")                                                                             \
    X(KILN_RUN_FAILED, -9, "a value met while running is not valid")                                                   \
    X(KILN_STOPPED, -10, "stopped by a callback")                                                                      \
    X(KILN_MISMATCH, -11, "results differ from what was expected")

typedef enum kiln_status {
#define KILN_STATUS_ENTRY(name, number, text) name = number,
    KILN_STATUSES(KILN_STATUS_ENTRY)
#undef KILN_STATUS_ENTRY
} kiln_status;

/* The few words of the list above; never NULL. */
KILN_API const char *kiln_status_text(kiln_status status);
/* "0.1.0" */
KILN_API const char *kiln_version(void);

/* The first error of a call. Belongs to the caller; every call that takes one clears it first. */
typedef struct kiln_error {
    kiln_status code;
    int count;         /* how many errors there were; all of them went to the diagnostic callback */
    char where[192];   /* the place, "main/node[12] 'conv1' Conv-11"; "" where there is none */
    char message[512]; /* one line, no newline, control characters escaped */
} kiln_error;

/* Called for every error (code < 0) and every warning (KILN_OK), on the thread that made the call, before it returns. */
typedef void (*kiln_diagnostic_fn)(void *user, kiln_status code, const char *where, const char *message);

#ifdef __cplusplus
}
#endif

#endif
