/* What is done with the results of a product while they are in registers or in the cache. */
#ifndef KILN_KERNELS_EPILOGUE_H
#define KILN_KERNELS_EPILOGUE_H

#include <stdint.h>

/* y = min(most, max(least, y + bias[channel] + residual)), then finish. y has its channels last. */
struct epilogue {
    const float *bias;     /* [channels]; NULL: none */
    const float *residual; /* laid out as y; NULL: none. May be y */
    float least, most;     /* -INFINITY and INFINITY for none */
    int64_t pixel;         /* elements from one pixel of y to the next; 0: y is dense. Without finish */
    /* Called once for each block of y, when its elements [from, from + n) have their values, from the thread that made
     * them: whole pixels of one image, with all their channels. Blocks are cut by the shape alone; they are numbered
     * from 0 on, in the order of their elements. NULL: nothing. */
    void (*finish)(void *context, int64_t block, int64_t from, int64_t n, float *y,
                   int thread); /* y is that of `from` */
    void *context;
};

#endif
