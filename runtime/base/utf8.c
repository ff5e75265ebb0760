#include "base/utf8.h"
#include <locale.h>
#include <pthread.h>
#include <wctype.h>

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

size_t utf8_encode(uint32_t code, char out[4])
{
    const size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t k = n; k-- > 1; code >>= 6)
        out[k] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(n == 1 ? code : (0xf00u >> n & 0xff) | code);
    return n;
}

bool utf8_is_space(uint32_t c)
{
    return (c >= 0x9 && c <= 0xd) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* -- cases -- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t letters; /* the same whatever the program has set */

static void make_letters(void)
{
    letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

bool utf8_knows_case(void)
{
    pthread_once(&once, make_letters);
    return letters != (locale_t)0;
}

uint32_t utf8_lower(uint32_t code)
{
    return utf8_knows_case() ? (uint32_t)towlower_l((wint_t)code, letters) : code;
}

uint32_t utf8_upper(uint32_t code)
{
    return utf8_knows_case() ? (uint32_t)towupper_l((wint_t)code, letters) : code;
}
