#include "base/utf8.h"
#include <stdbool.h>

size_t utf8_decode(const char *bytes, size_t left, uint32_t *code)
{
    const unsigned char *s = (const unsigned char *)bytes;
    const size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

    if (!n || n > left)
        return 0;
    *code = n == 1 ? s[0] : s[0] & 0xffu >> (n + 1);
    for (size_t k = 1; k < n; k++) {
        if ((s[k] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (s[k] & 0x3f);
    }
    if ((n == 3 && *code < 0x800) || (n == 4 && *code < 0x10000) || *code > 0x10ffff ||
        (*code >= 0xd800 && *code < 0xe000))
        return 0;
    return n;
}

static bool is_hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff || c == 0xfffe || c == 0xffff;
}

size_t utf8_shown(const char *s, size_t left)
{
    uint32_t code;
    const size_t n = utf8_decode(s, left, &code);

    return n && !is_hidden(code) ? n : 0;
}
