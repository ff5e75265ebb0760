/* The table itself, from the loops before it: TABLE is its name, LEVEL its level. */
#define KERNELS_ALL(X)                                                                                                 \
    X(add)                                                                                                             \
    X(mul)                                                                                                             \
    X(add_s)                                                                                                           \
    X(mul_s)                                                                                                           \
    X(relu)                                                                                                            \
    X(affine)                                                                                                          \
    X(axpy)                                                                                                            \
    X(sum)                                                                                                             \
    X(sum_squares)                                                                                                     \
    X(dot)                                                                                                             \
    X(max_of)                                                                                                          \
    X(min_of)                                                                                                          \
    X(sum_rows)                                                                                                        \
    X(combine_rows)                                                                                                    \
    X(add_rows)                                                                                                        \
    X(dots)                                                                                                            \
    X(bias_columns)                                                                                                    \
    X(bias_rows)                                                                                                       \
    X(softmax)                                                                                                         \
    X(log_softmax)                                                                                                     \
    X(softmax_grad)                                                                                                    \
    X(log_softmax_grad)                                                                                                \
    X(transpose_4)                                                                                                     \
    X(transpose_8)                                                                                                     \
    X(adam)                                                                                                            \
    X(rmsprop)                                                                                                         \
    X(sgd)                                                                                                             \
    X(pack_4)                                                                                                          \
    X(pack_8)                                                                                                          \
    X(pack_runs_4)                                                                                                     \
    X(pack_lanes_4)                                                                                                    \
    X(store_runs_4)                                                                                                    \
    X(row_axpy)                                                                                                        \
    X(row_dot)                                                                                                         \
    X(row_max)                                                                                                         \
    X(max_pool_2x2)                                                                                                    \
    X(max_pool_2x2_grad)                                                                                               \
    X(windows_max)                                                                                                     \
    X(windows_sum)                                                                                                     \
    X(windows_max_grad)                                                                                                \
    X(windows_spread)                                                                                                  \
    X(moments)                                                                                                         \
    X(moments_columns)                                                                                                 \
    X(dot_centered)                                                                                                    \
    X(scale_shift)                                                                                                     \
    X(scale_shift_columns)                                                                                             \
    X(norm_back)                                                                                                       \
    X(norm_back_columns)                                                                                               \
    X(dot_rows)                                                                                                        \
    X(norm_pool)                                                                                                       \
    X(norm_pool_back)                                                                                                  \
    X(last_pool)                                                                                                       \
    X(last_pool_back)                                                                                                  \
    X(tile)                                                                                                            \
    X(weight_tile)                                                                                                     \
    X(depth_tile)                                                                                                      \
    X(depth_weight_tile)                                                                                               \
    X(winograd_input)                                                                                                  \
    X(winograd_gradient)                                                                                               \
    X(winograd_results)                                                                                                \
    X(winograd_weights)                                                                                                \
    X(winograd_weight_gradient)                                                                                        \
    X(random_uniform)                                                                                                  \
    X(drop)                                                                                                            \
    X(keep)                                                                                                            \
    X(depth_rows)                                                                                                      \
    X(plane_rows)                                                                                                      \
    X(every)
#define ENTRY(name) .name = name##_loop,
const struct kernels TABLE = {
    .level = LEVEL, .lanes = LANES, .tile_pixels = TILE_SIZES, .weight_taps = TILE_SIZES, KERNELS_ALL(ENTRY)
};
#undef ENTRY
#undef KERNELS_ALL
