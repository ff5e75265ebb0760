/* What the operators share that draw random numbers. With `seed` they draw as the reference does,
 * numpy.random.RandomState(seed), the same in every run; without, from the session's seed, anew in every step. */
#ifndef KILN_OPS_RANDOM_DRAW_H
#define KILN_OPS_RANDOM_DRAW_H

#include "ops/elementwise.h"

struct draw_seed {
    bool given;
    uint32_t value;
};
bool draw_seed_parse(struct parse *p, struct draw_seed *seed);

/* numbers[0 .. n) become the numbers from `first` on of the node's own in [0, 1), of 24 bits, or where `wide` of 48. */
enum { DRAW_BLOCK = 256 }; /* no more at once */
void draw_uniform(const struct step *s, bool wide, int64_t first, int64_t n, double numbers[DRAW_BLOCK]);
/* Pieces of work, multiples of a block. */
enum { DRAW_CHUNK = CHUNK_LIBM };

/* -- RandomUniform, RandomNormal, and those that are like another tensor: base + factor * z -- */

struct draw_attrs {
    enum dtype dtype; /* UNDEFINED: the input's */
    bool normal;      /* z is of mean 0 and deviation 1; else in [0, 1) */
    float base;
    double factor;
    struct draw_seed seed;
    struct ints shape; /* where there is no input */
};
bool draw_parse_uniform(struct parse *p, void *attrs);
bool draw_parse_uniform_like(struct parse *p, void *attrs);
bool draw_parse_normal(struct parse *p, void *attrs);
bool draw_parse_normal_like(struct parse *p, void *attrs);
int draw_rank(const struct node *n, int k);
enum dtype draw_told(const struct node *n, int k);
bool draw_infer(struct infer *i);
bool draw_run(struct step *s);

#define DRAW_PARTS                                                                                                     \
    .attrs_size = sizeof(struct draw_attrs), .rank = draw_rank, .dtype = draw_told, .infer = draw_infer,               \
    .run = draw_run, .gradient = zero_gradient, .flags = OP_RANDOM
#define DRAW_ROW(version, list, parser, tests)                                                                         \
    {                                                                                                                  \
        .since = version, .signature = "-> T output", .types = "T: " list, .parse = parser, DRAW_PARTS, .cases = tests \
    }
#define DRAW_LIKE_ROW(version, list, parser, tests)                                                                    \
    {                                                                                                                  \
        .since = version, .signature = "T1 input -> T2 output", .types = list, .parse = parser, DRAW_PARTS,            \
        .cases = tests                                                                                                 \
    }

#endif
