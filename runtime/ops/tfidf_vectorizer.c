/* TfIdfVectorizer, https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html
 *
 *   Y[ngram_indexes[i]] += TF: count of n-gram i        IDF: weights[i] where there is one        TFIDF: weights[i] * count
 *
 * of each row of X. An n-gram is made of elements that lie 1, 2 ... max_skip_count + 1 apart; single elements are counted
 * once. All n-grams of the pool are ways through one graph, from its root on by one edge for each element, so that all
 * lengths are looked for at once.
 *
 * Weight i is that of n-gram i, as the text has it; onnxruntime and the reference take weight i for element i of Y, which
 * is the same where ngram_indexes counts up. An n-gram that is in the pool twice is an error, as in onnxruntime. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/lookup.h"
#include "ops/rank.h"
#include <string.h>

enum tfidf_mode { MODE_TF, MODE_IDF, MODE_TFIDF };

/* Where an element leads to. */
struct edge {
    int32_t from;  /* a state; 0 is the root */
    int32_t token; /* the number of the element */
};

struct tfidf {
    enum tfidf_mode mode;
    enum dtype dtype; /* of the pool: I64 or STRING */
    int64_t shortest, longest, skips;
    int64_t count, size; /* of n-grams, of a row of Y */
    const int64_t *indexes;
    const float *weights;  /* NULL: all are 1 */
    struct lookup tokens;  /* elements of the pool by what they are */
    struct lookup edges;   /* states by struct edge */
    const int32_t *ngrams; /* by state: the n-gram that ends there; -1 */
};

/* -- read -- */

static bool read_lengths(struct parse *p, struct tfidf *a, int64_t lengths)
{
    static const char *const modes[] = { "TF", "IDF", "TFIDF", NULL };
    static const char *const needed[] = { "mode", "min_gram_length", "max_gram_length", "max_skip_count" };

    for (size_t k = 0; k < sizeof needed / sizeof *needed; k++)
        if (!attr_given(p, needed[k]))
            return parse_error(p, "attribute '%s' is missing", needed[k]);
    a->mode = (enum tfidf_mode)attr_choice(p, "mode", modes, MODE_TF);
    a->shortest = attr_int(p, "min_gram_length", 1);
    a->longest = attr_int(p, "max_gram_length", 1);
    a->skips = attr_int(p, "max_skip_count", 0);
    if (a->shortest < 1 || a->longest < a->shortest || a->longest > lengths)
        return parse_error(p,
                           "min_gram_length is %lld and max_gram_length %lld, must be from 1 on to %lld, which "
                           "ngram_counts goes to",
                           (long long)a->shortest, (long long)a->longest, (long long)lengths);
    return a->skips >= 0 || parse_error(p, "max_skip_count is %lld, must be at least 0", (long long)a->skips);
}

static bool read_indexes(struct parse *p, struct tfidf *a)
{
    int64_t weights;

    a->indexes = attr_int64s(p, "ngram_indexes", &a->count);
    a->weights = attr_floats(p, "weights", &weights);
    if (!a->count)
        return parse_error(p, "attribute 'ngram_indexes' is missing");
    for (int64_t k = 0; k < a->count; k++) {
        if (a->indexes[k] < 0 || a->indexes[k] > INT32_MAX)
            return parse_error(p, "ngram_indexes[%lld] is %lld, must be in [0, 2^31)", (long long)k,
                               (long long)a->indexes[k]);
        a->size = greater(a->size, a->indexes[k] + 1);
    }
    return !weights || weights == a->count ||
           parse_error(p, "%lld weights, must be %lld as ngram_indexes", (long long)weights, (long long)a->count);
}

/* The pool, whose elements become numbers. */
struct pool_list {
    int64_t count;
    const void *elements; /* of a->dtype */
};

static const void *element(const struct tfidf *a, const struct pool_list *l, int64_t k)
{
    return (const char *)l->elements + (size_t)k * dtype_size(a->dtype);
}

static bool read_pool(struct parse *p, struct tfidf *a, struct pool_list *l)
{
    const struct attr *strings = attr_list(p, "pool_strings", ATTR_STRINGS);
    int64_t numbers;
    const int64_t *ints = attr_int64s(p, "pool_int64s", &numbers);

    if (!numbers == !(strings && strings->count))
        return parse_error(p, "one of the attributes 'pool_int64s' and 'pool_strings' must have values, %s",
                           numbers ? "both have" : "none has");
    a->dtype = numbers ? I64 : STRING;
    l->count = numbers ? numbers : (int64_t)strings->count;
    l->elements = numbers ? (const void *)ints : parse_strings(p, strings->count, strings->strings);
    if (l->count > INT32_MAX - 1)
        return parse_unsupported(p, "more n-grams than are supported");
    if (!l->elements || !lookup_init(&a->tokens, p, (size_t)l->count) || !lookup_init(&a->edges, p, (size_t)l->count))
        return false;
    for (int64_t k = l->count; k-- > 0;)
        lookup_put_element(&a->tokens, a->dtype, LOOKUP_BITS, element(a, l, k), k);
    return true;
}

/* Keys are borrowed: they lie in `kept`, one for each element of the pool. */
struct graph_of_ngrams {
    struct edge *kept;
    int32_t *ngrams;
    int32_t states;
};

static int64_t follow(const struct tfidf *a, int32_t from, int32_t token)
{
    const struct edge edge = { from, token };

    return lookup_get(&a->edges, &edge, sizeof edge);
}

static bool add_ngram(struct parse *p, struct tfidf *a, const struct pool_list *l, struct graph_of_ngrams *g,
                      int64_t first, int64_t length, int64_t number)
{
    int32_t state = 0;

    for (int64_t k = first; k < first + length; k++) {
        const int32_t token = (int32_t)lookup_get_element(&a->tokens, a->dtype, LOOKUP_BITS, element(a, l, k));
        int64_t next = follow(a, state, token);

        if (next < 0) {
            g->kept[g->states] = (struct edge){ state, token };
            next = g->states + 1;
            lookup_put(&a->edges, &g->kept[g->states++], sizeof *g->kept, next);
        }
        state = (int32_t)next;
    }
    if (g->ngrams[state] >= 0)
        return parse_error(p, "n-gram %lld is the same as n-gram %d", (long long)number, (int)g->ngrams[state]);
    g->ngrams[state] = (int32_t)number;
    return true;
}

static bool add_ngrams(struct parse *p, struct tfidf *a, const struct pool_list *l, struct graph_of_ngrams *g,
                       const int64_t *starts, int64_t lengths)
{
    int64_t number = 0;

    for (int64_t n = 1; n <= lengths; n++) {
        const int64_t from = starts[n - 1], to = n < lengths ? starts[n] : l->count;

        if (from < 0 || to < from || to > l->count || (to - from) % n)
            return parse_error(p,
                               "the %lld-grams of the pool begin at %lld and end at %lld, must be whole ones of %lld",
                               (long long)n, (long long)from, (long long)to, (long long)l->count);
        for (int64_t at = from; at < to; at += n, number++)
            if (number >= a->count)
                return parse_error(p, "the pool has more n-grams than ngram_indexes, which has %lld values",
                                   (long long)a->count);
            else if (n >= a->shortest && n <= a->longest && !add_ngram(p, a, l, g, at, n, number))
                return false;
    }
    return true;
}

static bool parse(struct parse *p, void *attrs)
{
    struct tfidf *a = attrs;
    struct pool_list l = { 0 };
    struct graph_of_ngrams g = { 0 };
    int64_t lengths;
    const int64_t *starts = attr_int64s(p, "ngram_counts", &lengths);

    if (!lengths)
        return parse_error(p, "attribute 'ngram_counts' is missing");
    if (!read_lengths(p, a, lengths) || !read_indexes(p, a) || !read_pool(p, a, &l))
        return false;
    g.kept = parse_alloc(p, (size_t)l.count * sizeof *g.kept);
    g.ngrams = parse_alloc(p, (size_t)(l.count + 1) * sizeof *g.ngrams);
    if (!g.kept || !g.ngrams)
        return false;
    memset(g.ngrams, -1, (size_t)(l.count + 1) * sizeof *g.ngrams);
    a->ngrams = g.ngrams;
    return add_ngrams(p, a, &l, &g, starts, lengths);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tfidf *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    const int64_t length = x->rank ? x->dims[x->rank - 1] : 1;
    int64_t numbers, bytes;

    if (x->rank > 2)
        return infer_error(i, "'X' has %d dimensions, must have at most 2", x->rank);
    if ((x->dtype == STRING) != (a->dtype == STRING))
        return infer_error(i, "'X' is %s, but the pool has %s", dtype_name(x->dtype),
                           a->dtype == STRING ? "strings" : "integers");
    /* counts of n-grams and the numbers of a row's elements, for each thread */
    if (!add_size(a->count, length, &numbers) ||
        !mul_size(numbers, infer_threads(i) * (int64_t)sizeof(int32_t), &bytes))
        return infer_error(i, "'X' has too many elements");
    need_scratch(i, to_size(bytes));
    return set_out(i, 0, F32, x->rank == 2 ? 2 : 1, x->rank == 2 ? (const int64_t[]){ x->dims[0], a->size } : &a->size);
}

static int rank(const struct node *n, int k)
{
    const int x = rank_of_input(n, k);

    return x < 0 ? UNKNOWN : x == 2 ? 2 : 1;
}

/* -- run -- */

struct job {
    struct step *step;
    const struct tfidf *a;
    int64_t rows, length, per_chunk;
};

/* Numbers of the elements of a row; -1: in no n-gram. */
static void number_row(const struct job *j, int64_t row, int32_t *tokens)
{
    const struct tensor *x = j->step->in[0];
    const char *const from = (const char *)x->data + (size_t)(row * j->length) * dtype_size(x->dtype);

    for (int64_t k = 0; k < j->length; k++) {
        const int64_t wide = x->dtype == I32 ? ((const int32_t *)(const void *)from)[k] : 0;

        tokens[k] = (int32_t)lookup_get_element(&j->a->tokens, j->a->dtype, LOOKUP_BITS,
                                                x->dtype == I32 ? (const void *)&wide
                                                                : from + (size_t)k * dtype_size(x->dtype));
    }
}

/* Counts the n-grams of at least `shortest` elements that begin at `first`. */
static void count_from(const struct job *j, const int32_t *tokens, int64_t first, int64_t apart, int64_t shortest,
                       uint32_t *counts)
{
    int64_t state = 0, at = first;

    for (int64_t n = 1; n <= j->a->longest && at < j->length && tokens[at] >= 0; n++, at += apart) {
        state = follow(j->a, (int32_t)state, tokens[at]);
        if (state < 0)
            break;
        if (n >= shortest && j->a->ngrams[state] >= 0)
            counts[j->a->ngrams[state]]++;
    }
}

static void count_row(const struct job *j, const int32_t *tokens, uint32_t *counts)
{
    const struct tfidf *a = j->a;
    int64_t shortest = a->shortest, last;

    for (int64_t apart = 1; apart - 1 <= a->skips && apart <= j->length && shortest <= a->longest; apart++) {
        if (!mul_size(apart, shortest - 1, &last) || last >= j->length || pool_late(j->step->pool))
            break;
        for (int64_t first = 0; first < j->length - last; first++)
            count_from(j, tokens, first, apart, shortest, counts);
        shortest += shortest == 1;
    }
}

static void put_row(const struct tfidf *a, const uint32_t *counts, float *y)
{
    memset(y, 0, (size_t)a->size * sizeof *y);
    for (int64_t k = 0; k < a->count; k++)
        if (counts[k]) {
            const float count = a->mode == MODE_IDF ? 1 : (float)counts[k];

            y[a->indexes[k]] += a->mode == MODE_TF || !a->weights ? count : count * a->weights[k];
        }
}

static void chunk(void *context, int64_t c, int thread)
{
    const struct job *j = context;
    const int64_t end = lesser(j->rows, (c + 1) * j->per_chunk);
    uint32_t *const counts = (uint32_t *)j->step->scratch + thread * (j->a->count + j->length);
    int32_t *const tokens = (int32_t *)(counts + j->a->count);

    for (int64_t row = c * j->per_chunk; row < end && !pool_late(j->step->pool); row++) {
        memset(counts, 0, (size_t)j->a->count * sizeof *counts);
        number_row(j, row, tokens);
        count_row(j, tokens, counts);
        put_row(j->a, counts, (float *)j->step->out[0]->data + row * j->a->size);
    }
}

static bool run(struct step *s)
{
    const struct tfidf *a = s->attrs;
    const struct tensor *x = s->in[0];
    struct job j = { .step = s, .a = a, .rows = x->rank == 2 ? x->dims[0] : 1 };

    j.length = x->rank ? x->dims[x->rank - 1] : 1;
    j.per_chunk = JOB_ELEMENTS / 4 / (a->count + a->size + j.length * (a->skips < j.length ? a->skips + 1 : 1)) + 1;
    pool_run(s->pool, divide_up(j.rows, j.per_chunk), chunk, &j);
    return true;
}

/* -- test -- */

#define NUMBERS                                                                                                        \
    "ngram_counts=[0,4] ngram_indexes=[0,1,2,3,4,5,6] pool_int64s=[2,3,5,4,5,6,7,8,6,7] min_gram_length=1 "            \
    "max_gram_length=2 "
#define WORDS                                                                                                          \
    "ngram_counts=[0,2,2] ngram_indexes=[3,0,1] pool_strings=['a','b','a','b',''] min_gram_length=1 "                  \
    "max_gram_length=3 "

static const struct op_case cases[] = {
    { "i64[2,6]{1,1,3,3,3,7,8,6,7,5,6,8}", NUMBERS "mode='TF' max_skip_count=5", "f32[2,7]", 0 },
    { "i32[12]{1,1,3,3,3,7,8,6,7,5,6,8}", NUMBERS "mode='IDF' max_skip_count=0 weights=[1.,2.,3.,4.,5.,6.,7.]",
      "f32[7]", 0 },
    { "str[5]{'a','b','','b','x'}", WORDS "mode='TFIDF' max_skip_count=1 weights=[0.5,2.,3.]", "f32[4]", 0 },
    { "str[3,3]{'a','b','','b','x','a','a','a','b'}", WORDS "mode='TFIDF' max_skip_count=1", "f32[3,4]", 0 },
    { "i64[]{3}", NUMBERS "mode='TF' max_skip_count=5", "f32[7]", 0 },
    { "i32[2,0]{}", NUMBERS "mode='TF' max_skip_count=5", "f32[2,7]", 0 },
    { 0 },
};

const struct op op_tfidf_vectorizer = {
    .name = "TfIdfVectorizer",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 9,
                                       .signature = "T X -> T1 Y",
                                       .types = "T: str i32 i64; T1: f32",
                                       .attrs_size = sizeof(struct tfidf),
                                       .parse = parse,
                                       .rank = rank,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = zero_gradient,
                                       .cases = cases },
                                     { 0 } },
};
