/* A sheet of samples as SVG: pictures, or the numbers of a row as a line, with the names of their classes. */
#ifndef KILN_TOOLS_SHEET_H
#define KILN_TOOLS_SHEET_H

#include "tools.h"

/* Of each of the first classes some, else the first samples. False with an error. */
bool sheet_save(const kiln_dataset *data, const char *title, const char *path, struct command *c);

#endif
