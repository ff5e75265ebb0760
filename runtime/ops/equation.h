/* Formulas in operators of the standard: what an optimiser or a loss computes, for who writes it into a file.
 *
 * "velocity = velocity + (g * g - velocity) * (1 - beta_2); w = w - rate * m / (sqrt(velocity) + epsilon)"
 *
 * Numbers are computed in double and become constants of the formula's type where they meet a value. There are + - * /, the
 * comparisons > < >= <=, and the functions of equation.c. The texts are Kiln's own: a mistake in one is an error, but no input
 * decides what they are. */
#ifndef KILN_OPS_EQUATION_H
#define KILN_OPS_EQUATION_H

#include "base/spec.h"
#include "ops/op.h"

enum { MOST_EQUATION_NAMES = 48 };

/* A number, or what is computed. */
struct equation_term {
    const char *name;
    size_t length;       /* of the name */
    struct value *value; /* NULL: it is the number */
    double number;
};

struct equation {
    struct emitter *e;
    enum dtype dtype; /* of all values but conditions */
    struct equation_term names[MOST_EQUATION_NAMES];
    int count;
};

void equation_value(struct equation *s, const char *name, struct value *v);
void equation_number(struct equation *s, const char *name, double number);
/* The options of a row, by their keys, as they are in the settings. */
void equation_settings(struct equation *s, const struct spec_option *options, const void *settings);
/* Assigns what the text says. False, with an error, where it is no formula. */
bool equation_emit(struct equation *s, const char *text);
/* What a name is now: a constant is made where it is a number. NULL where there is none. */
struct value *equation_result(struct equation *s, const char *name);

#endif
