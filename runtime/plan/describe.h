/* A program in words, for people. */
#ifndef KILN_PLAN_DESCRIBE_H
#define KILN_PLAN_DESCRIBE_H

#include "base/text.h"
#include "plan/program.h"

/* The size of the arena and of what is prepared of weights, what was folded while planning, then a table of the steps
 * in their order: operator, how it is computed (the method, what was fused into it), the type of what it makes, how
 * many bytes that has and where in the arena it lies (or the value whose place it has), where the working memory lies,
 * and the name. Subgraphs follow, without places: each run of one is planned by itself. What is run in
 * slices of the batch comes first. */
void program_describe(struct text *out, const struct program *p);

#endif
