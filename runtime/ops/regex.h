/* Regular expressions in RE2's syntax. They are read by PCRE2 (https://www.pcre.org), where the library was built with it,
 * and matched by its function that follows all ways at once (pcre2_dfa_match): as RE2 it never goes back, so that no
 * pattern takes exponential time. Each match has a limit of steps all the same, and of memory; what goes beyond is an
 * error.
 *
 * What RE2's syntax does not have is refused, what PCRE2 reads otherwise is written anew (ops/re2_syntax.h). These
 * differences stay: a pattern of more than 64 KiB when it is compiled, or nested deeper than 249, is refused, \C is, and
 * so is a repetition of what stands before (?i) or the like; repetitions may count to 65535, which RE2 refuses from 1001
 * on. A string that is not UTF-8 matches nothing; RE2 lets \C match bytes. Properties \p{...} are those of the Unicode
 * that PCRE2 knows, and letters are equal in any case by its tables. */
#ifndef KILN_OPS_REGEX_H
#define KILN_OPS_REGEX_H

#include "ops/op.h"

struct regex {
    const void *code; /* what PCRE2 has made of the pattern; it lies with the model */
};

/* Of a pattern that attribute `name` has. `whole`: it must match whole strings, else a part of one anywhere. False with an
 * error. */
bool regex_parse(struct parse *p, struct regex *r, const char *name, const char *pattern, bool whole);

/* What matching needs, on the heap of the run. */
struct matcher {
    struct step *step;
    void *general, *limits, *data;
    int *space; /* for ways that are followed at once */
    size_t spaces;
};

/* False with an error; matcher_end in any case. */
bool matcher_begin(struct matcher *m, struct step *s);
void matcher_end(struct matcher *m);
/* Looks into a string, from byte `at` on, which is 0 at first, for the first match: where it begins and ends, the longest of those that begin
 * there, or any where `span` is NULL. -1 with an error. */
int matcher_find(struct matcher *m, const struct regex *r, const char *s, size_t length, size_t at, size_t span[2]);

#endif
