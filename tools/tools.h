/* The command: one file for each verb, and what they share. It is a program that uses libkiln as any other does: of the
 * library it includes kiln.h alone. */
#ifndef KILN_TOOLS_KILN_H
#define KILN_TOOLS_KILN_H

#include "kiln.h"
#include <argp.h>
#include <stdio.h>

struct verb {
    const char *name;
    const char *summary;               /* half a line, for `kiln --help` */
    int (*run)(int argc, char **argv); /* argv[0] is "kiln VERB"; returns the exit code */
    const struct argp *argp;           /* what it is run with; manual pages and completions are made of it (man/) */
    const char *examples;              /* lines of what is done, "    kiln VERB ..." below each */
};

extern const struct verb verb_eval, verb_figure, verb_init, verb_predict, verb_train;
extern const struct verb verb_data, verb_adapt, verb_bench, verb_convert, verb_inspect, verb_ops, verb_run, verb_serve,
    verb_test;

/* -- verbs.c -- */

/* In the order in which one meets them, ended by NULL. */
extern const struct verb *const verbs[];
/* What the command is for, in a line, and examples of it, as a verb's. */
extern const char kiln_purpose[], kiln_examples[];

enum { EXIT_USAGE = 64 }; /* wrong options, as sysexits has it */

/* -- limits.c -- */

/* What a verb may take. */
struct limits {
    size_t memory;     /* bytes, of all that is kept; 0: no limit */
    double seconds;    /* that loading, planning, and each run or step may compute; 0: no limit */
    bool said;         /* were the seconds asked for? */
    const char *links; /* a directory that symbolic links of external data may lead to, too; NULL: none */
};

/* --memory, --seconds and --follow-links, as children of a verb's argp, whose parser gives them a struct limits at
 * ARGP_KEY_INIT: state->child_inputs[0]. */
extern const struct argp limits_argp;
extern const struct argp_child limits_options[];
/* What they are where nothing is said. */
struct limits limits_default(void);
/* Those that opening data may take: whoever streams them expects that there are many. */
double limits_data_seconds(const struct limits *limits, bool streamed);

/* -- command.c -- */

enum { TELLER_MESSAGES = 64 };

/* Prints errors and warnings to stderr while they are found: an error that many nodes have is told of once. */
struct teller {
    const char *file; /* that they are of; NULL: of none */
    bool held;        /* errors wait for command_end */
    int told;
    char message[TELLER_MESSAGES][200];
};

/* What a verb works with. */
struct command {
    struct limits limits;
    struct teller teller;
    kiln_context *context;
    kiln_error err; /* of the call that failed */
};

/* When the options are known. With a context, which keeps the files apart that are read and written. False with an
 * error; command_end in any case. */
bool command_start(struct command *c, int threads);
/* Tells what tell_each did not, when `ok` is false. The exit code. */
int command_end(struct command *c, bool ok);
/* The callback of a context; `user` is a teller. */
void tell_each(void *user, kiln_status code, const char *where, const char *message);
/* One that tells nothing, for what is no failure. */
void tell_nothing(void *user, kiln_status code, const char *where, const char *message);
/* Prints "kiln: FILE: where: message" to stderr, and how many more errors there were; returns the exit code of the
 * error. */
int tell_error(const char *file, const kiln_error *e);

/* An error of the command itself, told by command_end; always false. */
bool command_fail(struct command *c, kiln_status code, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool command_no_memory(struct command *c);
/* What errno says of a file. */
bool command_fail_system(struct command *c, const char *path);
/* Is there, or is made, with those that it lies in. */
bool command_make_directory(struct command *c, const char *path);

/* What a model is to be opened with, by the command's limits. */
kiln_load_options load_options(const struct command *c);
/* Opens a model within the limits. NULL with an error. */
kiln_model *open_model(struct command *c, const char *path);
/* Parameters of which the file names only the initialiser get values, so that the model can be looked at and run; *drawn,
 * which may be NULL, is how many. False with an error, and *m as it was. */
bool fill_model(struct command *c, kiln_model **m, uint64_t seed, size_t *drawn);
/* Both. */
kiln_model *open_filled_model(struct command *c, const char *path, uint64_t seed, size_t *drawn);
/* A value for an input that nobody gave: dimensions that it leaves open are 1, or `batch` where that is the first. NULL
 * with an error. */
kiln_tensor *random_input(struct command *c, const kiln_value_info *input, int64_t batch, uint64_t seed,
                          int32_t stream);
/* What the model's metadata have under this key, such as "kiln.classes." and the name of an output; NULL. */
const char *model_metadata_of(const kiln_model *m, const char *prefix, const char *name);
/* A kiln_write_fn: `user` is a FILE. */
bool write_file(void *user, const void *bytes, size_t count);
/* What a profile of the session, or of the trainer where that is NULL, remembers, to a file: a Chrome trace. */
bool save_trace(struct command *c, const char *path, const kiln_session *session, const kiln_trainer *trainer);
/* Time that only goes forward, from some start. */
double seconds_now(void);
/* Does the name end so? */
bool ends_with(const char *s, const char *end);

/* -- help.c -- */

/* The help_filter of an argp: puts the names of a table where a text has "{optimizers}", "{losses}", "{metrics}" or
 * "{data}", and its rows with their options where it has "{optimizers:}" ... */
char *help_filled(int key, const char *text, void *input);
/* argp_parse. False, and told, where there was no memory for it: nothing is parsed then. */
bool options_parse(const struct argp *argp, int argc, char **argv, void *input);
/* MODEL, the one argument of a verb; a second one ends the command with EXIT_USAGE. */
void option_model(struct argp_state *state, const char **model, const char *arg);
/* The argument of --NAME as a whole number from `least` to `most`; anything else ends the command with EXIT_USAGE. */
int64_t option_number(struct argp_state *state, const char *name, const char *arg, int64_t least, int64_t most);
/* The same of any number, which a float can hold. */
double option_real(struct argp_state *state, const char *name, const char *arg, double low, double high);
/* A number with a point, whatever the locale: how many bytes it takes, 0 where there is none. */
size_t read_real(const char *s, double *out);

/* -- print.c -- */

/* As printf and fprintf. Names come from files: what a terminal would obey is written as \xNN, newlines too, but for
 * those at the ends of `format`. */
#define say(...) say_to(stdout, __VA_ARGS__)
void say_to(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_bytes(FILE *to, const char *bytes, size_t length);
/* Was there memory for all that was to be said? If not, it has been told, and the command ends with NO_MEMORY. */
bool said_all(void);

/* Text that is printed, or written to a file, when all of it is there. Zero-initialise. What there is no memory for
 * makes it fail at its end. */
struct page {
    char *text; /* ended by NUL, where there is any */
    size_t length, room;
    const struct command *command; /* whose limit of memory it keeps, with all that the context has; NULL: none */
    bool failed, limited;          /* limited: that was the limit */
};
void page_add(struct page *p, const char *bytes, size_t length);
/* As say_to, and the same without escaping. */
void page_say(struct page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void page_printf(struct page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A kiln_write_fn: `user` is a page. */
bool page_write(void *user, const void *bytes, size_t count);
/* To standard output. On a terminal it is escaped, but for newlines and tabs: then nothing is to be read back. These
 * two free it; false with an error. */
bool page_show(struct page *p, struct command *c);
bool page_save(struct page *p, const char *path, struct command *c);
void page_free(struct page *p);

#endif
