"""Operators that PyTorch does not have as ONNX has them, written down in what it has, for its autograd."""

from .declare import F, torch

# -- at places between those of a grid --


def bilinear(image, y, x):
    """[channels, ...] of [channels, height, width] at places: nothing is outside."""
    height, width = image.shape[1:]
    top, left = y.detach().floor(), x.detach().floor()
    total = 0
    for dy in 0, 1:
        for dx in 0, 1:
            row, column = (top + dy).long(), (left + dx).long()
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            weight = (1 - (y - row).abs()) * (1 - (x - column).abs()) * inside
            total = total + image[:, row.clamp(0, height - 1), column.clamp(0, width - 1)] * weight
    return total


def deform_conv(x, w, offset, b=None, mask=None, *, group=1, offset_group=1, strides=(1, 1), dilations=(1, 1), pads=(0, 0, 0, 0)):
    n, channels = x.shape[:2]
    kh, kw = w.shape[2:]
    height, width = offset.shape[2:]
    offset = offset.reshape(n, offset_group, kh, kw, 2, height, width)
    mask = torch.ones_like(offset[:, :, :, :, 0]) if mask is None else mask.reshape(n, offset_group, kh, kw, height, width)
    rows = torch.arange(height).reshape(-1, 1) * strides[0] - pads[0]
    columns = torch.arange(width) * strides[1] - pads[1]
    of = channels // offset_group
    made = []
    for k in range(n):
        taken = [
            [
                torch.cat(
                    [
                        bilinear(
                            x[k, g * of : (g + 1) * of], rows + i * dilations[0] + offset[k, g, i, j, 0], columns + j * dilations[1] + offset[k, g, i, j, 1]
                        )
                        * mask[k, g, i, j]
                        for g in range(offset_group)
                    ]
                )
                for j in range(kw)
            ]
            for i in range(kh)
        ]
        taken = torch.stack([torch.stack(row, 1) for row in taken], 1)  # [channels, kh, kw, height, width]
        parts = zip(taken.chunk(group), w.chunk(group))
        made.append(torch.cat([torch.einsum("cijhw,mcij->mhw", t, v) for t, v in parts]))
    y = torch.stack(made)
    return y if b is None else y + b.reshape(-1, 1, 1)


# -- states that go from step to step --


def causal_conv(x, w, b, past=None, *, activation="none"):
    width = w.shape[2] - 1
    x = torch.cat([torch.zeros_like(x[:, :, :1]).expand(-1, -1, width) if past is None else past, x], 2)
    y = F.conv1d(x, w, b, groups=w.shape[0])
    return F.silu(y) if activation == "silu" else y, x[:, :, -width:]


def linear_attention(q, k, v, past=None, decay=None, beta=None, *, q_num_heads, kv_num_heads, update_rule, scale=None):
    def heads(x, n):
        return x.reshape(*x.shape[:2], n, -1)

    q, k, v = heads(q, q_num_heads), heads(k, kv_num_heads), heads(v, kv_num_heads)
    state = torch.zeros(q.shape[0], kv_num_heads, q.shape[3], v.shape[3], dtype=q.dtype) if past is None else past
    made = []
    for t in range(q.shape[1]):
        if decay is not None:
            state = state * heads(decay, kv_num_heads)[:, t].exp().unsqueeze(-1)
        value = v[:, t]
        if beta is not None:
            value = beta[:, t].unsqueeze(-1) * (value - torch.einsum("bhdm,bhd->bhm", state, k[:, t]))
        state = state + k[:, t].unsqueeze(-1) * value.unsqueeze(-2)
        read = state.repeat_interleave(q_num_heads // kv_num_heads, 1)
        made.append(torch.einsum("bhd,bhdm->bhm", q[:, t], read).flatten(1))
    return torch.stack(made, 1) * (scale or q.shape[3] ** -0.5), state


def activation(name, alpha=None, beta=None):
    return {
        "Sigmoid": torch.sigmoid,
        "Tanh": torch.tanh,
        "Relu": F.relu,
        "Softsign": F.softsign,
        "Affine": lambda x: alpha * x + beta,
        "LeakyRelu": lambda x: F.leaky_relu(x, alpha),
    }[name]


def steps(cell, x, state, lengths):
    """The states after each step, and the last of each sequence: after its own length the state stays and the output is 0."""
    made = []
    for t in range(x.shape[0]):
        new = cell(x[t], state)
        alive = torch.ones_like(lengths, dtype=torch.bool) if lengths is None else (t < lengths)
        alive = alive.reshape(-1, 1)
        state = tuple(torch.where(alive, n, s) for n, s in zip(new, state))
        made.append(torch.where(alive, new[0], torch.zeros_like(new[0])))
    return torch.stack(made), state


def backwards(x, lengths):
    """[time, batch, ...] with each sequence turned round within its own length."""
    if lengths is None:
        return x.flip(0)
    columns = [torch.cat([x[:n, b].flip(0), x[n:, b]]) for b, n in enumerate(lengths.tolist())]
    return torch.stack(columns, 1)


def recurrent(cell_of, x, w, r, b, lengths, h, more, direction, layout):
    """RNN, GRU and LSTM: Y, Y_h and what more there is. `more`: the initial states beside h; cell_of: (direction's w, r, wb, rb) -> cell."""
    if layout:
        x, h, more = x.transpose(0, 1), None if h is None else h.transpose(0, 1), [m.transpose(0, 1) for m in more]
    count, size = w.shape[0], r.shape[2]
    states = [s if s is not None else torch.zeros(count, x.shape[1], size, dtype=x.dtype) for s in [h, *more]]
    outputs, lasts = [], []
    for d in range(count):
        bias = torch.zeros(2 * w.shape[1], dtype=x.dtype) if b is None else b[d]
        turned = direction == "reverse" or d == 1
        lengths_of = torch.full((x.shape[1],), x.shape[0]) if lengths is None else lengths
        y, last = steps(cell_of(d, w[d], r[d], *bias.chunk(2)), backwards(x, lengths) if turned else x, tuple(s[d] for s in states), lengths_of)
        outputs.append(backwards(y, lengths) if turned else y)
        lasts.append(last)
    y = torch.stack(outputs, 1)
    ends = [torch.stack(s) for s in zip(*lasts)]
    return [y.permute(2, 0, 1, 3), *(e.transpose(0, 1) for e in ends)] if layout else [y, *ends]


def rnn(x, w, r, b=None, lengths=None, h=None, *, hidden_size, direction="forward", layout=0, activations=("Tanh", "Tanh"), activation_alpha=(None, None)):
    def cell_of(d, w, r, wb, rb):
        f = activation(activations[d], activation_alpha[d])
        return lambda x, s: (f(x @ w.T + s[0] @ r.T + wb + rb),)

    return recurrent(cell_of, x, w, r, b, lengths, h, [], direction, layout)


def gru(x, w, r, b=None, lengths=None, h=None, *, hidden_size, direction="forward", layout=0, linear_before_reset=0, activations=("Sigmoid", "Tanh") * 2):
    def cell_of(d, w, r, wb, rb):
        f, g = (activation(a) for a in activations[2 * d : 2 * d + 2])
        (wz, wr, wh), (rz, rr, rh), (bz, br, bh), (cz, cr, ch) = w.chunk(3), r.chunk(3), wb.chunk(3), rb.chunk(3)

        def cell(x, s):
            h = s[0]
            z, reset = f(x @ wz.T + h @ rz.T + bz + cz), f(x @ wr.T + h @ rr.T + br + cr)
            inner = reset * (h @ rh.T + ch) if linear_before_reset else (reset * h) @ rh.T + ch
            return ((1 - z) * g(x @ wh.T + inner + bh) + z * h,)

        return cell

    return recurrent(cell_of, x, w, r, b, lengths, h, [], direction, layout)


def lstm(
    x,
    w,
    r,
    b=None,
    lengths=None,
    h=None,
    c=None,
    p=None,
    *,
    hidden_size,
    direction="forward",
    layout=0,
    input_forget=0,
    clip=None,
    activations=("Sigmoid", "Tanh", "Tanh") * 2
):
    def clipped(v):
        return v if clip is None else v.clamp(-clip, clip)

    def cell_of(d, w, r, wb, rb):
        f, g, out = (activation(a) for a in activations[3 * d : 3 * d + 3])
        pi, po, pf = (0, 0, 0) if p is None else p[d].chunk(3)

        def cell(x, s):
            h, c = s
            i, o, forget, new = (x @ w.T + h @ r.T + wb + rb).chunk(4, 1)
            i = f(clipped(i + pi * c))
            forget = 1 - i if input_forget else f(clipped(forget + pf * c))
            c = forget * c + i * g(clipped(new))
            return f(clipped(o + po * c)) * out(clipped(c)), c

        return cell

    return recurrent(cell_of, x, w, r, b, lengths, h, [c], direction, layout)


# -- attention --


def attention(q, k, v, mask=None, past_k=None, past_v=None, *, q_num_heads=0, kv_num_heads=0, scale=None, softcap=0.0, is_causal=0):
    """Y, and the keys and values with the past before them."""
    packed = q.dim() == 3
    if packed:
        q, k, v = (x.reshape(*x.shape[:2], n, -1).transpose(1, 2) for x, n in ((q, q_num_heads), (k, kv_num_heads), (v, kv_num_heads)))
    if past_k is not None:
        k, v = torch.cat([past_k, k], 2), torch.cat([past_v, v], 2)
    shared = q.shape[1] // k.shape[1]
    scores = (q @ k.repeat_interleave(shared, 1).transpose(2, 3)) * (scale or q.shape[3] ** -0.5)
    if softcap:
        scores = softcap * (scores / softcap).tanh()
    if mask is not None:
        scores = scores.masked_fill(~mask, -float("inf")) if mask.dtype == torch.bool else scores + mask
    if is_causal:
        before = k.shape[2] - q.shape[2] if past_k is not None else 0
        scores = scores.masked_fill(~torch.ones(scores.shape[2:], dtype=torch.bool).tril(before), -float("inf"))
    y = scores.softmax(-1) @ v.repeat_interleave(shared, 1)
    y = y.transpose(1, 2).flatten(2) if packed else y
    return (y, k, v) if past_k is not None else y


def rotary(x, cos, sin, positions=None, *, interleaved=0, rotary_embedding_dim=0, num_heads=0):
    packed = x.dim() == 3
    if packed:
        x = x.reshape(*x.shape[:2], num_heads, -1).transpose(1, 2)
    if positions is not None:
        cos, sin = cos[positions], sin[positions]
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    n = rotary_embedding_dim or x.shape[3]
    turned, kept = x[..., :n], x[..., n:]
    a, b = (turned[..., ::2], turned[..., 1::2]) if interleaved else turned.chunk(2, -1)
    pair = cos * a - sin * b, sin * a + cos * b
    y = torch.cat([torch.stack(pair, -1).flatten(-2) if interleaved else torch.cat(pair, -1), kept], -1)
    return y.transpose(1, 2).flatten(2) if packed else y
