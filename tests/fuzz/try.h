/* What hostile bytes are put through, within bounds of bytes and seconds. Memory that is not given back ends the
 * process, as does a promise that is not kept. */
#ifndef KILN_TESTS_FUZZ_TRY_H
#define KILN_TESTS_FUZZ_TRY_H

#include "base/memory.h"
#include "tensor/tensor.h"

/* -- a target each -- */

/* A model: read, built, planned and run. */
void try_loader(const uint8_t *bytes, size_t size);
/* A model and its data: trained, judged and exported. */
void try_training(const uint8_t *bytes, size_t size);
/* A model as text (or as messages): what is written can be read, and is then written alike. */
void try_text(const uint8_t *bytes, size_t size);
/* A data set in one of the formats: opened, normalised, batched. */
void try_data(const uint8_t *bytes, size_t size);

/* -- for them -- */

enum { TRY_TRAINING = 1 }; /* two steps of training after the runs */

/* Returns how far a model came: 0 not readable, 1 not valid, 2 does not run, 3 runs, 4 trains. */
int try_model(const uint8_t *bytes, size_t size, unsigned flags);

/* The first byte, where there is one: what is left is shorter by it. */
unsigned try_take(const uint8_t **bytes, size_t *size);
void try_nothing_left(const struct budget *b);
void try_expect(bool kept, const char *promise);

#endif
