/* Parameters that no gradient reaches from the outputs that learn. */
#include "train/reach.h"
#include "learning.h"
#include "ops/registry.h"
#include "scratch.h"
#include "unit.h"

#define HEAD "<ir_version: 8, opset_import: [\"\": 17]>\n"
/* Two ways to the output: w on the first, which comes from `way`, and u on the second. */
#define WAYS(way)                                                                                                      \
    HEAD "g (float[2,2] x) => (float[2,2] y, float[2,2] other)\n"                                                      \
         "<float[2,2] w = {1,2,3,4}, float[2,2] u = {5,6,7,8}, float[2,2] q = {1,0,0,1}, int64 n = {2}, int64[1] k = " \
         "{1}, bool c = {1}, float step = {0.5}>\n"                                                                    \
         "{ a = MatMul (x, w) b = MatMul (x, u) other = MatMul (x, q) " way " }"
static const struct {
    const char *text;
    enum reach w, u;
    const char *by; /* what w is behind, where that has no gradient */
} ways[] = {
    { WAYS("y = Add (a, b)"), REACH_GRADIENT, REACH_GRADIENT, NULL },
    { WAYS("y = Relu (b)"), REACH_NOWHERE, REACH_GRADIENT, NULL },
    /* indices, comparisons */
    { WAYS("i = ArgMax <axis = 1> (a) f = Cast <to = 1> (i) y = Add (f, b)"), REACH_PIECES, REACH_GRADIENT, NULL },
    { WAYS("i = ArgMax <axis = 1, keepdims = 0> (a) y = Gather (b, i) z = Relu (a)"), REACH_PIECES, REACH_GRADIENT,
      NULL },
    { WAYS("l = Less (a, b) f = Cast <to = 1> (l) y = Mul (f, b)"), REACH_PIECES, REACH_GRADIENT, NULL },
    { WAYS("f = RandomUniformLike (a) y = Add (f, b)"), REACH_PIECES, REACH_GRADIENT, NULL },
    /* both ways: the gradient is that of one */
    { WAYS("i = ArgMax <axis = 1> (a) f = Cast <to = 1> (i) s = Add (f, b) y = Mul (s, a)"), REACH_GRADIENT,
      REACH_GRADIENT, NULL },
    /* what has no gradient (here Softsign: every operator has one by now), alone, before and behind others, and where another way would be open */
    { WAYS("l = Softsign (a) y = Add (l, b)"), REACH_BLOCKED, REACH_GRADIENT, "Softsign" },
    { WAYS("r = Relu (a) l = Softsign (r) e = Exp (l) y = Add (e, b)"), REACH_BLOCKED, REACH_GRADIENT, "Softsign" },
    { WAYS("l = Softsign (a) s = Add (l, a) y = Add (s, b)"), REACH_BLOCKED, REACH_GRADIENT, "Softsign" },
    { WAYS("l = Softsign (a) i = ArgMax <axis = 1> (l) f = Cast <to = 1> (i) y = Add (f, b)"), REACH_PIECES,
      REACH_GRADIENT, NULL },
    /* what is quantised lets it through, where somebody turns it back; anything else stops it, but for places */
    { WAYS("h = QuantizeLinear (a, step) r = Transpose (h) d = DequantizeLinear (r, step) t = Transpose (d) y = Add "
           "(t, b)"),
      REACH_GRADIENT, REACH_GRADIENT, NULL },
    { WAYS("h = QuantizeLinear (a, step) f = Cast <to = 1> (h) y = Add (f, b)"), REACH_BLOCKED, REACH_GRADIENT,
      "Cast" },
    /* read in a subgraph */
    { WAYS("y = If <then_branch = t () => (r) { r = Add (a, b) }, else_branch = e () => (s) { s = Neg (b) }> (c)"),
      REACH_GRADIENT, REACH_GRADIENT, NULL },
};

static struct arena arena = { .budget = &budget };

static struct model *model_of(const char *text)
{
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);

    expect_ok(m && model_build(m, &report));
    return m;
}

/* Softsign loses its gradient. */
static void block(struct graph *g)
{
    static struct op_def blocked;

    for (size_t k = 0; k < g->node_count; k++)
        if (node_is(g->nodes[k], &op_softsign)) {
            blocked = *g->nodes[k]->def;
            blocked.gradient = NULL;
            blocked.no_gradient = "for a test";
            g->nodes[k]->def = &blocked;
        }
}

static const struct parameter *named(const struct parameters *p, const char *name, size_t *k)
{
    for (*k = 0; *k < p->count; ++*k)
        if (strcmp(p->at[*k].value->name, name) == 0)
            return &p->at[*k];
    return NULL;
}

START_TEST(a_gradient_takes_some_ways)
{
    struct model *m = model_of(ways[_i].text);
    const struct value *outputs[] = { graph_find(m->graph, "y") };
    const struct reached *reached;
    struct parameters p;
    size_t w, u, q;

    block(m->graph);
    expect_ok(parameters_find(&p, m, NULL, &arena, &report));
    reached = parameters_reach(&p, m->graph, outputs, 1, &arena, &report);
    expect_ok(reached);
    ck_assert(named(&p, "w", &w) && named(&p, "u", &u) && named(&p, "q", &q));
    ck_assert_int_eq(reached[w].how, ways[_i].w);
    ck_assert_int_eq(reached[u].how, ways[_i].u);
    ck_assert_int_eq(reached[q].how, REACH_NOWHERE);
    ck_assert(!ways[_i].by == !reached[w].by);
    if (ways[_i].by)
        ck_assert_str_eq(reached[w].by->op_name, ways[_i].by);
    model_free(m);
    arena_release(&arena);
}
END_TEST

static char warned[4][600];
static int warnings;

static void note_warning(void *user, kiln_status code, const char *where, const char *message)
{
    (void)user;
    if (code == KILN_OK && warnings < 4)
        snprintf(warned[warnings++], sizeof *warned, "%s: %s", where, message);
}

static bool was_warned(const char *part, const char *more)
{
    for (int k = 0; k < warnings; k++)
        if (strstr(warned[k], part) && strstr(warned[k], more))
            return true;
    return false;
}

static const float ones[] = { 1, 2, 3, 4 };

/* A step, with what is warned of before it. */
static struct trainer *train(struct model *m)
{
    const struct target_options target = { .output = "y", .loss = "mean_squared_error", .form = TARGETS_VALUES };
    const struct trainer_options o = {
        .targets = 1, .target = &target, .optimizer = "sgd:learning_rate=0.1", .threads = 1
    };
    const struct tensor x = { .dtype = F32, .rank = 2, .dims = { 2, 2 }, .data = (void *)(uintptr_t)ones };
    struct report told = { .notify = note_warning };
    struct trainer *t;
    float loss;

    warnings = 0;
    t = trainer_new(m, &o, &told);
    ck_assert_msg(t, "%s", told.error.message);
    ck_assert_msg(trainer_step(t, &x, &x, &loss, &report) || failed(&report), "a step fails without an error");
    return t;
}

/* What is not reached trains no more and no less than what is frozen; each reason is told once. */
START_TEST(what_is_not_reached_freezes_itself)
{
    struct model *m = model_of(ways[_i].text);
    struct trainer *t;
    const struct parameter *w;
    size_t k;

    if (strstr(ways[_i].text, "Softsign")) { /* the trainer makes a graph of its own */
        model_free(m);
        return;
    }
    t = train(m);
    w = named(&t->parameters, "w", &k);
    expect_ok(true);
    ck_assert_int_eq(w->role, ways[_i].w == REACH_GRADIENT  ? ROLE_TRAINABLE
                              : ways[_i].w == REACH_NOWHERE ? ROLE_CONSTANT
                                                            : ROLE_FROZEN);
    ck_assert_int_eq(named(&t->parameters, "u", &k)->role, ROLE_TRAINABLE);
    ck_assert(was_warned("'q'", "no output that learns"));
    ck_assert(was_warned("no gradient reaches 'w'", "frozen") == (ways[_i].w == REACH_PIECES));
    ck_assert(was_warned("not of what is quantised", "frozen: 'w'") == (ways[_i].w == REACH_BLOCKED));
    ck_assert_int_eq(warnings, 1 + (ways[_i].w == REACH_PIECES || ways[_i].w == REACH_BLOCKED));
    trainer_free(t);
    model_free(m);
}
END_TEST

/* The same where an operator has no gradient. */
START_TEST(what_is_blocked_freezes_itself)
{
    struct model *m = model_of(ways[_i].text);
    const struct value *outputs[] = { graph_find(m->graph, "y") };
    struct report told = { .notify = note_warning };
    struct parameters p;
    size_t k;

    block(m->graph);
    warnings = 0;
    expect_ok(parameters_find(&p, m, NULL, &arena, &report));
    expect_ok(parameters_leave(&p, parameters_reach(&p, m->graph, outputs, 1, &arena, &report), &arena, &told));
    ck_assert_int_eq(named(&p, "w", &k)->role == ROLE_FROZEN,
                     ways[_i].w == REACH_BLOCKED || ways[_i].w == REACH_PIECES);
    ck_assert(was_warned("what lies before it is frozen: 'w'", ways[_i].by ? ways[_i].by : "") ==
              (ways[_i].w == REACH_BLOCKED));
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* Where nothing is left, training ends in the error that says why. */
START_TEST(where_nothing_is_left_that_is_an_error)
{
    struct model *m = model_of(WAYS("d = Add (a, b) i = ArgMax <axis = 1> (d) f = Cast <to = 1> (i) y = Add (f, x)"));
    struct trainer *t = train(m);

    expect_error(KILN_UNSUPPORTED, "nothing flows back to parameter 'w'");
    trainer_free(t);
    model_free(m);
}
END_TEST

START_TEST(names_are_listed_as_far_as_there_is_room)
{
    const char *names[100], *two[] = { "a", "b" };
    char text[NAMES_TEXT];

    for (int k = 0; k < 100; k++)
        names[k] = "parameter";
    ck_assert_str_eq(names_text(text, names, 0), "");
    ck_assert_str_eq(names_text(text, two, 1), "'a'");
    ck_assert_str_eq(names_text(text, two, 2), "'a' and 'b'");
    ck_assert_str_eq(names_text(text, names, 3), "'parameter', 'parameter' and 'parameter'");
    ck_assert_ptr_nonnull(strstr(names_text(text, names, 100), "'parameter', 'parameter' and 78 more"));
    ck_assert_uint_lt(strlen(text), NAMES_TEXT);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("reach");

    add_tests(s, a_gradient_takes_some_ways, (int)(sizeof ways / sizeof *ways));
    add_tests(s, what_is_not_reached_freezes_itself, (int)(sizeof ways / sizeof *ways));
    add_tests(s, what_is_blocked_freezes_itself, (int)(sizeof ways / sizeof *ways));
    add_test(s, where_nothing_is_left_that_is_an_error);
    add_test(s, names_are_listed_as_far_as_there_is_room);
    return s;
}
