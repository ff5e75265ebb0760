/* The order of a graph's nodes. */
#ifndef KILN_ADAPT_ORDER_H
#define KILN_ADAPT_ORDER_H

#include "model/message.h"

/* Names of two values: what makes the first is to come before what makes the second. */
struct in_order {
    const char *first, *second;
};

/* Puts nodes in another order, as near to that of the file as can be. Where the pairs contradict what nodes read all stay
 * where they are. */
bool nodes_in_order(Onnx__GraphProto *g, const struct in_order *pairs, size_t count, struct arena *arena,
                    struct report *r);

#endif
