/* The command: one file for each verb, and what they share. */
#ifndef KILN_TOOLS_KILN_H
#define KILN_TOOLS_KILN_H

#include "base/status.h"

struct verb {
    const char *name;
    const char *summary; /* half a line, for `kiln --help` */
    int (*run)(int argc, char **argv); /* argv[0] is "kiln VERB"; returns the exit code */
};

extern const struct verb verb_test;

/* Prints "kiln: FILE: where: message" to stderr, and how many more errors there were; returns the exit code of the error. */
int tell_error(const char *file, const kiln_error *e);
/* A diagnostic callback that prints every error and warning to stderr; `user` is the file's name or NULL. */
void tell_diagnostic(void *user, kiln_status code, const char *where, const char *message);

enum { EXIT_USAGE = 64 }; /* wrong options, as sysexits has it */

#endif
