#include "ops/bilinear.h"

enum { GRAD_Y, GRAD_A, GRAD_B }; /* inputs */
enum { A, B };                   /* outputs, and operands */

/* With u, what comes back through dA: <u, dA(dY, A, B)> = <dY, f(u, B)>, so that dY is given f(u, B), and B what it has of
 * it, the node's own dB with u for A. Likewise for dB. */
bool bilinear_gradient(struct backward *b, const struct op *forward)
{
    struct emitter *e = emitter_of(b);

    for (int side = A; side <= B; side++) {
        const bool want[] = { side != A, side != B };
        struct value *in[] = { forward_in(b, GRAD_Y), forward_in(b, GRAD_A), forward_in(b, GRAD_B) }, *y, *d[2];

        if (!upstream(b, side))
            continue;
        in[GRAD_A + side] = upstream(b, side);
        if (wants(b, GRAD_Y) && emit_private(e, forward, attrs_of(b), 1, &y, NULL, 2, in + GRAD_A))
            give(b, GRAD_Y, y);
        if (wants(b, GRAD_B - side) && emit_private(e, node_of(b)->op, attrs_of(b), 2, d, want, 3, in))
            give(b, GRAD_B - side, d[!side]);
    }
    return backward_ok(b);
}
