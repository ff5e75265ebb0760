/* Names of files for what a model names. */
#ifndef KILN_TOOLS_NAMES_H
#define KILN_TOOLS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum { FILE_NAME = 256 };

/* files[k] becomes a name, without a suffix, for names[k]: that name itself where it can be one. Else it is changed so
 * that it stays in its directory, is not hidden and not too long, and "_2", "_3" ... is put to it where it would be
 * that of another. "" where names[k] has been there before: that is one file. False where there is no memory. */
bool names_of_files(char (*files)[FILE_NAME], const char *const names[], size_t count);

#endif
