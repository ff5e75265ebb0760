/* Values for people and programs: what a model has made. */
#ifndef KILN_TOOLS_VALUE_H
#define KILN_TOOLS_VALUE_H

#include "tools.h"

/* A line, or of a sequence several: the first elements, and of many numbers what they are like. */
void value_say(const char *name, const kiln_tensor *t);
/* As JSON, for what is no tensor of numbers: strings and lists, a map as an object, an optional value as itself or null;
 * numbers that are not finite are null. False with an error. */
bool value_save(struct command *c, const kiln_tensor *t, const char *path);

#endif
