/* What an operator refuses, and that it says why: attributes, shapes and values out of range. */
#ifndef KILN_TESTS_UNIT_REFUSING_H
#define KILN_TESTS_UNIT_REFUSING_H

#include "case.h"
#include "unit.h"
#include <string.h>

struct refused {
    const char *op;
    int opset;
    struct op_case bad;
    const char *why; /* a part of the message */
};

static inline void check_refused(const struct refused *r, const char *domain)
{
    const struct op *op = op_find(domain, r->op);
    struct case_graph c;
    struct frame *f = NULL;
    bool ran;

    ck_assert_ptr_nonnull(op);
    ran = case_make(&c, op, op_def_for(op, r->opset), &r->bad, &(struct case_variant){ .run_time = true }) &&
          (f = case_frame(&c, c.graph)) && frame_run(f, &c.report);
    ck_assert_msg(!ran, "%s (%s; %s) is not refused", r->op, r->bad.inputs, r->bad.attrs);
    ck_assert_msg(strstr(c.report.error.message, r->why) != NULL, "%s (%s; %s): \"%s\", must say \"%s\"", r->op,
                  r->bad.inputs, r->bad.attrs, c.report.error.message, r->why);
    ck_assert_msg(strstr(c.report.error.where, r->op) != NULL, "%s: no place", r->op);
    frame_free(f);
    case_release(&c);
}

#endif
