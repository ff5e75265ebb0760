#include "base/random.h"
#include "base/mt19937.h"
#include "kernels/kernels.h"
#include "unit.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { N = 100000 };

static float numbers[N];

/* Known answers, from the authors' Random123. */
START_TEST(philox_gives_the_published_words)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    uint32_t out[4];

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        philox(out, known[i].counter, known[i].key);
        ck_assert_mem_eq(out, known[i].out, sizeof out);
    }
}
END_TEST

START_TEST(uniform_is_made_of_philox)
{
    const uint64_t seed = 0x123456789abcdef0, stream = random_stream(7, 9),
                   first = 0x3fffffffd; /* carries past 32 bits */
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    uint32_t word[4];
    float out[77];

    random_uniform(out, 77, seed, stream, first);
    for (uint64_t k = first; k < first + 77; k++) {
        philox(word, (const uint32_t[]){ (uint32_t)(k / 4), (uint32_t)(k / 4 >> 32), 9, 7 }, key);
        ck_assert(out[k - first] == (float)(word[k % 4] >> 8) / 16777216.f);
    }
}
END_TEST

/* Every bit of the node and of the step tells. */
START_TEST(streams_differ)
{
    for (int bit = 0; bit < 32; bit++) {
        ck_assert(random_stream(5, 9) != random_stream(5, 9 ^ UINT64_C(1) << bit));
        ck_assert(random_stream(5, 9) != random_stream((int32_t)(5 ^ 1u << bit), 9));
        ck_assert(random_stream(0, UINT64_C(1) << bit) != random_stream((int32_t)(1u << bit), 0));
    }
}
END_TEST

START_TEST(an_element_does_not_depend_on_where_one_starts)
{
    void (*const draw[])(float *, int64_t, uint64_t, uint64_t, uint64_t) = { random_uniform, random_normal,
                                                                             random_truncated_normal };
    float whole[200], part[200];

    for (int f = 0; f < 3; f++) {
        draw[f](whole, 200, 1, 2, 0);
        for (uint64_t first = 0; first < 70; first++) {
            draw[f](part, 130, 1, 2, first);
            ck_assert_mem_eq(part, whole + first, 130 * sizeof *part);
        }
        draw[f](part, 200, 1, 3, 0);
        ck_assert(memcmp(part, whole, sizeof part) != 0);
        draw[f](part, 200, 2, 2, 0);
        ck_assert(memcmp(part, whole, sizeof part) != 0);
    }
}
END_TEST

START_TEST(wide_numbers_do_not_depend_on_where_one_starts)
{
    double whole[200], part[200];

    random_normal_wide(whole, 200, 1, 2, 0);
    for (uint64_t first = 0; first < 70; first++) {
        random_normal_wide(part, 130, 1, 2, first);
        ck_assert_mem_eq(part, whole + first, 130 * sizeof *part);
    }
    random_normal_wide(part, 200, 1, 3, 0);
    ck_assert(memcmp(part, whole, sizeof part) != 0);
    random_normal_wide(part, 200, 2, 2, 0);
    ck_assert(memcmp(part, whole, sizeof part) != 0);
}
END_TEST

static void moments(double *mean, double *deviation, double *most)
{
    double sum = 0, squares = 0;

    *most = 0;
    for (int i = 0; i < N; i++) {
        sum += (double)numbers[i];
        squares += (double)numbers[i] * (double)numbers[i];
        *most = fmax(*most, fabs((double)numbers[i]));
    }
    *mean = sum / N;
    *deviation = sqrt(squares / N - *mean * *mean);
}

START_TEST(distributions_have_their_moments)
{
    static double wide[N];
    double mean, deviation, most;

    random_uniform(numbers, N, 3, 0, 0);
    moments(&mean, &deviation, &most);
    ck_assert_double_eq_tol(mean, .5, .004);
    ck_assert_double_eq_tol(deviation, sqrt(1 / 12.), .002);
    ck_assert(most < 1);
    random_normal(numbers, N, 3, 0, 0);
    moments(&mean, &deviation, &most);
    ck_assert_double_eq_tol(mean, 0, .015);
    ck_assert_double_eq_tol(deviation, 1, .01);
    ck_assert(most > 3.5 && most < 7);
    random_normal_wide(wide, N, 3, 0, 0);
    for (int i = 0; i < N; i++)
        numbers[i] = (float)wide[i];
    moments(&mean, &deviation, &most);
    ck_assert_double_eq_tol(mean, 0, .015);
    ck_assert_double_eq_tol(deviation, 1, .01);
    ck_assert(most > 3.5 && most < 7);
    random_truncated_normal(numbers, N, 3, 0, 0);
    moments(&mean, &deviation, &most);
    ck_assert_double_eq_tol(mean, 0, .015);
    ck_assert_double_eq_tol(deviation, .87962566103423978, .008);
    ck_assert(most > 1.99 && most <= 2);
}
END_TEST

START_TEST(a_permutation_has_each_number_once)
{
    static int64_t order[10007], again[10007];
    static bool seen[10007];
    int fixed = 0;

    random_permutation(order, 10007, 5, 6);
    for (int i = 0; i < 10007; i++) {
        ck_assert(order[i] >= 0 && order[i] < 10007 && !seen[order[i]]);
        seen[order[i]] = true;
        fixed += order[i] == i;
    }
    ck_assert_int_lt(fixed, 12);                                             /* one is expected */
    ck_assert(order[0] == 6205 && order[1] == 7578 && order[10006] == 7405); /* on every machine */
    random_permutation(again, 10007, 5, 6);
    ck_assert_mem_eq(order, again, sizeof order);
    random_permutation(again, 10007, 5, 7);
    ck_assert(memcmp(order, again, sizeof order) != 0);
    random_permutation(again, 10007, 4, 6);
    ck_assert(memcmp(order, again, sizeof order) != 0);
    again[0] = again[1] = -1;
    random_permutation(again, 0, 1, 1);
    ck_assert_int_eq(again[0], -1);
    random_permutation(again, 1, 1, 1);
    ck_assert_int_eq(again[0], 0);
    ck_assert_int_eq(again[1], -1);
}
END_TEST

START_TEST(every_order_is_equally_likely)
{
    int seen[64] = { 0 }, orders = 0;
    int64_t p[4];
    double chi = 0;

    for (uint64_t epoch = 0; epoch < 24000; epoch++) {
        random_permutation(p, 4, 11, epoch);
        seen[p[0] * 16 + p[1] * 4 + p[2]]++;
    }
    for (int i = 0; i < 64; i++)
        if (seen[i]) {
            chi += (seen[i] - 1000) * (seen[i] - 1000) / 1000.;
            orders++;
        }
    ck_assert_int_eq(orders, 24);
    ck_assert(chi < 50); /* 23 degrees of freedom: one in a thousand is above */
}
END_TEST

/* Each level's way to the same numbers, at every place in a vector of blocks; two words of the counter carry. */
START_TEST(levels_draw_the_same)
{
    enum { MOST = 1100 };
    static const uint64_t firsts[] = { 0, 1, 2, 3, 4, 130, 0x3fffffffd, 0x3fffffff0 };
    const struct kernels *const k = kernels_for(_i);
    const uint64_t seed = 0xfedcba9876543210, stream = random_stream(-3, 1u << 31 | 5);
    float wanted[MOST], got[MOST + 1];

    if (!k)
        return;
    for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++)
        for (int64_t n = 0; n <= MOST; n += n < 150 ? 1 : 37) {
            got[n] = 7;
            random_uniform(wanted, n, seed, stream, firsts[f]);
            k->random->uniform(got, n, seed, stream, firsts[f]);
            ck_assert_mem_eq(got, wanted, (size_t)n * sizeof *got);
            ck_assert(got[n] == 7);
        }
}
END_TEST

/* In place too, for what is no number, and with the bits of the definition. */
START_TEST(levels_drop_the_same)
{
    enum { MOST = 700 };
    static const double ratios[] = { 1e-9, .1, .25, .5, .9, 1 - 1e-9 };
    const struct kernels *const k = kernels_for(_i);
    float x[MOST + 1], u[MOST], y[MOST + 1], back[MOST + 1];
    uint8_t mask[MOST + 2];

    if (!k)
        return;
    for (size_t r = 0; r < sizeof ratios / sizeof *ratios; r++)
        for (int64_t n = 0; n < MOST; n += n < 80 ? 1 : 41) {
            const uint64_t first = (uint64_t)(n % 7);
            const struct drop d = { 11, 12, (int32_t)ceil(ratios[r] * 0x1p24), (float)(1 / (1 - ratios[r])) };

            random_uniform(u, n, d.seed, d.stream, first);
            for (int64_t i = 0; i <= n; i++)
                x[i] = i % 13 == 5 ? -INFINITY : i % 11 == 3 ? NAN : (float)(i - 100);
            y[n] = back[n] = 7;
            mask[1 + n] = 7;
            k->random->drop(&d, x, y, mask + 1, n, first); /* where no vector is aligned */
            k->random->keep(mask + 1, x, back, n, d.scale);
            ck_assert(y[n] == 7 && back[n] == 7 && mask[1 + n] == 7);
            for (int64_t i = 0; i < n; i++) {
                const float wanted = (double)u[i] >= ratios[r] ? x[i] * d.scale : 0;

                ck_assert_int_eq(mask[1 + i], (double)u[i] >= ratios[r]);
                ck_assert(isnan(wanted) ? isnan(y[i]) : memcmp(&wanted, y + i, sizeof wanted) == 0);
            }
            ck_assert_mem_eq(back, y, (size_t)n * sizeof *y);
            k->random->drop(&d, x, x, NULL, n, first);
            ck_assert_mem_eq(x, y, (size_t)n * sizeof *y);
        }
}
END_TEST

/* numpy.random.RandomState(seed).rand(n), numpy 2 */
START_TEST(mersenne_twister_draws_as_numpy)
{
    static const double normal[] = { 0x1.fca2a28a9307cp-2, -0x1.1b2a505de052ap-3, 0x1.4b9dd50245e68p-1,
                                     0x1.85e548e01aa2bp+0, -0x1.df8bcdf57a640p-3 };
    static const double first[] = { 0.3745401188473625, 0.9507143064099162, 0.7319939418114051, 0.5986584841970366 };
    struct mt m;

    mt_seed(&m, 42);
    for (int i = 0; i < 4; i++)
        ck_assert(mt_double(&m) == first[i]);
    mt_seed(&m, 0);
    for (int i = 0; i < 699; i++)
        mt_double(&m);
    ck_assert(mt_double(&m) == 0.8427768626848423);
    mt_seed(&m, 4294967295u);
    ck_assert(mt_double(&m) == 0.0976320289940138);
    ck_assert(mt_double(&m) == 0.9123828453026218);
    mt_seed(&m, 42); /* randn(n) */
    for (int i = 0; i < 5; i++)
        ck_assert_double_eq_tol(mt_normal(&m), normal[i], 1e-15);
    mt_seed(&m, 42); /* and what was kept is not */
    ck_assert_double_eq_tol(mt_normal(&m), normal[0], 1e-15);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("random");

    add_test(s, philox_gives_the_published_words);
    add_test(s, uniform_is_made_of_philox);
    add_test(s, streams_differ);
    add_test(s, an_element_does_not_depend_on_where_one_starts);
    add_test(s, wide_numbers_do_not_depend_on_where_one_starts);
    add_test(s, distributions_have_their_moments);
    add_test(s, a_permutation_has_each_number_once);
    add_test(s, every_order_is_equally_likely);
    add_tests(s, levels_draw_the_same, CPU_AVX512 + 1);
    add_tests(s, levels_drop_the_same, CPU_AVX512 + 1);
    add_test(s, mersenne_twister_draws_as_numpy);
    return s;
}
