/* UTF-8 (RFC 3629), and what of it may be shown to people as it is. */
#ifndef KILN_BASE_UTF8_H
#define KILN_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at `s`, of which `left` > 0 can be read; 0 where there is none. *code is the character. */
size_t utf8_decode(const char *s, size_t left, uint32_t *code);

/* The same, but 0 also for what a terminal obeys or hides instead of showing it: control characters (C0, DEL and C1),
 * marks that turn the direction of writing round (https://trojansource.codes), line separators, and what is no
 * character. All these have at most 16 bits. Then the byte at `s` is to be escaped; the bytes after it are no
 * characters of their own, so that a caller who goes on with the next byte escapes all of them. */
size_t utf8_shown(const char *s, size_t left);

#endif
