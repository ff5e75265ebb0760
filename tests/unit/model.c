/* Models as a whole: what is loaded is saved equal, wherever its data lies. */
#include "model/model.h"
#include "model/file.h"
#include "model/message.h"
#include "model/proto.h"
#include "run/session.h"
#include "scratch.h"
#include "unit.h"

static const char text[] =
    "<ir_version: 8, opset_import: [\"\": 17], producer_name: \"test\", metadata_props: [\"a\": \"b\"]>\n"
    "main (float[2] x) => (float[2] y)\n"
    "<float[2] w = {1, 2}>\n"
    "{ y = Mul(x, w) }\n";

/* The weights lie where with_external_data puts them. */
static const char text_of_external[] =
    "<ir_version: 8, opset_import: [\"\": 17]>\n"
    "main (float[2] x) => (float[2] y)\n"
    "<float[2] w = [\"location\": \"w.bin\", \"offset\": \"4\", \"length\": \"8\"]>\n"
    "{ y = Mul(x, w) }\n";

static const char text_of_itself[] =
    "<ir_version: 8, opset_import: [\"\": 17]>\n"
    "main (float[2] x) => (float[2] y)\n"
    "<float[2] w = [\"location\": \"m.onnxtxt\", \"offset\": \"4\", \"length\": \"8\"]>\n"
    "{ y = Mul(x, w) }\n";

static struct model *opened(const char *path)
{
    struct model *m = model_read(path, NULL, &report);

    expect_ok(m && model_build(m, &report));
    return m;
}

/* y[1] for x = {3, 4}: 8, if w is there. */
static void check_runs(const struct model *m)
{
    float x[] = { 3, 4 };
    struct tensor t = { .dtype = F32, .rank = 1, .dims = { 2 }, .data = x };
    struct session *s = session_new(m->graph, &(struct session_options){ .threads = 1 }, &report);

    ck_assert(s && session_set(s, m->graph->inputs[0], &t, &report) && session_run(s, &report));
    ck_assert_float_eq(((const float *)session_output(s, 0)->data)[1], 8);
    session_free(s);
}

static Onnx__ModelProto *parsed(void)
{
    Onnx__ModelProto *p;
    struct model *m = model_read_bytes(text, sizeof text - 1, NULL, &report);

    expect_ok(m);
    p = message_copy(m->proto, &budget, &report);
    model_free(m);
    return p;
}

/* The initializer's data moves to w.bin, as other tools leave it. */
static Onnx__ModelProto *with_external_data(void)
{
    static const uint8_t w[] = { 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40 }; /* 1, 2: little-endian on any machine */
    static const char *const entries[][2] = { { "location", "w.bin" }, { "offset", "4" }, { "length", "8" } };
    Onnx__ModelProto *p = parsed();
    Onnx__TensorProto *t = p->graph->initializer[0];
    char file[12] = "head";

    memcpy(file + 4, w, sizeof w);
    put_file("in/w.bin", file, sizeof file);
    budget_free(&budget, t->float_data);
    t->float_data = NULL;
    t->n_float_data = 0;
    t->has_data_location = true;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    t->external_data = budget_zalloc(&budget, 3, sizeof *t->external_data, &report);
    for (; t->n_external_data < 3; t->n_external_data++) {
        Onnx__StringStringEntryProto *e = message_new(&onnx__string_string_entry_proto__descriptor, &budget, &report);

        e->key =
            message_string(entries[t->n_external_data][0], strlen(entries[t->n_external_data][0]), &budget, &report);
        e->value =
            message_string(entries[t->n_external_data][1], strlen(entries[t->n_external_data][1]), &budget, &report);
        t->external_data[t->n_external_data] = e;
    }
    return p;
}

static void write_proto(const Onnx__ModelProto *p, const char *path)
{
    uint8_t *bytes;
    size_t size;

    expect_ok(proto_pack(p, &bytes, &size, &budget, &report) && file_write(path, bytes, size, &report));
    budget_free(&budget, bytes);
}

START_TEST(what_is_loaded_is_saved_equal)
{
    struct model *m, *again;

    enter_scratch();
    put_file("m.onnxtxt", text, sizeof text - 1);
    m = opened("m.onnxtxt");
    for (int binary = 0; binary < 2; binary++) {
        const char *path = binary ? "n.onnx" : "n.onnxtxt";

        expect_ok(model_save(m, path, &report));
        again = opened(path);
        ck_assert(message_equal(m->proto, again->proto));
        check_runs(again);
        model_free(again);
    }
    model_free(m);
    leave_scratch();
}
END_TEST

START_TEST(external_data_stays_or_is_brought_in)
{
    Onnx__ModelProto *p;
    struct model *m, *again;

    enter_scratch();
    mkdir("in", 0700);
    mkdir("out", 0700);
    p = with_external_data();
    write_proto(p, "in/m.onnx");
    m = opened("in/m.onnx");
    check_runs(m);
    expect_ok(model_save(m, "in/same.onnx", &report) && model_save(m, "out/other.onnx", &report) &&
              model_save(m, "in/text.onnxtxt", &report));
    again = opened("in/same.onnx");
    ck_assert(message_equal(p, again->proto));
    model_free(again);
    for (int k = 0; k < 2; k++) {
        again = opened(k ? "in/text.onnxtxt" : "out/other.onnx");
        ck_assert(!external_is(again->proto->graph->initializer[0]));
        check_runs(again);
        model_free(again);
    }
    model_free(m);
    message_free(p, &budget);
    leave_scratch();
}
END_TEST

static void spares(const struct model *m, const char *path)
{
    ck_assert(!model_save(m, path, &report));
    expect_error(KILN_BAD_ARGUMENT, "where external data of the model lies: it is not written over");
}

/* As caches lay models out: what has a name in snapshot/ is a link to blobs/. */
static struct model *in_cache(void)
{
    Onnx__ModelProto *p;

    ck_assert_int_eq(mkdir("in", 0700) + mkdir("blobs", 0700) + mkdir("snapshot", 0700), 0);
    p = with_external_data();
    write_proto(p, "blobs/m");
    message_free(p, &budget);
    ck_assert_int_eq(rename("in/w.bin", "blobs/w"), 0);
    ck_assert_int_eq(symlink("../blobs/m", "snapshot/m.onnx"), 0);
    ck_assert_int_eq(symlink("../blobs/w", "snapshot/w.bin"), 0);
    return opened("snapshot/m.onnx");
}

/* Is it saved so, and read back? */
static void saves(const struct model *m, const char *path, bool outside)
{
    struct model *again;

    expect_ok(model_save(m, path, &report));
    again = opened(path);
    ck_assert_int_eq(external_is(again->proto->graph->initializer[0]), outside);
    check_runs(again);
    model_free(again);
}

START_TEST(external_data_behind_links)
{
    struct model *m, *copy;

    enter_scratch();
    m = in_cache();
    check_runs(m);
    spares(m, "blobs/w");
    spares(m, "snapshot/w.bin");
    ck_assert_int_eq(symlink("../in/o", "snapshot/o.onnx"), 0);
    put_file("in/o", "x", 1);
    saves(m, "snapshot/m.onnx", true);
    saves(m, "snapshot/new.onnx", false); /* is no link: blobs/ is not its own */
    saves(m, "snapshot/o.onnx", false);   /* a link, to another place */
    saves(m, "blobs/m", false);
    copy = model_copy(m, &report);
    expect_ok(copy && model_build(copy, &report));
    check_runs(copy);
    model_free(copy);
    ck_assert_int_eq(unlink("snapshot/w.bin") + rename("blobs/w", "snapshot/w.bin"), 0);
    saves(m, "snapshot/new.onnx", true); /* the data are no longer behind a link */
    unlink("snapshot/w.bin");
    expect_ok(model_save(m, "snapshot/new.onnx", &report)); /* what is lost already does not matter */
    model_free(m);
    leave_scratch();
}
END_TEST

/* snapshot/m.onnx is a file here, and its data are a link to what lies elsewhere. */
START_TEST(external_data_in_a_directory_that_is_named)
{
    struct model_options o = { .cache = "store" };
    struct model *m, *copy;

    enter_scratch();
    model_free(in_cache());
    ck_assert_int_eq(mkdir("store", 0700) + rename("blobs/w", "store/w") + unlink("snapshot/m.onnx"), 0);
    ck_assert_int_eq(unlink("snapshot/w.bin") + rename("blobs/m", "snapshot/m.onnx"), 0);
    ck_assert_int_eq(symlink("../store/w", "snapshot/w.bin"), 0);
    m = model_read("snapshot/m.onnx", NULL, &report);
    ck_assert(m && !model_build(m, &report));
    expect_error(KILN_BAD_MODEL, "symbolic link");
    model_free(m);
    m = model_read("snapshot/m.onnx", &o, &report);
    expect_ok(m && model_build(m, &report));
    check_runs(m);
    spares(m, "store/w");
    copy = model_copy(m, &report);
    expect_ok(copy && model_build(copy, &report));
    check_runs(copy);
    model_free(copy);
    saves(m, "snapshot/new.onnx", false); /* it stands on its own, whoever names no directory */
    model_free(m);
    o.cache = "nowhere";
    ck_assert(!model_read("snapshot/new.onnx", &o, &report));
    expect_error(KILN_IO, "'nowhere' cannot be opened");
    o.cache = "in"; /* another one */
    m = model_read("snapshot/m.onnx", &o, &report);
    ck_assert(m && !model_build(m, &report));
    expect_error(KILN_BAD_MODEL, "symbolic link");
    model_free(m);
    leave_scratch();
}
END_TEST

START_TEST(external_data_needs_a_directory)
{
    Onnx__ModelProto *p;
    struct model *m;
    uint8_t *bytes;
    size_t size;

    enter_scratch();
    mkdir("in", 0700);
    p = with_external_data();
    expect_ok(proto_pack(p, &bytes, &size, &budget, &report));
    m = model_read_bytes(bytes, size, NULL, &report);
    ck_assert(m && !model_build(m, &report));
    expect_error(KILN_BAD_MODEL, "directory");
    model_free(m);
    budget_free(&budget, bytes);
    message_free(p, &budget);
    leave_scratch();
}
END_TEST

/* -- external data is not written over -- */

enum { PLACES = 14 };

static Onnx__TensorProto *lies_in(int k)
{
    static Onnx__StringStringEntryProto entry[PLACES], *entries[PLACES];
    static Onnx__TensorProto tensor[PLACES];
    static char location[] = "location", file[PLACES][8];

    snprintf(file[k], sizeof file[k], "%d.bin", k);
    onnx__string_string_entry_proto__init(&entry[k]);
    entry[k].key = location;
    entry[k].value = file[k];
    entries[k] = &entry[k];
    onnx__tensor_proto__init(&tensor[k]);
    tensor[k].has_data_location = 1;
    tensor[k].data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    tensor[k].n_external_data = 1;
    tensor[k].external_data = &entries[k];
    return &tensor[k];
}

static Onnx__SparseTensorProto *sparse(Onnx__SparseTensorProto *s, int values, int indices)
{
    onnx__sparse_tensor_proto__init(s);
    s->values = lies_in(values);
    s->indices = lies_in(indices);
    return s;
}

static Onnx__GraphProto *graph(Onnx__GraphProto *g, Onnx__TensorProto **initializer, int k)
{
    onnx__graph_proto__init(g);
    *initializer = lies_in(k);
    g->n_initializer = 1;
    g->initializer = initializer;
    return g;
}

/* A tensor of its own file in each place where a model can have one. */
static void write_model_of_places(const char *path)
{
    Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;
    Onnx__GraphProto main, inner[4], *graphs[] = { &inner[1] };
    Onnx__TensorProto *initializer[5], *tensors[] = { lies_in(0) };
    Onnx__SparseTensorProto sparses[3], *sparse_attribute[] = { sparse(&sparses[0], 1, 2) },
                                        *sparse_initializer[] = { sparse(&sparses[1], 3, 4) };
    Onnx__AttributeProto a = ONNX__ATTRIBUTE_PROTO__INIT, of_function = a, *attributes[] = { &a },
                         *of_functions[] = { &of_function };
    Onnx__NodeProto node = ONNX__NODE_PROTO__INIT, called = node, *nodes[] = { &node }, *calls[] = { &called };
    Onnx__FunctionProto function = ONNX__FUNCTION_PROTO__INIT, *functions[] = { &function };
    Onnx__TrainingInfoProto training = ONNX__TRAINING_INFO_PROTO__INIT, *trainings[] = { &training };

    a.t = lies_in(5);
    a.sparse_tensor = sparse(&sparses[2], 6, 7);
    a.g = graph(&inner[0], &initializer[0], 8);
    a.n_tensors = a.n_graphs = a.n_sparse_tensors = 1;
    a.tensors = tensors;
    a.sparse_tensors = sparse_attribute;
    a.graphs = graphs;
    graph(&inner[1], &initializer[1], 9);
    node.n_attribute = called.n_attribute = 1;
    node.attribute = attributes;
    called.attribute = of_functions;
    of_function.t = lies_in(10);
    function.n_node = 1;
    function.node = calls;
    training.initialization = graph(&inner[2], &initializer[2], 11);
    training.algorithm = graph(&inner[3], &initializer[3], 12);
    m.graph = graph(&main, &initializer[4], 13);
    main.n_sparse_initializer = main.n_node = 1;
    main.sparse_initializer = sparse_initializer;
    main.node = nodes;
    m.n_functions = m.n_training_info = 1;
    m.functions = functions;
    m.training_info = trainings;
    write_proto(&m, path);
}

static bool count(void *user, Onnx__TensorProto *t)
{
    ck_assert(external_is(t));
    ++*(int *)user;
    return true;
}

START_TEST(external_data_is_found_everywhere)
{
    struct model *m, *copy;
    char file[16];
    int found = 0;

    enter_scratch();
    mkdir("in", 0700);
    write_model_of_places("in/m.onnx");
    m = model_read("in/m.onnx", NULL, &report);
    expect_ok(m && external_each(m->proto, count, &found));
    ck_assert_int_eq(found, PLACES);
    copy = model_copy_as_is(m, &report);
    expect_ok(copy);
    for (int k = 0; k < PLACES; k++) {
        snprintf(file, sizeof file, "in/%d.bin", k);
        put_file(file, "x", 1);
        spares(m, file);
        spares(copy, file);
    }
    expect_ok(model_save(m, "in/m.onnx", &report) && model_save(m, "in/other.onnx", &report));
    model_free(m);
    model_free(copy);
    leave_scratch();
}
END_TEST

/* Whichever links lead there, and whatever has become of the messages since. */
START_TEST(external_data_is_not_written_over)
{
    static const char *const ways[] = { "in/w.bin",  "in/../in/w.bin", "also/w.bin",
                                        "soft.onnx", "hard.onnx",      "soft.onnxtxt" };
    struct model *m, *copy;
    struct stat s;

    enter_scratch();
    mkdir("in", 0700);
    message_free(with_external_data(), &budget);
    put_file("in/m.onnxtxt", text_of_external, sizeof text_of_external - 1);
    ck_assert_int_eq(symlink("in", "also"), 0);
    ck_assert_int_eq(symlink("in/w.bin", "soft.onnx"), 0);
    ck_assert_int_eq(symlink("in/w.bin", "soft.onnxtxt"), 0);
    m = opened("in/m.onnxtxt");
    copy = model_copy(m, &report);
    expect_ok(copy);
    copy->proto->graph->n_initializer = 0; /* it refers to the file no more, the other one does */
    ck_assert_int_eq(link("in/w.bin", "hard.onnx"), 0);
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
        spares(m, ways[k]);
        spares(copy, ways[k]);
    }
    copy->proto->graph->n_initializer = 1;
    ck_assert(stat("in/w.bin", &s) == 0 && s.st_size == 12);
    unlink("hard.onnx");
    expect_ok(model_save(m, "w.bin", &report)); /* of the same name in another place */
    expect_ok(model_save(m, "in/m.onnxtxt", &report) && model_save(m, "in/m.onnxtxt", &report));
    model_free(copy);
    model_free(m);
    m = opened("in/m.onnxtxt");
    check_runs(m);
    model_free(m);
    leave_scratch();
}
END_TEST

/* The data follow the model in one file: over that, not even the model is written. */
START_TEST(a_model_that_is_its_own_external_data)
{
    struct model *m;

    enter_scratch();
    put_file("m.onnxtxt", text_of_itself, sizeof text_of_itself - 1);
    m = opened("m.onnxtxt");
    spares(m, "m.onnxtxt");
    expect_ok(model_save(m, "n.onnx", &report));
    model_free(m);
    leave_scratch();
}
END_TEST

/* A piece of work that keeps what it reads from what it writes is told of external data when the model is read. */
START_TEST(work_knows_of_external_data)
{
    struct files files = { 0 };
    struct model *m;

    enter_scratch();
    mkdir("in", 0700);
    message_free(with_external_data(), &budget);
    put_file("in/m.onnxtxt", text_of_external, sizeof text_of_external - 1);
    report.files = &files;
    m = opened("in/m.onnxtxt");
    expect_ok(file_claim("in/m.onnxtxt", FILE_WRITE_MODEL, &report));
    ck_assert(!file_claim("in/w.bin", FILE_WRITE, &report));
    expect_error(KILN_BAD_ARGUMENT, "output 'in/w.bin' is the same file as 'w.bin', which is read");
    model_free(m);
    files_release(&files);
    report.files = &files;
    expect_ok(file_claim("in/w.bin", FILE_WRITE_MODEL, &report));
    ck_assert_ptr_null(model_read("in/m.onnxtxt", NULL, &report));
    expect_error(KILN_BAD_ARGUMENT, "which is read");
    files_release(&files);
    leave_scratch();
}
END_TEST

/* The standard's order of bytes is in the file, the machine's in memory. */
START_TEST(raw_data_is_little_endian)
{
#define BYTES(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })
    const struct {
        enum dtype dtype;
        uint8_t bytes[16];
        size_t size;
        const void *value;
    } cases[] = {
        { U8, BYTES(7), &(uint8_t){ 7 } },
        { I16, BYTES(2, 1), &(int16_t){ 258 } },
        { U32, BYTES(4, 3, 2, 1), &(uint32_t){ 0x1020304 } },
        { I64, BYTES(8, 7, 6, 5, 4, 3, 2, 1), &(int64_t){ 0x102030405060708 } },
        { F16, BYTES(1, 0x3c), &(uint16_t){ 0x3c01 } },
        { BF16, BYTES(0x81, 0x3f), &(uint16_t){ 0x3f81 } },
        { F32, BYTES(0, 0, 0xc0, 0x3f), &(float){ 1.5f } },
        { F64, BYTES(0, 0, 0, 0, 0, 0, 0xf8, 0x3f), &(double){ 1.5 } },
        { C64, BYTES(0, 0, 0xc0, 0x3f, 0, 0, 0, 0x40), (const float[]){ 1.5f, 2 } },
        { C128, BYTES(0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x40), (const double[]){ 1.5, 2 } },
    };
#undef BYTES
    struct arena arena = { .budget = &budget };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Onnx__TensorProto *in = message_new(&onnx__tensor_proto__descriptor, &budget, &report);
        Onnx__TensorProto *out = message_new(&onnx__tensor_proto__descriptor, &budget, &report);
        struct tensor t;

        expect_ok(in && out);
        in->has_data_type = in->has_raw_data = true;
        in->data_type = (int32_t)cases[k].dtype;
        expect_ok(message_bytes(&in->raw_data, cases[k].bytes, cases[k].size, &budget, &report) &&
                  tensor_of_proto(&t, in, NULL, &arena, "", &report));
        ck_assert_int_eq(tensor_bytes(&t), (int64_t)cases[k].size);
        ck_assert_msg(memcmp(t.data, cases[k].value, cases[k].size) == 0, "%s", dtype_name(cases[k].dtype));
        expect_ok(tensor_to_proto(out, NULL, &t, &budget, &report));
        ck_assert_uint_eq(out->raw_data.len, cases[k].size);
        ck_assert_msg(memcmp(out->raw_data.data, cases[k].bytes, cases[k].size) == 0, "%s", dtype_name(cases[k].dtype));
        message_free(in, &budget);
        message_free(out, &budget);
    }
    arena_release(&arena);
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* -- types -- */

static const struct {
    const char *type, *text; /* what becomes of it, or a part of the error */
    kiln_status code;
} declared[] = {
    { "seq(optional(float[N]))", "seq(optional(float[?]))", KILN_OK },
    { "optional(seq(seq(string[])))", "optional(seq(seq(string[?])))", KILN_OK },
    { "optional(int4[2])", "optional(int4[?])", KILN_OK },
    { "seq(seq(seq(seq(float))))", "seq(seq(seq(seq(float[?]))))", KILN_OK },
    { "seq(seq(seq(seq(seq(float)))))", "nested in more than 4 others", KILN_LIMIT },
    { "map(int32, float[])", "'x' is map(int32, float[?]): sparse tensors are not supported, nor are maps but",
      KILN_UNSUPPORTED },
    { "seq(map(int64, seq(float[])))", "'x' is seq(map(int64, seq(float[?]))): sparse tensors are not",
      KILN_UNSUPPORTED },
    { "seq(map(string, optional(float[])))", "'x' is seq(map(string, optional(float[?])))", KILN_UNSUPPORTED },
    { "sparse_tensor(float[2,3])", "'x' is sparse_tensor(float[?]): sparse tensors are not", KILN_UNSUPPORTED },
    { "map(float, float[])", "a map's keys are float, must be strings or integers", KILN_BAD_MODEL },
    { "seq(opaque(a))", "of an opaque type", KILN_UNSUPPORTED },
};

/* -- symbols -- */

static bool runs_with(const struct model *m, int64_t a, int64_t b, int64_t c)
{
    float x[64] = { 0 };
    struct tensor first = { .dtype = F32, .rank = 2, .dims = { a, b }, .data = x },
                  second = { .dtype = F32, .rank = 1, .dims = { c }, .data = x };
    struct session *s = session_new(m->graph, &(struct session_options){ .threads = 1 }, &report);
    const bool ok = s && session_set(s, m->graph->inputs[0], &first, &report) &&
                    session_set(s, m->graph->inputs[1], &second, &report) && session_run(s, &report);

    session_free(s);
    return ok;
}

/* Of a model in which the three dimensions of the inputs, one of a value within and one of an output have this name. */
static struct model *of_symbol(const char *symbol)
{
    char model[512];
    struct model *m;

    snprintf(model, sizeof model,
             "<ir_version: 8, opset_import: [\"\": 17]>\n"
             "g (float[\"%s\",\"%s\"] x, float[\"%s\"] z) => (float[\"%s\",2] y, float[n] v) <float[\"%s\",2] h>\n"
             "{ h = Flatten(x) y = Identity(h) v = Neg(z) }",
             symbol, symbol, symbol, symbol, symbol);
    m = model_read_bytes(model, strlen(model), NULL, &report);
    expect_ok(m && model_build(m, &report));
    return m;
}

static void first_dimensions_are(const struct model *m, const char *symbol)
{
    static const char *const names[] = { "x", "z", "y", "h" };

    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        ck_assert_pstr_eq(graph_find(m->graph, names[k])->dim_names[0], symbol);
    ck_assert_str_eq(graph_find(m->graph, "v")->dim_names[0], "n");
}

START_TEST(what_converters_call_unknown_is_no_symbol)
{
    static const char *const unknown[] = { "None", "none", "?", "-1", "" }, *const known[] = {
        "N", "NONE", "None_1", "unk__1", "??", "-2", " ", "0"
    };

    for (size_t k = 0; k < sizeof unknown / sizeof *unknown; k++) {
        struct model *m = of_symbol(unknown[k]);
        const Onnx__TensorShapeProto *shape = m->proto->graph->input[0]->type->tensor_type->shape;

        expect_ok(runs_with(m, 2, 5, 3) && runs_with(m, 2, 2, 2));
        first_dimensions_are(m, NULL);
        ck_assert_str_eq(shape->dim[1]->dim_param, unknown[k]); /* and is saved again */
        model_free(m);
    }
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        struct model *m = of_symbol(known[k]);

        expect_ok(runs_with(m, 2, 2, 2));
        ck_assert(!runs_with(m, 2, 5, 2));
        expect_error(KILN_BAD_DATA, "is 2 in input 'x' and 5 in input 'x'");
        ck_assert(!runs_with(m, 2, 2, 3));
        expect_error(KILN_BAD_DATA, "is 2 in input 'x' and 3 in input 'z'");
        first_dimensions_are(m, known[k]);
        model_free(m);
    }
}
END_TEST

START_TEST(types_nest)
{
    char source[256], got[TYPE_TEXT];
    struct model *m;
    bool ok;

    snprintf(source, sizeof source, "<ir_version: 8, opset_import: [\"\": 25]> g (%s x, float y) => (float y) { }",
             declared[_i].type);
    m = model_read_bytes(source, strlen(source), NULL, &report);
    expect_ok(m);
    ok = model_build(m, &report);
    if (declared[_i].code)
        expect_error(declared[_i].code, declared[_i].text);
    else
        expect_ok(ok);
    if (ok)
        ck_assert_str_eq(tensor_text(&graph_find(m->graph, "x")->type, got), declared[_i].text);
    model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("model");

    add_test(s, what_is_loaded_is_saved_equal);
    add_test(s, external_data_stays_or_is_brought_in);
    add_test(s, external_data_behind_links);
    add_test(s, external_data_in_a_directory_that_is_named);
    add_test(s, external_data_needs_a_directory);
    add_test(s, external_data_is_found_everywhere);
    add_test(s, external_data_is_not_written_over);
    add_test(s, a_model_that_is_its_own_external_data);
    add_test(s, work_knows_of_external_data);
    add_test(s, raw_data_is_little_endian);
    add_test(s, what_converters_call_unknown_is_no_symbol);
    add_tests(s, types_nest, (int)(sizeof declared / sizeof *declared));
    return s;
}
