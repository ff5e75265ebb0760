/* Operators of two operands as they were before opset 7: `B` is broadcast only where the attribute `broadcast` is 1,
 * and its dimensions stand at `axis` of those of `A`, or at their end (https://onnx.ai/onnx/operators/onnx__Add.html,
 * Add-1 and Add-6). They become the operator as it is today, B being given dimensions of 1 at its end. That shapes are
 * equal where `broadcast` is 0, as the standard asks, is not looked at: they broadcast as today. */
#ifndef KILN_OPS_BROADCAST_H
#define KILN_OPS_BROADCAST_H

#include "ops/op.h"

struct broadcast_attrs {
    bool has_axis;
    int64_t axis;
};
bool broadcast_parse(struct parse *p, void *attrs);
bool broadcast_expand(struct emitter *e, const struct node *n, struct value **out);
extern const struct op_case broadcast_cases[]; /* of float */

#define BROADCAST_ROW(version, io, type_list, case_list)                                                               \
    {                                                                                                                  \
        .since = version, .signature = io, .types = type_list, .attrs_size = sizeof(struct broadcast_attrs),           \
        .parse = broadcast_parse, .expand = broadcast_expand, .cases = case_list                                       \
    }

#endif
