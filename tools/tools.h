/* The command: one file for each verb, and what they share. */
#ifndef KILN_TOOLS_KILN_H
#define KILN_TOOLS_KILN_H

#include "base/text.h"
#include "model/model.h"
#include <argp.h>
#include <stdio.h>

struct verb {
    const char *name;
    const char *summary;               /* half a line, for `kiln --help` */
    int (*run)(int argc, char **argv); /* argv[0] is "kiln VERB"; returns the exit code */
};

extern const struct verb verb_eval, verb_figure, verb_init, verb_train;
extern const struct verb verb_bench, verb_convert, verb_inspect, verb_ops, verb_run, verb_test;

/* Prints "kiln: FILE: where: message" to stderr, and how many more errors there were; returns the exit code of the
 * error. */
int tell_error(const char *file, const kiln_error *e);

enum { TELLER_MESSAGES = 64 };

/* Prints errors and warnings to stderr while they are found: an error that many nodes have is told of once. */
struct teller {
    const char *file;
    int told;
    char message[TELLER_MESSAGES][200];
};

/* For all that a verb does: tells `t`, and keeps the files that are read from those that are written. */
struct report command_report(struct teller *t);
/* The callback of a report; `user` is a teller. */
void tell_each(void *user, kiln_status code, const char *where, const char *message);
/* What tell_each left out is counted; returns the exit code of the error. */
int tell_rest(const struct teller *t, const kiln_error *e);

enum { EXIT_USAGE = 64 }; /* wrong options, as sysexits has it */

/* -- open.c -- */

/* Reads a model, binary or text. Not built yet. `limits` must outlive it. */
struct model *open_model(const char *path, struct budget *limits, struct report *r);
/* Builds it. Parameters of which the file names only the initialiser get values, so that the model can be looked at and
 * run; it may then be another one, the first is freed. */
bool build_model(struct model **m, struct report *r);

/* Puts 1 for dimensions of an input that it leaves open, or `batch` where that is the first one. */
struct tensor closed_type(const struct value *v, int64_t batch);
/* Fills an input that nobody gave: floats uniform in [0, 1), integers 0 or 1, false, empty strings. */
bool random_input(struct tensor *t, const char *name, uint64_t seed, int64_t stream, struct arena *arena,
                  struct report *r);

/* A string field of a message is NULL where it is absent. */
static inline const char *or_empty(const char *s)
{
    return s ? s : "";
}

/* -- limits.c -- */

/* --memory and --seconds, as children of a verb's argp. Its parser gives them the budget that is the total of all that
 * the verb keeps, at ARGP_KEY_INIT: state->child_inputs[0]. */
extern const struct argp_child limits_options[];
/* What it is where nothing is said. */
struct budget limits_default(void);

/* -- options -- */

/* The help_filter of an argp: puts the names of a table where a text has "{optimizers}", "{losses}", "{measures}" or
 * "{data}", and its rows with their options where it has "{optimizers:}" ... */
char *help_filled(int key, const char *text, void *input);
/* argp_parse. False, and told, where there was no memory for it: nothing is parsed then. */
bool options_parse(const struct argp *argp, int argc, char **argv, void *input);
/* The argument of --NAME as a whole number from `least` to `most`; anything else ends the command with EXIT_USAGE. */
int64_t option_number(struct argp_state *state, const char *name, const char *arg, int64_t least, int64_t most);
/* The same of any number, which a float can hold. */
double option_real(struct argp_state *state, const char *name, const char *arg, double low, double high);

/* -- output -- */

/* As printf and fprintf. Names come from files: what a terminal would obey is escaped (text_say), newlines too, but for
 * those at the ends of `format`. */
#define say(...) say_to(stdout, __VA_ARGS__)
void say_to(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_bytes(const char *bytes, size_t length);
/* Was there memory for all that was to be said? If not, it has been told, and the command ends with NO_MEMORY. */
bool said_all(void);
/* Writes a text to standard output, or tells why not: the exit code. On a terminal it is escaped, but for newlines and
 * tabs: then nothing is to be read back. */
int print_text(struct text *t);

#endif
