/* The operators that runtime/ops/README.md writes as examples, built out of its text. */
#include "unit.h"
#include "walk.h"

extern const struct op op_bent_identity, op_tanh_shrink;
static const struct op *const examples[] = { &op_bent_identity, &op_tanh_shrink };

START_TEST(examples_keep_their_word)
{
    walk_operator(examples[_i]);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("readme");

    add_tests(s, examples_keep_their_word, sizeof examples / sizeof *examples);
    return s;
}
