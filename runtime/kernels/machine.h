/* What is taken for granted of the machine, wherever work is cut or a way is chosen. Nothing is asked of the machine
 * that runs, so that results depend on shapes alone.
 *
 * These are the figures that the loops had, each for itself, before they stood here; most were chosen by timing a loop
 * on a server CPU with AVX-512, 1 MiB of cache for each core and some 200 GFLOP/s of one thread. Nothing was timed anew
 * for this file, and nothing on CPUs of other kinds. Fractions where a figure is used (a half of a cache for one
 * operand, a job of a quarter) are of the loop there. */
#ifndef KILN_KERNELS_MACHINE_H
#define KILN_KERNELS_MACHINE_H

enum {
    /* Data caches. Intel and AMD have 32 or 48 KiB in the first level since 2013, Arm's server cores 64; in the second,
     * one core's own, 1 to 2 MiB (AMD before Zen 4: 512 KiB). */
    CACHE_LINE = 64,
    NEAREST_CACHE = 32 << 10,
    CORE_CACHE = 1 << 20,
    /* More than a core finds again when it comes back: its share of the last level. */
    SHARED_CACHE = 16 << 20,

    /* What is worth a job of its own: some 10 to 20 us on that CPU, several times what it takes to hand one to another
     * thread (base/pool.c). Elements are read and written once, about as fast as memory; products are
     * multiplications with their additions. */
    JOB_ELEMENTS = 1 << 15,
    JOB_PRODUCTS = 1 << 21,
    /* As many jobs as 16 threads share evenly: the last round of three is full. */
    ENOUGH_JOBS = 48,
};
/* Operations, two for each product, of which half a job is made: less is not worth a second thread. */
#define JOB_FLOPS 2e6

/* More than any machine does: operations of a thread in a second, with the filtering that saves most (Winograd's: four
 * products for one, on two units of 16 lanes at 4 GHz, and twice that); and what an iteration of an empty loop takes at
 * least. What could not end within a limit even so is refused at once. */
#define MOST_FLOPS  2e12
#define LEAST_ROUND 2e-8

#endif
