/* Values of the operators of com.microsoft, and of those that onnxruntime has put into the standard's own domain: as onnxruntime
 * (1.31) has them where it has a kernel, else by hand. Those of quantised elements stand in quantized.c, too. */
#include "by_hand.h"

static const struct by_hand by_hand[] = {
    { "b = Constant <value = float[3] {0.5, -1, 2}> ()\n"
      "p = com.microsoft.Gelu (x) q = com.microsoft.FastGelu (x, b) r = com.microsoft.QuickGelu (x) s = "
      "com.microsoft.BiasGelu (x, b)\n"
      "y = Concat <axis = 0> (p, q, r, s)\n",
      3,
      12,
      { 1, -2, 0.5f },
      { 0.841344774f, -0.0455002636f, 0.345731229f, 1.39957154f, -0.00363739207f, 2.48491573f, 0.845795751f,
        -0.0643413737f, 0.350388438f, 1.39978921f, -0.00404969417f, 2.48447585f } },
    { "h = Constant <value_ints = [1, 4]> ()\n"
      "a = Reshape (x, h)\n"
      "b = Constant <value = float[4] {0.5, -1, 2, 1}> ()\n"
      "p = com.microsoft.BiasAdd (a, b, a) q = com.microsoft.BiasSplitGelu (a, b) y = Concat <axis = 1> (p, q)\n",
      4,
      6,
      { 1, -2, 3, 0.5f },
      { 2.5f, -5, 8, 2, 7.49999809f, -4.19936752f } },
    { "h = Constant <value_ints = [1, 1, 6]> ()\n"
      "a = Reshape (x, h)\n"
      "w = Constant <value = float[1, 1, 2] {1, -1}> ()\n"
      "b = Constant <value = float[1] {0.25}> ()\n"
      "z = Constant <value = float[1, 1, 5] {1, -8, 2, -3, 1}> ()\n"
      "p = com.microsoft.FusedConv <activation = \"LeakyRelu\", activation_params = [0.25]> (a, w, b, z)\n"
      "q = com.microsoft.FusedConv <activation = \"Clip\", activation_params = [-1.0, 2.0]> (a, w, b) y = Concat <axis "
      "= 2> (p, q)\n",
      6,
      10,
      { 1, -2, 3, 0.5f, 4, -1 },
      { 4.25f, -3.1875f, 4.75f, -1.5625f, 6.25f, 2, -1, 2, -1, 2 } },
    { "h = Constant <value_ints = [2, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "b = Constant <value = float[2, 2] {1, 2, -1, 0.5}> ()\n"
      "d = Constant <value = float[2] {1, -1}> ()\n"
      "p = com.microsoft.FusedGemm <transA = 1, transB = 1, alpha = 0.5, beta = 2.0, activation = \"LeakyRelu\", "
      "activation_alpha = 0.25> (a, b, d)\n"
      "q = com.microsoft.FusedGemm <activation = \"HardSigmoid\", activation_alpha = 0.125, activation_beta = 0.25> "
      "(a, b) y = Concat <axis = 0> (p, q)\n",
      4,
      8,
      { 1, -2, 3, 0.5f },
      { 5.5f, -0.4375f, 1.5f, -0.21875f, 0.625f, 0.375f, 0.5625f, 1 } },
    { "h = Constant <value_ints = [3, 1, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "y = com.microsoft.FusedMatMul <transBatchA = 1, transBatchB = 1, transB = 1, alpha = 0.5> (a, a)\n",
      6,
      9,
      { 1, -2, 3, 0.5f, 4, -1 },
      { 2.5f, 1, 3, 1, 4.625f, 5.75f, 3, 5.75f, 8.5f } },
    { "h = Constant <value_ints = [1, 2, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "b = Constant <value = float[2, 2] {1, 2, -1, 0.5}> ()\n"
      "g = Constant <value = float[2] {1, 0.5}> ()\n"
      "d = Constant <value = float[2] {0.25, -1}> ()\n"
      "p, , , q = com.microsoft.SkipLayerNormalization <epsilon = 0.5> (a, b, g, d, g)\n"
      "y = Concat <axis = 0> (p, q)\n",
      4,
      8,
      { 1, -2, 3, 0.5f },
      { 1.12038827f, -1.43519413f, 0.977606893f, -1.36380339f, 3, 0.5f, 3, 1.5f } },
    { "h = Constant <value_ints = [1, 2, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "b = Constant <value = float[1, 2, 2] {1, 2, -1, 0.5}> ()\n"
      "g = Constant <value = float[2] {1, 0.5}> ()\n"
      "p, , , q = com.microsoft.SkipSimplifiedLayerNormalization <epsilon = 0.5> (a, b, g, g)\n"
      "y = Concat <axis = 0> (p, q)\n",
      4,
      8,
      { 1, -2, 3, 0.5f },
      { 1.32517827f, 0.110431522f, 1.212183f, 0.30304575f, 3, 0.5f, 3, 1.5f } },
    { "h = Constant <value_ints = [2, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "g = Constant <value = float[2] {1, 0.5}> ()\n"
      "p, q = SimplifiedLayerNormalization <epsilon = 0.5> (a, g) y = Concat <axis = 1> (p, q)\n",
      4,
      6,
      { 1, -2, 3, 0.5f },
      { 0.577350259f, -0.577350259f, 0.577350259f, 1.32517827f, 0.110431522f, 0.441726089f } },
    { "h = Constant <value_ints = [1, 3]> ()\n"
      "n = Constant <value_ints = [6]> ()\n"
      "s = Constant <value_ints = [3, 3]> ()\n"
      "a, b = Split (x, s) r = Reshape (a, h) i = Cast <to = 6> (r) u = Reshape (b, h) m = Cast <to = 6> (u)\n"
      "w = Constant <value = float[3, 2] {1, -1, 2, 0.5, 0, 3}> ()\n"
      "e = Constant <value = float[3, 2] {0.5, 1, -1, 2, 0, 1}> ()\n"
      "g = Constant <value = float[2] {1, 0.5}> ()\n"
      "d = Constant <value = float[2] {0.25, -1}> ()\n"
      "o, k, z = com.microsoft.EmbedLayerNormalization <epsilon = 0.5> (i, , w, e, , g, d, m) l = Cast <to = 1> (k)\n"
      "v = Constant <value_ints = [-1]> ()\n"
      "p = Reshape (o, v) q = Reshape (z, v)\n"
      "c = Constant <value_ints = [5]> ()\n"
      "zz = Constant <value_ints = [0]> ()\n"
      "qq = Slice (q, zz, c) y = Concat <axis = 0> (p, l, qq)\n",
      6,
      12,
      { 1, 0, 2, 1, 1, 2 },
      { 0.827350259f, -1.28867507f, -0.327350259f, -0.711324871f, -0.692809045f, -0.528595448f, 2, 2.5f, 1.5f, 0, 1,
        0 } },
    { "h = Constant <value_ints = [1, 3, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "w = Constant <value = float[2, 6] {1, 0.5, -1, 2, 0, 1, 0.25, 1, 1, -0.5, 2, 1}> ()\n"
      "b = Constant <value = float[6] {0.1, 0.2, -0.1, 0, 0.5, -0.5}> ()\n"
      "m = Constant <value = int32[1] {2}> ()\n"
      "y = com.microsoft.Attention <num_heads = 2> (a, w, b, m)\n",
      6,
      6,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f },
      { -0.62778753f, -1.3773663f, 0.668791056f, 2.98941469f, -0.976563156f, 2.57815051f } },
    { "h = Constant <value_ints = [1, 3, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "w = Constant <value = float[2, 6] {1, 0.5, -1, 2, 0, 1, 0.25, 1, 1, -0.5, 2, 1}> ()\n"
      "b = Constant <value = float[6] {0.1, 0.2, -0.1, 0, 0.5, -0.5}> ()\n"
      "m = Constant <value = int32[2] {3, 1}> ()\n"
      "y = com.microsoft.Attention <num_heads = 2> (a, w, b, m)\n",
      6,
      6,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f },
      { 1.9454515f, 0.000545357179f, 1.9999938f, 2.99999857f, 1.76638269f, 2.98736453f } },
    { "h = Constant <value_ints = [1, 3, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "w = Constant <value = float[2, 6] {1, 0.5, -1, 2, 0, 1, 0.25, 1, 1, -0.5, 2, 1}> ()\n"
      "b = Constant <value = float[6] {0.1, 0.2, -0.1, 0, 0.5, -0.5}> ()\n"
      "m = Constant <value = int32[1, 3] {1, 0, 1}> ()\n"
      "y = com.microsoft.Attention <mask_filter_value = -3.0, num_heads = 2> (a, w, b, m)\n",
      6,
      6,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f },
      { 1.54231369f, -0.00964509044f, 1.99998605f, 2.79649615f, -0.49726817f, -0.0368407182f } },
    { "h = Constant <value_ints = [1, 3, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "w = Constant <value = float[2, 6] {1, 0.5, -1, 2, 0, 1, 0.25, 1, 1, -0.5, 2, 1}> ()\n"
      "b = Constant <value = float[6] {0.1, 0.2, -0.1, 0, 0.5, -0.5}> ()\n"
      "m = Constant <value = int32[1, 3, 3] {1, 0, 0, 1, 1, 0, 0, 1, 1}> ()\n"
      "y = com.microsoft.Attention <scale = 0.25, num_heads = 2> (a, w, b, m)\n",
      6,
      6,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f },
      { -3.5f, -1.5f, -0.50280863f, 2.18744135f, 1.75410116f, 2.3903966f } },
    { "h = Constant <value_ints = [1, 3, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "w = Constant <value = float[2, 6] {1, 0.5, -1, 2, 0, 1, 0.25, 1, 1, -0.5, 2, 1}> ()\n"
      "b = Constant <value = float[6] {0.1, 0.2, -0.1, 0, 0.5, -0.5}> ()\n"
      "m = Constant <value = int32[5] {1, 0, 3, 0, 3}> ()\n"
      "y = com.microsoft.Attention <unidirectional = 1, num_heads = 2> (a, w, b, m)\n",
      6,
      6,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f },
      { -3.5f, -1.5f, -3.5f, -1.5f, -3.5f, -1.5f } },
    { "h = Constant <value_ints = [1, 2, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "w = Constant <value = float[2, 6] {1, 0.5, -1, 2, 0, 1, 0.25, 1, 1, -0.5, 2, 1}> ()\n"
      "b = Constant <value = float[6] {0.1, 0.2, -0.1, 0, 0.5, -0.5}> ()\n"
      "p = Constant <value = float[2, 1, 2, 1, 1] {1, 2, -1, 0.5}> ()\n"
      "o, q = com.microsoft.Attention <num_heads = 2, unidirectional = 1> (a, w, b, , p)\n"
      "v = Constant <value_ints = [-1]> ()\n"
      "r = Reshape (o, v) t = Reshape (q, v)\n"
      "s = Constant <value_ints = [4]> ()\n"
      "z = Constant <value = int64[1] {4}> ()\n"
      "e = Constant <value_ints = [12]> ()\n"
      "u = Slice (t, z, e) y = Concat <axis = 0> (r, u)\n",
      4,
      12,
      { 1, -2, 3, 0.5f },
      { -1.19677591f, 0.0716699511f, -0.99998188f, 2.98876595f, 3, 5.75f, -1, -3.5f, 1.5f, 0.5f, -1.5f, 3 } },
    { "h = Constant <value_ints = [1, 2, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "k = Constant <value = float[1, 3, 2] {1, 0.5, -1, 2, 0, 1}> ()\n"
      "v = Constant <value = float[1, 3, 2] {1, 2, 3, 4, 5, 7}> ()\n"
      "b = Constant <value = float[6] {0.1, 0.2, -0.1, 0, 0.5, -0.5}> ()\n"
      "m = Constant <value = int32[1, 3] {1, 0, 1}> ()\n"
      "y = com.microsoft.MultiHeadAttention <num_heads = 2, unidirectional = 1, mask_filter_value = -2.0> (a, k, v, b, "
      "m)\n",
      4,
      4,
      { 1, -2, 3, 0.5f },
      { 1.5f, 1.5f, 1.67290926f, 4.30447483f } },
    { "h = Constant <value_ints = [1, 2, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "k = Constant <value = float[1, 1, 3, 2] {1, 0.5, -1, 2, 0, 1}> ()\n"
      "v = Constant <value = float[1, 1, 3, 2] {1, 2, 3, 4, 5, 7}> ()\n"
      "y = com.microsoft.MultiHeadAttention <num_heads = 1> (a, k, v)\n",
      4,
      4,
      { 1, -2, 3, 0.5f },
      { 1.81017506f, 3.00126553f, 1.53196239f, 2.65449381f } },
    { "h = Constant <value_ints = [1, 1, 1, 3, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "y = com.microsoft.MultiHeadAttention <num_heads = 1> (a)\n",
      6,
      2,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f },
      { -0.25f, 0.75f } },
    { "h = Constant <value_ints = [1, 1, 8]> ()\n"
      "a = Reshape (x, h)\n"
      "k = Constant <value = float[1, 1, 8] {1, 0.5, -1, 2, 0, 1, 0.5, -0.5}> ()\n"
      "v = Constant <value = float[1, 1, 8] {1, 2, 3, 4, 5, 7, 8, 9}> ()\n"
      "p = Constant <value = float[1, 1, 4, 8] {-1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, "
      "-0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0}> ()\n"
      "o = Constant <value = float[1, 1, 4, 8] {-3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1, 2, -2, "
      "1, -3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1}> ()\n"
      "l = Constant <value = int32[1] {3}> ()\n"
      "t = Constant <value = int32 {4}> ()\n"
      "y, kk, vv = com.microsoft.GroupQueryAttention <num_heads = 1, kv_num_heads = 1, local_window_size = 2, softcap "
      "= 1.5> (a, k, v, p, o, l, t)\n",
      8,
      8,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f, 1, -1 },
      { 1.79255569f, 0.811166406f, 2.60372233f, 1.62233281f, 3.41488862f, 3.03722143f, 4.82977724f, 6.62233305f } },
    { "h = Constant <value_ints = [1, 1, 8]> ()\n"
      "a = Reshape (x, h)\n"
      "k = Constant <value = float[1, 1, 8] {1, 0.5, -1, 2, 0, 1, 0.5, -0.5}> ()\n"
      "v = Constant <value = float[1, 1, 8] {1, 2, 3, 4, 5, 7, 8, 9}> ()\n"
      "p = Constant <value = float[1, 1, 4, 8] {-1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, "
      "-0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0}> ()\n"
      "o = Constant <value = float[1, 1, 4, 8] {-3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1, 2, -2, "
      "1, -3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1}> ()\n"
      "l = Constant <value = int32[1] {2}> ()\n"
      "t = Constant <value = int32 {3}> ()\n"
      "y, kk, vv = com.microsoft.GroupQueryAttention <num_heads = 1, kv_num_heads = 1, smooth_softmax = 1> (a, k, v, "
      "p, o, l, t)\n",
      8,
      8,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f, 1, -1 },
      { -0.620650649f, 0.845640779f, 1.69503081f, 1.03500724f, 1.88439727f, 1.51500094f, 2.36439085f, 1.7043674f } },
    { "h = Constant <value_ints = [1, 1, 8]> ()\n"
      "a = Reshape (x, h)\n"
      "k = Constant <value = float[1, 1, 8] {1, 0.5, -1, 2, 0, 1, 0.5, -0.5}> ()\n"
      "v = Constant <value = float[1, 1, 8] {1, 2, 3, 4, 5, 7, 8, 9}> ()\n"
      "p = Constant <value = float[1, 1, 4, 8] {-1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, "
      "-0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0}> ()\n"
      "o = Constant <value = float[1, 1, 4, 8] {-3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1, 2, -2, "
      "1, -3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1}> ()\n"
      "l = Constant <value = int32[1] {2}> ()\n"
      "t = Constant <value = int32 {3}> ()\n"
      "s = Constant <value = float[1] {0.75}> ()\n"
      "i = Constant <value = float[1, 1, 1, 3] {0.5, -1, 1}> ()\n"
      "y, kk, vv = com.microsoft.GroupQueryAttention <num_heads = 1, kv_num_heads = 1> (a, k, v, p, o, l, t, , , , i, "
      "s)\n",
      8,
      8,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f, 1, -1 },
      { -0.357047141f, 0.840589345f, 1.92448914f, 1.36519635f, 2.4490962f, 2.28572583f, 3.36962581f, 2.81033301f } },
    { "h = Constant <value_ints = [1, 1, 8]> ()\n"
      "a = Reshape (x, h)\n"
      "k = Constant <value = float[1, 1, 8] {1, 0.5, -1, 2, 0, 1, 0.5, -0.5}> ()\n"
      "v = Constant <value = float[1, 1, 8] {1, 2, 3, 4, 5, 7, 8, 9}> ()\n"
      "p = Constant <value = float[1, 1, 4, 8] {-1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, "
      "-0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0, 1.0, -0.5, 0.5, -1.0, 0.0}> ()\n"
      "o = Constant <value = float[1, 1, 4, 8] {-3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1, 2, -2, "
      "1, -3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1}> ()\n"
      "l = Constant <value = int32[1] {2}> ()\n"
      "t = Constant <value = int32 {3}> ()\n"
      "b, cc, dd = com.microsoft.GroupQueryAttention <num_heads = 1, kv_num_heads = 1> (a, k, v, p, o, l, t)\n"
      "n = Constant <value_ints = [-1]> ()\n"
      "e = Reshape (cc, n)\n"
      "f = Constant <value_ints = [12]> ()\n"
      "g = Constant <value_ints = [24]> ()\n"
      "y = Slice (e, f, g)\n",
      8,
      12,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f, 1, -1 },
      { 1, -0.5f, 0.5f, -1, 1, 0.5f, -1, 2, 0, 1, 0.5f, -0.5f } },
    { "h = Constant <value_ints = [1, 2, 4]> ()\n"
      "a = Reshape (x, h)\n"
      "i = Constant <value = int64[1] {1}> ()\n"
      "c = Constant <value = float[3, 1] {0.5, 0.25, -1}> ()\n"
      "s = Constant <value = float[3, 1] {1, -0.5, 2}> ()\n"
      "y = com.microsoft.RotaryEmbedding (a, i, c, s)\n",
      8,
      8,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f, 1, -1 },
      { -0.75f, -1, 1, -1.375f, -1.25f, -1.25f, 1, 3 } },
    { "h = Constant <value_ints = [2, 4]> ()\n"
      "a = Reshape (x, h)\n"
      "n = Constant <value = int64[4] {0, 0, 0, 12}> ()\n"
      "e = Pad (a, n)\n"
      "b = Constant <value = uint8[2, 1, 8] {33, 67, 101, 135, 169, 203, 237, 15, 1, 2, 3, 4, 5, 6, 7, 255}> ()\n"
      "s = Constant <value = float[2, 1] {0.5, 0.25}> ()\n"
      "z = Constant <value = uint8[2, 1] {83, 41}> ()\n"
      "i = Constant <value = float[2] {1, -1}> ()\n"
      "y = com.microsoft.MatMulNBits <N = 2, K = 16, block_size = 16, bits = 4> (e, b, s, z, , i)\n",
      8,
      4,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f, 1, -1 },
      { 1.25f, -4.875f, 0.375f, -1.6875f } },
    { "n = Constant <value = int64[2] {14, 14}> ()\n"
      "f = Pad (x, n)\n"
      "h = Constant <value_ints = [1, 32]> ()\n"
      "a = Reshape (f, h)\n"
      "b = Constant <value = uint8[2, 2, 8] {0, 37, 74, 111, 148, 185, 222, 3, 40, 77, 114, 151, 188, 225, 6, 43, 80, "
      "117, 154, 191, 228, 9, 46, 83, 120, 157, 194, 231, 12, 49, 86, 123}> ()\n"
      "s = Constant <value = float[2, 2] {0.5, 0.25, 1, 2}> ()\n"
      "g = Constant <value = int32[32] {0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, "
      "1, 1, 0, 0, 0, 1}> ()\n"
      "p = com.microsoft.MatMulNBits <N = 2, K = 32, block_size = 16, bits = 4> (a, b, s, , g)\n"
      "j = Constant <value = float[2, 2] {1, 2, 3, 4}> ()\n"
      "q = com.microsoft.MatMulNBits <N = 2, K = 32, block_size = 16, bits = 4> (a, b, s, j)\n"
      "d = Constant <value = uint8[1, 2, 4] {5, 82, 159, 236, 57, 134, 211, 32}> ()\n"
      "r = Constant <value = float[1, 2] {1, 2}> ()\n"
      "t = com.microsoft.MatMulNBits <N = 1, K = 32, block_size = 16, bits = 2> (a, d, r) y = Concat <axis = 1> (p, q, "
      "t)\n",
      4,
      5,
      { 1, -2, 3, 0.5f },
      { 1.25f, 1.5f, 6.5f, 23, -8 } },
    { "i = Cast <to = 7> (x)\n"
      "d = Constant <value = uint8[3, 8] {0, 37, 74, 111, 148, 185, 222, 3, 40, 77, 114, 151, 188, 225, 6, 43, 80, "
      "117, 154, 191, 228, 9, 46, 83}> ()\n"
      "s = Constant <value = float[3, 1] {0.5, 0.25, 1}> ()\n"
      "z = Constant <value = uint8[3, 1] {3, 9, 7}> ()\n"
      "p = com.microsoft.GatherBlockQuantized <block_size = 16> (d, i, s, z)\n"
      "q = com.microsoft.GatherBlockQuantized <block_size = 16> (d, i, s) r = Concat <axis = 1> (p, q)\n"
      "n = Constant <value_ints = [-1]> ()\n"
      "t = Reshape (r, n)\n"
      "f = Constant <value = int64[1] {10}> ()\n"
      "g = Constant <value = int64[1] {22}> ()\n"
      "y = Slice (t, f, g)\n",
      2,
      12,
      { 2, 0 },
      { 2, -7, 7, -5, -4, -2, -8, -3, -3, -1, 2, 1 } },
    { "h = Constant <value_ints = [2, 1, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "w = Constant <value = int8[1, 2, 4] {10, -20, 30, 40, -50, 60, 70, -80}> ()\n"
      "r = Constant <value = int8[1, 1, 4] {90, -10, 20, 30}> ()\n"
      "s = Constant <value = float[1] {0.0125}> ()\n"
      "u = Constant <value = float[1, 4] {0.01, 0.02, 0.005, 0.01}> ()\n"
      "z = Constant <value = int8[1] {0}> ()\n"
      "o = Constant <value = int8[1, 4] {0, 0, 0, 0}> ()\n"
      "y = com.microsoft.DynamicQuantizeLSTM <hidden_size = 1> (a, w, r, , , , , , s, z, u, o)\n",
      4,
      2,
      { 1, -2, 3, 0.5f },
      { 0.0972657949f, 0.318588108f } },
    { "h = Constant <value_ints = [2, 2]> ()\n"
      "a = Reshape (x, h) i = Cast <to = 2> (a)\n"
      "z = Constant <value = uint8 {0}> ()\n"
      "t = Constant <value = float {0.00390625}> ()\n"
      "u = Constant <value = uint8 {3}> () o = Constant <value = uint8 {10}> () s = Constant <value_float = 0.5> () e "
      "= Constant <value_float = 0.25> ()\n"
      "p = com.microsoft.QLinearSoftmax <opset = 13> (i, s, u, t, z) q = com.microsoft.QLinearSoftmax <opset = 12, "
      "axis = 0> (i, s, u, t, z) r = Concat <axis = 0> (p, q) y = Cast <to = 1> (r)\n",
      4,
      8,
      { 1, 2, 3, 8 },
      { 97, 159, 19, 237, 7, 11, 18, 220 } },
    { "h = Constant <value_ints = [2, 2]> ()\n"
      "a = Reshape (x, h) i = Cast <to = 2> (a)\n"
      "u = Constant <value = uint8 {3}> () o = Constant <value = uint8 {10}> () s = Constant <value_float = 0.5> () e "
      "= Constant <value_float = 0.25> ()\n"
      "p = com.microsoft.QLinearReduceMean <axes = [1], keepdims = 0> (i, s, u, e, o) y = Cast <to = 1> (p)\n",
      4,
      2,
      { 1, 2, 3, 8 },
      { 7, 15 } },
    { "h = Constant <value_ints = [1, 3, 2]> ()\n"
      "a = Reshape (x, h) i = Cast <to = 2> (a)\n"
      "u = Constant <value = uint8 {3}> () o = Constant <value = uint8 {10}> () s = Constant <value_float = 0.5> () e "
      "= Constant <value_float = 0.25> ()\n"
      "p = com.microsoft.QLinearAveragePool <kernel_shape = [2], pads = [1, 0], channels_last = 1> (i, s, u, e, o)\n"
      "q = com.microsoft.NhwcMaxPool <kernel_shape = [2], strides = [2]> (i) r = Concat <axis = 1> (p, q) y = Cast <to "
      "= 1> (r)\n",
      6,
      8,
      { 1, 2, 3, 8, 5, 6 },
      { 6, 8, 8, 14, 12, 18, 3, 8 } },
    { "i = Cast <to = 2> (x)\n"
      "b = Constant <value = bool[4] {1, 0, 1, 0}> ()\n"
      "d = Constant <value = uint8[1] {7}> ()\n"
      "u = Constant <value = uint8 {3}> () o = Constant <value = uint8 {10}> () s = Constant <value_float = 0.5> () e "
      "= Constant <value_float = 0.25> ()\n"
      "p = com.microsoft.QLinearWhere (b, i, s, u, d, e, o, e, u) y = Cast <to = 1> (p)\n",
      4,
      4,
      { 1, 2, 3, 8 },
      { 0, 0, 3, 0 } },
    { "h = Constant <value_ints = [1, 3, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "t = Constant <value = float {0.5}> ()\n"
      "k = Constant <value = uint8 {100}> ()\n"
      "i = QuantizeLinear (a, t, k)\n"
      "w = Constant <value = int8[2, 6] {10, 5, -10, 20, 0, 10, 2, 10, 10, -5, 20, 10}> ()\n"
      "b = Constant <value = float[6] {0.1, 0.2, -0.1, 0, 0.5, -0.5}> ()\n"
      "s = Constant <value = float[6] {0.1, 0.05, 0.2, 0.1, 0.1, 0.3}> ()\n"
      "m = Constant <value = int32[1] {2}> ()\n"
      "y = com.microsoft.QAttention <num_heads = 2, unidirectional = 1> (i, w, b, t, s, m, k)\n",
      6,
      6,
      { 1, -2, 3, 0.5f, -0.25f, 0.75f },
      { -3.5f, -3.5f, 1.30417144f, 9.51978874f, -0.62778753f, 8.28138256f } },
    { "p, i, n = com.microsoft.Unique (x) a = Cast <to = 1> (i) b = Cast <to = 1> (n)\n"
      "s = Constant <value = float {1}> ()\n"
      "l = Constant <value = float {3}> ()\n"
      "r = com.microsoft.Range (s, l) y = Concat <axis = 0> (p, a, b, r)\n",
      4,
      12,
      { 2, 1, 1, 3 },
      { 2, 1, 3, 0, 1, 1, 2, 1, 2, 1, 1, 2 } },
    { "h = Constant <value_ints = [2, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "k = Constant <value = int64 {-1}> ()\n"
      "p = com.microsoft.Trilu <upper = 0> (a, k) q = com.microsoft.Inverse (a) r = com.microsoft.CDist <metric = "
      "\"euclidean\"> (a, q)\n"
      "y = Concat <axis = 0> (p, q, r)\n",
      4,
      12,
      { 1, 2, 3, 4 },
      { 0, 0, 3, 0, -2, 1, 1.5f, -0.5f, 3.1622777f, 2.54950976f, 5.83095169f, 4.74341631f } },
    { "p = com.microsoft.Rfft <signal_ndim = 1> (x) q = com.microsoft.Irfft <signal_ndim = 1> (p)\n"
      "h = Constant <value_ints = [-1]> ()\n"
      "r = Reshape (p, h) y = Concat <axis = 0> (r, q)\n",
      4,
      10,
      { 1, 2, 3, 4 },
      { 10, 0, -2, 2, -2, 0, 1, 2, 3, 4 } },
    { "h = Constant <value_ints = [2, 2]> ()\n"
      "a = Reshape (x, h)\n"
      "g = Constant <value = float[2] {1, 0.5}> ()\n"
      "p, q, r = LayerNormalization <epsilon = 0.5> (a, g, g) y = Concat <axis = 1> (p, q, r)\n",
      4,
      8,
      { 1, -2, 3, 0.5f },
      { 1.9045341f, 0.0477329791f, -0.5f, 0.603022695f, 1.87038827f, 0.0648058653f, 1.75f, 0.696310639f } },
};
enum { BY_HAND = sizeof by_hand / sizeof *by_hand };

START_TEST(values_by_hand)
{
    check_by_hand(&by_hand[_i], "\"\": 28, \"com.microsoft\": 1");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("microsoft");

    add_tests(s, values_by_hand, BY_HAND);
    return s;
}
