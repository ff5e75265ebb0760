/* Kiln: load an ONNX model, run it, train it, write it back.
 *
 *   kiln_model    a graph and its weights; read-only and shared once opened
 *   kiln_session  a model made ready to run: buffers, plans, threads
 *   kiln_dataset  samples and what is to be predicted from them
 *   kiln_trainer  a model made ready to learn: a session with a loss, an optimiser and the state that changes
 *   kiln_tensor   a value that goes in or comes out
 *   kiln_context  what several of these may share: threads, a limit of memory, a way to cancel
 *
 * Conventions. A function that makes something has it as its first, out parameter and returns a status, 0 or negative;
 * on failure *out is NULL and nothing is consumed. `err` may be NULL. kiln_x_free(NULL) does nothing. A pointer
 * returned by a getter belongs to the object it was asked of and lives as long, unless its comment says less; it is
 * NULL where there is no such thing. Options are structs, started with their _INIT, which writes down their size: a
 * program that was compiled with fewer fields runs with a later library, and one that sets fields which the library
 * does not know yet is refused. A NULL options pointer means the defaults, which are zeros. Structs that the library
 * hands out are its own, and may have more fields in a later version; those in arrays, and those of a program that have
 * no size, never will. Beside the errors that a comment names, any call may end with NO_MEMORY, with LIMIT where a
 * limit of memory or time is set, and with STOPPED where its context has been cancelled.
 *
 * Threads. A model, a data set or a context may be used by any number of threads at once. A session or a trainer belongs
 * to one thread at a time. Different objects never share anything that changes, but for what a context is for.
 *
 * Limits. What comes from a file that is not trusted may ask for any memory and any time: options have bounds for both.
 * A limit of seconds is passed when so much time has gone by and the process has computed for as long, so that one that
 * was stopped is not late. It is looked at between nodes and between the pieces that a node is cut into, and what is
 * known to need more when it is planned is refused at once. A step of training that has begun to update is finished.
 *
 * The library never prints, exits or aborts. Of the environment it reads KILN_ISA alone, for tests: the best
 * instruction set that it may use, base, avx2 or avx512. Sizes are in elements unless the name says bytes; shapes are
 * row-major. Operators: https://onnx.ai/onnx/operators/. */
#ifndef KILN_H
#define KILN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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

/* -- status -- */

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
    X(KILN_STOPPED, -10, "cancelled, or stopped by a callback")                                                        \
    X(KILN_MISMATCH, -11, "results differ from what was expected")

typedef enum kiln_status {
#define KILN_STATUS_ENTRY(name, number, text) name = number,
    KILN_STATUSES(KILN_STATUS_ENTRY)
#undef KILN_STATUS_ENTRY
} kiln_status;

/* How many bytes the character at `s` has, of which `left` bytes are there, where people may be shown it as it is; 0
 * where it is no UTF-8, or a terminal would obey it. Names in files are anybody's. */
KILN_API size_t kiln_shown(const char *s, size_t left);
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

/* Called for every error (code < 0) and every warning (KILN_OK), on the thread that made the call, before it
 * returns. */
typedef void (*kiln_diagnostic_fn)(void *user, kiln_status code, const char *where, const char *message);

/* -- contexts -- */

/* What models, sessions and trainers share that are made with it; they keep it as long as they need it. */
typedef struct kiln_context kiln_context;

typedef struct kiln_context_options {
    size_t size;   /* of the struct, from _INIT: as in all options */
    int threads;   /* that compute, the caller's among them; 0: one for each CPU that the process may use. Sessions and
                      trainers take turns where they run at the same time. Results do not depend on it */
    size_t memory; /* bytes that everything may take together, LIMIT beyond that; 0: no limit */
    bool files_apart; /* what was read is not written over, and no two outputs are one file, whichever links lead there:
                         for a program that does one piece of work, such as a command. Calls that read or write files
                         then belong to one thread at a time */
    /* Is told of the errors and warnings of work with the context, or with what was made with it, but not of arguments
     * that are refused at once; may be NULL. */
    kiln_diagnostic_fn diagnostic;
    void *user;
} kiln_context_options;

/* Errors: BAD_ARGUMENT (options), NO_MEMORY. */
KILN_API kiln_status kiln_context_new(kiln_context **out, const kiln_context_options *options, kiln_error *err);
/* What was made with it may still be used. */
KILN_API void kiln_context_free(kiln_context *context);
/* Ends what goes on with the context: each call that opens, runs, trains or scores returns STOPPED as soon as it can,
 * and so does each that begins later, until kiln_context_resume. A step of training that has begun to update is
 * finished. May be called from any thread and from a signal handler. */
KILN_API void kiln_context_cancel(kiln_context *context);
/* Calls that begin from here on are not cancelled; those that were stay so. */
KILN_API void kiln_context_resume(kiln_context *context);
/* How many threads there are, at least 1; 0 for NULL. */
KILN_API int kiln_context_threads(const kiln_context *context);
/* Bytes that everything made with it takes now, and has taken at most; *most may be NULL. */
KILN_API size_t kiln_context_memory(const kiln_context *context, size_t *most);

/* What a file will be for. */
typedef enum kiln_file_use {
    KILN_FILE_OUTPUT = 0,
    KILN_FILE_MODEL = 1, /* may be the file that the model was read from: it is in memory then */
    KILN_FILE_LOG = 2,   /* written by the caller while the work goes on; may be a pipe or a device */
    KILN_FILE_INPUT = 3  /* read by the caller */
} kiln_file_use;

/* Before hours of work: could the file be written now (or read)? With options.files_apart it is kept from what else the
 * context reads and writes from here on. Leaves nothing behind. The context may be NULL. Errors: BAD_ARGUMENT (it is
 * read, or another output), IO, NO_MEMORY. */
KILN_API kiln_status kiln_file_claim(kiln_context *context, const char *path, kiln_file_use use, kiln_error *err);
/* Opens a log, which is written while the work goes on: a file that is there is emptied. The caller closes it; on
 * failure the file is as it was. Errors: BAD_ARGUMENT (as above), IO, NO_MEMORY. */
KILN_API kiln_status kiln_file_open_log(FILE **out, kiln_context *context, const char *path, kiln_error *err);
/* Replaces a file, or makes it: whole, or not at all. Where a symbolic link leads is replaced, the link stays. The
 * context may be NULL. Errors: BAD_ARGUMENT (as above), IO, NO_MEMORY. */
KILN_API kiln_status kiln_file_write(kiln_context *context, const char *path, const void *bytes, size_t count,
                                     kiln_error *err);

/* -- tensors -- */

/* Element types, by the numbers of the standard (TensorProto.DataType). An element of less than 8 bits takes a byte of
 * its own in memory, as in NumPy with ml_dtypes: int4 and int2 as an int8, uint4 and uint2 as a uint8, float4 and
 * float6 by their bits, the others 0. They are packed in files alone. Constant, Identity, Cast and what only moves
 * elements take the types after bfloat16; nothing computes with them. */
typedef enum kiln_dtype {
    KILN_UNDEFINED = 0,
    KILN_FLOAT = 1,
    KILN_UINT8 = 2,
    KILN_INT8 = 3,
    KILN_UINT16 = 4,
    KILN_INT16 = 5,
    KILN_INT32 = 6,
    KILN_INT64 = 7,
    KILN_STRING = 8,
    KILN_BOOL = 9, /* one byte, 0 or 1 */
    KILN_FLOAT16 = 10,
    KILN_DOUBLE = 11,
    KILN_UINT32 = 12,
    KILN_UINT64 = 13,
    KILN_COMPLEX64 = 14, /* real and imaginary part, in turn */
    KILN_COMPLEX128 = 15,
    KILN_BFLOAT16 = 16,
    KILN_FLOAT8E4M3FN = 17,
    KILN_FLOAT8E4M3FNUZ = 18,
    KILN_FLOAT8E5M2 = 19,
    KILN_FLOAT8E5M2FNUZ = 20,
    KILN_UINT4 = 21,
    KILN_INT4 = 22,
    KILN_FLOAT4E2M1 = 23,
    KILN_FLOAT8E8M0 = 24,
    KILN_UINT2 = 25,
    KILN_INT2 = 26,
    KILN_FLOAT6E2M3 = 27,
    KILN_FLOAT6E3M2 = 28
} kiln_dtype;

typedef enum kiln_kind {
    KILN_TENSOR = 0,
    KILN_SEQUENCE = 1, /* of values of one type */
    KILN_OPTIONAL = 2, /* a value, or nothing */
    KILN_SPARSE = 3,   /* a type alone: no operator takes or makes one yet */
    KILN_MAP = 4       /* from int64 or strings to elements of a tensor: a vector of keys, and one of their values */
} kiln_kind;

/* What a sequence, an optional or a map holds. */
typedef struct kiln_element {
    kiln_kind kind;
    kiln_dtype key; /* of a map: the type of its keys */
} kiln_element;

enum { KILN_MAX_RANK = 16, KILN_MAX_NESTING = 4, KILN_ANY = -1 /* a dimension or a rank that the model leaves open */ };

/* A value. Those that a function makes belong to the caller; those that a getter returns do not, and must not be freed.
 * May be read by any number of threads at once. */
typedef struct kiln_tensor kiln_tensor;

/* A tensor of `rank` dimensions with a copy of `data`, which holds all elements in row-major order; NULL makes zeros
 * (empty strings). `dims` may be NULL where rank is 0: a scalar. The data of strings are `const char *`, each ended by
 * NUL. Errors: BAD_ARGUMENT (dtype, rank, a negative dimension, more bytes than can be counted), NO_MEMORY. */
KILN_API kiln_status kiln_tensor_new(kiln_tensor **out, kiln_dtype dtype, int rank, const int64_t *dims,
                                     const void *data, kiln_error *err);
/* Strings of any bytes, NUL as well: element k is a copy of the lengths[k] bytes at strings[k]. Errors: as above. */
KILN_API kiln_status kiln_tensor_new_strings(kiln_tensor **out, int rank, const int64_t *dims,
                                             const char *const *strings, const size_t *lengths, kiln_error *err);
/* A tensor around the caller's own memory, without a copy: `bytes` must be what dtype and shape ask for. The memory
 * must be aligned to its elements, and stay until the tensor is freed; it may be written to between runs. No strings.
 * Errors: BAD_ARGUMENT, NO_MEMORY. */
KILN_API kiln_status kiln_tensor_wrap(kiln_tensor **out, kiln_dtype dtype, int rank, const int64_t *dims, void *data,
                                      size_t bytes, kiln_error *err);
/* A sequence of copies of `count` values, all of one type: tensors of `dtype`, or what holds such. There may be none, and
 * `dtype` UNDEFINED then: what the input is declared to hold. Errors: BAD_ARGUMENT, NO_MEMORY. */
KILN_API kiln_status kiln_tensor_new_sequence(kiln_tensor **out, kiln_dtype dtype, size_t count,
                                              const kiln_tensor *const *items, kiln_error *err);
/* An optional with a copy of `value`, a tensor of `dtype` or what holds such; or with nothing where that is NULL, `dtype`
 * then being as above. Errors: BAD_ARGUMENT, NO_MEMORY. */
KILN_API kiln_status kiln_tensor_new_optional(kiln_tensor **out, kiln_dtype dtype, const kiln_tensor *value,
                                              kiln_error *err);
/* A map from keys, a vector of int64 or strings, to values, a vector of as many elements, which are both copied. Keys
 * are put in ascending order, strings byte by byte; of a key that is there several times the last value counts. Errors:
 * BAD_ARGUMENT, NO_MEMORY. */
KILN_API kiln_status kiln_tensor_new_map(kiln_tensor **out, const kiln_tensor *keys, const kiln_tensor *values,
                                         kiln_error *err);
/* Floats drawn uniformly from [0, 1), integers that are 0 or 1, false, empty strings: numbers to try a model with, the
 * same for the same seed and stream. Errors: as kiln_tensor_new, LIMIT (more than 1 GiB). */
KILN_API kiln_status kiln_tensor_new_random(kiln_tensor **out, kiln_dtype dtype, int rank, const int64_t *dims,
                                            uint64_t seed, int32_t stream, kiln_error *err);
/* Reads a file: .npy (NumPy's format, one tensor), or else a message of ONNX, a TensorProto, SequenceProto,
 * OptionalProto or MapProto as `kind` says. The context may be NULL. Errors: IO, BAD_DATA, BAD_MODEL
 * (what is no such message), UNSUPPORTED. */
KILN_API kiln_status kiln_tensor_read(kiln_tensor **out, const char *path, kiln_kind kind, kiln_context *context,
                                      kiln_error *err);
/* Writes a tensor, the file whole or not at all: as a TensorProto where the name ends in .pb, else as .npy. The context
 * may be NULL. Errors: UNSUPPORTED (what NumPy has no type for, as .npy), IO, NO_MEMORY. */
KILN_API kiln_status kiln_tensor_write(const kiln_tensor *tensor, const char *path, kiln_context *context,
                                       kiln_error *err);
/* A copy that belongs to the caller, strings and items included: for an output that is to outlive the next run. Errors:
 * NO_MEMORY. */
KILN_API kiln_status kiln_tensor_copy(kiln_tensor **out, const kiln_tensor *tensor, kiln_error *err);
/* Frees what a function above made; NULL does nothing. */
KILN_API void kiln_tensor_free(kiln_tensor *tensor);

KILN_API kiln_kind kiln_tensor_kind(const kiln_tensor *tensor);
/* Of a sequence, an optional or a map: of the tensors in it, of a map's values; UNDEFINED where there is nothing. */
KILN_API kiln_dtype kiln_tensor_dtype(const kiln_tensor *tensor);
/* The number of dimensions; KILN_ANY for what is no tensor. */
KILN_API int kiln_tensor_rank(const kiln_tensor *tensor);
/* `rank` numbers; belongs to the tensor. */
KILN_API const int64_t *kiln_tensor_dims(const kiln_tensor *tensor);
/* All elements in row-major order, 64-byte aligned but for wrapped memory; belongs to the tensor. NULL for strings
 * (kiln_tensor_string) and for what is no tensor, and it may be NULL where there are no elements. Not to be written
 * to, but for the caller's own tensors. */
KILN_API void *kiln_tensor_data(const kiln_tensor *tensor);
/* Elements; 1 for a scalar, 0 for what is no tensor. */
KILN_API int64_t kiln_tensor_count(const kiln_tensor *tensor);
/* Bytes of kiln_tensor_data; 0 where that is NULL. */
KILN_API size_t kiln_tensor_bytes(const kiln_tensor *tensor);
/* Element k as a number, whatever the type; NaN for strings and complex numbers, and where there is none. */
KILN_API double kiln_tensor_number(const kiln_tensor *tensor, int64_t k);
/* "float[2,3]", "seq(float[?])": into `to`, which has `room` bytes, ended by NUL and cut where it is longer; `to`. */
KILN_API char *kiln_tensor_text(const kiln_tensor *tensor, char *to, size_t room);
/* Element k of a string tensor: `*length` (which may be NULL) bytes, not ended by NUL. Belongs to the tensor. NULL
 * where there is none. */
KILN_API const char *kiln_tensor_string(const kiln_tensor *tensor, int64_t k, size_t *length);
/* How many values a sequence holds; an optional 1 or 0; a map 2, the vector of its keys, in ascending order, and that of
 * their values; a tensor 0. */
KILN_API int64_t kiln_tensor_item_count(const kiln_tensor *tensor);
/* Item k; belongs to what it is of. NULL where there is none. */
KILN_API const kiln_tensor *kiln_tensor_item(const kiln_tensor *tensor, int64_t k);
/* "float", "int64": the standard's name; "undefined" for anything else. Never NULL. */
KILN_API const char *kiln_dtype_name(kiln_dtype dtype);
/* Bytes of an element in memory: 1 for those of less than 8 bits; 0 for strings, and for what is no type. */
KILN_API size_t kiln_dtype_size(kiln_dtype dtype);
/* Is it a float of any size? */
KILN_API bool kiln_dtype_is_float(kiln_dtype dtype);

/* -- models -- */

/* A graph and its weights, as the file has them. Read-only; shared by any number of threads, sessions and trainers,
 * which it must outlive. */
typedef struct kiln_model kiln_model;

typedef struct kiln_load_options {
    size_t size;           /* of the struct, from _INIT */
    kiln_context *context; /* NULL: nothing is shared */
    size_t memory;         /* bytes that the model may take in all, LIMIT beyond that; 0: no limit */
    double seconds;        /* that opening may compute, LIMIT beyond that; 0: no limit */
    /* Is told of every error and warning, such as each operator that is not supported; NULL: the context's. */
    kiln_diagnostic_fn diagnostic;
    void *user;   /* for the callback */
    bool partial; /* a model that is not valid, or not supported, is opened all the same where the file can be read at
                     all: to be looked at, edited and saved. kiln_model_error tells why nothing else will do */
    const char *follow_links; /* a directory, such as a cache of models: symbolic links may lead external data to below
                                 it, too; NULL: none. Not needed afterwards */
} kiln_load_options;

/* Opens a file: binary (https://onnx.ai/onnx/repo-docs/IR.html) or in the ONNX textual syntax
 * (https://onnx.ai/onnx/repo-docs/Syntax.html). External data is read from below the directory of
 * `path` and, where that is a symbolic link, of the file that it leads to; where options->follow_links names a directory,
 * links may lead there, too; from nowhere else. Errors: IO, BAD_MODEL,
 * UNSUPPORTED (an operator, a type, an opset), LIMIT, NO_MEMORY. */
KILN_API kiln_status kiln_model_open(kiln_model **out, const char *path, const kiln_load_options *options,
                                     kiln_error *err);
/* The same from memory, which is not needed afterwards. There is no directory: external data is refused. */
KILN_API kiln_status kiln_model_open_memory(kiln_model **out, const void *bytes, size_t size,
                                            const kiln_load_options *options, kiln_error *err);
typedef enum kiln_form {
    KILN_FORM_BY_NAME = 0, /* text where the name of the file ends in .onnxtxt */
    KILN_FORM_BINARY = 1,
    KILN_FORM_TEXT = 2,
    KILN_FORM_BRIEF = 3 /* text in which big tensors are cut short: for people, it cannot be read back */
} kiln_form;

/* Writes the model to a file. Opening and saving changes nothing: fields that this version does not know are written
 * again. Text lacks annotations that its syntax has no place for (a comment at its end lists them), and has sparse
 * initializers as dense ones, as every model that Kiln has changed. The file is
 * replaced whole or not at all; it may be the model's own, but none that holds external data of the model, or of that
 * which it was made of. Errors: BAD_ARGUMENT (such a file), IO, UNSUPPORTED (text: what cannot be left out and has no
 * place), LIMIT (2 GiB), NO_MEMORY. */
KILN_API kiln_status kiln_model_save(const kiln_model *model, const char *path, kiln_form form, kiln_error *err);

/* Takes bytes, in order; false stops. */
typedef bool (*kiln_write_fn)(void *user, const void *bytes, size_t count);

/* The same to anywhere, such as memory: BY_NAME is binary. External data becomes part of it. Errors: as above but IO,
 * and STOPPED (by `write`). */
KILN_API kiln_status kiln_model_write(const kiln_model *model, kiln_form form, kiln_write_fn write, void *user,
                                      kiln_error *err);

/* The shape of an input. */
typedef struct kiln_shape {
    const char *input; /* its name */
    int rank;
    const int64_t *dims; /* [rank]; -1 leaves a dimension as the model has it */
} kiln_shape;

/* What a copy of a model is to have otherwise. */
typedef struct kiln_edit_options {
    size_t size;    /* of the struct, from _INIT */
    bool inference; /* BatchNormalization and Dropout as they are after training */
    size_t constant_count;
    const char *const *constant_names;   /* [constant_count] inputs that become constants */
    const kiln_tensor *const *constants; /* [constant_count] their values */
    size_t metadata_count;
    const char *const *metadata_keys;   /* [metadata_count] */
    const char *const *metadata_values; /* [metadata_count] in the place of what the key has; NULL takes the key away */
    /* What the model is trained with, opened for it; may be NULL. Names of classes become metadata
     * ("kiln.classes.OUTPUT": one in each line), and what kiln_dataset_normalize does becomes "kiln.normalize.INPUT",
     * which kiln_dataset_normalize_for reads. The data's take the place of the model's, also where they have none. */
    const struct kiln_dataset *data;
    /* With `data`: the normalisation becomes nodes in front of the inputs instead, as far as they are floats, and what is
     * given to the model from then on is what is in the files. */
    bool bake;
    size_t shape_count;
    /* [shape_count] What inputs are to be, as far as the model leaves it open. A symbol becomes the same number in all
     * that the model declares. */
    const kiln_shape *shapes;
    /* [initializer_count] initializers of the main graph that have another value, of the same type and shape. */
    size_t initializer_count;
    const char *const *initializer_names;
    const kiln_tensor *const *initializers;
} kiln_edit_options;

/* A copy with these changes; weights are shared with the model. Belongs to the caller. It runs where the model did, and
 * may be partial where that is. Errors: BAD_ARGUMENT (a name that is no input, or given twice), BAD_DATA (another
 * type or shape than is declared), BAD_MODEL (it would not be valid any more), LIMIT, NO_MEMORY. */
KILN_API kiln_status kiln_model_edit(kiln_model **out, const kiln_model *model, const kiln_edit_options *options,
                                     kiln_error *err);
/* A copy whose parameters without a value (graph inputs that the metadata name as "init.NAME", or that are read as
 * weights) are drawn by Keras' rules (https://keras.io/api/layers/initializers/); with `again`, those that have one
 * too, by the initialization of the file's training_info where it has one. *count, which may be NULL, is how many there were. Belongs to the caller. Errors: BAD_MODEL (an unknown rule),
 * UNSUPPORTED (a type other than float), NO_MEMORY. */
KILN_API kiln_status kiln_model_initialize(kiln_model **out, const kiln_model *model, uint64_t seed, bool again,
                                           size_t *count, kiln_error *err);
KILN_API void kiln_model_free(kiln_model *model);

/* What a model declares of an input or an output. Pointers belong to the model. */
typedef struct kiln_value_info {
    const char *name;
    kiln_kind kind;
    kiln_dtype key; /* of a map: the type of its keys */
    /* What it holds, from the outside in, where it is a sequence, an optional or a map: TENSOR or SPARSE is the last. */
    kiln_element element[KILN_MAX_NESTING];
    kiln_dtype dtype;    /* UNDEFINED where the model does not say; of a sequence or the like: of the tensors in it */
    int rank;            /* KILN_ANY where the model does not say, and for what is no tensor */
    const int64_t *dims; /* [rank]; KILN_ANY where it may be any number */
    const char *const *dim_names; /* [rank]: the symbol of a dimension, "N", or NULL; one symbol is one number in all
                                   * inputs of a run. "None", "none", "?", "-1" and "" in the file are none, but what
                                   * converters wrote where they knew nothing. The array is NULL where there are none */
    bool optional;                /* an input that need not be given: it has a default value, or nothing reads it */
    size_t place;                 /* in the file's list of inputs, or outputs */
} kiln_value_info;

/* Inputs that must be given come first, in the order of the file, then those that need not. */
KILN_API size_t kiln_model_input_count(const kiln_model *model);
KILN_API size_t kiln_model_output_count(const kiln_model *model);
/* NULL where k is not below the count. */
KILN_API const kiln_value_info *kiln_model_input(const kiln_model *model, size_t k);
KILN_API const kiln_value_info *kiln_model_output(const kiln_model *model, size_t k);

/* What the numbers of an output are, as far as it can be told: by the loss that the metadata name ("kiln.loss.OUTPUT"),
 * by what the model ends in, and by the output's name. */
typedef struct kiln_scores {
    bool known;  /* something tells */
    bool logits; /* above 0 they say yes; else above .5 */
    bool each;   /* each says yes or no by itself (Sigmoid); else the largest is the class */
} kiln_scores;   /* will never have more fields */

/* All false where k is not below the count, or the model cannot be run. */
KILN_API kiln_scores kiln_model_scores(const kiln_model *model, size_t k);

/* What the file says of itself; texts are "" where it says nothing. */
typedef struct kiln_model_info {
    int64_t ir_version, model_version;
    const char *producer_name, *producer_version, *domain, *graph_name, *doc;
} kiln_model_info;

KILN_API const kiln_model_info *kiln_model_about(const kiln_model *model);
/* The version of an operator set that the model imports; "" is ai.onnx. 0 where it does not import it. */
KILN_API int64_t kiln_model_opset(const kiln_model *model, const char *domain);
/* The same by its place in the file; *domain is "" for ai.onnx. False where k is not below their number. */
KILN_API bool kiln_model_import(const kiln_model *model, size_t k, const char **domain, int64_t *version);
/* Key and value of the model's metadata, in the order of the file; both belong to the model. False where k is not below
 * the count. */
KILN_API size_t kiln_model_metadata_count(const kiln_model *model);
KILN_API bool kiln_model_metadata(const kiln_model *model, size_t k, const char **key, const char **value);
/* The initializers of the main graph that are tensors, in no order that means anything: name and value, which belong to the
 * model. NULL where k is not below the count, which is 0 of a partial model. */
KILN_API size_t kiln_model_initializer_count(const kiln_model *model);
KILN_API const kiln_tensor *kiln_model_initializer(const kiln_model *model, size_t k, const char **name);
/* How many graph inputs are parameters that the metadata name (init.NAME): kiln_model_initialize gives them values. */
KILN_API size_t kiln_model_missing_count(const kiln_model *model);
/* Why a partial model can neither be run nor trained, the first reason; NULL where it can. */
KILN_API const kiln_error *kiln_model_error(const kiln_model *model);

/* One of the reasons, told once for all nodes that have it. */
typedef struct kiln_problem {
    kiln_status code;            /* UNSUPPORTED: an operator, a type; BAD_MODEL */
    const char *where, *message; /* as of kiln_error, of the first */
    int times;
} kiln_problem;

KILN_API size_t kiln_model_problem_count(const kiln_model *model);
KILN_API const kiln_problem *kiln_model_problem(const kiln_model *model, size_t k);

/* -- sessions -- */

/* A model made ready to run. Programs are planned when shapes are met for the first time, and kept. Belongs to one
 * thread at a time. */
typedef struct kiln_session kiln_session;

typedef struct kiln_session_options {
    size_t size;           /* of the struct, from _INIT */
    kiln_context *context; /* NULL: nothing is shared */
    int threads;           /* as of a context; with a context, which has them, 0 */
    size_t memory;         /* bytes for plans and values, LIMIT beyond that; 0: no limit */
    uint64_t seed;  /* of operators that draw random numbers; the same seed, model and inputs give the same outputs */
    double seconds; /* that making the session, and each run, may compute, its planning included, LIMIT beyond that; 0:
                       no limit */
    bool profile;   /* as kiln_session_set_profile, from the start */
    bool exact;     /* only ways that round as a plain sum does: not Winograd's convolution (Lavin and Gray,
                       arXiv:1509.09308), which is faster, with an error up to 6 times as large. It is relative to the
                       largest of the 6x6 pixels that a tile of results is made of, some 1e-5 of it: a pixel of 1e5 among
                       numbers about 1 moves results near it that do not meet it, by up to about .7. What is not finite,
                       or makes more than 2^40, reaches what it meets and nothing else, with and without */
    const char *const *outputs; /* [output_count] the values to be computed, by name: any of the main graph, what lies
                                   between as well. What they do not need is left out; inputs that they do not need may
                                   be given all the same. NULL: the model's */
    size_t output_count;
} kiln_session_options;

/* The model must outlive the session. Errors: BAD_ARGUMENT (options, a value that there is not), LIMIT, NO_MEMORY. */
KILN_API kiln_status kiln_session_new(kiln_session **out, const kiln_model *model, const kiln_session_options *options,
                                      kiln_error *err);
/* Runs the model once: tensors[k] is the input names[k], in any order; optional inputs may be left out. Tensors
 * are only read, and not needed afterwards. Errors: BAD_ARGUMENT (a name that is no input, or given twice), BAD_DATA
 * (an input that is missing, or of another type or shape than the model declares), BAD_MODEL (shapes that do not fit
 * each other inside), RUN_FAILED (a value that is not valid: an index out of range), UNSUPPORTED, LIMIT, NO_MEMORY.
 * After an error there are no outputs; the session can be used again. */
KILN_API kiln_status kiln_session_run(kiln_session *session, size_t count, const char *const *names,
                                      const kiln_tensor *const *tensors, kiln_error *err);
/* Output k, or the output of that name, of the latest run; belongs to the session and lasts until its next run. NULL
 * where there is none. */
KILN_API const kiln_tensor *kiln_session_output(const kiln_session *session, size_t k);
KILN_API const kiln_tensor *kiln_session_output_named(const kiln_session *session, const char *name);
/* Where an output is to be written, by every run that follows: a tensor of the caller's, of its type and shape. It is
 * then kiln_session_output as well. NULL ends it. The tensor must outlive the session, or that end; between runs it may
 * be read and written. Errors: BAD_ARGUMENT (no such output, strings, a sequence), NO_MEMORY; a run whose output has
 * another type or shape fails with BAD_DATA. */
KILN_API kiln_status kiln_session_bind_output(kiln_session *session, const char *name, kiln_tensor *tensor,
                                              kiln_error *err);
KILN_API void kiln_session_free(kiln_session *session);

/* Bytes that plans, values and what running makes take now, and have taken at most; *most may be NULL. */
KILN_API size_t kiln_session_memory(const kiln_session *session, size_t *most);
/* What a run would do, as text for people: steps, places in memory, what was folded and fused. The dimension of an input
 * that has the samples, the first one or that of the same symbol, is `batch` where the model leaves it open, others are 1.
 * Errors: as a run. */
KILN_API kiln_status kiln_session_plan(kiln_session *session, int64_t batch, kiln_write_fn write, void *user,
                                       kiln_error *err);
/* From now on it is remembered how long each node takes, or not any more: what was is forgotten. Errors: NO_MEMORY. */
KILN_API kiln_status kiln_session_set_profile(kiln_session *session, bool on, kiln_error *err);
/* Writes a Chrome trace (JSON, to be opened in a browser's tracing page) of what is remembered. Errors: BAD_ARGUMENT
 * (there is no profile), STOPPED (by `write`), NO_MEMORY. */
KILN_API kiln_status kiln_session_trace(const kiln_session *session, kiln_write_fn write, void *user, kiln_error *err);

/* The sum of all calls of an operator, or of a node on one set of shapes. */
typedef struct kiln_time {
    const char *op;
    const char *node;   /* the name; NULL for an operator */
    const char *shapes; /* "[1,64,56,56] [64,64,3,3] -> [1,64,56,56]"; NULL likewise */
    uint64_t calls, nanoseconds;
    double flops, bytes; /* multiplications and additions of products, bytes of all tensors, of all calls */
} kiln_time;

/* For each sum, the longest first; valid during the call. False ends it. */
typedef bool (*kiln_time_fn)(void *user, const kiln_time *time);
/* What is remembered, by operator or by node. Errors: BAD_ARGUMENT (there is no profile), STOPPED, NO_MEMORY. */
KILN_API kiln_status kiln_session_times(const kiln_session *session, bool by_node, kiln_time_fn each, void *user,
                                        kiln_error *err);

/* What this machine can do at most, as measured now, with the context's threads (NULL: one): float operations and bytes
 * read from memory, each in a second. Takes some tenths of a second. Errors: NO_MEMORY. */
KILN_API kiln_status kiln_machine_measure(kiln_context *context, double *flops, double *bytes, kiln_error *err);
/* The instruction set that is used: "avx2". */
KILN_API const char *kiln_machine_isa(void);

/* -- data sets -- */

/* Samples and what is to be predicted from them: a column for each input of a model and for each output that is to
 * learn, as they are in the file until a batch is made of them. In memory, and read-only once it is made; or a stream,
 * which is read whenever it is needed: from a file (kiln_data_options.shuffle_buffer) or from a callback
 * (kiln_dataset_stream). */
typedef struct kiln_dataset kiln_dataset;

typedef enum kiln_part { KILN_PART_TRAIN = 0, KILN_PART_TEST = 1 } kiln_part;

/* What is asked of an output that is to learn. */
typedef struct kiln_target {
    const char *output; /* its name; NULL: the model's first */
    const char *loss;   /* as kiln_trainer_options.loss; NULL: that one */
    double weight;      /* how often its loss counts in the sum of all; 0: once */
} kiln_target;

typedef struct kiln_data_options {
    size_t size;            /* of the struct, from _INIT */
    kiln_context *context;  /* NULL: nothing is shared */
    kiln_part part;         /* where the data have parts, and `spec` names none */
    int64_t limit;          /* only the first samples; 0: all */
    bool values;            /* what is to be predicted are numbers; else they are classes */
    const char *loss;       /* that they are for, which tells whether they are: as for a trainer; may be NULL */
    const kiln_dataset *as; /* whose classes these are, too: of a set to validate with; may be NULL */
    const kiln_model
        *model;     /* that is to take the samples: columns are found by the names of its inputs and outputs, and
                                data that cannot fit are refused before they are unpacked; NULL: one column of each */
    size_t memory;  /* bytes, LIMIT beyond that; 0: no limit */
    double seconds; /* that opening may compute, LIMIT beyond that; 0: no limit */
    const kiln_target
        *targets; /* [target_count] what `loss` is for outputs of their own; the weight is not looked at */
    size_t target_count;
    bool unlabelled; /* there need not be anything to be predicted, where the format can do without (npz): for those who
                        only measure or predict; nothing can be trained with it then */
    /* Of tensors: [N] real numbers from 0 on, how much each sample's loss counts (in npz the array sample_weight); NULL:
     * all alike. */
    const kiln_tensor *weights;
    const char *label; /* of tables (csv): the column that is to be predicted, by its name in the header, or "first",
                          "last" or "none". NULL: the last one, and an error where the first looks more like it */
    bool gaps; /* NaN, infinity and missing fields are taken, for those who look at data: kiln_dataset_numbers finds
                  them */
    /* Of a file. Above 0: it is looked at in one pass and not kept in memory. Samples are read again whenever they are
     * needed, and in training drawn from a window of so many, as tf.data's shuffle(buffer_size) draws them: each of
     * those in the window is equally likely to be next, and the stream's next takes its place. As many as there are
     * samples are a full shuffle; 1 is the order of the file. Memory holds the window and a batch. The file must stay
     * as it is. UNSUPPORTED where a file cannot be read in the order of samples. 0: all samples are read into
     * memory. */
    int64_t shuffle_buffer;
    /* Of tensors: samples are not copied, only what is to be predicted. The memory of the inputs must stay as it is until
     * the data set, and all that is made of it, are freed. */
    bool borrow;
} kiln_data_options;

/* Opens what `spec` names, "FORMAT[:WHERE][:PART][[FROM:TO]]", such as "csv:FILE", "fashion-mnist:train[1000:2000]":
 * kiln_table_write lists the formats. Errors: BAD_ARGUMENT (the spec), IO, BAD_DATA, UNSUPPORTED, LIMIT, NO_MEMORY. */
KILN_API kiln_status kiln_dataset_open(kiln_dataset **out, const char *spec, const kiln_data_options *options,
                                       kiln_error *err);
/* One of copies of tensors of real numbers (but see options.borrow): `x` [N, ...], `y` [N] (classes, from 0) or, with options.values, [N, ...].
 * Fractions among the classes make numbers of all of them, as in a file: kiln_dataset_target tells.
 * Errors: BAD_ARGUMENT, BAD_DATA, LIMIT, NO_MEMORY. */
KILN_API kiln_status kiln_dataset_new(kiln_dataset **out, const kiln_tensor *x, const kiln_tensor *y,
                                      const kiln_data_options *options, kiln_error *err);

typedef struct kiln_column {
    const char *name; /* of the model's input or output; may be NULL where there is one */
    const kiln_tensor *tensor;
} kiln_column;

/* The same of several columns, for models with several inputs, or outputs that are to learn. Their names differ, and
 * are the model's, which options.model checks for inputs; a trainer checks all. Errors: as above, and BAD_DATA where an
 * input of options.model has no column. */
KILN_API kiln_status kiln_dataset_new_of(kiln_dataset **out, const kiln_column *inputs, size_t input_count,
                                         const kiln_column *targets, size_t target_count,
                                         const kiln_data_options *options, kiln_error *err);
/* Samples that a callback gives, one after the other. In training the next pass begins where one has ended; what
 * measures, or fits a normalisation, makes passes of its own. */
typedef struct kiln_stream {
    size_t size; /* of the struct, from _INIT */
    /* [input_count], [target_count]: name, type, and the shape of a sample; of a target that has classes, labels: whole
     * numbers from 0, below `classes`. Names are as in kiln_dataset_new_of. All is copied. */
    const struct kiln_column_info *inputs, *targets;
    size_t input_count, target_count;
    int64_t count;          /* samples of a pass: fewer or more are BAD_DATA; 0: as many as come, at least 1 */
    int64_t shuffle_buffer; /* as in kiln_data_options; 0: 1 */
    bool weighted;          /* samples have weights, which their losses count with */
    /* Pass number `pass` over the samples begins, from the first of them; a training that is resumed begins again the
     * pass that it was in. False where that cannot be, and *err says why, as below. May be NULL. */
    bool (*start)(void *user, int64_t pass, kiln_error *err);
    /* Writes from 1 to `most` samples, one behind the other: inputs[k] and targets[k] are where those of column k go,
     * of its type and row-major, weights where a weight of each goes, NULL where they have none. How many; 0 at the end
     * of the pass, after which it is not called before the next start; below 0 where it fails: *err, which is zero
     * before, has the message and a code, or 0 for BAD_DATA. Samples are asked for before they are needed. */
    int64_t (*next)(void *user, int64_t most, void *const *inputs, void *const *targets, float *weights,
                    kiln_error *err);
    void *user; /* of both */
} kiln_stream;

/* A data set of what a callback gives, for all that takes one. The callback is called by one thread at a time, in
 * training by one of the library's own, and in one pass at a time: a set to validate with is one of its own. When it
 * fails, what has asked for samples fails with its code and message; a training has done all steps before and has
 * written its checkpoint. Of `options` the context, the model and what says which labels do not count (loss, targets)
 * are looked at. What cannot be done with it: to get a sample by its number (kiln_dataset_sample, kiln_dataset_batch),
 * to split it where count is 0, and to adapt a network by it (kiln_adapt). Errors: BAD_ARGUMENT, BAD_DATA (columns
 * that do not fit the model), NO_MEMORY. */
KILN_API kiln_status kiln_dataset_stream(kiln_dataset **out, const kiln_stream *stream,
                                         const kiln_data_options *options, kiln_error *err);
/* As Keras' validation_split: the last part, floor(count * fraction) samples or one more, becomes *validation, the
 * others *train. Both share the samples, and belong to the caller. Errors: BAD_ARGUMENT (nothing would be left of one),
 * NO_MEMORY. */
KILN_API kiln_status kiln_dataset_split(kiln_dataset **train, kiln_dataset **validation, const kiln_dataset *data,
                                        double fraction, kiln_error *err);
/* "none", "unit", "center", "standardize"; NULL where k is not below their number. */
KILN_API const char *kiln_normalization_name(size_t k);
/* The same samples, normalised when a batch is made: "none", "unit" (x / 255), "center" (the mean of each feature taken
 * off), "standardize" (divided by the deviation, too). With ":channel" behind it the channels of an image have one mean
 * each, and with ":whole" there is one of all numbers: "standardize:whole". What that takes is fitted to `fitted`, which
 * is the training set whatever is normalised; NULL: `data` itself. Of a model with several inputs those that are no
 * floats get what is in the file. Belongs to the caller, the samples are shared. Errors: BAD_ARGUMENT (the kind), BAD_DATA (other features),
 * NO_MEMORY. */
KILN_API kiln_status kiln_dataset_normalize(kiln_dataset **out, const kiln_dataset *data, const char *kind,
                                            const kiln_dataset *fitted, kiln_error *err);
/* The same as the model was trained with, by what its metadata say (kiln_edit_options.data). Where they say nothing, and
 * for inputs that they say nothing of, samples stay as they are. Errors: BAD_MODEL (what is no normalisation), BAD_DATA
 * (other features), NO_MEMORY. */
KILN_API kiln_status kiln_dataset_normalize_for(kiln_dataset **out, const kiln_dataset *data, const kiln_model *model,
                                                kiln_error *err);
/* The same samples, which are images, changed at random whenever a batch to train with is made of them, as Keras'
 * ImageDataGenerator changes them and before they are normalised: `keys` is "rotation_range=10,horizontal_flip=1"
 * (kiln_table_write lists them). Ranges are Keras': shear is in degrees; a shift from 1 on is in pixels, and a whole
 * number n is one of 0 ... n-1 to either side; what width_shift_range draws goes along the height and that of
 * height_shift_range along the width, as in Keras 3. Where both the first and the last dimension may be channels, data_format
 * must tell. What becomes of a sample depends on the seed of kiln_fit_options, the pass over the data and the sample
 * alone. Only kiln_trainer_fit does this, and only to what is trained with: who validates, evaluates
 * or adapts sees samples as they are. Of a set that is augmented already, `keys` takes the place of what was. Belongs to
 * the caller, the samples are shared. Errors: BAD_ARGUMENT (the keys), BAD_DATA (no images, or several inputs),
 * NO_MEMORY. */
KILN_API kiln_status kiln_dataset_augment(kiln_dataset **out, const kiln_dataset *data, const char *keys,
                                          kiln_error *err);
KILN_API void kiln_dataset_free(kiln_dataset *data);

typedef struct kiln_dataset_info {
    int64_t count;          /* samples; 0: of a stream that does not tell */
    bool header;            /* the first line of the file held names, and is no sample */
    size_t inputs, targets; /* columns */
    bool weighted;          /* each sample has a weight, which its loss counts with */
    const char *label;      /* what was taken for the label, where that could be something else: "the last column,
                               'species'"; NULL */
    bool unlabelled;        /* there is nothing to be predicted: the target holds zeros */
    int64_t shuffle_buffer; /* of a stream; 0: the samples are in memory */
} kiln_dataset_info;

KILN_API const kiln_dataset_info *kiln_dataset_about(const kiln_dataset *data);

typedef struct kiln_column_info {
    const char *name;               /* NULL where it has none */
    kiln_dtype dtype;               /* of an input as in the file; of a target int64 (classes) or float */
    int rank;                       /* of a sample */
    const int64_t *dims;            /* [rank] */
    int64_t classes;                /* of a target; 0 where it holds numbers */
    const char *const *class_names; /* [classes] what labels are in the data, where they are texts or folders; NULL */
} kiln_column_info;

/* NULL where k is not below the count. */
KILN_API const kiln_column_info *kiln_dataset_input(const kiln_dataset *data, size_t k);
KILN_API const kiln_column_info *kiln_dataset_target(const kiln_dataset *data, size_t k);
/* "unit", "standardize": what is done to input k when a batch is made; NULL where nothing is. */
KILN_API const char *kiln_dataset_normalization(const kiln_dataset *data, size_t k);

/* The numbers of a column; of floats those that are finite, NaN where there are none. */
typedef struct kiln_numbers {
    double least, most, mean, deviation;
    int64_t finite, nan, infinite;
    int64_t samples;   /* that have numbers which are not finite, */
    int64_t sample[8]; /* the first of them, from 0 */
} kiln_numbers;

/* As they are in the file, of input k or, with `target`, target k; of a stream in two passes. Errors: BAD_ARGUMENT,
 * NO_MEMORY, and those of a stream. */
KILN_API kiln_status kiln_dataset_numbers(const kiln_dataset *data, bool target, size_t k, kiln_numbers *out,
                                          kiln_error *err);
/* How often each class is there in target k: `counts` has room for its classes. Errors: BAD_ARGUMENT,
 * and those of a stream. */
KILN_API kiln_status kiln_dataset_count_classes(const kiln_dataset *data, size_t k, int64_t *counts, kiln_error *err);
/* A copy of sample i of such a column, as in the file; not of a stream. Belongs to the caller. Errors: BAD_ARGUMENT,
 * NO_MEMORY. */
KILN_API kiln_status kiln_dataset_sample(kiln_tensor **out, const kiln_dataset *data, bool target, size_t k, int64_t i,
                                         kiln_error *err);
/* A batch as the model takes it, normalised; not of a stream: x[k] becomes a tensor for input k of those that must be
 * given, and belongs to the caller. `samples` are [count] numbers of samples, from 0. On failure all of x are NULL.
 * Errors: BAD_ARGUMENT, BAD_DATA (samples that do not fit the model), NO_MEMORY. */
KILN_API kiln_status kiln_dataset_batch(kiln_tensor **x, const kiln_dataset *data, const kiln_model *model,
                                        const int64_t *samples, int64_t count, kiln_error *err);
/* All samples in their order, from the first on, `batch` at a time as the model takes them, normalised; of a stream,
 * too. `each` is called for samples [first, first + count): x[k], for input k of those that must be given, is valid
 * during the call and has `count` of them, or with `whole` always `batch`, of which the last is there again and again
 * where there are no more. False ends it with STOPPED. Errors: BAD_ARGUMENT, BAD_DATA (samples that do not fit the
 * model), NO_MEMORY, those of a stream. */
KILN_API kiln_status kiln_dataset_each(const kiln_dataset *data, const kiln_model *model, int64_t batch, bool whole,
                                       bool (*each)(void *user, const kiln_tensor *const *x, int64_t first,
                                                    int64_t count),
                                       void *user, kiln_error *err);
/* What sample i is called: the file that it is from, below the folder of the set. NULL where it has no name. */
KILN_API const char *kiln_dataset_sample_name(const kiln_dataset *data, int64_t i);

/* -- training -- */

/* A copy of a model that learns: forward pass, loss, backward pass, optimiser and statistics are one program for each
 * batch size. Belongs to one thread at a time; the model may be freed before it. */
typedef struct kiln_trainer kiln_trainer;

/* A regulariser of all that a pattern matches, which must be something. */
typedef struct kiln_regularizer {
    const char *pattern; /* of parameters that train, as kiln_trainer_options.freeze */
    /* As Keras defines and calls them: "l2:0.0001", "l1_l2:l1=0.01,l2=0.01" */
    const char *regularizer;
    /* Of what the model computes instead: the pattern is of values, or of nodes that make them; the penalty is the mean
     * over the samples, as in Keras. */
    bool activity;
} kiln_regularizer;

/* How many times the learning rate a parameter learns with that the pattern matches, as kiln_trainer_options.freeze; each
 * must match one that trains. What an optimiser takes off by the learning rate, as decay, is as many times of that. */
typedef struct kiln_rate_factor {
    const char *pattern;
    double factor; /* above 0 */
} kiln_rate_factor;

typedef struct kiln_trainer_options {
    size_t size;           /* of the struct, from _INIT */
    kiln_context *context; /* NULL: nothing is shared */
    /* As Keras defines them and calls them (`kiln train --help` lists them, with their options):
     * "mean_squared_error", "binary_crossentropy:from_logits=1". Of all outputs that are to learn, but for those that
     * have their own. NULL: by what each output is (kiln_trainer_loss tells). */
    const char *loss;
    /* The same: "adam", "sgd:learning_rate=0.1,momentum=0.9". NULL: "adam" */
    const char *optimizer;
    /* [freeze_count] shell patterns of parameters that keep their values, by their own names or those of the nodes that
     * read them; each must match something */
    const char *const *freeze;
    size_t freeze_count;
    const kiln_tensor *sample; /* of a model with one input, a batch like those to come, for dimensions that the model
                                  leaves open; may be NULL */
    const kiln_dataset *data;  /* that training is going to take: tells `sample`, `values`, how many classes there are,
                                  and `targets`: its own, where they have names; may be NULL */
    bool values;               /* labels are floats: numbers, or a row for each sample; else int64 classes */
    bool untie;                /* an initializer that several nodes read is trained as one for each */
    int threads;               /* as of a session */
    size_t memory;             /* bytes for its model, plans, values and state, LIMIT beyond that; 0: no limit */
    double seconds;            /* that making the trainer, each step and each score may compute; as of a session */
    uint64_t seed;             /* of Dropout */
    bool exact;                /* as of a session */
    /* Is told of warnings, such as shared initializers, by kiln_trainer_new; NULL: the context's. */
    kiln_diagnostic_fn diagnostic;
    void *user;
    bool keep_gradients; /* for kiln_trainer_get */
    bool profile;        /* as of a session */
    /* [target_count] the outputs that are to learn. The sum of their losses becomes small, each counted as often as its
     * weight says. target_count 0: what `data` has targets for, of these those that the
     * metadata say train (kiln.trains.NAME), where they say it of any; without `data` the first one. */
    const kiln_target *targets;
    size_t target_count;
    const char *const *train; /* [train_count] as `freeze`: only these train; train_count 0: all that can */
    size_t train_count;
    bool measure; /* only kiln_trainer_score, _evaluate and _predict are to be called: nothing trains, and need not */
    /* The dimension of outputs that holds the classes, from the end where below 0: 1 for PyTorch's [N, C, H, W]. 0: the
     * one that a Softmax goes along, or that the labels of `data` leave open, else the last. */
    int class_axis;
    /* Of the learning rate: "cosine_decay:decay_steps=1000", as Keras defines them; begins with the optimiser's. It is
     * computed in float, as in Keras. NULL: the rate stays as it is. */
    const char *schedule;
    /* [regularizer_count] what is added to the loss, in training and when it is measured, as in Keras, but not to those
     * of targets. Of a parameter that none of them names, in training, what the file says ("kiln.regularize.NAME"). */
    const kiln_regularizer *regularizers;
    size_t regularizer_count;
    /* [rate_factor_count] of several whose patterns match a parameter the last counts */
    const kiln_rate_factor *rate_factors;
    size_t rate_factor_count;
    /* [exclude_from_weight_decay_count] as `freeze`: what the optimiser's weight_decay leaves alone */
    const char *const *exclude_from_weight_decay;
    size_t exclude_from_weight_decay_count;
    /* [metric_count] what is measured beside the loss, as Keras calls it (`kiln train --help` lists them, with their
     * options): "auc:curve=PR", "top_k_categorical_accuracy:k=3", or a loss, but for those of
     * whole batches and of sequences. Of each output that learns, or of one: "OUTPUT=NAME". metric_count 0: accuracy,
     * where the labels are classes. */
    const char *const *metrics;
    size_t metric_count;
    /* How much rows of a class count in training, as Keras' class_weight: "0=1,3=2.5", or by the names
     * that `data` have for them, each once, others 1, or "balanced": each
     * class of `data` as much as any other. Of a trainer with one target. NULL: all alike. */
    const char *class_weight;
    bool weighted; /* batches come with weights of samples (kiln_trainer_step_weighted), as `data` that have some do */
    /* What is exported says which loss was asked for, and which reads logits, in its metadata ("kiln.loss.OUTPUT"): who
     * trains or measures it next takes that where nothing else is said. */
    bool remember;
    /* Memory for time: what a step would keep for its way back is made again, a segment of the network at a time (Chen and
     * others, arXiv:1604.06174). What is learned has the same bits. */
    bool recompute;
    /* Backpropagation through time, truncated: RNN, GRU and LSTM, Loop and Scan run whole, but where a step, or an iteration,
     * whose number from 0 on is a multiple of this begins, no gradient goes back to the one before it through what is
     * carried, as if sequences were cut there and states detached (PyTorch). What each step costs counts whole, and so
     * does what it gives to parameters; an initial state has the gradient of the first stretch. Steps count in the order
     * in which they run: from the end of its sequence where a direction goes backwards. What a body only adds to, or puts
     * into, is no state. From 0 on; 0: never cut. */
    int64_t bptt;
} kiln_trainer_options;

/* What a batch gave; will never have more fields. */
typedef struct kiln_score {
    double loss;     /* the mean over the batch; of several targets their sum; with what regularizers add */
    int64_t correct; /* of `rows`: the largest output is the label's, or both are on the same side of 0.5 */
    int64_t rows;    /* samples; more where the output has more than two dimensions */
} kiln_score;        /* of several targets `correct` and `rows` are the first's */

/* Weights, biases, normalisation parameters and per-channel constants of the model train (kiln_trainer_parameter tells
 * which, and why). What float16 or bfloat16 parameters learn is kept in float, and rounded where the model reads it and
 * when it is exported; double ones train in double. Loss and labels are float. Nodes in training form are taken as
 * their inference form. The model may be freed afterwards, which leaves one copy of the weights that train; the others
 * are shared. Errors: BAD_ARGUMENT (options), BAD_MODEL (an input without a dimension for the samples, nothing to
 * train), UNSUPPORTED (an operator without gradient on the way, an optimiser that does not train double), LIMIT,
 * NO_MEMORY. */
KILN_API kiln_status kiln_trainer_new(kiln_trainer **out, const kiln_model *model, const kiln_trainer_options *options,
                                      kiln_error *err);
/* One step on a batch of any size: `x` for the model's input, `y` the labels, [samples, ...]; *score, which may be
 * NULL, is from before the update. On failure nothing has changed, unless RUN_FAILED tells that an element of a
 * parameter has become infinite or no number: then the trainer can only be freed. Errors: BAD_DATA (types and shapes),
 * RUN_FAILED (a loss, a statistic or a parameter that is not finite, a label out of range), BAD_MODEL, UNSUPPORTED,
 * LIMIT, NO_MEMORY. */
KILN_API kiln_status kiln_trainer_step(kiln_trainer *trainer, const kiln_tensor *x, const kiln_tensor *y,
                                       kiln_score *score, kiln_error *err);
/* The same of a trainer with several inputs or targets: a tensor for each, in the order of kiln_trainer_input and
 * kiln_trainer_labels. */
KILN_API kiln_status kiln_trainer_step_all(kiln_trainer *trainer, const kiln_tensor *const *x,
                                           const kiln_tensor *const *y, kiln_score *score, kiln_error *err);
/* Both in inference form, changing nothing. */
KILN_API kiln_status kiln_trainer_score_all(kiln_trainer *trainer, const kiln_tensor *const *x,
                                            const kiln_tensor *const *y, kiln_score *score, kiln_error *err);
/* A step, or with `learn` false a score, of a trainer with options.weighted: `weights` is float [samples], how much each
 * counts, from 0 on; NULL: all count 1. The loss is the sum of what samples cost times that, divided by how many there
 * are, as in Keras; what is counted of them is not weighed. */
KILN_API kiln_status kiln_trainer_step_weighted(kiln_trainer *trainer, bool learn, const kiln_tensor *const *x,
                                                const kiln_tensor *const *y, const kiln_tensor *weights,
                                                kiln_score *score, kiln_error *err);
KILN_API kiln_status kiln_trainer_score(kiln_trainer *trainer, const kiln_tensor *x, const kiln_tensor *y,
                                        kiln_score *score, kiln_error *err);
/* What the latest step or score gave for target k, its loss without its weight. False where k is not below the count. */
KILN_API bool kiln_trainer_target_score(const kiln_trainer *trainer, size_t k, kiln_score *score);
/* The model's outputs for a batch, in inference form, with what is learned so far; kiln_trainer_output gives them.
 * Errors: as kiln_trainer_score. */
KILN_API kiln_status kiln_trainer_predict(kiln_trainer *trainer, const kiln_tensor *x, kiln_error *err);
KILN_API kiln_status kiln_trainer_predict_all(kiln_trainer *trainer, const kiln_tensor *const *x, kiln_error *err);
/* Output k of the latest kiln_trainer_predict; belongs to the trainer, until its next call. NULL where there is none. */
KILN_API const kiln_tensor *kiln_trainer_output(const kiln_trainer *trainer, size_t k);
/* From 0 to 1e30, and not so small that it is 0 as a float; from the next step on. Errors: BAD_ARGUMENT, also where there
 * is a schedule, as in Keras. */
KILN_API kiln_status kiln_trainer_set_learning_rate(kiln_trainer *trainer, double rate, kiln_error *err);
/* That the next step takes. */
KILN_API double kiln_trainer_learning_rate(const kiln_trainer *trainer);
/* After the last step: parameters become their moving averages, where the optimiser was asked for such (use_ema=1);
 * kiln_trainer_fit does so when it ends. Errors: BAD_ARGUMENT. */
KILN_API kiln_status kiln_trainer_finalize(kiln_trainer *trainer, kiln_error *err);
/* A copy, for the caller, of what a parameter has: its value (`what` is NULL or "value"), its gradient in the latest
 * step ("gradient", with options.keep_gradients), or what the optimiser keeps for it ("momentum", "velocity" ...: a
 * wrong one is answered with those that there are): float, or double where the parameter is. Errors: BAD_ARGUMENT,
 * NO_MEMORY. */
KILN_API kiln_status kiln_trainer_get(kiln_tensor **out, kiln_trainer *trainer, const char *parameter, const char *what,
                                      kiln_error *err);
/* Puts another value in its place; a gradient cannot be set. Errors: BAD_ARGUMENT (also another type or shape). */
KILN_API kiln_status kiln_trainer_set(kiln_trainer *trainer, const char *parameter, const char *what,
                                      const kiln_tensor *tensor, kiln_error *err);
/* The model with what was learned; everything else is as it was loaded. Belongs to the caller. Errors: RUN_FAILED (a
 * parameter that is not finite, and was), NO_MEMORY. */
KILN_API kiln_status kiln_trainer_export(kiln_model **out, const kiln_trainer *trainer, kiln_error *err);
/* A step of the trainer's as a model of the standard's operators alone, for `batch` samples (0: as many as the model takes, or
 * 32): the forward part in training form, loss, gradients, update and statistics, so that any runtime trains with it. Its inputs
 * are those of the model, "labels" (of several outputs that learn "OUTPUT.labels"), as kiln_trainer_labels has them, and what
 * lasts, each with what it is now as a default: parameters and statistics by their names, "PARAMETER.SLOT" for what the
 * optimiser keeps, "learning_rate", "step" and "seed", of which Dropout draws what the trainer would. Its outputs are "loss"
 * and what of that is new; the metadata "next:INPUT" of the model name the one that is to be INPUT in the next step. A name that
 * the model has already gets a line behind it. Nothing is checked in such a step: a loss that is not finite spoils the state.
 * Where parameters become their moving averages in the end (kiln_trainer_finalize), these are "PARAMETER.moving_average".
 * The caller's. Errors: UNSUPPORTED (names what cannot be written so), BAD_ARGUMENT, LIMIT, NO_MEMORY. */
KILN_API kiln_status kiln_trainer_lower(kiln_model **out, kiln_trainer *trainer, int64_t batch, kiln_error *err);
/* What kiln_trainer_export gives with a training_info whose algorithm is the same step for any number of samples, with the
 * standard's Gradient for gradients: kiln_training_new trains it. Errors: as kiln_trainer_lower, and UNSUPPORTED for parameters
 * that are no initializers, or trained in a type that the file does not have. */
KILN_API kiln_status kiln_trainer_describe(kiln_model **out, kiln_trainer *trainer, kiln_error *err);
/* Writes that model to a file, as kiln_model_save does, where it can without a copy. */
KILN_API kiln_status kiln_trainer_save(kiln_trainer *trainer, const char *path, kiln_form form, kiln_error *err);
/* A checkpoint for a loop of the caller's own: parameters, statistics, what the optimiser keeps, and the number of
 * steps, in a file (an archive as numpy.savez writes it) that is replaced whole. Errors: IO, NO_MEMORY. */
KILN_API kiln_status kiln_trainer_save_state(kiln_trainer *trainer, const char *path, kiln_error *err);
/* The same put back: what follows has the same bytes as if there had been no break; of each setting of the trainer that is
 * another now a warning tells, but the learning rate is the checkpoint's. On failure nothing has changed.
 * Errors: IO, BAD_DATA (no checkpoint, or of another model or optimiser), NO_MEMORY. */
KILN_API kiln_status kiln_trainer_load_state(kiln_trainer *trainer, const char *path, kiln_error *err);
/* How many steps there were, those before a checkpoint included; 0 for NULL. */
KILN_API int64_t kiln_trainer_steps(const kiln_trainer *trainer);
KILN_API void kiln_trainer_free(kiln_trainer *trainer);

/* The outputs that learn. */
KILN_API size_t kiln_trainer_target_count(const kiln_trainer *trainer);
/* Which loss was chosen for target k, and why: one line; NULL where k is not below the count. */
KILN_API const char *kiln_trainer_loss(const kiln_trainer *trainer, size_t k);
/* How often it counts; 0 where k is not below the count. */
KILN_API double kiln_trainer_weight(const kiln_trainer *trainer, size_t k);
/* What its labels in a batch must be, under the output's name; the first dimension is KILN_ANY. NULL likewise. */
KILN_API const kiln_value_info *kiln_trainer_labels(const kiln_trainer *trainer, size_t k);
/* How many classes target k's output tells apart; 0 where it is compared with numbers, or k is not below the count. */
KILN_API int64_t kiln_trainer_classes(const kiln_trainer *trainer, size_t k);
KILN_API size_t kiln_trainer_input_count(const kiln_trainer *trainer);
/* What a batch must be for input k; the first dimension, KILN_ANY, has the samples, also where the model has them in
 * another one, as in a state [layers, N, units]. NULL where k is not below the count. */
KILN_API const kiln_value_info *kiln_trainer_input(const kiln_trainer *trainer, size_t k);
/* The only number of samples that a batch may have, where an exporter has written it into the model; kiln_trainer_fit
 * and kiln_trainer_evaluate take it, and leave an incomplete last batch out. 0: any. */
KILN_API int64_t kiln_trainer_batch(const kiln_trainer *trainer);
/* The optimiser's name: "adam". */
KILN_API const char *kiln_trainer_optimizer(const kiln_trainer *trainer);

typedef enum kiln_role {
    KILN_TRAINABLE = 0,
    KILN_STATISTIC = 1, /* a running mean or variance */
    KILN_FROZEN = 2,
    KILN_CONSTANT = 3 /* a float initializer that is none of these */
} kiln_role;

/* "trainable", ... */
KILN_API const char *kiln_role_name(kiln_role role);

typedef struct kiln_parameter {
    const char *name;
    kiln_role role;
    const char *why;  /* "weight of Conv", "frozen by 'conv*'", "a scalar" */
    const char *node; /* the first that reads it so; NULL where there is none, or it has no name */
    int64_t elements; /* that train, or, where none does, that there are */
    int readers;      /* how many places read it so: above 1 it is shared, or an exporter merged equal ones */
    kiln_dtype dtype; /* in the file */
    int rank;
    const int64_t *dims;
    /* Of a trainer: its value until the next step, where it trains or is a statistic; of float16 and bfloat16 what is
     * rounded to them. Else, and where it is double, NULL: kiln_trainer_get gives that. */
    const float *data;
} kiln_parameter;

KILN_API size_t kiln_trainer_parameter_count(const kiln_trainer *trainer);
/* NULL where k is not below the count. */
KILN_API const kiln_parameter *kiln_trainer_parameter(const kiln_trainer *trainer, size_t k);

/* As those of a session. */
KILN_API size_t kiln_trainer_memory(const kiln_trainer *trainer, size_t *most);
KILN_API kiln_status kiln_trainer_plan(kiln_trainer *trainer, int64_t batch, kiln_write_fn write, void *user,
                                       kiln_error *err);
KILN_API kiln_status kiln_trainer_set_profile(kiln_trainer *trainer, bool on, kiln_error *err);
KILN_API kiln_status kiln_trainer_trace(const kiln_trainer *trainer, kiln_write_fn write, void *user, kiln_error *err);
KILN_API kiln_status kiln_trainer_times(const kiln_trainer *trainer, bool by_node, kiln_time_fn each, void *user,
                                        kiln_error *err);

/* -- epochs -- */

/* What a model is measured by over a data set: the loss, then the metrics; of several targets the sum of their
 * losses, then each one's loss and metrics. A measure is asked for by its name, with "val_" before it for the
 * validation set. */
KILN_API size_t kiln_trainer_measure_count(const kiln_trainer *trainer);
/* "loss", "accuracy", or as a metric was asked for, the second of one name "auc_1"; of several targets with the
 * output's name before it, as Keras has it: "age_loss". NULL where k is not below the count. */
KILN_API const char *kiln_trainer_measure_name(const kiln_trainer *trainer, size_t k);

typedef struct kiln_fit_step {
    int64_t step, epoch;  /* from 1 */
    int64_t done, of;     /* samples of this epoch; `of`: at most, 0 where a stream does not tell before its end */
    double loss;          /* of this batch, before the update */
    const double *so_far; /* by measure, in this epoch; NaN for what says nothing of this training */
} kiln_fit_step;

typedef struct kiln_epoch {
    int64_t number;                   /* from 1 */
    const double *train, *validation; /* by measure; NaN for what says nothing, or was not measured */
    double seconds;                   /* of training and validation */
    bool best;                        /* by options.best; true where that is NULL */
    double learning_rate; /* when its steps were done, as Keras logs it: of a schedule, that of the next step */
} kiln_epoch;

typedef struct kiln_fit_options {
    size_t size;                    /* of the struct, from _INIT */
    const kiln_dataset *validation; /* to validate with after each epoch; NULL: none */
    int64_t batch;                  /* samples in a step; 0: 32 */
    int64_t epochs;                 /* 0: 1 */
    bool in_order;                  /* samples in the order of the data; else shuffled anew in each epoch */
    uint64_t seed;                  /* of that */
    const char *best;               /* the measure by which kiln_epoch.best is told; may be NULL */
    const char *early_stop;         /* the measure that must become better; NULL: all epochs are run */
    int64_t patience;               /* epochs in which it need not */
    /* Called after each step and each epoch; valid during the call. False ends the training with STOPPED. May be
     * NULL. */
    bool (*step)(void *user, const kiln_fit_step *step);
    bool (*epoch)(void *user, const kiln_epoch *epoch);
    void *user;
    int64_t initial_epoch;    /* epochs that are taken to lie behind; `epochs` counts them, too */
    int64_t steps_per_epoch;  /* an epoch has so many, the data begin anew where they end; 0: once through the data */
    int64_t validation_freq;  /* validation after each so many epochs; 0: after each */
    int64_t validation_steps; /* only so many batches of the validation set; 0: all */
    double min_delta;         /* of early_stop: what is better by less is not */
    const char *restore_best; /* at the end the model is what it was when this measure was best, but for the optimiser's
                                 state; NULL: as the last step left it */
    /* The file that holds a checkpoint, replaced whole after each epoch, after each checkpoint_steps steps (0: only
     * epochs), and when training is stopped: the trainer's state, where the training is, and which model, data and
     * settings it is of. One that cannot be written is a warning, training goes on. NULL: none. */
    const char *checkpoint;
    int64_t checkpoint_steps;
    /* The checkpoint to go on from: with the same model, data and options the result has the same bytes as if it had not
     * been stopped. One of another model, data set or optimiser is BAD_DATA; of each other setting that is another now
     * a warning tells. NULL: from the start. */
    const char *resume;
    /* Called for each epoch that lies behind in the checkpoint, then, when all is checked and before the first step, with
     * how many epochs and steps that are. As `step`. */
    bool (*past)(void *user, const kiln_epoch *epoch);
    bool (*start)(void *user, int64_t epochs, int64_t steps);
    /* "val_loss", "val_loss:factor=0.5,patience=3": the learning rate becomes less where the measure no longer improves
     * (Keras' ReduceLROnPlateau, with its options). NULL: it stays; an error where there is a schedule. */
    const char *reduce_on_plateau;
    /* Called before the first step of each epoch, whose number counts from 1, and of what is left of one that a checkpoint
     * was made in. As `step`; a learning rate that it sets is that of the epoch. */
    bool (*begin)(void *user, int64_t epoch);
} kiln_fit_options;

/* Trains as Keras' fit does (https://keras.io/api/models/model_training_apis/). *ran, which may be NULL, is how many
 * epochs lie behind then. Labels in memory are looked at before the first step, those of a stream as they come. Errors:
 * BAD_ARGUMENT (options), BAD_DATA (samples or labels that do not fit the model), those of a step, STOPPED. */
KILN_API kiln_status kiln_trainer_fit(kiln_trainer *trainer, const kiln_dataset *data, const kiln_fit_options *options,
                                      int64_t *ran, kiln_error *err);
/* Measures the model over a data set, `batch` samples at a time (0: 32), in inference form: `values` has room for
 * kiln_trainer_measure_count(). NaN stands for what says nothing of this training, and for what is no number.
 * Errors: as above. */
KILN_API kiln_status kiln_trainer_evaluate(kiln_trainer *trainer, const kiln_dataset *data, int64_t batch,
                                           double *values, kiln_error *err);
/* Does measure k say something of this training, or of an evaluation with these data? */
KILN_API bool kiln_trainer_measures(const kiln_trainer *trainer, const kiln_dataset *data, size_t k);
/* As kiln_trainer_evaluate, and the confusion matrix of target k: int64 [classes, classes], how many rows of the class
 * that the first dimension says are taken for that which the second says; without those that do not count to the loss, and
 * those whose outputs are no numbers. A single output tells two classes apart. *out belongs to the
 * caller; `values` may be NULL. Errors: as above, BAD_ARGUMENT (target k is compared with numbers), UNSUPPORTED (more
 * than 16384 classes). */
KILN_API kiln_status kiln_trainer_confusion(kiln_tensor **out, kiln_trainer *trainer, const kiln_dataset *data,
                                            int64_t batch, size_t k, double *values, kiln_error *err);

/* -- training as a file says it -- */

/* A model may say itself how it is trained, in its training_info (TrainingInfoProto,
 * https://onnx.ai/onnx/repo-docs/IR.html): graphs of a step, and which initializers their outputs are assigned to. */
typedef struct kiln_training kiln_training;

/* How many training_info the file has; 0: it says nothing. */
KILN_API size_t kiln_model_training_count(const kiln_model *model);
/* Of the options the outputs are not looked at; `memory` is that of each graph that is run. The model is not needed
 * afterwards. Errors: BAD_MODEL (there is no training_info, or it is not valid), UNSUPPORTED, LIMIT, NO_MEMORY. */
KILN_API kiln_status kiln_training_new(kiln_training **out, const kiln_model *model,
                                       const kiln_session_options *options, kiln_error *err);
KILN_API void kiln_training_free(kiln_training *training);
/* What a step takes: inputs of the main graph first, then those of the algorithms, such as labels. */
KILN_API size_t kiln_training_input_count(const kiln_training *training);
KILN_API const kiln_value_info *kiln_training_input(const kiln_training *training, size_t k);
/* Assigns what the file's initialization graphs compute: a training from scratch. Nothing else runs them; without one
 * it does nothing. Errors: those of a run. */
KILN_API kiln_status kiln_training_initialize(kiln_training *training, kiln_error *err);
/* A step on inputs[k] for input k: for each training_info in the order of the file the main graph and its algorithm are
 * run as one graph, then all its updates are assigned at once. Whole or not at all. Errors: BAD_DATA (inputs), those of a
 * run, BAD_MODEL (an update of another type than the initializer), RUN_FAILED (one that is not finite where the value was). */
KILN_API kiln_status kiln_training_step(kiln_training *training, const kiln_tensor *const *inputs, kiln_error *err);
KILN_API int64_t kiln_training_steps(const kiln_training *training);
/* The algorithms' outputs that nothing is assigned from, such as the loss; what they were in the latest step. They belong
 * to the training, until the next step. NULL where k is not below the count, the tensor also before the first step. */
KILN_API size_t kiln_training_result_count(const kiln_training *training);
KILN_API const char *kiln_training_result_name(const kiln_training *training, size_t k);
KILN_API const kiln_tensor *kiln_training_result(const kiln_training *training, size_t k);
/* What the steps assign to, in the order of the file's update_bindings; what it is now, which belongs to the training,
 * until the next call that changes it. NULL where k is not below the count. */
KILN_API size_t kiln_training_state_count(const kiln_training *training);
KILN_API const char *kiln_training_state_name(const kiln_training *training, size_t k);
KILN_API const kiln_tensor *kiln_training_state(const kiln_training *training, size_t k);
/* What is assigned to, by name: a copy, which belongs to the caller. Errors: BAD_ARGUMENT (there is none of that name),
 * NO_MEMORY. */
KILN_API kiln_status kiln_training_get(kiln_tensor **out, const kiln_training *training, const char *name,
                                       kiln_error *err);
/* Epochs of steps: what the data hold is for the main graph's inputs, what is to be predicted is for those of the
 * algorithms. Of the options batch, epochs, steps_per_epoch, in_order, seed and the callbacks count, another one is
 * BAD_ARGUMENT. Measures are the results: NaN for one that is no single number; the loss is the first. Errors: as those of
 * kiln_trainer_fit. */
KILN_API kiln_status kiln_training_fit(kiln_training *training, const kiln_dataset *data,
                                       const kiln_fit_options *options, int64_t *ran, kiln_error *err);
/* The model with what was learned, its training_info included, whose state it holds: training goes on from there. Belongs
 * to the caller. Errors: NO_MEMORY, LIMIT. */
KILN_API kiln_status kiln_training_export(kiln_model **out, const kiln_training *training, kiln_error *err);

/* -- adapting files to training -- */

/* What exporters leave of a network cannot always be trained: BatchNormalization taken apart or folded away, a batch that
 * is fixed, a head of other classes. Adapting makes of it a network that trains and computes the same. */

typedef enum kiln_certainty {
    KILN_CERTAIN = 0, /* the file says it, or leaves nothing else */
    KILN_LIKELY = 1,  /* what exporters are known to write */
    KILN_DOUBTFUL = 2 /* it may as well be something else: a choice tells */
} kiln_certainty;

/* What was found, why that is believed, and what was done. Texts belong to the adaptation. */
typedef struct kiln_finding {
    const char *name; /* of the layer, node, input or output, as a choice names it; "" where it is of the whole model */
    const char *found, *evidence;
    kiln_certainty certainty;
    const char *done;
    const char *unknown; /* what the file cannot tell; NULL */
} kiln_finding;

/* Which layers BatchNormalization may have been folded into. */
typedef enum kiln_folded {
    KILN_FOLDED_NAMED = 0, /* those that tell of it, by the names or the metadata that an exporter leaves */
    KILN_FOLDED_ALL = 1,   /* and every convolution with a bias */
    KILN_FOLDED_NONE = 2
} kiln_folded;

typedef struct kiln_adapt_options {
    size_t size;              /* of the struct, from _INIT */
    const kiln_dataset *data; /* samples as the network is used on, normalised as they are for it: means and variances
                                 that the file does not have are measured on them, and the proof compares what comes out.
                                 NULL: nothing is measured, the proof goes over random numbers */
    double seconds;           /* that each run may compute; 0: no limit */
    size_t memory;            /* bytes for plans and values; 0: no limit */
    double epsilon, momentum; /* of BatchNormalization where the file does not tell, momentum as in Keras and ONNX
                                 (running * momentum + batch * (1 - momentum)); 0: as the layers of the framework have
                                 them that wrote the file */
    kiln_folded folded;
    size_t choice_count;
    const char *const
        *choice_names; /* [choice_count] of findings: shell patterns, of which each must match something */
    /* [choice_count] what that is, where it is found to be something else:
     *   "batch-normalization", "scale-and-shift", "constant"    a factor and a summand for each channel
     *   "fresh", "measured"                                     BatchNormalization's mean and variance, where the file
     *                                                           does not have them: 0 and 1, or those of the data
     *   "folded", "none"                                        a layer that BatchNormalization may have been folded into
     *   "shared", "untied"                                      a constant that several layers read
     *   "bias", "no-bias"                                       a layer whose bias of zeros may be gone
     *   "trainable", "frozen", "constant"                       a parameter, by the name of its initializer */
    const char *const *choices;
    bool inference;         /* BatchNormalization in training mode normalises by measured statistics, as PyTorch's
                                        update_bn makes them */
    bool keep_batch;        /* a batch that the file fixes stays so */
    int64_t classes;        /* the last layer becomes a new one with so many classes, and learns by a loss of
                               classes, whatever `data` have; 0: it stays */
    const kiln_model *head; /* in place of the last layer, instead: a model with one input; may be NULL */
    size_t output_count;
    const char *const *outputs; /* [output_count] that are to train; none: the first */
    bool freeze_backbone;       /* only the new head trains */
} kiln_adapt_options;

/* What became of a model. Belongs to the caller. */
typedef struct kiln_adaptation kiln_adaptation;

typedef struct kiln_adaptation_info {
    size_t findings;
    size_t batch_normalizations; /* layers that were made again */
    double difference;   /* between outputs before and after: the largest, in units of the larger of 1 and the output's
                          largest value; at most 1e-5, of networks in float16 0.0078, in bfloat16 0.0625 */
    bool over_data;      /* that was taken over options.data, else over random numbers */
    const char *changed; /* what is meant to compute something else; NULL where nothing is. The proof goes to there */
    int64_t compared;   /* values of the outputs that this was taken over; 0: nothing was changed that they depend on */
    int64_t not_finite; /* of them, infinite or NaN before: where they are after, too, they show nothing */
    int64_t trainable;  /* numbers that train; 0: nothing does, and a trainer would refuse it. Of kiln_adapt alone */
} kiln_adaptation_info;

/* *out is the adapted model, with what was decided in its metadata ("kiln.role.NAME", "kiln.layer.NAME",
 * "kiln.loss.NAME"), which training reads and anybody may edit. *found, which may be NULL, is what there was. Both belong
 * to the caller. Errors: BAD_ARGUMENT (options, a choice that names nothing, data that must be given), BAD_DATA,
 * UNSUPPORTED (names say that there was BatchNormalization, and nothing of it was found), MISMATCH (the result does not
 * compute the same: the first node that differs), those of a run. */
KILN_API kiln_status kiln_adapt(kiln_model **out, kiln_adaptation **found, const kiln_model *model,
                                const kiln_adapt_options *options, kiln_error *err);
/* What kiln_adapt would find of BatchNormalization; nothing is done, measured or compared. Errors: as above. */
KILN_API kiln_status kiln_adapt_look(kiln_adaptation **found, const kiln_model *model, kiln_error *err);
KILN_API const kiln_adaptation_info *kiln_adaptation_about(const kiln_adaptation *found);
/* NULL where k is not below the count. */
KILN_API const kiln_finding *kiln_adaptation_finding(const kiln_adaptation *found, size_t k);
/* All of it as JSON. Errors: STOPPED, NO_MEMORY. */
KILN_API kiln_status kiln_adaptation_write_json(const kiln_adaptation *found, kiln_write_fn write, void *user,
                                                kiln_error *err);
KILN_API void kiln_adaptation_free(kiln_adaptation *found);

/* -- looking at models -- */

/* What a model is made of, found once: types of all values, with open dimensions by their names, layers, parameters,
 * operators without gradient. Of a partial model less is known. Belongs to the caller; the model must outlive it. May
 * be read by any number of threads. */
typedef struct kiln_summary kiln_summary;

/* Errors: LIMIT (the model's limits hold for this, too), NO_MEMORY. */
KILN_API kiln_status kiln_summary_new(kiln_summary **out, const kiln_model *model, kiln_error *err);
KILN_API void kiln_summary_free(kiln_summary *summary);
/* How many elements the parameters have that train, and the others: running statistics. */
KILN_API int64_t kiln_summary_trainable(const kiln_summary *summary);
KILN_API int64_t kiln_summary_fixed(const kiln_summary *summary);

typedef struct kiln_layer { /* a node, but for Constant */
    const char *name;       /* the node's; where it has none, that of its first output */
    const char *op;
    int since;                /* version of the operator; 0 where it is not known */
    int depth;                /* of subgraphs: those of a node follow it */
    const char *type;         /* of the first output: "float[N,26,26,32]", a dimension that nothing tells is "?" */
    int64_t trainable, fixed; /* elements of the parameters that it is the first to read */
    size_t inputs, outputs;   /* values that it reads and makes, by name; "": one that is left out */
    const char *const *input, *const *output; /* [inputs] and [outputs] */
} kiln_layer;

KILN_API size_t kiln_summary_layer_count(const kiln_summary *summary);
KILN_API const kiln_layer *kiln_summary_layer(const kiln_summary *summary, size_t k);
KILN_API size_t kiln_summary_parameter_count(const kiln_summary *summary);
KILN_API const kiln_parameter *kiln_summary_parameter(const kiln_summary *summary, size_t k);
/* The type of the model's input or output k, as that of a layer. */
KILN_API const char *kiln_summary_input_type(const kiln_summary *summary, size_t k);
KILN_API const char *kiln_summary_output_type(const kiln_summary *summary, size_t k);

typedef struct kiln_obstacle { /* an operator without gradient */
    const char *op, *reason;
    int nodes;
    bool in_the_way; /* of training: it reads floats that depend on what trains, and makes floats */
} kiln_obstacle;

KILN_API size_t kiln_summary_obstacle_count(const kiln_summary *summary);
KILN_API const kiln_obstacle *kiln_summary_obstacle(const kiln_summary *summary, size_t k);
/* All of it, and what kiln_model_about tells, as JSON. Errors: STOPPED, NO_MEMORY. */
KILN_API kiln_status kiln_summary_write_json(const kiln_summary *summary, kiln_write_fn write, void *user,
                                             kiln_error *err);
/* The graph for Graphviz, with types. Errors: BAD_MODEL and UNSUPPORTED (a partial model), STOPPED, NO_MEMORY. */
KILN_API kiln_status kiln_summary_write_dot(const kiln_summary *summary, kiln_write_fn write, void *user,
                                            kiln_error *err);

/* Where gradients flow in a model when it is trained, where they end and why, and what a step keeps of its forward part for
 * its backward one: measured from the plan that a trainer with these options makes, for a batch. Belongs to the caller; the
 * model must outlive it. May be read by any number of threads. */
typedef struct kiln_gradients kiln_gradients;

/* `options` as for kiln_trainer_new; NULL: nothing is said. Where neither options nor data say what learns, and the first
 * output cannot have classes, all outputs of floats learn as if they were compared with numbers (kiln_gradients_target
 * tells). `batch` is the number of samples where the model leaves that open, from 1 on. A model that cannot be trained is
 * looked at as far as it can be: kiln_gradients_about tells why. Errors: BAD_ARGUMENT (options, batch), LIMIT, NO_MEMORY. */
KILN_API kiln_status kiln_gradients_new(kiln_gradients **out, const kiln_model *model,
                                        const kiln_trainer_options *options, int64_t batch, kiln_error *err);
KILN_API void kiln_gradients_free(kiln_gradients *gradients);

typedef enum kiln_flow {
    KILN_FLOW_NONE = 0,     /* no gradient comes */
    KILN_FLOW_UNASKED = 1,  /* nothing that trains is behind: none is computed */
    KILN_FLOW_INTEGER = 2,  /* what trains comes as integers, of which there is none */
    KILN_FLOW_ZERO = 3,     /* constant in pieces: it is zero by definition */
    KILN_FLOW_GRADIENT = 4, /* it goes on */
    KILN_FLOW_BLOCKED = 5   /* an operator without a rule */
} kiln_flow;

/* "none", "unasked", "integer", "zero", "gradient", "blocked". */
KILN_API const char *kiln_flow_name(kiln_flow flow);

typedef struct kiln_gradient_target { /* an output that learns */
    const char *output;
    const char *loss; /* and how it was chosen; "" where no trainer can be made */
    const char *from; /* the value where gradients begin: the output, or the logits that the loss reads in its place */
} kiln_gradient_target;

typedef enum kiln_keeping {
    KILN_KEPT = 0,         /* it lies in memory from the forward part to the backward one */
    KILN_KEPT_AGAIN = 1,   /* it does not: it is made again */
    KILN_KEPT_OUTSIDE = 2, /* it is there anyway: a parameter, what was given, or a view of such */
    KILN_KEPT_FOR = 3      /* kept, though no rule reads it: others are made again of it */
} kiln_keeping;

typedef struct kiln_gradient_kept {
    const char *name, *type; /* of the value that the rule reads: "float[32,128]" */
    kiln_keeping how;
    int64_t bytes; /* -1: only running tells; of a view its own */
} kiln_gradient_kept;

typedef struct kiln_gradient_node {
    const char *name, *op; /* a node without a name is called as its first output */
    int depth;             /* of subgraphs: nodes in those of a node follow it */
    kiln_flow flow;
    const char *why;   /* it does not go on, or not to an input that depends on what trains; "" */
    int64_t behind;    /* the node that the gradient comes from, the nearest to the loss of several; -1: the loss */
    int64_t far;       /* nodes between it and the loss on that way */
    size_t goes_on_to; /* values */
    const char *const *values; /* [goes_on_to] their names */
    size_t kept;
    const kiln_gradient_kept *keep; /* [kept] what its rule reads */
} kiln_gradient_node;

typedef struct kiln_gradient_parameter {
    const char *name, *type;
    kiln_role role; /* that it has in such a training */
    kiln_flow flow;
    const char *why; /* it has no gradient; "" */
    int64_t node;    /* that gives it its gradient, or at which that ends; -1: none */
    int64_t far;     /* nodes from it to the loss */
} kiln_gradient_parameter;

typedef struct kiln_gradients_info {
    int64_t batch;
    bool recompute; /* as asked for */
    bool planned;   /* a step can be planned: the following were measured; -1 where only running tells a part of it */
    int64_t kept;   /* bytes of what lies in memory for the way back, each piece once, */
    int64_t made_again; /* of what does not, and is made again, */
    int64_t step;       /* and of the memory of the whole step, without parameters */
    size_t others;      /* nodes that are not listed: nothing would train by them, and no gradient comes to them */
    const char *error;  /* why no step can be planned, "" where one is */
    const char *where;  /* the node that this is about; "" */
} kiln_gradients_info;

KILN_API const kiln_gradients_info *kiln_gradients_about(const kiln_gradients *gradients);
/* NULL where k is not below the count; of inputs: the type of a batch, "float[32,784]". */
KILN_API const char *kiln_gradients_input_type(const kiln_gradients *gradients, size_t k);
KILN_API size_t kiln_gradients_target_count(const kiln_gradients *gradients);
KILN_API const kiln_gradient_target *kiln_gradients_target(const kiln_gradients *gradients, size_t k);
KILN_API size_t kiln_gradients_parameter_count(const kiln_gradients *gradients);
KILN_API const kiln_gradient_parameter *kiln_gradients_parameter(const kiln_gradients *gradients, size_t k);
/* Nodes of the file, from the loss back; what is expanded or inlined is told of as it stands in the graph. */
KILN_API size_t kiln_gradients_node_count(const kiln_gradients *gradients);
KILN_API const kiln_gradient_node *kiln_gradients_node(const kiln_gradients *gradients, size_t k);
/* What the loss itself keeps: its gradient by the output; [count]. */
KILN_API const kiln_gradient_kept *kiln_gradients_loss(const kiln_gradients *gradients, size_t *count);
/* All of it as JSON. Errors: STOPPED, NO_MEMORY. */
KILN_API kiln_status kiln_gradients_write_json(const kiln_gradients *gradients, kiln_write_fn write, void *user,
                                               kiln_error *err);

/* -- what there is -- */

typedef struct kiln_operator {
    const char *name, *domain; /* "" is ai.onnx */
    int since;                 /* the version of the operator set from which on it is so */
    const char *types;         /* inputs and outputs, as runtime/ops/signature.h writes them */
    bool differentiable;
    bool zero_gradient;      /* its outputs do not change with its inputs, but for jumps */
    const char *no_gradient; /* why it has none; NULL where it is differentiable */
} kiln_operator;

/* For every version of every operator, newest first, each operator's one after the other; false ends it. */
typedef bool (*kiln_operator_fn)(void *user, const kiln_operator *op);
KILN_API void kiln_operators(kiln_operator_fn each, void *user);
/* The same as JSON, with each input and output and all its types by the names of onnx.defs. Errors: STOPPED,
 * NO_MEMORY. */
KILN_API kiln_status kiln_operators_write(kiln_write_fn write, void *user, kiln_error *err);

typedef enum kiln_table {
    KILN_FORMATS = 0, /* of data sets */
    KILN_INITIALIZERS = 1,
    KILN_LOSSES = 2,
    KILN_METRICS = 3,
    KILN_OPTIMIZERS = 4,
    KILN_SCHEDULES = 5,
    KILN_PLATEAU = 6, /* of one row: what kiln_fit_options.reduce_on_plateau takes */
    KILN_REGULARIZERS = 7,
    KILN_AUGMENTATION = 8 /* the options of kiln_dataset_augment */
} kiln_table;

/* What may be written where one is asked for: "adam, rmsprop or sgd"; with `help` each in a line, its options in lines
 * of their own. Errors: BAD_ARGUMENT (no such table), STOPPED, NO_MEMORY. */
KILN_API kiln_status kiln_table_write(kiln_table table, bool help, kiln_write_fn write, void *user, kiln_error *err);

/* -- options at their start -- */

/* clang-format off */
#define KILN_ADAPT_OPTIONS_INIT   { sizeof(kiln_adapt_options), NULL, 0.0, 0, 0.0, 0.0, KILN_FOLDED_NAMED, 0, NULL, NULL, false, false, 0, NULL, 0, NULL, false }
#define KILN_CONTEXT_OPTIONS_INIT { sizeof(kiln_context_options), 0, 0, false, NULL, NULL }
#define KILN_EDIT_OPTIONS_INIT    { sizeof(kiln_edit_options), false, 0, NULL, NULL, 0, NULL, NULL, NULL, false, 0, NULL, 0, NULL, NULL }
#define KILN_DATA_OPTIONS_INIT    { sizeof(kiln_data_options), NULL, KILN_PART_TRAIN, 0, false, NULL, NULL, NULL, 0, 0.0, NULL, 0, false, NULL, NULL, false, 0, false }
#define KILN_STREAM_INIT          { sizeof(kiln_stream), NULL, NULL, 0, 0, 0, 0, false, NULL, NULL, NULL }
#define KILN_FIT_OPTIONS_INIT     { sizeof(kiln_fit_options), NULL, 0, 0, false, 0, NULL, NULL, 0, NULL, NULL, NULL, 0, 0, 0, 0, 0.0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL }
#define KILN_LOAD_OPTIONS_INIT    { sizeof(kiln_load_options), NULL, 0, 0.0, NULL, NULL, false, NULL }
#define KILN_SESSION_OPTIONS_INIT { sizeof(kiln_session_options), NULL, 0, 0, 0, 0.0, false, false, NULL, 0 }
#define KILN_TRAINER_OPTIONS_INIT { sizeof(kiln_trainer_options), NULL, NULL, NULL, NULL, 0, NULL, NULL, false, false, 0, 0, 0.0, 0, false, NULL, NULL, false, false, NULL, 0, NULL, 0, false, 0, NULL, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, false, false, false, 0 }
/* clang-format on */

#ifdef __cplusplus
}
#endif

#endif
