/* The registry walk. */
#include "case.h"
#include "ops/signature.h"
#include "unit.h"
#include "walk.h"

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

START_TEST(types_of_any_depth_are_read)
{
    static const struct op_def def = { .since = 1,
                                       .signature = "T x, V v -> V y",
                                       .types =
                                           "T: i64 ir9; V: f32 seq(map(i64, f32 f64)) opt(seq(opt(u4))) sparse(f32)" };
    const struct tensor maps = { .kind = SEQUENCE, .element = { { MAP, I64 } }, .dtype = F64 };
    const struct tensor options = { .kind = OPTIONAL,
                                    .element = { { .kind = SEQUENCE }, { .kind = OPTIONAL } },
                                    .dtype = U4 };
    struct tensor other = maps;
    char text[TYPE_SET_TEXT];
    struct signature s;

    ck_assert(signature_read(&s, &def));
    ck_assert_str_eq(type_set_text(&s.var[0].set, text),
                     "int64, float8e4m3fn, float8e4m3fnuz, float8e5m2, float8e5m2fnuz");
    ck_assert_str_eq(type_set_text(&s.var[1].set, text),
                     "float, seq(map(int64, float)), seq(map(int64, double)), optional(seq(optional(uint4))), "
                     "sparse_tensor(float)");
    ck_assert(type_set_has(&s.var[1].set, &maps) && type_set_has(&s.var[1].set, &options));
    other.element[0].key = STRING;
    ck_assert(!type_set_has(&s.var[1].set, &other));
    other = options;
    other.dtype = I4;
    ck_assert(!type_set_has(&s.var[1].set, &other));
    for (int k = 0; k < 4; k++) {
        static const char *const wrong[] = { "T: i64; V: seq(f32", "T: i64; V: bag(f32)", "T: i64; V: opt(seq(f32)",
                                             "T: i64; V: seq(nothing)" };
        const struct op_def bad = { .since = 1, .signature = def.signature, .types = wrong[k] };

        ck_assert(!signature_read(&s, &bad));
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("ops");

    add_tests(s, rows_stand_newest_first, case_operators());
    add_test(s, types_of_any_depth_are_read);
    add_tests(s, every_operator_keeps_its_word, case_operators());
    return s;
}
