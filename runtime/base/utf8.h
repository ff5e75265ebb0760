/* UTF-8 (RFC 3629), and what of it may be shown to people as it is. */
#ifndef KILN_BASE_UTF8_H
#define KILN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at `s`, of which `left` > 0 can be read; 0 where there is none. *code is the character. */
size_t utf8_decode(const char *s, size_t left, uint32_t *code);

/* The same, but 0 also for what a terminal obeys or hides instead of showing it: control characters (C0, DEL and C1),
 * marks that turn the direction of writing round (https://trojansource.codes), line separators, and what is no
 * character. All these have at most 16 bits. Then the byte at `s` is to be escaped; the bytes after it are no
 * characters of their own, so that a caller who goes on with the next byte escapes all of them. */
size_t utf8_shown(const char *s, size_t left);

/* The bytes of a character, 1 to 4. */
size_t utf8_encode(uint32_t code, char out[4]);

bool utf8_is_space(uint32_t code); /* Unicode's White_Space */
/* The one character that is the same in the other case, or it itself. By the C library's locale C.UTF-8: false where the
 * machine has none, and letters are not known. */
bool utf8_knows_case(void);
uint32_t utf8_lower(uint32_t code);
uint32_t utf8_upper(uint32_t code);

#endif
