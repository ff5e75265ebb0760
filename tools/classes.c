#include "classes.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_COLUMNS = 20, PAIRS = 20, NAME = 16 };

static int64_t cell(const struct classes *c, int64_t label, int64_t predicted)
{
    return c->matrix[label * c->count + predicted];
}

static double part(double of, double whole)
{
    return whole > 0 ? of / whole : 0;
}

struct class_score class_score(const struct classes *c, int64_t k)
{
    int64_t support = 0, taken = 0;
    double p, r;

    for (int64_t j = 0; j < c->count; j++) {
        support += cell(c, k, j);
        taken += cell(c, j, k);
    }
    p = part((double)cell(c, k, k), (double)taken);
    r = part((double)cell(c, k, k), (double)support);
    return (struct class_score){ p, r, part(2 * p * r, p + r), support };
}

/* -- for people -- */

/* "3 Dress", as wide as all of them. */
static void say_class(const struct classes *c, int64_t k)
{
    const char *name = c->names ? c->names[k] : "";
    size_t n = 0, shown;

    say("%4lld ", (long long)k);
    for (int width = 0; c->names && width < NAME; width++) { /* characters, not bytes */
        shown = name[n] ? kiln_shown(name + n, strlen(name + n)) : 0;
        if (!name[n])
            say(" ");
        else
            say_bytes(stdout, name + n, shown ? shown : 1);
        n += name[n] ? shown ? shown : 1 : 0;
    }
}

static int digits(int64_t n)
{
    char text[24];

    return snprintf(text, sizeof text, "%lld", (long long)n);
}

static void say_matrix(const struct classes *c)
{
    int64_t most = c->count - 1;
    int width;

    for (int64_t k = 0; k < c->count * c->count; k++)
        most = c->matrix[k] > most ? c->matrix[k] : most;
    width = digits(most) + 1;
    say("%*s", c->names ? 5 + NAME : 5, "");
    for (int64_t j = 0; j < c->count; j++)
        say("%*lld", width, (long long)j);
    say("\n");
    for (int64_t k = 0; k < c->count; k++) {
        say_class(c, k);
        for (int64_t j = 0; j < c->count; j++)
            say("%*lld", width, (long long)cell(c, k, j));
        say("\n");
    }
}

/* Pairs of different classes, those that are confused most often first; of equal ones in the order of the matrix. */
static void say_pairs(const struct classes *c)
{
    int64_t pairs[PAIRS];
    int count = 0;

    for (int64_t k = 0; k < c->count * c->count; k++) {
        int at = count;

        if (k / c->count == k % c->count || !c->matrix[k])
            continue;
        while (at > 0 && c->matrix[pairs[at - 1]] < c->matrix[k])
            at--;
        if (at == PAIRS)
            continue;
        memmove(pairs + at + 1, pairs + at, (size_t)((count < PAIRS ? count : PAIRS - 1) - at) * sizeof *pairs);
        pairs[at] = k;
        count += count < PAIRS;
    }
    for (int k = 0; k < count; k++) {
        const int64_t label = pairs[k] / c->count, taken = pairs[k] % c->count;

        say_class(c, label);
        say(" taken for");
        say_class(c, taken);
        say(" %lld times, %.1f %%\n", (long long)c->matrix[pairs[k]],
            100 * part((double)c->matrix[pairs[k]], (double)class_score(c, label).support));
    }
    if (!count)
        say("no class is taken for another\n");
}

void classes_say(const struct classes *c)
{
    const bool all = c->count <= MOST_COLUMNS;

    say("confusion%s%s%s%s\n", c->output ? " of '" : "", c->output ? c->output : "", c->output ? "'" : "",
        all ? ", a row for each label, a column for what it is taken for" : ", the pairs that are confused most often");
    (all ? say_matrix : say_pairs)(c);
    say("%*s precision  recall      f1  support\n", c->names ? 5 + NAME : 5, "class");
    for (int64_t k = 0; k < c->count; k++) {
        const struct class_score s = class_score(c, k);

        say_class(c, k);
        say("    %.4f  %.4f  %.4f %8lld\n", s.precision, s.recall, s.f1, (long long)s.support);
    }
}

/* -- for programs -- */

void classes_json(const struct classes *c, struct json *j)
{
    json_begin(j, NULL, '{');
    json_text(j, "output", c->output);
    json_begin(j, "matrix", '[');
    for (int64_t k = 0; k < c->count; k++) {
        json_begin(j, NULL, '[');
        for (int64_t i = 0; i < c->count; i++)
            json_whole(j, NULL, cell(c, k, i));
        json_end(j, ']');
    }
    json_end(j, ']');
    json_begin(j, "classes", '[');
    for (int64_t k = 0; k < c->count; k++) {
        const struct class_score s = class_score(c, k);

        json_begin(j, NULL, '{');
        json_whole(j, "class", k);
        if (c->names)
            json_text(j, "name", c->names[k]);
        json_number(j, "precision", s.precision, 9);
        json_number(j, "recall", s.recall, 9);
        json_number(j, "f1", s.f1, 9);
        json_whole(j, "support", s.support);
        json_end(j, '}');
    }
    json_end(j, ']');
    json_end(j, '}');
}
