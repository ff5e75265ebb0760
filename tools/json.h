/* JSON (RFC 8259), written into a page: an item after the other, commas and line breaks come by themselves. */
#ifndef KILN_TOOLS_JSON_H
#define KILN_TOOLS_JSON_H

#include "tools.h"

enum { JSON_DEPTH = 24 }; /* lists open at once */

struct json {
    struct page *out;
    int lines; /* lists up to this depth have a line for each item */
    int depth;
    bool more[JSON_DEPTH + 1]; /* at this depth: is there an item already? */
    bool keyed;                /* is the key of the next item there already? */
};

/* `key` is NULL for an item of a list, and for the outermost one, behind which the line ends. '{' or '[' opens. */
void json_begin(struct json *j, const char *key, char bracket);
void json_end(struct json *j, char bracket);
/* NULL: null. What no terminal should see stands as \uNNNN, U+FFFD for what is no UTF-8. */
void json_text(struct json *j, const char *key, const char *s);
/* The same of any bytes, NUL as well; and the key of the next item, whose own is NULL. */
void json_text_n(struct json *j, const char *key, const char *s, size_t length);
void json_key(struct json *j, const char *s, size_t length);
void json_whole(struct json *j, const char *key, int64_t n);
void json_whole_unsigned(struct json *j, const char *key, uint64_t n);
/* With as many digits as matter, 17 for the number itself; null where it is not finite: JSON has no such numbers. */
void json_number(struct json *j, const char *key, double x, int digits);
void json_flag(struct json *j, const char *key, bool b);

#endif
