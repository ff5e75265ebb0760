/* The letters of the textual syntax: what text_read.c and text_value.c read with. Inside graph/ only.
 *
 * All functions return false (or NULL) after an error, which is in the report with the line and the column where it was
 * found. */
#ifndef KILN_MODEL_TEXT_LEX_H
#define KILN_MODEL_TEXT_LEX_H

#include "model/message.h"

struct reader {
    const char *text;
    size_t size, at;
    int depth; /* of the message at hand, as MESSAGE_DEPTH counts */
    struct budget *budget;
    struct report *report;
};

bool read_fail(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One message deeper, `leaves` more below it that are not counted on their own; paired with read_ascend. */
bool read_descend(struct reader *r, int levels, int leaves);
void read_ascend(struct reader *r, int levels);

/* Each skips space and comments first. */
int peek_char(struct reader *r);                               /* the next character, -1 at the end */
bool read_match(struct reader *r, char c);                     /* takes it if it comes next */
bool read_expect(struct reader *r, char c, const char *where); /* "after the inputs of a node" */
bool read_expected(struct reader *r, const char *what);        /* fails: something else comes next than `what` */
/* Its length; 0: no identifier comes next. It is not taken: add the length to r->at for that. */
size_t peek_identifier(struct reader *r, const char **start);
bool peek_special(struct reader *r);            /* does nan, inf or infinity come next? */
bool peek_quoted(struct reader *r, char after); /* does a text in quotes come next, and then `after`? */
bool is_word(const char *start, size_t length, const char *word);

/* An identifier, or anything in quotes. *s is the budget's; `what` is for messages: "the name of a graph". */
bool read_name(struct reader *r, char **s, const char *what);
/* "text", without its quotes. `utf8`: it becomes a string field, so a NUL is an error. */
bool read_quoted(struct reader *r, char **s, size_t *length, bool utf8);

enum number_kind { NUMBER_NONE, NUMBER_INT, NUMBER_FLOAT };
struct number {
    enum number_kind kind;
    char text[128];
};
bool read_number(struct reader *r, struct number *n);
bool number_int(struct reader *r, const struct number *n, int64_t *value);
bool number_uint(struct reader *r, const struct number *n, uint64_t *value);
bool number_float(struct reader *r, const struct number *n, float *value);
bool number_double(struct reader *r, const struct number *n, double *value);
bool read_int(struct reader *r, int64_t *value);

/* -- text_value.c, text_read.c -- */

/* The numbers of TensorProto.DataType and of AttributeProto.AttributeType, and their names; 0 and NULL where there is
 * none. */
#define UNDEFINED_TYPE "undefined" /* 0, as onnx' printer has it; its parser does not read it */
int element_type(const char *name, size_t length);
const char *element_type_name(int64_t type);
int attribute_type(const char *name, size_t length);
const char *attribute_type_name(int64_t type);

/* Names with dots between them: ai.onnx.ml.Scaler is the domain ai.onnx.ml and the name Scaler. After a failure
 * either may be set. */
bool read_dotted(struct reader *r, char **domain, char **name, const char *what);
bool peek_type(struct reader *r); /* does the name of a type come next? */
Onnx__TypeProto *read_type(struct reader *r);
/* What follows the type of a tensor: its values, in braces, or where they are, in brackets. */
bool read_tensor(struct reader *r, Onnx__TensorProto *t, const Onnx__TypeProto *type);
/* "key": "value", ... up to ']'. */
bool read_entries(struct reader *r, Onnx__StringStringEntryProto ***entries, size_t *n);
/* What follows the name of an attribute, which is set. */
bool read_attribute(struct reader *r, Onnx__AttributeProto *a);
Onnx__GraphProto *read_graph(struct reader *r);

/* Appends a new message to a repeated field; `room` is the array's capacity, 0 at first. */
void *append_message(struct reader *r, void *array, size_t *n, size_t *room,
                     const ProtobufCMessageDescriptor *descriptor);

#endif
