/* The parts of the textual syntax that text_write.c puts together: names, types, numbers, tensors. Inside graph/ only.
 * Nothing fails before the end: struct text remembers. The locale is C while these are called. */
#ifndef KILN_MODEL_TEXT_PUT_H
#define KILN_MODEL_TEXT_PUT_H

#include "base/text.h"
#include "onnx.pb-c.h"

/* A kind of field that the syntax has no place for, and how many of them were met. */
struct left_out {
    const char *what, *of; /* "doc_string" of "nodes"; `of` may be NULL */
    int64_t count;
};

struct writer {
    struct text *text;
    int64_t most; /* values of a tensor; 0: all, and the text is to be read back */
    int indent;
    struct left_out left_out[48];
};

void put_text(struct writer *w, const char *s);
void put_line(struct writer *w);
void leave_out(struct writer *w, const char *what, const char *of, size_t count);
/* What changes what the model is cannot be left out: an error, unless the text is for people only. */
void refuse(struct writer *w, const ProtobufCMessage *m, const char *what, const char *of);
/* The fields of a message that say something and are none of those that `said` names, with spaces between and around:
 * annotations are left out, others refused. `of` says what such messages are: "nodes". */
void put_rest(struct writer *w, const ProtobufCMessage *m, const char *of, const char *said);

bool is_identifier(const char *s, size_t length);
void put_quoted(struct writer *w, const void *bytes, size_t length);
void put_word(struct writer *w, const char *s); /* where only an operator, an attribute or a dimension can stand */
void put_domain(struct writer *w, const char *domain);
void put_name(struct writer *w, const char *s); /* where a type, or nan, would be read as such */
void put_names(struct writer *w, char *const *names, size_t n);
void put_entries(struct writer *w, Onnx__StringStringEntryProto *const *entries, size_t n);

/* `type` may be NULL; `of` is the message that has it, NULL where it need not be there. */
void put_inner_type(struct writer *w, const Onnx__TypeProto *type, const ProtobufCMessage *of);
void put_value_info(struct writer *w, const Onnx__ValueInfoProto *v);
void put_value_infos(struct writer *w, Onnx__ValueInfoProto *const *v, size_t n);

void put_float(struct writer *w, float value);
/* `named`: a name has to be there, even an empty one. */
void put_tensor(struct writer *w, const Onnx__TensorProto *t, bool named);

#endif
