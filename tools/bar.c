#include "bar.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MOST_COLUMNS = 1000, LEAST_BAR = 8, MOST_BAR = 32 };

/* The last column stays free: some terminals go to the next line there. */
static int columns(void)
{
    struct winsize w;
    const char *said = getenv("COLUMNS");
    int n = 80;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col)
        n = w.ws_col;
    else if (said && atoi(said) > 0)
        n = atoi(said);
    return (n < MOST_COLUMNS ? n : MOST_COLUMNS) - 1;
}

static void put_time(char *to, size_t size, double seconds)
{
    const long long s = (long long)(seconds + .5);

    if (s < 60)
        snprintf(to, size, "  %lld s left", s);
    else if (s < 3600)
        snprintf(to, size, "  %lld:%02lld left", s / 60, s % 60);
    else
        snprintf(to, size, "  %lld:%02lld:%02lld left", s / 3600, s / 60 % 60, s % 60);
}

/* Takes `n` of what is left, where there is as much. */
static bool fits(int *left, int n)
{
    const bool ok = n <= *left;

    *left -= ok ? n : 0;
    return ok;
}

/* As many measures as there is room for: each begins with two spaces. */
static int measures_that_fit(const char *text, int *left)
{
    int taken = 0;

    while (text && text[taken]) {
        const char *next = strstr(text + taken + 2, "  ");
        const int n = next ? (int)(next - text) - taken : (int)strlen(text + taken);

        if (!fits(left, n))
            break;
        taken += n;
    }
    return taken;
}

static void put_bar(int width, const kiln_fit_step *s)
{
    const int full = (int)((double)width * (double)s->done / (double)s->of);

    fputs(" [", stdout);
    for (int k = 0; k < width; k++)
        putchar(k < full ? '=' : k == full ? '>' : ' ');
    putchar(']');
}

/* What matters more is looked at first; what there is no room for is left out. How many samples an epoch has need not
 * be known before its end: then there is no bar, and no time that is left. */
static void draw(const struct bar *b, const kiln_fit_step *s, int64_t epochs, const struct page *measures, double t)
{
    const double seen = s->of > s->done ? (double)(s->done - b->before) : 0, took = t - b->begun;
    char head[64], count[64], left_text[32], step[32];
    int left = columns(), shown;
    bool with_time, with_step;

    snprintf(head, sizeof head, "epoch %lld/%lld", (long long)s->epoch, (long long)epochs);
    snprintf(count, sizeof count, s->of ? "  %lld/%lld" : "  %lld", (long long)s->done, (long long)s->of);
    put_time(left_text, sizeof left_text, seen > 0 ? took / seen * (double)(s->of - s->done) : 0);
    snprintf(step, sizeof step, "  %.3g ms/step", took * 1e3 / (double)(s->step - b->step));
    printf("\r%.*s", left, head);
    left -= (int)strlen(head);
    if (!fits(&left, (int)strlen(count)))
        count[0] = 0;
    shown = measures_that_fit(measures->text, &left);
    with_time = seen > 0 && fits(&left, (int)strlen(left_text));
    with_step = s->step > b->step && fits(&left, (int)strlen(step));
    if (s->of && left >= LEAST_BAR + 3)
        put_bar(left - 3 < MOST_BAR ? left - 3 : MOST_BAR, s);
    printf("%s%s%s%.*s\033[K", count, with_step ? step : "", with_time ? left_text : "", shown,
           measures->text ? measures->text : "");
    fflush(stdout);
}

void bar_draw(struct bar *b, const kiln_fit_step *s, int64_t epochs, const struct page *measures)
{
    const double t = seconds_now();

    if (s->epoch != b->epoch) /* the first step of an epoch has made the plan: it is no measure of the others */
        *b = (struct bar){ .begun = t, .epoch = s->epoch, .before = s->done, .step = s->step };
    if (t - b->drawn < .1 && (s->done < s->of || !s->of))
        return;
    b->drawn = t;
    draw(b, s, epochs, measures, t);
}

void bar_clear(void)
{
    printf("\r\033[K");
}
