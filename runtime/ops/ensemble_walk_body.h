/* Rows go through all trees, for one type; included once for each. Needs
 *   T        the type of features
 *   TEST     the struct of a node
 *   NUMBER   of a leaf, of the node n
 *   SUFFIX   of the functions' names
 * and forgets them. */

/* TOGETHER times from the test at[k] on to a leaf, with rows that lie `apart` from each other. */
static inline __attribute__((always_inline)) void
GLUE(walk, SUFFIX, )(const struct TEST *nodes, const T *x, int64_t apart, const bool missing, int32_t at[TOGETHER])
{
    int32_t moved;

    do {
        moved = 0;
        for (int k = 0; k < TOGETHER; k++) {
            const struct TEST *const n = &nodes[at[k]];
            const T v = x[k * apart + (missing ? n->feature & ~TEST_MISSING : n->feature)];
            const bool fails = missing ? !(v <= n->value || (n->feature & TEST_MISSING && v != v)) : !(v <= n->value);
            const int32_t next = n->next[fails];

            moved |= next ^ at[k];
            at[k] = next;
        }
    } while (moved);
}

static void GLUE(walk_any, SUFFIX, )(const struct ensemble *e, const T *x, int64_t apart, int32_t at[TOGETHER])
{
    if (e->missing)
        GLUE(walk, SUFFIX, )(e->nodes, x, apart, true, at);
    else
        GLUE(walk, SUFFIX, )(e->nodes, x, apart, false, at);
}

/* What `count` leaves vote, for scores that lie `apart`. */
static void GLUE(add_leaves, SUFFIX, )(const struct ensemble *e, const int32_t *at, int64_t count, double *scores,
                                       int64_t apart)
{
    for (int64_t k = 0; k < count; k++) {
        const struct TEST *const n = (const struct TEST *)e->nodes + at[k];

        if (e->alone)
            add_vote(e->aggregate, scores + k * apart, (double)n->value);
        else
            add_votes(e, NUMBER, scores + k * apart);
    }
}

/* As many rows as go together through one tree after the other; of the others, each through as many trees together. */
static void GLUE(walk_rows, SUFFIX, )(const struct ensemble *e, const T *x, int64_t rows, int64_t features,
                                      double *scores)
{
    const int64_t whole = rows - rows % TOGETHER;
    int32_t at[TOGETHER];

    for (int64_t tree = 0; tree < e->trees; tree++)
        for (int64_t row = 0; row < whole; row += TOGETHER) {
            for (int k = 0; k < TOGETHER; k++)
                at[k] = e->roots[tree];
            GLUE(walk_any, SUFFIX, )(e, x + row * features, features, at);
            GLUE(add_leaves, SUFFIX, )(e, at, TOGETHER, scores + row * e->targets, e->targets);
        }
    for (int64_t row = whole; row < rows; row++)
        for (int64_t tree = 0; tree < e->trees; tree += TOGETHER) {
            for (int k = 0; k < TOGETHER; k++)
                at[k] = e->roots[lesser(tree + k, e->trees - 1)];
            GLUE(walk_any, SUFFIX, )(e, x + row * features, 0, at);
            GLUE(add_leaves, SUFFIX, )(e, at, lesser(TOGETHER, e->trees - tree), scores + row * e->targets, 0);
        }
}
#undef T
#undef TEST
#undef NUMBER
#undef SUFFIX
