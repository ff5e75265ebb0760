/* Losses, as Keras defines them (https://keras.io/api/losses/). Each is a file in losses/ and a line in its
 * meson.build: nothing else knows which there are.
 *
 * A loss stands behind the model's output. Its mean over all rows of the batch at hand is what training makes small. A
 * model that ends in the activation that a loss knows is taken back to its logits, as Keras does: no probability is
 * then too small for its logarithm. */
#ifndef KILN_TRAIN_LOSS_H
#define KILN_TRAIN_LOSS_H

#include "base/spec.h"
#include "train/row.h"

/* -- the contract of a loss -- */

/* What it is compared with, and how data are read for it. */
enum label_form {
    LABELS_CLASSES,       /* int64 [n...] for an output [n..., classes] */
    LABELS_PROBABILITIES, /* float of the output's shape; data that hold classes give one-hot rows, or 0 and 1 */
    LABELS_NUMBERS,       /* float of the output's shape; data are numbers, though they be whole */
    LABELS_SEQUENCES,     /* int64 [n, length] for an output [n, steps, classes] */
    LABELS_AS_GIVEN       /* the same, but that data of classes give one-hot rows, or for a single output the number */
};

/* What makes probabilities of logits. */
enum activation { ACTIVATION_NONE, ACTIVATION_SOFTMAX, ACTIVATION_SIGMOID };

/* What a guess goes by. */
struct loss_clues {
    enum activation activation; /* that the model ends in; softmax: along `axis` */
    bool named_logits;          /* the output's name says so, and there is no activation */
    bool label_classes;         /* the data hold classes, not floats */
    bool one_for_each_class; /* and the output has a number for each of them, or several numbers where there is a single
                                   label, which are then of nothing else; there is no other clue */
    int axis;                /* the output's dimension that may hold classes */
    int64_t width;           /* of that dimension */
    int rank;                /* of the output */
};

/* A row, and the gradient of its loss. */
struct loss_row {
    struct output_row row;
    const void *settings;
    float *gradient; /* of the outputs; NULL: it is not asked for */
    double scale;    /* that the gradient is to be multiplied by */
    void *scratch;   /* as much as def->scratch says */
};

/* What a loss is emitted for. */
struct loss_nodes {
    struct value *y_pred, *y_true; /* as in Keras: the output, or the logits behind it, and the labels */
    bool logits;
    const void *settings;
};

struct loss;
struct model;

struct loss_def {
    struct spec_row row;
    size_t settings_size;
    enum label_form labels;
    enum activation activation; /* what it takes a model back from, to logits. One that has any has FROM_LOGITS, too */
    /* Why it is chosen where none is asked for: "the model ends in Softmax"; NULL where it is not. Of all losses one
     * has a reason, whatever the clues are. NULL: it is never guessed. */
    const char *(*guess)(const struct loss_clues *c);
    /* One of the two. `rows` computes the loss of a row and its gradient. `emit` emits nodes of the standard (ops/op.h)
     * that compute the loss of each row, or of each element, of which the mean is taken then; the gradient follows from
     * the nodes. */
    double (*rows)(const struct loss_row *r);
    /* What `rows` computes as a formula (ops/equation.h), for a file: of x, the outputs, and t, the labels as numbers, it makes
     * `loss`, whose last dimension is 1; it may read the options. The gradient follows from it. NULL: it cannot be written. */
    const char *(*spelled)(const void *settings, bool logits);
    struct value *(*emit)(struct emitter *e, const struct loss_nodes *n);
    bool along_classes; /* the outputs of a row are compared together: it goes along the classes, where those are */
    /* Of a loss that is more than its options: makes the rest of its settings when they have been read, and may put another
     * definition in l->def; `close` gives back what that took. */
    bool (*open)(struct loss *l, struct budget *b, struct report *r);
    void (*close)(void *settings);
    /* The file that it is made of, where it is; NULL: there is none. */
    const struct model *(*graph)(const void *settings);
    /* Of sequences: how many bytes `rows` needs for a sample. NULL: none. */
    int64_t (*scratch)(int64_t steps, int64_t length);
    /* Rows that do not count, whatever their label is: the mean is of the others. NULL: all count. */
    bool (*skips)(const struct output_row *r, const void *settings);
};

/* The option of a loss that knows an activation: settings have a `bool from_logits`. */
#define FROM_LOGITS(type)                                                                                              \
    {                                                                                                                  \
        SPEC_FIELD(type, from_logits), "the output is logits, no probabilities", SPEC_FLAG                             \
    }

extern const struct loss_def *const loss_registry[]; /* ended by NULL; made from losses/meson.build */

/* Does it make a difference which dimension of the output its rows lie along? To a loss of units to what is counted of
 * them, though not to the loss. */
static inline bool loss_has_rows(const struct loss_def *l)
{
    return l->along_classes || l->labels == LABELS_PROBABILITIES;
}

/* -- one that was chosen -- */

/* What the data give to compare with. */
enum targets {
    TARGETS_CLASSES, /* integers */
    TARGETS_VALUES   /* floats: one-hot rows, probabilities, numbers */
};

/* What is known of them when a loss is chosen. */
struct loss_data {
    enum targets form;
    int classes;                 /* labels are below; 0: there are none */
    const struct tensor *labels; /* their shape; may be NULL */
};

struct loss {
    const struct loss_def *def;
    void *settings;    /* of the arena */
    double weight;     /* that its gradient is multiplied by */
    bool logits;       /* it reads logits */
    bool guessed;      /* nobody asked for it */
    struct value *at;  /* what it reads, as float: the model's output, or the logits behind it, */
    struct value *out; /* rearranged as they are on their way to this, the output */
    enum dtype dtype;  /* of that in the model */
    int axis;          /* the output's dimension that holds the classes; 0: the last */
    int64_t width;     /* of that dimension */
    int classes;       /* that labels must be below, where they are classes; 0: they are not */
    bool several;      /* a row may be of several classes at once, or of none: each unit is a label by itself */
    const double *class_weights; /* [weighted] how much rows of a class count in training, others 1; NULL */
    int64_t weighted;
    char said[160]; /* how it was chosen, in words: "NAME from logits, because the model ends in Softmax" */
};

spec_table loss_table;
/* The loss that a specification names, for those who read the data; NULL where there is none. */
const struct loss_def *loss_named(const char *spec);
/* Chooses the loss for the model's output `out`: as `spec` says ("NAME" or "NAME:from_logits=1"), or, where it is NULL,
 * by what the output is. `type` is the output's, with known dimensions, of which `axis` may hold classes. */
bool loss_choose(struct loss *l, const char *spec, struct value *out, const struct tensor *type, int axis,
                 const struct loss_data *data, struct arena *arena, struct report *r);
/* Has each row of an output of that type, with `width` numbers, one label? */
bool loss_is_single(const struct tensor *labels, const struct tensor *type, int64_t width);
/* What the numbers of an output are, as far as it can be told. */
struct loss_scores {
    bool known;  /* something tells */
    bool logits; /* above 0 they say yes, else above .5 */
    bool each;   /* each says yes or no by itself */
};
/* By what the output comes from and is called; `said`: the loss that it is trained with, or NULL. */
struct loss_scores loss_scores(const struct value *out, int rank, const char *said);
/* Gives back what is not the arena's; the loss may be zero. */
void loss_close(struct loss *l);
/* The label that does not count to it, whatever it is; false where all do. Of settings that were read. */
bool loss_ignores(const struct loss_def *def, const void *settings, int64_t *label);
/* The same of the loss asked for by `spec`, which may be NULL or wrong: who makes a loss of it says so. */
bool loss_spec_ignores(const char *spec, int64_t *label, struct arena *arena);
/* Does the loss asked for by `spec`, or that which would be guessed, take each output by itself? */
bool loss_is_of_units(const char *spec, const struct value *out);
/* The dimension of the output that a Softmax goes along, 0 where there is none. */
int loss_softmax_axis(const struct value *out, int rank);
/* The type of the labels that this loss wants for an output of that type, with the classes in the last dimension; of
 * sequences as long as there are steps. */
struct tensor loss_labels(const struct loss *l, const struct tensor *output);

struct loss_values {
    struct value *mean;     /* float, scalar */
    struct value *at;       /* what it reads */
    struct value *seed;     /* where gradients start: the value, */
    struct value *gradient; /* and the gradient of the mean by it, times the weight; NULL unless asked for */
};
/* `l` must live as long as the graph. Weights, float [samples], say how much each sample counts; NULL: all alike. The
 * mean is then of what rows cost times what they count, as Keras' sum_over_batch_size: divided by how many there are. */
bool loss_emit(struct emitter *e, const struct loss *l, struct value *at, struct value *labels, struct value *weights,
               bool gradient, struct loss_values *out);
/* The same in operators of the standard, in training: the gradient is that of the nodes. */
bool loss_spell(struct emitter *e, const struct loss *l, struct value *at, struct value *labels, struct value *weights,
                struct loss_values *out);

#endif
