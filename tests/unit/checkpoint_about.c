/* What a checkpoint is of, compared as text. */
#include "train/checkpoint_about.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

static struct report noted;
static int warnings;
static char said[4096];

static void note_warning(void *user, kiln_status code, const char *where, const char *message)
{
    const size_t n = strlen(said);

    (void)user;
    (void)where;
    warnings += code == KILN_OK;
    snprintf(said + n, sizeof said - n, "%s\n", message);
}

static bool compare(const char *then, const char *now)
{
    noted = (struct report){ .notify = note_warning };
    warnings = 0;
    *said = '\0';
    return about_agrees("ck", then, now, &noted) && about_tell("ck", then, now, &noted);
}

/* It is taken, and one warning names what it does not say. */
START_TEST(a_checkpoint_of_an_earlier_version_is_taken)
{
    static const char then[] = "kiln checkpoint 1\nmodel 'm' 1\noptimizer adam\nschedule none\nbatch 32\n";
    static const char now[] = "kiln checkpoint 1\nmodel 'm' 1\nfrozen none\noptimizer adam\noptimizer_options default\n"
                              "schedule none\nlearning_rate 0.1\nbatch 16\n";

    ck_assert(compare(then, now));
    ck_assert_int_eq(warnings, 2);
    ck_assert_ptr_nonnull(strstr(said, "made with \"batch 32\", now it is \"batch 16\""));
    ck_assert_ptr_nonnull(strstr(said, "an earlier version wrote the checkpoint, which does not say "
                                       "'optimizer_options' and 'learning_rate':"));
}
END_TEST

START_TEST(what_is_refused_is_told_in_the_words_of_people)
{
    ck_assert(!compare("kiln checkpoint 1\nmodel 'm' 2\nfrozen w\nbatch 3\n",
                       "kiln checkpoint 1\nmodel 'm' 1\nfrozen none\nbatch 4\n"));
    ck_assert_str_eq(noted.error.message, "it is a checkpoint of another training: it has \"frozen w\", here it is "
                                          "\"frozen none\"");
    ck_assert_int_eq(warnings, 0); /* it will not differ, it will not be */
    ck_assert(!compare("kiln checkpoint 1\nmodel 'm' 1\n", "kiln checkpoint 1\nmodel 'm' 1\ndata 3 samples\n"));
    ck_assert_str_eq(noted.error.message, "it is a checkpoint of another training: it does not say what here is "
                                          "\"data 3 samples\"");
    ck_assert(!compare("", "kiln checkpoint 1\n"));
    ck_assert(!compare("kiln checkpoint 2\n", "kiln checkpoint 1\n"));
    ck_assert(compare("kiln checkpoint 1\n", "kiln checkpoint 1\n"));
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("checkpoint_about");

    add_test(s, a_checkpoint_of_an_earlier_version_is_taken);
    add_test(s, what_is_refused_is_told_in_the_words_of_people);
    return s;
}
