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

static void put_time(char *to, size_t size, double seconds, const char *left)
{
    const long long s = (long long)(seconds + .5);

    if (s < 60)
        snprintf(to, size, "  %lld s%s", s, left);
    else if (s < 3600)
        snprintf(to, size, "  %lld:%02lld%s", s / 60, s % 60, left);
    else
        snprintf(to, size, "  %lld:%02lld:%02lld%s", s / 3600, s / 60 % 60, s % 60, left);
}

/* Takes `n` of what is left, where there is as much. */
static bool fits(int *left, int n)
{
    const bool ok = n <= *left;

    *left -= ok ? n : 0;
    return ok;
}

/* Each measure begins with two spaces. */
static int measure_length(const char *text)
{
    const char *next = strstr(text + 2, "  ");

    return next ? (int)(next - text) : (int)strlen(text);
}

/* As many of them as there is room for. */
static int measures_that_fit(const char *text, int *left)
{
    int taken = 0;

    while (text[taken] && fits(left, measure_length(text + taken)))
        taken += measure_length(text + taken);
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

/* What there is to be drawn, but for the bar. */
struct line {
    char head[64], count[64], step[32], time[32];
    const char *measures;
};

static int line_length(const struct line *l)
{
    return (int)(strlen(l->head) + strlen(l->count) + strlen(l->step) + strlen(l->time) + strlen(l->measures));
}

/* "epoch 1/20  3200/60000  3.5 ms/step  12:03 left  loss 0.4312", or short: "1/20  5%  3.5 ms  12:03  loss 0.4312". How many
 * samples an epoch has need not be known before its end: then there is no time that is left. */
static void write_line(struct line *l, const struct bar *b, const kiln_fit_step *s, int64_t epochs, double t,
                       bool brief)
{
    const double seen = s->of ? (double)(s->done - b->before) : 0, took = t - b->begun;

    l->count[0] = l->step[0] = l->time[0] = 0;
    snprintf(l->head, sizeof l->head, "%s%lld/%lld", brief ? "" : "epoch ", (long long)s->epoch, (long long)epochs);
    if (!s->of)
        snprintf(l->count, sizeof l->count, "  %lld", (long long)s->done);
    else if (brief)
        snprintf(l->count, sizeof l->count, "  %.0f%%", 100 * (double)s->done / (double)s->of);
    else
        snprintf(l->count, sizeof l->count, "  %lld/%lld", (long long)s->done, (long long)s->of);
    if (s->step > b->step)
        snprintf(l->step, sizeof l->step, brief ? "  %.3g ms" : "  %.3g ms/step",
                 took * 1e3 / (double)(s->step - b->step));
    if (seen > 0)
        put_time(l->time, sizeof l->time, took / seen * (double)(s->of - s->done), brief ? "" : " left");
}

static void keep_if(bool fits, char *text)
{
    if (!fits)
        text[0] = 0;
}

/* In brief where not all has room otherwise. What matters more is looked at first, what there is no room for then is left
 * out. */
static void draw(const struct bar *b, const kiln_fit_step *s, int64_t epochs, const struct page *measures, double t)
{
    struct line l = { .measures = measures->text ? measures->text : "" };
    int left = columns(), shown;

    write_line(&l, b, s, epochs, t, false);
    if (line_length(&l) > left)
        write_line(&l, b, s, epochs, t, true);
    printf("\r%.*s", left, l.head);
    left -= (int)strlen(l.head);
    keep_if(fits(&left, (int)strlen(l.count)), l.count);
    shown = *l.measures && fits(&left, measure_length(l.measures)) ? measure_length(l.measures) : 0;
    keep_if(fits(&left, (int)strlen(l.time)), l.time);
    keep_if(fits(&left, (int)strlen(l.step)), l.step);
    shown += shown ? measures_that_fit(l.measures + shown, &left) : 0;
    if (s->of && left >= LEAST_BAR + 3)
        put_bar(left - 3 < MOST_BAR ? left - 3 : MOST_BAR, s);
    printf("%s%s%s%.*s\033[K", l.count, l.step, l.time, shown, l.measures);
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
