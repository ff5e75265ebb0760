/* Reads the signature and types of a row of an operator's table (op.h says how they are written). */
#ifndef KILN_OPS_SIGNATURE_H
#define KILN_OPS_SIGNATURE_H

#include "ops/op.h"

enum { MAX_KINDS = 6 };

struct type_set {
    uint64_t tensor; /* one bit for each dtype */
    int kinds;       /* of values that are no dense tensors */
    struct {
        struct tensor type; /* without a dtype */
        uint64_t dtypes;
    } kind[MAX_KINDS];
};

struct formal {
    const char *name; /* not ended by NUL */
    int name_length;
    int var; /* index into signature.var */
    bool optional;
    bool variadic; /* the last one: '...' or '*' */
    bool any;      /* '*': each of its own type */
};

enum { MAX_FORMALS = 32, MAX_VARS = 12 };

struct signature {
    int inputs, outputs, vars;
    struct formal in[MAX_FORMALS], out[MAX_FORMALS];
    struct {
        const char *name;
        int name_length;
        struct type_set set;
    } var[MAX_VARS];
};

/* False where the row is malformed: a mistake in the operator's file, which the tests look for. */
bool signature_read(struct signature *s, const struct op_def *def);
/* The formal of input or output k, the variadic one for all that follow it; NULL where there is none. */
const struct formal *signature_in(const struct signature *s, int k);
const struct formal *signature_out(const struct signature *s, int k);
bool type_set_has(const struct type_set *set, const struct tensor *type);
/* All types of the set, one for each call; *at is 0 before the first. False where there are no more. */
bool type_set_next(const struct type_set *set, int *at, struct tensor *type);
/* "float, double, seq(float)" into `buffer`, which is returned. */
enum { TYPE_SET_TEXT = 256 };
const char *type_set_text(const struct type_set *set, char buffer[TYPE_SET_TEXT]);

#endif
