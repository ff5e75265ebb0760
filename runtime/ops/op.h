/* The contract between an operator and the rest of Kiln.
 *
 * An operator is a table of rows, newest opset first, ended by {0}. The loader picks the first row whose `since` is not
 * above the model's opset; from then on nobody looks at versions. Rows may share every function but `parse`.
 *
 *   signature  names and types of inputs and outputs; arity and types are checked by the frame, operators need not
 *   parse      node -> canonical attributes, once for each node; what was an attribute once and is an input now becomes
 *              a constant input here
 *   infer      types, shapes, memory: once for each set of input shapes, when a program is planned; every dimension it
 *              sees is known
 *   run        the computation, in every step; allocates nothing but an output whose size nobody could know before, and
 *              fails only on values that show while running (an index out of range)
 *   gradient   emits nodes into the backward graph: once for each program, with types and shapes known
 *   expand     in place of infer, run and gradient: other operators that do the same
 *
 * The memory of inputs and outputs belongs to the caller. Every function but gradient may be called from several
 * threads at once. */
#ifndef KILN_OPS_OP_H
#define KILN_OPS_OP_H

#include "base/pool.h"
#include "graph/graph.h"
#include "tensor/heap.h"
#include "tensor/tensor.h"

struct emitter;    /* below */
struct kernels;    /* kernels/kernels.h: what this CPU does best */
struct chain_rule; /* ops/elementwise.h: how an elementwise operator is a step of a chain */
struct fused;      /* ops/fused.h: a chain */
struct text;       /* base/text.h */

/* -- reading a node -- */

/* A getter gives the default where the attribute is absent and records an error where its type is wrong. Errors are
 * collected for the whole model: parse need not stop at the first. An attribute that no getter asked for is an error
 * afterwards. */
struct parse;

struct ints { /* a short list of integers: axes, pads, a shape */
    int count;
    int64_t v[2 * MAX_RANK];
};

bool attr_given(struct parse *p, const char *name);
float attr_float(struct parse *p, const char *name, float fallback);
int64_t attr_int(struct parse *p, const char *name, int64_t fallback);
/* Ended by NUL; an embedded NUL is an error. */
const char *attr_string(struct parse *p, const char *name, const char *fallback);
/* The index of the attribute's value in `names` (a NULL-ended list), or an error that lists them; `fallback` where it
 * is absent. */
int attr_choice(struct parse *p, const char *name, const char *const *names, int fallback);
bool attr_ints(struct parse *p, const char *name, struct ints *out); /* count 0 where absent; false on an error */
const struct tensor *attr_tensor(struct parse *p, const char *name); /* NULL where absent */
/* A list of any length, by its type (ATTR_INTS, ATTR_FLOATS, ATTR_STRINGS); NULL where absent. */
const struct attr *attr_list(struct parse *p, const char *name, enum attr_type type);
/* A copy of a list, that lives as long as the model; NULL, and a count of 0, where it is absent, empty or wrong. */
const float *attr_floats(struct parse *p, const char *name, int64_t *count);
const int64_t *attr_int64s(struct parse *p, const char *name, int64_t *count);
/* A list of any type, or a tensor, as elements of a tensor; strings of lists are copies. */
struct attr_values {
    enum dtype dtype; /* I64, F32 or STRING, or a tensor's */
    size_t count;
    const void *data;
};
bool attr_values(struct parse *p, const struct attr *a, struct attr_values *out);
const struct tensor *attr_type(struct parse *p, const char *name); /* of a value (Optional); NULL where absent */
const struct attr *attr_any(struct parse *p, const char *name);    /* unchecked; NULL where absent */
/* The subgraph of a required attribute: its index in node->graph_of, to be used with infer_graph and step_call; -1 on
 * an error. */
int attr_graph(struct parse *p, const char *name);
/* The value that has the name where the node stands; an error where there is none, or where names are not known. */
struct value *parse_named(struct parse *p, const char *name);
/* A subgraph that is no attribute's: its index as attr_graph's. What is made of the node owns it; call it last. */
int parse_add_graph(struct parse *p, struct graph *g);
const struct node *parse_node(const struct parse *p);
int parse_opset(const struct parse *p);
int inputs_written(const struct parse *p);
int outputs_written(const struct parse *p); /* the last one that is written, plus 1 */
bool input_given(const struct parse *p, int k);
/* Input k becomes a constant: what was an attribute in an older opset. `count` < 0 is a scalar, else a vector of that
 * length. */
bool constant_input(struct parse *p, int k, enum dtype dtype, int64_t count, const void *data);
/* An attribute of ints that is an input since a later opset; left out when absent. */
bool ints_input(struct parse *p, int k, const char *name);
/* The type of output 0 that an attribute gives; `fallback` where it is absent. False where there is no such type, or the
 * output cannot be of it. */
bool attr_dtype(struct parse *p, const char *name, enum dtype fallback, enum dtype *out);
/* Has the type of output k, which an attribute gives, a place in the row's signature? An error where it has none. */
bool output_may_be(struct parse *p, int k, enum dtype dtype);
/* Memory that lives as long as the model; NULL on an error. */
void *parse_alloc(struct parse *p, size_t bytes);
/* Copies, elements of a tensor of strings. */
struct string **parse_strings(struct parse *p, size_t count, const struct bytes *strings);
/* Errors, always false, to be returned: BAD_MODEL; valid, but Kiln cannot. */
bool parse_error(struct parse *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool parse_unsupported(struct parse *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* -- planning a node -- */

struct infer;
const void *infer_attrs(const struct infer *i);
int infer_inputs(const struct infer *i);                     /* formal ones, left-out ones at the end included */
int infer_outputs(const struct infer *i);                    /* slots of the standard's outputs */
const struct tensor *typed_in(const struct infer *i, int k); /* NULL where an optional input is left out */
struct tensor *typed_out(struct infer *i, int k);            /* NULL where nobody reads it */
/* Sets the type of an output; nothing where nobody reads it. False, with an error, where sizes overflow. */
bool set_out(struct infer *i, int k, enum dtype dtype, int rank, const int64_t *dims);
/* Is the value of input k known while planning? Where it is not, and the operator cannot plan without, it returns false
 * from infer: the planner then runs what it can and asks again, with the value. An input that is left out is not known
 * either. */
bool known_in(struct infer *i, int k);
/* The integers (int32 or int64, a vector or a scalar) of input k, wanted while planning: false where they are not known
 * yet, or wrong. */
bool ints_in(struct infer *i, int k, struct ints *out);
/* The output's value, where planning can tell it (Shape): memory for it, to be filled now, after set_out. NULL: nobody
 * reads it, or no memory. The node is then not run at all. */
void *known_out(struct infer *i, int k);
void *infer_alloc(struct infer *i, size_t bytes); /* zeroed, until the planning ends; NULL with an error */
void need_scratch(struct infer *i, size_t bytes); /* 64-byte aligned, placed by the planner */
/* Memory for what was found out, which run sees as step.plan: zeroed, lives as long as the program. NULL with an
 * error. */
void *infer_plan(struct infer *i, size_t bytes);
/* Asks for something that can be made of input k once for the whole session (packed weights): `bytes`, 64-byte aligned,
 * filled before the first run, which finds it by prepared_for. Nodes that ask for the same of the same tensor, by
 * `make` and the bytes of `key`, share it. False where input k may change between runs: run then has to make it each
 * time, and prepared_for is NULL. Once for each input of a node. */
typedef void prepare(const void *data, const struct tensor *in, const struct kernels *k, struct pool *pool, void *out);
bool need_prepared(struct infer *i, int k, size_t bytes, prepare *make, const void *key, size_t key_bytes);
/* The same where only the first key_bytes of `data` are the key: the others are for `make`, whichever node's they
 * are. */
bool need_prepared_keyed(struct infer *i, int k, size_t bytes, prepare *make, const void *data, size_t data_bytes,
                         size_t key_bytes);
/* What was asked for does not suffice: the input itself is read while running, too, and has to stay. */
void keep_prepared_input(struct infer *i, int k);
const struct kernels *infer_kernels(const struct infer *i); /* that run will have */
bool infer_exact(const struct infer *i);                    /* is a faster way that rounds worse forbidden? */
int infer_threads(const struct infer *i); /* how many `thread` numbers pool_run may pass, for scratch */
/* `out` may take the memory of `in` once nobody else reads it; said of up to two inputs. The planner looks at bytes
 * alone: the operator must be able to write element k of `out` before it reads element k + 1 of `in`. */
void may_reuse(struct infer *i, int out, int in);
/* `out` is the bytes of `in` under another shape: run has nothing to do for it. */
void view_of(struct infer *i, int out, int in);
/* `out` is the next step's `in`, taken over after a whole step: statistics. */
void next_state(struct infer *i, int out, int in);
/* `out` takes the place of `in` at once, in a last phase that cannot fail: optimisers. */
void updates(struct infer *i, int out, int in);
bool infer_error(struct infer *i, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same of an axis that is none of so many dimensions. */
bool axis_error(struct infer *i, int64_t axis, int rank);
/* An output whose dimensions only running can tell has rank or dims UNKNOWN; run then calls step_alloc. */

/* Types of the outputs of subgraph g, given those of its formal inputs. An output that only running can tell has dims
 * UNKNOWN, and where nothing declares it no dtype. So has every output of a subgraph that does not fit its inputs: it
 * may never be run, and running it tells the error. */
bool infer_graph(struct infer *i, int g, const struct tensor *inputs, struct tensor *outputs);
/* The values of those outputs of subgraph g that are wanted, given inputs of which some have data: copies, until the
 * planning ends, of what planning can tell; data of the others is NULL. Only what they need is looked at, quietly. */
bool infer_values(struct infer *i, int g, const bool *want, const struct tensor *inputs, struct tensor *outputs);

/* -- running a node -- */

struct step {
    const struct node *node;
    const void *attrs;
    const struct tensor *const *in; /* NULL where left out */
    struct tensor *const *out;      /* NULL where nobody reads it */
    void *scratch;                  /* never NULL, also where none was asked for */
    const void *plan;               /* what infer_plan gave; NULL for nothing */
    const void *const *prepared;    /* by input; NULL where need_prepared was not asked (prepared_for) */
    const struct kernels *k;
    struct pool *pool;
    uint64_t seed;     /* of the session: random numbers depend on (seed, node, number, element) alone */
    uint64_t number;   /* of the step */
    struct heap *heap; /* for sequences and strings; ends with the run */
    struct report *report;
    struct frame *frame; /* run/frame.h: what step_call needs */
};
/* What need_prepared asked for of input k; NULL where nothing was, or the input may change. */
static inline const void *prepared_for(const struct step *s, int k)
{
    return s->prepared ? s->prepared[k] : NULL;
}
static inline char *scratch_at(const struct step *s, size_t bytes) /* from so many bytes on */
{
    return (char *)s->scratch + bytes;
}
/* Memory for an output with UNKNOWN dims; within the budget. */
bool step_alloc(struct step *s, int out, enum dtype dtype, int rank, const int64_t *dims);
/* Runs subgraph g. Its outputs (tensors whose memory belongs to the subgraph) last until the next call of the same
 * subgraph; captured values are passed by the frame. */
bool step_call(struct step *s, int g, const struct tensor *const *inputs, struct tensor *outputs);
/* Subgraph 0 has one output: runs its gradient by those inputs whose outputs are read; outputs[k] is that by input k. */
bool step_gradient(struct step *s, const struct tensor *const *inputs, struct tensor *outputs);
bool step_error(struct step *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* -- emitting nodes -- */

/* Nodes are emitted by their standard names, in the newest opset that Kiln knows. After an error everything is NULL and
 * nothing more happens: a rule need look only at its end, emit_ok. Attributes are text: "axis=-1 epsilon=1e-3
 * mode='linear' pads=[0,1] values=f64[2]{0.5,-1}". */
struct emitter {
    struct graph *graph;
    struct report *report;
    bool failed;
    struct value *seed, *step; /* for op_def.plain: what random numbers come from, scalars of int64; else NULL */
};

/* The first output; inputs may be NULL. */
struct value *emit(struct emitter *e, const char *op, const char *attrs, int inputs, ...);
bool emit_many(struct emitter *e, const char *op, const char *attrs, int outputs, struct value **out, int inputs,
               struct value *const *in);
/* A node of an operator whose attributes are graphs: names[k] is graphs[k]. */
bool emit_graphs(struct emitter *e, const char *op, int graphs, const char *const *names, struct graph *const *graph,
                 int outputs, struct value **out, int inputs, struct value *const *in);
/* A private node: `op` has one row and no parse; `attrs` must live as long as the graph (most often the forward node's
 * own). Output k is made where want is NULL or want[k]; the others are NULL. */
bool emit_private(struct emitter *e, const struct op *op, const void *attrs, int outputs, struct value **out,
                  const bool *want, int inputs, struct value *const *in);
struct value *emit_scalar(struct emitter *e, enum dtype dtype, double value);
struct value *emit_constant(struct emitter *e, const struct tensor *type, const void *data); /* which is copied */
struct value *emit_cast(struct emitter *e, struct value *v, enum dtype to);
/* v itself where both types are the same. */
struct value *emit_cast_from(struct emitter *e, struct value *v, enum dtype from, enum dtype to);
struct value *emit_ints(struct emitter *e, int count, const int64_t *v); /* a vector of int64 */
/* v with these dimensions, of which any may be 0. */
struct value *emit_reshape(struct emitter *e, struct value *v, int rank, const int64_t *dims);
void *emit_alloc(struct emitter *e, size_t bytes); /* lives as long as the graph */

/* -- differentiating a node -- */

/* Values of the forward graph in, nodes of the backward graph out. Gradients of outputs that are not differentiable
 * never flow. */
struct backward;
struct emitter *emitter_of(struct backward *b);
const struct node *node_of(struct backward *b);
const void *attrs_of(struct backward *b);
struct value *forward_in(struct backward *b, int k);  /* NULL where left out */
struct value *forward_out(struct backward *b, int k); /* the forward pass is then asked to keep it; hidden ones too */
struct value *upstream(struct backward *b, int k);    /* dL/d(output k); NULL where nothing flows */
bool wants(struct backward *b, int k);                /* is dL/d(input k) asked for? captured inputs too */
const struct tensor *type_in(struct backward *b, int k);  /* NULL where left out; data where planning knew the value */
enum dtype dtype_read(struct backward *b, int k);         /* that of the values, also where these are quantised */
const struct tensor *type_out(struct backward *b, int k); /* of the standard's outputs that the forward pass writes */
/* Adds to what input k has already been given. The gradient must have input k's shape and dtype. Does nothing where k
 * is not wanted. */
void give(struct backward *b, int k, struct value *gradient);
/* Sums the broadcast axes away first: for a gradient of the first output's shape, to which input k was broadcast. */
void give_unbroadcast(struct backward *b, int k, struct value *gradient);
void give_unbroadcast_from(struct backward *b, int k, struct value *gradient, const struct tensor *shape); /* its own */
/* A graph that does what subgraph g of the node does and goes back through it: its outputs are the gradients of the
 * node's inputs inputs[0..count), captured ones; what flows in is captured. For emit_graphs. NULL on an error. */
struct graph *gradient_graph(struct backward *b, int g, int count, const int *inputs);
/* The same of a node that runs its subgraph 0 again and again. The subgraph's inputs are the number of the iteration, a
 * condition, which is true, and carried values; its outputs are a condition, the next carried values, and scan outputs,
 * which are put one behind the other. Emits a loop that goes back, gives all inputs their gradients, and has the node
 * keep what that reads. */
struct iterations {
    int first, carried; /* the node's inputs from `first` on are carried; its outputs begin with what they end as */
    int scans;
    struct tensor scalars[2]; /* the types of number and condition */
    /* The node's attributes with another body, which has `more` scan outputs behind the others. NULL with an error. */
    const void *(*with_body)(struct emitter *e, const void *attrs, const struct graph *body, int more);
};
bool gradient_of_iterations(struct backward *b, const struct iterations *it);
/* The same of a node that runs its subgraph 0 for each item of its input 0, and those of all others that are sequences, and
 * makes sequences of what comes out. */
bool gradient_of_items(struct backward *b);
/* Backpropagation through time, truncated: what is carried from one step of a sequence, or one iteration, to the next passes
 * a gradient back but where the number of the next, from 0 on, is a multiple of this (Williams and Peng, Neural
 * Computation 2(4), 1990). 0: everywhere. */
int64_t truncation(struct backward *b);
/* The rule of outputs that are constant in pieces (ArgMax, Less), and of those that no gradient flows to. */
bool zero_gradient(struct backward *b);
bool backward_ok(struct backward *b); /* nothing failed: what a rule returns */
bool backward_error(struct backward *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a node of a gradient is the gradient of, for those that are long to spell out: it is made again, and differentiated. */
enum { MOST_RETRACED = 8 };
struct retraced {
    struct value *y[MOST_RETRACED];   /* what is computed, whose gradient is input dy[k] of the node */
    struct value *wrt[MOST_RETRACED]; /* output k of the node is the gradient of it: one of x, or a constant */
    int dy[MOST_RETRACED];
    int count; /* of y */
};

/* -- the table -- */

struct op_case {        /* one row: one test of the registry walk */
    const char *inputs; /* "f32[2,3,4,4] f32[3]+": '+' draws positive values, '~' distinct ones far apart, "{1,2}" after
                         * a shape gives the values themselves, "{'a','b'}" those of strings, "-" leaves an optional
                         * input out; "seq(f32[2],f32[3])" and "opt(seq(f32[2]))" hold others, "seq(f32)" and "opt(f32)"
                         * nothing */
    /* As emit takes them. For operators that see more than tensors and such attributes "{ nodes }", in the ONNX textual
     * syntax, which make outputs y0, y1 ... of inputs x0, x1 ...: the types that they name are not varied. */
    const char *attrs;
    const char *outputs;    /* "f32[2,3]"; "-" where an output is not asked for */
    uint64_t differentiate; /* inputs whose gradient is compared with central differences, one bit each */
};

/* What of a node's inputs a model learns: a list ended by {0}. */
enum parameter_use {
    PARAMETER_TRAINS = 1,
    PARAMETER_TRAINS_IN_HALVES,     /* its last dimension holds a bias of the input, then one of the state */
    PARAMETER_TRAINS_UNLESS_SCALAR, /* the operator does other things, too */
    PARAMETER_TRAINS_AS_TOKEN,      /* where it is a vector that is joined to a sequence of them, no padding */
    PARAMETER_TRAINS_AS_STATE,      /* where it is one state that is repeated for each sample */
    PARAMETER_TRAINS_IF_ASKED,      /* where the file says so: a scale of what is quantised */
    PARAMETER_IS_STATISTIC          /* the operator itself changes it, in its training form */
};
struct fans {
    double in, out; /* as Keras counts them in its own layouts */
};
struct op_parameter {
    enum parameter_use use;
    int input;
    const char *name;    /* "weight" */
    const char *initial; /* Keras' default initialiser (train/initialise.h) */
    /* Of tensors with two dimensions or more. NULL: the last two dimensions are in and out. */
    struct fans (*fans)(const struct node *n, int input, const struct tensor *t);
};

enum op_flags {
    OP_RANDOM = 1,          /* two runs differ: never folded */
    OP_RUN_ONLY = 2,        /* never folded: has an effect, or is cheaper to run than to keep */
    OP_ELEMENTWISE = 4,     /* an element of the outputs is made of one of each input, broadcast, wherever they lie */
    OP_REARRANGES = 8,      /* the output has the elements of input 0, each once, perhaps in another shape or order */
    OP_SHAPE_ONLY = 16,     /* the outputs depend on the shapes of inputs, not on their values */
    OP_UPDATES = 32,        /* changes state in place: once begun it is finished, whatever time it takes */
    OP_DIFFERENTIATES = 64, /* gradients are taken of its subgraph (grad_of_node): no pass changes what is in it */
    /* Output 0 is input 0 in steps, by a scale, and a gradient goes straight through them (grad/straight.h). */
    OP_QUANTIZES = 128,
    OP_DEQUANTIZES = 256, /* input 0 may be what such an operator makes: it is given a gradient of float */
    /* Elements of outputs are elements of those inputs that have their type, as they are, or constants, and the rule is
     * right where they are quantised, too: type_in is then that of what flows. Whatever OP_REARRANGES, moves. */
    OP_MOVES = 512,
    OP_BYTES_LAST = 1024, /* input 0 of int8 or uint8 may lie with its channels last, too (channels_last) */
};

/* What a node has to do, for a profile (ops/cost.h), and to refuse what cannot end within the time that there is. */
struct cost {
    /* A multiplication and an addition are two. Of what takes more than to look at each element once, so products,
     * convolutions, windows and their gradients, as if nothing were padding and every product were computed:
     * Winograd's way has fewer, and may seem to pass the peak. 0 for all others. */
    double flops;
    double bytes;  /* read and written, each tensor once */
    double rounds; /* that a loop goes at least; 0 where it may end, or where that is not known */
};

struct op_def {
    int since;
    /* "T X, T1 scale, T2 mean?, T more... -> T Y, T2 kept?": type variable and the standard's name; '?' is optional,
     * '...' one or more of one type, '*' any number of any types of the variable. Types stand in `types`. */
    const char *signature;
    /* "T: floats bf16; T1: i32 i64": codes of dtypes, or the sets floats (f16 f32 f64), ints (i8 i16 i32 i64), uints
     * (u8 ... u64), complex (c64 c128), all (floats ints uints bool string complex), and ir9 ... ir13: the types of 8
     * bits and less that the standard had by that version of its IR (float8*, then u4 i4, f4e2m1, f8e8m0, u2 i2).
     * Around codes and sets, to any depth: seq(...), opt(...), map(i64, ...), sparse(...). */
    const char *types;
    size_t attrs_size;
    bool (*parse)(struct parse *p, void *attrs); /* NULL: no attributes */
    /* The rank of output k where it can be told before any shape is, else UNKNOWN: passes see no more than this and its
     * type. n->in[] say what is known of them; ops/rank.h has the usual ones. NULL for OP_ELEMENTWISE, if it is the
     * highest of the inputs'. */
    int (*rank)(const struct node *n, int k);
    /* The element type of output k where an attribute tells it; UNDEFINED, or NULL: the signature alone does. */
    enum dtype (*dtype)(const struct node *n, int k);
    /* In place of rank, infer, run and gradient: emits nodes that do the same, from n->in[] and n->attrs. out[k] is
     * what becomes of n->out[k]; not needed where that is NULL. Types are still checked by the signature, messages
     * still name this node. */
    bool (*expand)(struct emitter *e, const struct node *n, struct value **out);
    /* Of a private row, beside all that: nodes that compute the same, with the rules of gradients that it has not; in[] are
     * the types of its inputs, NULL where left out. out[k] as above. Used where a gradient is differentiated again. NULL: it
     * cannot be. */
    bool (*spell_out)(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out);
    /* In its place: emits what it is the gradient of, into a graph of its own, where the node's inputs are x[k]. */
    bool (*retrace)(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value *const *x,
                    struct retraced *r);
    /* The same for who writes a step of training into a file, where everything is to be of the standard: of a private row
     * whose gradient has a rule, so that nobody spells it out before; of one of the standard's what its training form does, and
     * its hidden outputs, which no file can have. NULL: spell_out, or retrace, does. */
    bool (*plain)(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out);
    bool (*infer)(struct infer *i);
    bool (*run)(struct step *s); /* NULL: every output is a view or known */
    bool (*gradient)(struct backward *b);
    const char *no_gradient; /* the reason, where gradient is NULL */
    /* The training form of a node that behaves differently there (BatchNormalization, Dropout): changes a copy of the
     * attributes; of an operator with statistics it makes them those of the newest row, whose statistics have a type of
     * their own, wide enough for what changes a little in each step. NULL for all others. The frame then asks for the
     * first `training_outputs` outputs. */
    void (*train)(void *attrs);
    int training_outputs;
    /* For operators whose input 0 (each one, of variadic inputs) and outputs of the same rank may lie with their
     * channels last, [N, spatial..., C] for [N, C, spatial...] (ops/layout.h): changes a copy of the attributes so that
     * they do; false where it cannot. Axes in other inputs stay as ONNX counts them. Input 0 is float then, but for OP_DEQUANTIZES
     * and OP_BYTES_LAST. See plan/pass_layout.c; elementwise operators do not need it. */
    bool (*channels_last)(const struct node *n, int rank, void *attrs);
    /* Is row k of every output, along its first dimension, made of the rows k of those inputs that have rows[k], and of
     * the others whole, and would it be for any number of rows? `types` by input. Some input has rows. NULL: no, but
     * for elementwise operators. What is so can be run on a few rows at a time (plan/slices.h). */
    bool (*batch_independent)(const struct node *n, const struct tensor *const *types, const bool *rows);
    /* The node's input that input k of its subgraph g is whenever that is run: what a loop carries unchanged. -1: it may
     * be another each time. NULL: so it is of all. */
    int (*body_input)(const struct node *n, int g, int k);
    const struct chain_rule *chain; /* NULL where it is not elementwise, or no step of a chain */
    /* Of a lowered operator (below) that can run a chain (ops/fused.h) on its only output while it is in the cache:
     * changes a copy of the attributes so that it does; false where this node cannot. The chain's input 0 is the
     * result, its inputs 1, 2 ... become the node's inputs chain_at, chain_at + 1 ... */
    bool (*take_chain)(const struct node *n, const struct fused *chain, void *attrs);
    int chain_at;
    /* The same of a Relu of its first output, of any type, and of a Clip with these bounds, of float32. */
    bool (*take_relu)(const struct node *n, void *attrs);
    bool (*take_clip)(const struct node *n, float least, float most, void *attrs);
    /* How it is computed, for people, in a few words, from what infer_plan was filled with. NULL: its name tells
     * all. */
    void (*describe)(const struct node *n, const void *plan, struct text *out);
    /* Where there is more to say of its work than that each tensor is met once: `cost` says that already, and no flops.
     * `in` and `out` as in a step, with types; NULL where left out. NULL: there is not. */
    void (*cost)(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *cost);
    int hidden; /* outputs of ours after the standard's, kept only where a gradient reads them, never exported */
    unsigned flags;
    const struct op_parameter *parameters; /* NULL: none */
    const struct op_case *cases;
};

/* What input k of such a node is; NULL where nothing is learned there. */
const struct op_parameter *node_parameter(const struct node *n, int k);
static inline bool node_elementwise(const struct node *n)
{
    return n->def && n->def->flags & OP_ELEMENTWISE;
}

struct op {
    const char *name;
    const char *domain; /* "" is ai.onnx, "ai.onnx.ml" another one of the standard's, "kiln" a private one */
    const struct op_def *defs;
    const struct op *lowered; /* NULL: nothing can be put into a node but what the standard has attributes for */
};

/* What a pass puts into a node (a Relu behind it, an addition, a chain) is in no attribute of the standard's. The node
 * becomes one of a private operator then: a Conv one of kiln.Conv, the `lowered` of op_conv, by pass_lower (plan/pass.h).
 *
 *   - It has a row for each of the standard's, found by op_def_for with its version, and the same outputs and facts.
 *   - Its attributes begin with those of the standard's row. What follows is zero where nothing has been put in, and it
 *     does what the standard's operator does then, by the same code, to the bit.
 *   - Its inputs begin with those of the standard; what was put in may read others, behind them.
 *   - The node keeps the name and the version that it had, for people.
 *
 * Nobody takes a gradient of it, trains or saves it: passes that lower are run when all gradients are taken, on clones
 * of graphs, and what is saved are the messages. So it needs no way back into standard operators. */

/* The row of the node's lowered form, or its own where it is lowered already, or cannot be. */
const struct op_def *node_lowered(const struct node *n);
/* Is it a node of this operator, lowered or not? */
static inline bool node_is_any(const struct node *n, const struct op *op)
{
    return n->op && (n->op == op || n->op == op->lowered);
}

/* -- the registry -- */

extern const struct op *const op_registry[]; /* ended by NULL; made by the build from the list in ops/meson.build */

const struct op *op_find(const char *domain, const char *name);  /* "ai.onnx" is ""; NULL where there is none */
const struct op_def *op_def_for(const struct op *op, int opset); /* NULL where all rows are newer */
enum { NEWEST_OPSET = 28 };
int newest_opset_of(const char *domain); /* that the rows of its operators know; INT32_MAX where nobody has said so */

#endif
