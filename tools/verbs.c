/* The verbs. */
#include "tools.h"

const struct verb *const verbs[] = {
    &verb_inspect, &verb_data,   &verb_run,     &verb_adapt, &verb_init, &verb_train, &verb_eval,
    &verb_predict, &verb_figure, &verb_convert, &verb_bench, &verb_ops,  &verb_test,
#if defined(HAVE_SERVE)
    &verb_serve,
#endif
    NULL,
};

const char kiln_purpose[] = "load an ONNX model, run it, train it, write it back";

const char kiln_examples[] = "An export of any framework, trained here, then with a head for other classes:\n"
                             "    kiln adapt export.onnx --calibrate npz:data.npz --output net.onnx\n"
                             "    kiln train net.onnx --data npz:data.npz --epochs 5 --output trained.onnx\n"
                             "    kiln adapt trained.onnx --classes 5 --freeze-backbone --output head.onnx\n"
                             "    kiln train head.onnx --data npz:mine.npz --epochs 5 --output mine.onnx\n"
                             "    kiln eval mine.onnx --data npz:mine.npz\n";
