/* May requests run together? */
#ifndef KILN_SERVE_APART_H
#define KILN_SERVE_APART_H

#include "serve/model.h"

/* Says in m->apart whether the rows of the first dimension of all inputs and outputs are samples that do not depend on
 * each other: the model leaves their number open, and computes the same of random rows together as of each alone, up to
 * roundings. Else m->why says why not. */
void apart_try(struct served *m);

#endif
