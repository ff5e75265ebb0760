/* Reads the signature and types of a row of an operator's table (op.h says how they are written). */
#ifndef KILN_OPS_SIGNATURE_H
#define KILN_OPS_SIGNATURE_H

#include "ops/op.h"

struct type_set { /* one bit for each dtype */
    uint64_t tensor, sequence, optional, optional_sequence;
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
/* "float, double or seq(float)" into `buffer`, which is returned. */
enum { TYPE_SET_TEXT = 256 };
const char *type_set_text(const struct type_set *set, char buffer[TYPE_SET_TEXT]);

#endif
