/* Operators of strings: what they make, by hand, and what they refuse. */
#include "by_hand.h"
#include "refusing.h"

/* What nodes make: y, strings. */
static const struct {
    const char *nodes;
    int rank;
    int64_t dims[3];
    const char *y[9];
} made[] = {
#define WORDS "w = Constant <value_strings = [\"  a b  c \", \"\", \"d\"]> () "
    { WORDS "y, n = StringSplit(w)", 2, { 3, 3 }, { "a", "b", "c", "", "", "", "d", "", "" } },
    { WORDS "z, n = StringSplit(w) y = Cast <to = 8> (n)", 1, { 3 }, { "3", "0", "1" } },
    { WORDS "y, n = StringSplit <maxsplit = 1> (w)", 2, { 3, 2 }, { "a", "b  c", "", "", "d", "" } },
    { WORDS "y, n = StringSplit <maxsplit = 0> (w)", 2, { 3, 1 }, { "a b  c", "", "d" } },
    { WORDS "z, n = StringSplit <delimiter = \" \"> (w) y = Cast <to = 8> (n)", 1, { 3 }, { "7", "1", "1" } },
    { "w = Constant <value_strings = [\"a\t\xe3\x80\x80"
      "b\xc2\xa0\xff\"]> () y, n = StringSplit(w)",
      2,
      { 1, 3 },
      { "a", "b", "\xff" } },
    { "w = Constant <value_strings = [\"a----b--\", \"-\"]> () y, n = StringSplit <delimiter = \"--\"> (w)",
      2,
      { 2, 4 },
      { "a", "", "b", "", "-", "", "", "" } },
    { "w = Constant <value_strings = [\"a----b--\", \"-\"]> () y, n = StringSplit <delimiter = \"--\", maxsplit = 2> "
      "(w)",
      2,
      { 2, 3 },
      { "a", "", "b--", "-", "", "" } },
#define DAYS "d = Constant <value_strings = [\"Monday\", \"friday\", \"\", \"\xc3\x89t\xc3\xa9\"]> () "
    { DAYS "y = StringNormalizer <stopwords = [\"MONDAY\", \"\xc3\xa9T\xc3\x89\"]> (d)", 1, { 2 }, { "friday", "" } },
    { DAYS "y = StringNormalizer <stopwords = [\"monday\", \"friday\"], is_case_sensitive = 1> (d)",
      1,
      { 3 },
      { "Monday", "", "\xc3\x89t\xc3\xa9" } },
    { DAYS "y = StringNormalizer <case_change_action = \"UPPER\"> (d)",
      1,
      { 4 },
      { "MONDAY", "FRIDAY", "", "\xc3\x89T\xc3\x89" } },
    { DAYS "s = Constant <value_ints = [1, 4]> () m = Reshape(d, s)\n"
           "y = StringNormalizer <case_change_action = \"LOWER\", stopwords = [\"Monday\"], is_case_sensitive = 1> (m)",
      2,
      { 1, 3 },
      { "friday", "", "\xc3\xa9t\xc3\xa9" } },
    { "d = Constant <value_strings = [\"a\", \"A\"]> () y = StringNormalizer <stopwords = [\"A\"]> (d)",
      1,
      { 1 },
      { "" } },
    { "d = Constant <value_strings = [\"iI\xc3\x9f\"]> ()\n"
      "y = StringNormalizer <case_change_action = \"UPPER\", locale = \"tr_TR.UTF-8\"> (d)",
      1,
      { 1 },
      { "\xc4\xb0I\xc3\x9f" } },
    { "d = Constant <value_strings = [\"iI\xc4\xb0\"]> ()\n"
      "y = StringNormalizer <case_change_action = \"LOWER\", locale = \"az\"> (d)",
      1,
      { 1 },
      { "i\xc4\xb1i" } },
#define TOKENS "y = com.microsoft.Tokenizer <mark = 0, mincharnum = 1, pad_value = \"#\", "
    { "w = Constant <value_strings = [\"a\xc3\xa9\", \"\"]> () "
      "y = com.microsoft.Tokenizer <mark = 1, mincharnum = 1, pad_value = \"#\", separators = [\"\"]> (w)",
      2,
      { 2, 4 },
      { "\x02", "a", "\xc3\xa9", "\x03", "\x02", "\x03", "#", "#" } },
#if KILN_PCRE2
    { WORDS TOKENS "tokenexp = \"[a-z]+\"> (w)", 2, { 3, 3 }, { "a", "b", "c", "#", "#", "#", "d", "#", "#" } },
    { "w = Constant <value_strings = [\"aab.ab\"]> () " TOKENS "tokenexp = \"a|ab|b\"> (w)",
      2,
      { 1, 3 },
      { "a", "ab", "ab" } },
    { "w = Constant <value_strings = [\"xx a;b  ;yy\"]> () "
      "y = com.microsoft.Tokenizer <mark = 0, mincharnum = 2, pad_value = \"\", separators = [\" +\", \";\"]> (w)",
      2,
      { 1, 2 },
      { "xx", "yy" } },
#endif
};
enum { MADE = sizeof made / sizeof *made };

START_TEST(strings_by_hand)
{
    const struct tensor *t;
    char text[640];
    struct fixture f;

    snprintf(text, sizeof text,
             "<ir_version: 10, opset_import: [\"\": 21, \"com.microsoft\": 1]> g () => (string y) { %s }",
             made[_i].nodes);
    begin(&f, text);
    run_ok(&f);
    t = session_output(f.session, 0);
    ck_assert(t->dtype == STRING && t->rank == made[_i].rank);
    ck_assert_mem_eq(t->dims, made[_i].dims, (size_t)t->rank * sizeof *t->dims);
    for (int64_t k = 0; k < tensor_count(t); k++) {
        const struct string *s = ((const struct string *const *)t->data)[k];
        const char *const need = made[_i].y[k] ? made[_i].y[k] : "";
        const size_t n = s ? s->length : 0;

        ck_assert_msg(n == strlen(need) && (!n || memcmp(s->bytes, need, n) == 0), "y[%lld] is '%.*s', must be '%s'",
                      (long long)k, (int)n, s ? s->bytes : "", need);
    }
    end(&f);
}
END_TEST

/* -- n-grams -- */

#define POOL                                                                                                           \
    "ngram_counts = [0, 2], ngram_indexes = [2, 0, 3, 3], pool_int64s = [1, 2, 1, 2, 2, 2], max_gram_length = 2, "
static const struct by_hand ngrams[] = {
    { "i = Cast <to = 7> (x) y = TfIdfVectorizer <" POOL "min_gram_length = 1, mode = \"TF\", max_skip_count = 0> (i)",
      5,
      4,
      { 1, 2, 2, 3, 2 },
      { 3, 0, 1, 2 } },
    { "i = Cast <to = 6> (x) y = TfIdfVectorizer <" POOL "min_gram_length = 1, mode = \"TF\", max_skip_count = 1> (i)",
      5,
      4,
      { 1, 2, 2, 3, 2 },
      { 3, 0, 1, 4 } },
    { "i = Cast <to = 7> (x) y = TfIdfVectorizer <" POOL "min_gram_length = 2, mode = \"TF\", max_skip_count = 9> (i)",
      5,
      4,
      { 1, 2, 2, 3, 2 },
      { 0, 0, 0, 6 } },
    { "i = Cast <to = 7> (x) y = TfIdfVectorizer <" POOL "min_gram_length = 1, mode = \"IDF\", max_skip_count = 1, "
      "weights = [0.5, 3.0, 10.0, 100.0]> (i)",
      5,
      4,
      { 1, 2, 2, 3, 2 },
      { 3, 0, .5f, 110 } },
    { "i = Cast <to = 7> (x) y = TfIdfVectorizer <" POOL "min_gram_length = 1, mode = \"TFIDF\", max_skip_count = 0, "
      "weights = [0.5, 3.0, 10.0, 100.0]> (i)",
      5,
      4,
      { 1, 2, 2, 3, 2 },
      { 9, 0, .5f, 110 } },
    { "i = Cast <to = 7> (x) s = Constant <value_ints = [2, 3]> () m = Reshape(i, s)\n"
      "z = TfIdfVectorizer <" POOL "min_gram_length = 2, mode = \"TF\", max_skip_count = 0> (m)\n"
      "a = Constant <value_ints = [-1]> () y = Reshape(z, a)",
      6,
      8,
      { 1, 2, 2, 2, 1, 2 },
      { 0, 0, 0, 2, 0, 0, 0, 1 } },
    { "w = Constant <value_strings = [\"a\", \"\", \"b\", \"a\", \"\"]> ()\n"
      "z = TfIdfVectorizer <ngram_counts = [0, 1, 3], ngram_indexes = [0, 1, 2], pool_strings = [\"\", \"a\", \"\", "
      "\"\", "
      "\"b\", \"a\"], min_gram_length = 1, max_gram_length = 3, mode = \"TF\", max_skip_count = 0> (w) y = Add(z, x)",
      1,
      3,
      { 0 },
      { 2, 2, 1 } },
};
enum { NGRAMS = sizeof ngrams / sizeof *ngrams };

START_TEST(ngrams_by_hand)
{
    check_by_hand(&ngrams[_i], "\"\": 27");
}
END_TEST

/* -- regular expressions -- */

#if KILN_PCRE2
static const struct {
    const char *pattern, *text;
    bool match;
} expressions[] = {
    { "a|ab", "ab", true },
    { "(a|ab)(c|bcd)", "abcd", true },
    { "a*?", "aaa", true },
    { "", "", true },
    { "a", "ab", false },
    { "a$", "a\n", false },
    { "(?m)a$\n^b", "a\nb", true },
    { "(?m:a\n^)", "a\n", true },
    { "(?m:a$)\n|b$\n", "b\n", false },
    { "(?m-m:a$)\n", "a\n", false },
    { "(a(?m))$\n", "a\n", false },
    { "\\A*a\\z{2}$?^?\\B*", "a", true },
    { ".", "\n", false },
    { "(?s).", "\n", true },
    { ".", "\r", true },
    { "(?i)\xc3\xa9", "\xc3\x89", true },
    { ".", "\xc3\xa9", true },
    { "..", "\xc3\xa9", false },
    { ".*", "\xff", false },
    { "\\s", "\v", false },
    { "\\S", "\v", true },
    { "[\\sx]", "\v", false },
    { "[\\sx]+", " x\t", true },
    { "\\v", "\n", false },
    { "[\\v]", "\v", true },
    { "\\d\\w", "7_", true },
    { "\\d", "\xd9\xa1", false },
    { "\\pN", "\xd9\xa1", true },
    { "\\p{Greek}\\P{^Greek}", "\xce\xb1\xce\xb2", true },
    { "\\101\\x42\\x{43}", "ABC", true },
    { "a{,2}", "a{,2}", true },
    { "a{", "a{", true },
    { "a{2,3}", "aaa", true },
    { "a{2,}?", "aaaa", true },
    { "[[:alpha:][]]", "[]", true },
    { "[]a]", "]", true },
    { "[^]a]", "]", false },
    { "\\Qa.b(\\E", "a.b(", true },
    { "(?P<name>a)(?:b)(?<other>c)", "abc", true },
    { "\\Aa\\b.\\z", "a!", true },
    { "(a|aa|aaa)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
    { "(x+x+)+y", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false },
    { "(a?){50}a{50}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true },
};
enum { EXPRESSIONS = sizeof expressions / sizeof *expressions };

START_TEST(expressions_match_whole_strings)
{
    static _Alignas(struct string) char room[sizeof(struct string) + 128];
    struct string *const x = (struct string *)(void *)room;
    const int64_t dims[] = { 1 };
    char text[512], pattern[256] = "";
    struct fixture f;
    size_t n = 0;

    for (const char *c = expressions[_i].pattern; *c; c++) /* as ONNX' text has it */
        n += (size_t)snprintf(pattern + n, sizeof pattern - n, "%s%c", *c == '\\' ? "\\" : "", *c);
    snprintf(
        text, sizeof text,
        "<ir_version: 10, opset_import: [\"\": 21]> g (string[N] x) => (bool[N] y) { y = RegexFullMatch <pattern = "
        "\"%s\"> (x) }",
        pattern);
    begin(&f, text);
    x->length = strlen(expressions[_i].text);
    memcpy(x->bytes, expressions[_i].text, x->length);
    set(&f, "x", STRING, 1, dims, (void *)(uintptr_t)&x);
    run_ok(&f);
    ck_assert_msg(*(const bool *)session_output(f.session, 0)->data == expressions[_i].match, "'%s' and '%s'",
                  expressions[_i].pattern, expressions[_i].text);
    end(&f);
}
END_TEST
#endif

/* -- refused -- */

#define GRAMS                                                                                                          \
    "ngram_counts=[0,2] ngram_indexes=[0,1,2] pool_int64s=[1,2,1,2] mode='TF' min_gram_length=1 max_gram_length=2 "    \
    "max_skip_count=0"
static const struct refused refused[] = {
    { "StringNormalizer", 10, { "str[2,2]", "", "str[2,2]", 0 }, "must be [C] or [1, C]" },
    { "StringNormalizer", 10, { "str[1]", "case_change_action='TITLE'", "str[1]", 0 }, "must be one of 'NONE'" },
    { "StringNormalizer",
      10,
      { "str[2]{'a','\xff'}", "case_change_action='LOWER'", "str[2]", 0 },
      "element 1 of 'X' is not UTF-8" },
    { "StringNormalizer", 10, { "str[2]", "stopwords=['a','\xff']", "str[2]", 0 }, "stopwords[1] is not UTF-8" },
    { "TfIdfVectorizer", 9, { "str[2]", GRAMS, "f32[3]", 0 }, "'X' is string, but the pool has integers" },
    { "TfIdfVectorizer", 9, { "i64[2,2,2]", GRAMS, "f32[3]", 0 }, "'X' has 3 dimensions" },
    { "TfIdfVectorizer", 9, { "i64[2]", GRAMS " weights=[1.]", "f32[3]", 0 }, "1 weights, must be 3" },
    { "TfIdfVectorizer", 9, { "i64[2]", GRAMS " pool_strings=['a']", "f32[3]", 0 }, "both have" },
    { "TfIdfVectorizer", 9, { "i64[2]", "ngram_counts=[0,2]", "f32[3]", 0 }, "'mode' is missing" },
    { "TfIdfVectorizer",
      9,
      { "i64[2]",
        "ngram_counts=[0,1] ngram_indexes=[0,1] pool_int64s=[1,2] mode='TF' min_gram_length=1 max_gram_length=2 "
        "max_skip_count=0",
        "f32[2]", 0 },
      "the 2-grams of the pool begin at 1 and end at 2" },
    { "TfIdfVectorizer",
      9,
      { "i64[2]",
        "ngram_counts=[0] ngram_indexes=[0,1] pool_int64s=[1,1] mode='TF' min_gram_length=1 max_gram_length=1 "
        "max_skip_count=0",
        "f32[2]", 0 },
      "n-gram 1 is the same as n-gram 0" },
    { "TfIdfVectorizer",
      9,
      { "i64[2]",
        "ngram_counts=[0] ngram_indexes=[0] pool_int64s=[1,2] mode='TF' min_gram_length=1 max_gram_length=2 "
        "max_skip_count=0",
        "f32[1]", 0 },
      "must be from 1 on to 1" },
#if KILN_PCRE2
#define REFUSED_PATTERN(pattern, why)                                                                                  \
    {                                                                                                                  \
        "RegexFullMatch", 20, { "str[1]", "pattern='" pattern "'", "bool[1]", 0 }, why                                 \
    }
    REFUSED_PATTERN("(a)\\1", "not valid at byte 3: a back reference"),
    REFUSED_PATTERN("a(?=b)", "not valid at byte 1: the group is no part of RE2"),
    REFUSED_PATTERN("(?>a)", "the group is no part"),
    REFUSED_PATTERN("(?#a)", "the group is no part"),
    REFUSED_PATTERN("(?x)a", "the group is no part"),
    REFUSED_PATTERN("(*UTF)a", "the group is no part"),
    REFUSED_PATTERN("a++", "what is repeated is repeated again"),
    REFUSED_PATTERN("a{2}{3}", "what is repeated is repeated again"),
    REFUSED_PATTERN("\\R", "the escape is no part"),
    REFUSED_PATTERN("[\\b]", "the escape is no part"),
    REFUSED_PATTERN("\\C", "the escape is no part"),
    REFUSED_PATTERN("\\x4", "must be followed by two hexadecimal digits"),
    REFUSED_PATTERN("[a", "[ has no ]"),
    REFUSED_PATTERN("(a", "( has no )"),
    REFUSED_PATTERN("a)(b", "not valid at byte 1: ) has no ("),
    REFUSED_PATTERN("\\p{Klingon}", "'pattern' is not valid: unknown property"),
    REFUSED_PATTERN("a\\", "the pattern ends with \\"),
#else
    { "RegexFullMatch", 20, { "str[1]", "pattern='a'", "bool[1]", 0 }, "built without PCRE2" },
#endif
    { "RegexFullMatch", 20, { "str[1]", "", "bool[1]", 0 }, "'pattern' is missing" },
};
enum { REFUSED = sizeof refused / sizeof *refused };

START_TEST(refuses_and_says_why)
{
    check_refused(&refused[_i], "");
}
END_TEST

#define TOKENIZER(attrs, why)                                                                                          \
    {                                                                                                                  \
        "Tokenizer", 1, { "str[1]", attrs " pad_value=''", "str[1,1]", 0 }, why                                        \
    }
static const struct refused refused_tokens[] = {
    TOKENIZER("mark=0 mincharnum=0 tokenexp='a'", "mincharnum is 0, must be at least 1"),
    TOKENIZER("mark=0 mincharnum=2 tokenexp='.'", "must be 1 as tokens are characters"),
    TOKENIZER("mark=0 mincharnum=1", "one of 'tokenexp' and 'separators' must be given, none is"),
    TOKENIZER("mark=0 mincharnum=1 tokenexp='a' separators=['b']", "both are"),
    TOKENIZER("mincharnum=1 tokenexp='a'", "'mark' is missing"),
#if KILN_PCRE2
    TOKENIZER("mark=0 mincharnum=1 separators=['b','']", "separators[1] is empty"),
    TOKENIZER("mark=0 mincharnum=1 separators=['b','(']", "'separators' is not valid at byte 0: ( has no )"),
    TOKENIZER("mark=0 mincharnum=1 tokenexp='(?=a)'", "'tokenexp' is not valid at byte 0"),
#endif
};
enum { REFUSED_TOKENS = sizeof refused_tokens / sizeof *refused_tokens };

START_TEST(tokenizer_refuses_and_says_why)
{
    check_refused(&refused_tokens[_i], "com.microsoft");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("strings");

    add_tests(s, strings_by_hand, MADE);
    add_tests(s, ngrams_by_hand, NGRAMS);
#if KILN_PCRE2
    add_tests(s, expressions_match_whole_strings, EXPRESSIONS);
#endif
    add_tests(s, refuses_and_says_why, REFUSED);
    add_tests(s, tokenizer_refuses_and_says_why, REFUSED_TOKENS);
    return s;
}
