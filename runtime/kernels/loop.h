/* For loops that are made by including a body, and that the compiler is to turn into vectors. */
#ifndef KILN_KERNELS_LOOP_H
#define KILN_KERNELS_LOOP_H

/* In and out may be one array, element for element: iterations do not depend on each other, which the compiler cannot
 * know. */
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* One name of three parts, each of which may be a macro. */
#define GLUE_NAMES(a, b, c) a##b##c
#define GLUE(a, b, c)       GLUE_NAMES(a, b, c)

#endif
