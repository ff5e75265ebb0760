/* One of ONNX' backend tests: a model, and what it must make of inputs.
 *
 * What the model's metadata say of the test counts: test.rtol and test.atol are its tolerances, and where test.kind is
 * "training" the data sets are steps of its training_info (tests/training-suite/README.md). */
#ifndef KILN_TOOLS_TEST_CASE_H
#define KILN_TOOLS_TEST_CASE_H

#include "compare.h"
#include "tools.h"

enum { PATH_TEXT = 4096 };

struct test_options {
    struct tolerance tolerance; /* negative: what the model's metadata say, or the usual one */
    bool exact;
    struct limits limits; /* of each test */
};

enum outcome { PASSED, FAILED, UNSUPPORTED };

struct test_result {
    enum outcome outcome;
    kiln_error error;  /* why it has not passed */
    struct ulps worst; /* of all outputs */
};

bool is_file(const char *path);
bool is_directory(const char *path);
/* Runs the model, on one thread, with the data sets in `directory`; a light model, which has no inputs beside it, by its
 * `stem`: the path without its ending. The other of the two is NULL. */
void test_case_run(struct test_result *result, const struct test_options *o, const char *model, const char *directory,
                   const char *stem);

#endif
