/* Panels of implicit GEMM in plain C, for any type: ELEMENT in memory, SUM in panels and tiles, READ and WRITE between
 * them. Included once for each type. See kernels.h for what the structs mean. */
static inline void PACK_RUNS(const struct pack_runs *p, int64_t from, int64_t depth, SUM *panel)
{
    for (int64_t d = from; d < from + depth; d++, panel += p->width) {
        const int64_t tap = d % p->taps, channel = d / p->taps;
        const int64_t end = p->first ? p->first[tap + 1] : p->count;

        for (int64_t l = 0; l < p->width; l++)
            panel[l] = 0;
        for (int64_t i = p->first ? p->first[tap] : 0; i < end; i++) {
            const int64_t at = p->runs[i].offset + p->tap_offset[tap] + channel * p->channel_stride;

            for (int64_t l = 0; l < p->width; l++)
                if (p->runs[i].mask >> l & 1)
                    panel[l] = READ(((const ELEMENT *)p->x)[at + l * p->step]);
        }
    }
}
static inline void PACK_LANES(const struct pack_lanes *p, SUM *panel)
{
    for (int64_t d = 0; d < p->depth; d++, panel += p->width)
        for (int64_t l = 0; l < p->width; l++) {
            const bool set = l < p->count && p->masks[p->lane_tap[l]] >> (d + p->skip) & 1;

            panel[l] = set ? READ(((const ELEMENT *)p->x)[d * p->step + p->lane_offset[l]]) : 0;
        }
}
static inline void STORE_RUNS(const struct store_runs *s, const SUM *tile, int64_t rows)
{
    for (int64_t r = 0; r < rows; r++, tile += s->tile_stride)
        for (int64_t i = 0; i < s->count; i++)
            for (int64_t l = 0; l < s->width; l++)
                if (s->runs[i].mask >> l & 1) {
                    ELEMENT *const to = (ELEMENT *)s->y + r * s->row_stride + s->runs[i].offset + l * s->step;
                    const SUM sum = s->add ? tile[l] + READ(*to) : tile[l];
                    const SUM v = s->bias ? sum + READ(((const ELEMENT *)s->bias)[r]) : sum;

                    *to = WRITE(s->relu && v < 0 ? 0 : v);
                }
}
#undef ELEMENT
#undef SUM
#undef READ
#undef WRITE
#undef PACK_RUNS
#undef PACK_LANES
#undef STORE_RUNS
