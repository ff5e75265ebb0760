/* The registry walk. */
#include "unit.h"
#include "walk.h"

static int op_count(void)
{
    int n = 0;

    while (op_registry[n])
        n++;
    return n;
}

START_TEST(every_operator_keeps_its_word)
{
    walk_operator(op_registry[_i]);
}
END_TEST

START_TEST(rows_stand_newest_first)
{
    const struct op *op = op_registry[_i];

    for (const struct op_def *def = op->defs; def->since; def++)
        ck_assert_msg(!def[1].since || def[1].since < def->since, "%s: row %d stands before row %d", op->name,
                      def->since, def[1].since);
    ck_assert_ptr_eq(op_find(op->domain, op->name), op);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("ops");

    add_tests(s, rows_stand_newest_first, op_count());
    add_tests(s, every_operator_keeps_its_word, op_count());
    return s;
}
