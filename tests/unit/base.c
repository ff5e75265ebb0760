#include "base/cpu.h"
#include "base/map.h"
#include "base/text.h"
#include "base/utf8.h"
#include "unit.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- status -- */

struct heard {
    int count;
    kiln_status code;
    char where[64], message[512];
};

static void hear(void *user, kiln_status code, const char *where, const char *message)
{
    struct heard *h = user;

    h->count++;
    h->code = code;
    snprintf(h->where, sizeof h->where, "%s", where);
    snprintf(h->message, sizeof h->message, "%s", message);
}

START_TEST(first_error_wins_and_all_are_heard)
{
    struct heard heard = { 0 };
    struct report r = { .notify = hear, .user = &heard };

    ck_assert(!failed(&r));
    warn(&r, "node", "odd, but not wrong");
    ck_assert(!failed(&r));
    ck_assert_int_eq(heard.code, KILN_OK);
    ck_assert(!fail(&r, KILN_BAD_MODEL, "main/node[1]", "first %d", 1));
    ck_assert(!fail(&r, KILN_IO, NULL, "second"));
    ck_assert(failed(&r));
    ck_assert_int_eq(r.error.code, KILN_BAD_MODEL);
    ck_assert_int_eq(r.error.count, 2);
    ck_assert_str_eq(r.error.where, "main/node[1]");
    ck_assert_str_eq(r.error.message, "first 1");
    ck_assert_int_eq(heard.count, 3);
    ck_assert_str_eq(heard.where, "");
    ck_assert_str_eq(heard.message, "second");
    ck_assert(!fail(NULL, KILN_IO, NULL, "nobody listens"));
}
END_TEST

START_TEST(control_characters_are_escaped)
{
    struct report r = { 0 };

    fail(&r, KILN_BAD_MODEL, "a\nb", "name '%s'", "\x1b[31m\x7f\xc3\xa9\t");
    ck_assert_str_eq(r.error.where, "a\\x0ab");
    ck_assert_str_eq(r.error.message, "name '\\x1b[31m\\x7f\xc3\xa9\\x09'");
    r = (struct report){ 0 }; /* the same in UTF-8, a mark that turns the direction of writing, and what is no UTF-8 */
    fail(&r, KILN_BAD_MODEL, "\xff", "'%s'",
         "\xc2\x9b"
         "1m\xe2\x80\xae\xe2\x82\xac\xe2\x82");
    ck_assert_str_eq(r.error.where, "\\xff");
    ck_assert_str_eq(r.error.message, "'\\xc2\\x9b1m\\xe2\\x80\\xae\xe2\x82\xac\\xe2\\x82'");
}
END_TEST

/* Every byte at every place of a character: the two functions agree with the rules written out another way. */
START_TEST(characters_are_told_from_bytes)
{
    uint32_t code = 0;
    char s[4];

    for (uint32_t c = 0; c < 0x112000; c++) {
        const bool surrogate = c >= 0xd800 && c < 0xe000, valid = c < 0x110000 && !surrogate;
        const size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        static const uint32_t hidden[][2] = { { 0, 0x1f },        { 0x7f, 0x9f },     { 0x61c, 0x61c },
                                              { 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 },
                                              { 0xfeff, 0xfeff }, { 0xfffe, 0xffff } };
        bool shown = valid;

        for (size_t k = 0; k < n; k++)
            s[k] = (char)(k        ? 0x80 | (c >> 6 * (n - 1 - k) & 0x3f)
                          : n == 1 ? c
                                   : (0xf00u >> n & 0xf0u) | (n == 2 ? 0xc0u : 0) | c >> 6 * (n - 1));
        for (size_t k = 0; k < sizeof hidden / sizeof *hidden; k++)
            shown &= c < hidden[k][0] || c > hidden[k][1];
        ck_assert_uint_eq(utf8_decode(s, n, &code), valid ? n : 0);
        ck_assert(!valid || code == c);
        ck_assert_uint_eq(utf8_shown(s, n), shown ? n : 0);
        for (size_t left = 1; left < n; left++)
            ck_assert_uint_eq(utf8_decode(s, left, &code), 0);
    }
    ck_assert_uint_eq(utf8_decode("\xc1\xbf", 2, &code), 0); /* too long for what they are */
    ck_assert_uint_eq(utf8_decode("\xe0\x9f\xbf", 3, &code), 0);
    ck_assert_uint_eq(utf8_decode("\xf0\x8f\xbf\xbf", 4, &code), 0);
    ck_assert_uint_eq(utf8_decode("\xc3\xc3", 2, &code), 0);
    ck_assert_uint_eq(utf8_decode("\x80", 1, &code), 0);
}
END_TEST

START_TEST(cases_and_spaces_of_unicode)
{
    int spaces = 0;

    for (uint32_t c = 0; c < 0x110000; c++) {
        char s[4];
        uint32_t code = 0;
        const size_t n = utf8_encode(c, s);

        if (c >= 0xd800 && c < 0xe000) /* no characters */
            continue;
        ck_assert_uint_eq(utf8_decode(s, n, &code), n);
        ck_assert_uint_eq(code, c);
        spaces += utf8_is_space(c);
    }
    ck_assert_int_eq(spaces, 25);
    ck_assert(utf8_is_space(0x3000) && utf8_is_space('\v') && !utf8_is_space(0x200b));
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && !utf8_knows_case())
        return; /* emulated: the machine's own files of locales are of the other order */
    ck_assert(utf8_knows_case());
    ck_assert_uint_eq(utf8_lower('A'), 'a');
    ck_assert_uint_eq(utf8_upper(0xe9), 0xc9);
    ck_assert_uint_eq(utf8_upper(0xdf), 0xdf);
    ck_assert_uint_eq(utf8_lower(0x416), 0x436);
    ck_assert_uint_eq(utf8_lower('1'), '1');
}
END_TEST

START_TEST(long_messages_are_cut)
{
    struct report r = { 0 };
    char name[2000];

    memset(name, '\n', sizeof name - 1); /* each becomes four characters */
    name[sizeof name - 1] = 0;
    fail(&r, KILN_BAD_MODEL, name, "%s", name);
    ck_assert_uint_lt(strlen(r.error.message), sizeof r.error.message);
    ck_assert_uint_gt(strlen(r.error.message), sizeof r.error.message - 16);
    ck_assert_uint_lt(strlen(r.error.where), sizeof r.error.where);
    ck_assert_ptr_null(strchr(r.error.message, '\n'));
}
END_TEST

START_TEST(every_status_has_words)
{
#define CHECK(name, number, words) ck_assert_str_eq(kiln_status_text(name), words);
    KILN_STATUSES(CHECK)
#undef CHECK
    ck_assert_str_eq(kiln_status_text((kiln_status)77), "unknown status");
}
END_TEST

/* -- memory -- */

START_TEST(an_errno_has_words)
{
    char text[ERROR_TEXT_BYTES] = "";

    ck_assert_str_eq(error_text(ENOENT, text), "No such file or directory");
    ck_assert_str_eq(error_text(EACCES, text), "Permission denied");
    ck_assert(*error_text(123456, text));
}
END_TEST

START_TEST(budget_counts_and_limits)
{
    struct budget b = { .limit = 10000 };
    struct report r = { 0 };
    void *p = budget_alloc(&b, 4000, &r), *q;

    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq((uintptr_t)p % 64, 0);
    ck_assert_uint_ge(b.used, 4000);
    ck_assert_ptr_null(budget_alloc(&b, 8000, &r));
    ck_assert_int_eq(r.error.code, KILN_LIMIT);
    q = budget_alloc(&b, 4000, NULL);
    ck_assert_ptr_nonnull(q);
    ck_assert_uint_eq(b.used, b.peak);
    budget_free(&b, p);
    budget_free(&b, q);
    budget_free(&b, NULL);
    ck_assert_uint_eq(b.used, 0);
    ck_assert_uint_ge(b.peak, 8000);
}
END_TEST

/* The limit may be reached, and not passed by a byte; the peak stays when memory is given back. */
START_TEST(a_limit_is_exact)
{
    for (size_t bytes = 0; bytes < 300; bytes++) {
        struct budget b = { 0 };
        size_t used;
        void *p = budget_alloc(&b, bytes, NULL), *q;

        used = b.used;
        ck_assert_uint_ge(used, bytes);
        b.limit = 2 * used - 1;
        ck_assert_ptr_null(budget_alloc(&b, bytes, NULL));
        b.limit++;
        q = budget_alloc(&b, bytes, NULL);
        ck_assert_ptr_nonnull(q);
        budget_free(&b, p);
        ck_assert_uint_eq(b.peak, 2 * used);
        budget_free(&b, q);
        q = budget_alloc(&b, 0, NULL);
        ck_assert_uint_eq(b.peak, 2 * used);
        budget_free(&b, q);
        ck_assert_uint_eq(b.used, 0);
    }
}
END_TEST

START_TEST(budget_refuses_what_overflows)
{
    struct budget b = { 0 };
    struct report r = { 0 };
    size_t capacity = 0;
    int *array = NULL;

    ck_assert_ptr_null(budget_alloc(&b, SIZE_MAX, &r));
    ck_assert_ptr_null(budget_alloc(&b, SIZE_MAX - 64, &r));
    ck_assert_ptr_null(budget_alloc_pages(&b, SIZE_MAX, &r));
    ck_assert_ptr_null(budget_zalloc(&b, SIZE_MAX / 2, 3, &r));
    ck_assert(!budget_grow(&b, &array, &capacity, SIZE_MAX, sizeof *array, &r));
    ck_assert_ptr_null(array);
    ck_assert_int_eq(r.error.count, 5);
    ck_assert_uint_eq(b.used, 0);
    ck_assert(!add_size(INT64_MAX, 1, &(int64_t){ 0 }));
    ck_assert(!mul_size(INT64_MAX / 2 + 1, 2, &(int64_t){ 0 }));
    ck_assert_uint_eq(to_size(0), 0);
    ck_assert_uint_eq(to_size(UINT32_MAX), UINT32_MAX);
    b.limit = 1000; /* nor can this be had, whatever the bits of an address */
    ck_assert_ptr_null(budget_alloc(&b, to_size(((int64_t)1 << 62) + 8), &r));
}
END_TEST

START_TEST(budget_grow_keeps_what_is_there)
{
    struct budget b = { 0 };
    size_t capacity = 0;
    int *array = NULL;

    for (int k = 0; k < 1000; k++) {
        ck_assert(budget_grow(&b, &array, &capacity, (size_t)k + 1, sizeof *array, NULL));
        ck_assert_int_eq(array[k], 0);
        array[k] = k;
    }
    for (int k = 0; k < 1000; k++)
        ck_assert_int_eq(array[k], k);
    budget_free(&b, array);
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

START_TEST(pages_are_charged)
{
    struct budget b = { .limit = 1 << 20 };
    char *p = budget_alloc_pages(&b, 100000, NULL);

    ck_assert_ptr_nonnull(p);
    p[0] = p[99999] = 1;
    ck_assert_uint_eq(b.used, 100000);
    ck_assert_ptr_null(budget_alloc_pages(&b, 1 << 20, NULL));
    budget_free_pages(&b, p, 100000);
    p = budget_alloc_pages(&b, 0, NULL);
    ck_assert_ptr_nonnull(p);
    budget_free_pages(&b, p, 0);
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

/* -- work that is cancelled -- */

START_TEST(cancelled_work_stays_cancelled)
{
    struct cancel cancel = { 0 };
    struct budget total = { .cancel = &cancel }, within = budget_within(&total), b = budget_within(&within);
    struct report r = { 0 };

    budget_start(&b);
    ck_assert(budget_in_time(&b, "here", &r));
    cancel_request(&cancel);
    cancel_request(&cancel); /* no more than once */
    ck_assert(budget_late(&b));
    ck_assert(!budget_in_time(&b, "here", &r));
    ck_assert_int_eq(r.error.code, KILN_STOPPED);
    ck_assert_str_eq(r.error.where, "here");
    cancel_reset(&cancel);
    cancel_reset(&cancel);
    ck_assert(budget_late(&b)); /* it may have left something out */
    budget_stop(&b);
    ck_assert(!budget_late(&b));
    budget_start(&b);
    ck_assert(!budget_late(&b));
    budget_stop(&b);
    cancel_request(&cancel);
    ck_assert(!budget_late(&b)); /* no work, nothing to cancel */
    budget_start(&b);
    ck_assert(budget_late(&b)); /* until it is reset, nothing begins */
}
END_TEST

enum { CHARGES = 20000 };

static void *charge_total(void *argument)
{
    struct budget b = budget_within(argument);

    for (int k = 0; k < CHARGES; k++)
        budget_free(&b, budget_alloc(&b, 1, NULL));
    return NULL;
}

START_TEST(several_threads_charge_one_total)
{
    struct budget total = { 0 };
    pthread_t threads[3];

    for (int k = 0; k < 3; k++)
        ck_assert_int_eq(pthread_create(&threads[k], NULL, charge_total, &total), 0);
    for (int k = 0; k < 3; k++)
        ck_assert_int_eq(pthread_join(threads[k], NULL), 0);
    ck_assert_uint_eq(total.used, 0);
    ck_assert_uint_gt(total.peak, 0);
}
END_TEST

START_TEST(what_a_total_refuses_is_charged_nowhere)
{
    struct budget total = { .limit = 1000 }, b = budget_within(&total);

    b.limit = 0;
    ck_assert_ptr_null(budget_alloc(&b, 5000, NULL));
    ck_assert_uint_eq(b.used, 0);
    ck_assert_uint_eq(total.used, 0);
}
END_TEST

START_TEST(arena_gives_zeroed_aligned_memory)
{
    static const char zero[5000];
    struct budget b = { 0 };
    struct arena a = { .budget = &b };

    for (size_t k = 0; k < 200; k++) {
        char *p = arena_alloc(&a, k * 25, NULL);

        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % 64, 0);
        ck_assert_mem_eq(p, zero, k * 25);
        memset(p, 0xff, k * 25);
    }
    ck_assert_str_eq(arena_printf(&a, NULL, "%s-%d", "conv", 11), "conv-11");
    ck_assert_str_eq(arena_string(&a, "truncate", 5, NULL), "trunc");
    ck_assert_str_eq(arena_string(&a, NULL, 0, NULL), "");
    ck_assert_ptr_null(arena_array(&a, SIZE_MAX / 2, 3, NULL));
    ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX, NULL));
    ck_assert_ptr_null(arena_string(&a, "", SIZE_MAX, NULL));
    arena_release(&a);
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

START_TEST(arena_passes_on_the_limit)
{
    struct budget b = { .limit = 100000 };
    struct arena a = { .budget = &b };
    struct report r = { 0 };
    int n = 0;

    while (arena_alloc(&a, 1000, &r))
        n++;
    ck_assert_int_gt(n, 50);
    ck_assert_int_lt(n, 100);
    ck_assert_int_eq(r.error.code, KILN_LIMIT);
    arena_release(&a);
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

/* -- map and text -- */

START_TEST(map_holds_many_names)
{
    enum { NAMES = 100000, LENGTH = 24 };
    struct budget b = { 0 };
    char(*names)[LENGTH] = calloc(NAMES, LENGTH);
    struct map m;

    ck_assert_ptr_nonnull(names);
    map_init(&m, &b);
    ck_assert_ptr_null(map_get(&m, "nothing"));
    ck_assert(!map_has(&m, "nothing"));
    for (int k = 0; k < NAMES; k++) {
        void **slot;

        snprintf(names[k], LENGTH, "%d/weight_%d", k % 7, k);
        slot = map_put(&m, names[k], NULL);
        ck_assert_ptr_nonnull(slot);
        ck_assert_ptr_null(*slot);
        *slot = names[k];
    }
    ck_assert_uint_eq(m.count, NAMES);
    for (int k = 0; k < NAMES; k++) {
        char copy[LENGTH];

        memcpy(copy, names[k], LENGTH); /* found by what it says, not by where it is */
        ck_assert_ptr_eq(map_get(&m, copy), names[k]);
    }
    ck_assert(!map_has(&m, "7/weight_7"));
    ck_assert_ptr_eq(*map_put(&m, "3/weight_3", NULL), names[3]);
    ck_assert_uint_eq(m.count, NAMES);
    map_release(&m);
    ck_assert_uint_eq(b.used, 0);
    free(names);
}
END_TEST

START_TEST(map_tells_apart_names_that_share_a_slot)
{
    struct budget b = { 0 };
    struct map m;

    map_init(&m, &b);
    m.key = (struct hash_key){ { 0 } };          /* so that which names collide is the same in every run */
    for (int letter = 0; letter < 8; letter++) { /* 8 in 16 slots: some share one */
        static const char *const names[8] = { "a", "b", "c", "d", "e", "f", "g", "" };
        void **slot = map_put(&m, names[letter], NULL);

        ck_assert_ptr_nonnull(slot);
        *slot = &m;
        ck_assert_uint_eq(m.count, (size_t)letter + 1);
        for (int other = 0; other < 8; other++)
            ck_assert_int_eq(map_has(&m, names[other]), other <= letter);
    }
    map_release(&m);
}
END_TEST

START_TEST(map_tells_when_memory_is_out)
{
    struct budget b = { .limit = 100 };
    struct report r = { 0 };
    struct map m;

    map_init(&m, &b);
    ck_assert_ptr_null(map_put(&m, "name", &r));
    ck_assert_int_eq(r.error.code, KILN_LIMIT);
    ck_assert(!map_has(&m, "name"));
    map_release(&m);
}
END_TEST

START_TEST(text_grows)
{
    struct budget b = { 0 };
    struct text t = { .budget = &b };
    size_t length = 0;

    for (int k = 0; k < 2000; k++) {
        char expected[16];

        text_printf(&t, "%d,", k);
        length += (size_t)snprintf(expected, sizeof expected, "%d,", k);
        ck_assert_uint_eq(t.length, length);
        ck_assert_str_eq(t.data + length - strlen(expected), expected);
    }
    text_add(&t, "\0x", 2);
    ck_assert_uint_eq(t.length, length + 2);
    ck_assert_int_eq(t.data[t.length], 0);
    text_release(&t);
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

/* Newlines of the format are lines; those of what is put into it are not. */
START_TEST(text_for_people_is_escaped)
{
    struct budget b = { 0 };
    struct report r = { 0 };
    struct text t = { .budget = &b, .report = &r };

    text_say(&t, "\n%s: %d\n\n", "a\nb\x1b", 7);
    text_say(&t, "%s", "");
    text_say(&t, "\n");
    text_say(&t, "%s\n", "\n");
    ck_assert_str_eq(t.data, "\na\\x0ab\\x1b: 7\n\n\n\\x0a\n");
    text_release(&t);
    text_add_shown(&t, "x\0\xff\xc3\xa9", 5);
    ck_assert_str_eq(t.data, "x\\x00\\xff\xc3\xa9");
    text_release(&t);
    b.limit = 8;
    text_say(&t, "%s", "more than eight bytes");
    ck_assert(t.failed && failed(&r));
    text_release(&t);
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

START_TEST(text_stays_failed)
{
    struct budget b = { .limit = 1000 };
    struct report r = { 0 };
    struct text t = { .budget = &b, .report = &r };
    size_t length;

    while (!t.failed)
        text_printf(&t, "%0100d", 0);
    length = t.length;
    ck_assert_int_eq(r.error.code, KILN_LIMIT);
    text_add(&t, "", 0);
    text_add(&t, "x", 1);
    ck_assert_uint_eq(t.length, length);
    ck_assert_int_eq(r.error.count, 1);
    text_release(&t);
}
END_TEST

START_TEST(cpu_levels_have_names)
{
    ck_assert_int_le(cpu_level(), CPU_AVX512);
    ck_assert_str_eq(cpu_level_name(CPU_BASE), "base");
    ck_assert_str_eq(cpu_level_name(CPU_AVX2), "avx2");
    ck_assert_str_eq(cpu_level_name(CPU_AVX512), "avx512");
}
END_TEST

/* A total that holders have in common is charged once; who has another one is charged all; in whichever order they go. */
START_TEST(a_block_has_several_holders)
{
    enum { HOLDERS = 3, BYTES = 5000 };
    struct budget total = { 0 }, own = { 0 }, one = { .total = &total }, two = { .total = &total };
    struct budget *const holder[HOLDERS] = { &one, &two, &own };
    static const int orders[][HOLDERS] = {
        { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 }
    };
    const int *const order = orders[_i];
    struct report report = { 0 };
    char *p = budget_alloc(&one, BYTES, &report);
    size_t charged;

    ck_assert(p && !budget_is_shared(p));
    memset(p, 7, BYTES);
    charged = one.used;
    ck_assert(budget_share(&two, p, &report) && budget_share(&own, p, &report) && budget_is_shared(p));
    ck_assert(one.used == charged && two.used == charged && own.used == charged && total.used == charged);
    for (int k = 0; k < HOLDERS; k++) {
        ck_assert_int_eq(p[BYTES - 1], 7);
        ck_assert_uint_eq(total.used, one.used || two.used ? charged : 0);
        budget_free(holder[order[k]], p);
        ck_assert_uint_eq(holder[order[k]]->used, 0);
    }
    ck_assert_uint_eq(total.used, 0);
}
END_TEST

START_TEST(who_may_not_hold_more_shares_nothing)
{
    struct budget one = { 0 }, little = { .limit = 100 };
    struct report report = { 0 };
    void *p = budget_alloc(&one, 5000, &report);

    ck_assert(!budget_share(&little, p, &report) && !budget_is_shared(p));
    ck_assert_int_eq(report.error.code, KILN_LIMIT);
    ck_assert_uint_eq(little.used, 0);
    budget_free(&one, p);
    ck_assert_uint_eq(one.used, 0);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("base");

    add_test(s, first_error_wins_and_all_are_heard);
    add_test(s, control_characters_are_escaped);
    add_test(s, characters_are_told_from_bytes);
    add_test(s, cases_and_spaces_of_unicode);
    add_test(s, long_messages_are_cut);
    add_test(s, every_status_has_words);
    add_test(s, an_errno_has_words);
    add_test(s, budget_counts_and_limits);
    add_test(s, a_limit_is_exact);
    add_test(s, budget_refuses_what_overflows);
    add_test(s, budget_grow_keeps_what_is_there);
    add_test(s, pages_are_charged);
    add_test(s, cancelled_work_stays_cancelled);
    add_test(s, several_threads_charge_one_total);
    add_test(s, what_a_total_refuses_is_charged_nowhere);
    add_test(s, arena_gives_zeroed_aligned_memory);
    add_test(s, arena_passes_on_the_limit);
    add_test(s, map_holds_many_names);
    add_test(s, map_tells_apart_names_that_share_a_slot);
    add_test(s, map_tells_when_memory_is_out);
    add_test(s, text_grows);
    add_test(s, text_for_people_is_escaped);
    add_test(s, text_stays_failed);
    add_test(s, cpu_levels_have_names);
    add_tests(s, a_block_has_several_holders, 6);
    add_test(s, who_may_not_hold_more_shares_nothing);
    return s;
}
