/* JSON (RFC 8259), written into a text: an item after the other, commas and line breaks come by themselves. */
#ifndef KILN_BASE_JSON_H
#define KILN_BASE_JSON_H

#include "base/text.h"

enum { JSON_DEPTH = 16, JSON_LINES = 2 }; /* lists open at once; those up to this depth have a line for each item */

struct json {
    struct text *out;
    int depth;
    bool more[JSON_DEPTH + 1]; /* at this depth: is there an item already? */
};

/* `key` is NULL for an item of a list, and for the outermost one. '{' or '[' opens. Every one that is opened must be
 * closed. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_string(struct json *j, const char *key, const char *s); /* NULL: null */
/* What is no UTF-8 becomes U+FFFD. */
void json_bytes(struct json *j, const char *key, const char *bytes, size_t length);
void json_int(struct json *j, const char *key, int64_t n);
void json_real(struct json *j, const char *key, double x); /* null where it is not finite: JSON has no such numbers */
void json_bool(struct json *j, const char *key, bool b);

#endif
