/* Patterns in the syntax of RE2 (https://github.com/google/re2/wiki/Syntax), as PCRE2 is to read them.
 *
 * What RE2 does not have is refused, although PCRE2 has it: back references, look-around, possessive and atomic parts,
 * recursion, conditions, comments, verbs, and escapes of its own. What means something else there is written in another
 * way: \v, \s, $, octal numbers, and braces that count nothing;
 * ^, $, \A, \z, \b and \B become groups, so that they may be repeated. */
#ifndef KILN_OPS_RE2_SYNTAX_H
#define KILN_OPS_RE2_SYNTAX_H

#include "base/text.h"

/* Adds the pattern to `out`; `whole`: a string must match up to its end. NULL, or what is wrong with it, at byte *at; the
 * rest PCRE2 tells. */
const char *re2_translate(const char *pattern, bool whole, struct text *out, size_t *at);

#endif
