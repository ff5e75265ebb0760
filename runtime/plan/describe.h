/* A program in words, for people. */
#ifndef KILN_PLAN_DESCRIBE_H
#define KILN_PLAN_DESCRIBE_H

#include "base/text.h"
#include "plan/program.h"

/* The size of the arena, what was folded while planning, then the steps in their order: operator, name, what each
 * writes, its type and where it lies. */
void program_describe(struct text *out, const struct program *p);

#endif
