# What the histories of recipes say: rows "network,seed,epoch,loss,accuracy,val_loss,val_accuracy[,seconds]" of the first file are Kiln's, of the second Keras'.
# mode=table networks="a b c": side by side, means over the seeds with their standard errors.
# mode=claim networks="WITH WITHOUT": does WITH get as far in fewer epochs, does it end better? Only seeds that both have count.
# mode=rows networks="a b c", mode=pair networks="WITH WITHOUT": of both what stands in README.md, as rows of a table.

FNR == 1 { source = FILENAME ~ /keras\.csv$/ ? "Keras" : "Kiln"; next }

{
    id = source SUBSEP $1 SUBSEP $2
    if (!(id in epochs)) {
        seeds[source, $1] = seeds[source, $1] " " $2
        epochs[id] = 0
    }
    if ($3 != "final")
        epochs[id] = $3
    for (i = 4; i <= NF; i++)
        if ($i != "" && $i !~ /nan|inf/)
            value[id, $3, i] = $i
}

# -- of one run: a number, or "" where there is none --

function column(name) {
    return name == "loss" ? 4 : name == "accuracy" ? 5 : name == "val_loss" ? 6 : name == "val_accuracy" ? 7 : 8
}

function at(id, epoch, name) {
    return (id, epoch, column(name)) in value ? value[id, epoch, column(name)] : ""
}

# The epoch whose measure is the largest, or the least.
function best_epoch(id, name, sign, e, v, best, found) {
    found = 0
    for (e = 1; e <= epochs[id]; e++) {
        v = at(id, e, name)
        if (v != "" && (!found || sign * v > sign * best)) {
            best = v
            found = e
        }
    }
    return found
}

# The first epoch that is as good as `goal`; one more than there are where none is.
function reaches(id, goal, e, v) {
    for (e = 1; e <= epochs[id]; e++) {
        v = at(id, e, "val_accuracy")
        if (v != "" && v >= goal)
            return e
    }
    return epochs[id] + 1
}

function seconds_until(id, last, e, s) {
    s = 0
    for (e = 1; e <= last && e <= epochs[id]; e++)
        s += at(id, e, "seconds")
    return s
}

function largest_rise(id, e, d, most) {
    most = 0
    for (e = 2; e <= epochs[id]; e++)
        if (at(id, e, "val_loss") != "" && at(id, e - 1, "val_loss") != "" && (d = at(id, e, "val_loss") - at(id, e - 1, "val_loss")) > most)
            most = d
    return most
}

function measure(id, what, e) {
    if (what ~ /^final /)
        return at(id, "final", substr(what, 7))
    if (what ~ /^last /)
        return at(id, epochs[id], substr(what, 6))
    if (what == "best")
        return (e = best_epoch(id, "val_accuracy", 1)) ? at(id, e, "val_accuracy") : ""
    if (what == "kept")
        return (e = best_epoch(id, "val_loss", -1)) ? at(id, e, "val_accuracy") : ""
    if (what == "rise")
        return largest_rise(id)
    return at(id, 1, "seconds") == "" ? "" : seconds_until(id, epochs[id])
}

# -- of several --

function start() {
    count = sum = squares = least = 0
}

function add(v) {
    if (v == "")
        return
    sum += v
    squares += v * v
    if (!count++ || v < least)
        least = v
}

# Sets `mean` and `error`, which is "" for one number.
function finish(variance) {
    mean = count ? sum / count : ""
    variance = count > 1 ? (squares - sum * sum / count) / (count - 1) : 0
    error = count > 1 ? sqrt((variance > 0 ? variance : 0) / count) : ""
    bracketed = bracketed || count > 1
}

function measure_all(source, network, what, list, n, k) {
    start()
    n = split(seeds[source, network], list, " ")
    for (k = 1; k <= n; k++)
        add(measure(source SUBSEP network SUBSEP list[k], what))
    finish()
}

# How many standard errors `mean` is below another mean; "" where either has none.
function standard_errors(other, other_error) {
    return error == "" || other_error == "" || error + other_error == 0 ? "" : (other - mean) / sqrt(error ^ 2 + other_error ^ 2)
}

# .8926, and an error with as many digits behind the point: those that mean something.
function number(v, digits, s) {
    s = sprintf("%." digits "f", v)
    sub(/^0\./, ".", s)
    sub(/^-0\./, "-.", s)
    if (s ~ /^-[.0]*$/)
        sub(/^-/, "", s)
    return s
}

function with_error(v, e, digits) {
    return v == "" ? "" : e == "" ? number(v, digits) : number(v, digits) " (" number(e, digits) ")"
}

# "5 seeds": of all networks, or "3 to 5 seeds".
function seeds_of(source, k, n, least, most, list) {
    least = most = 0
    for (k = 1; k <= networks_count; k++) {
        n = split(seeds[source, network[k]], list, " ")
        if (k == 1 || n < least)
            least = n
        if (n > most)
            most = n
    }
    return least != most ? least " to " most " seeds" : most == 1 ? "seed" seeds[source, network[1]] : most " seeds"
}

# -- the table --

function line(title, what, k, s, cells, any, kiln, kiln_error, apart) {
    for (k = 1; k <= networks_count; k++)
        apart[k] = ""
    for (s = 1; s <= 2; s++) {
        cells = ""
        any = 0
        for (k = 1; k <= networks_count; k++) {
            measure_all(s == 1 ? "Kiln" : "Keras", network[k], what)
            any = any || mean != ""
            cells = cells sprintf("  %16s", what == "seconds" && count ? number(least, 1) : with_error(mean, error, 4))
            if (s == 1) {
                kiln[k] = mean
                kiln_error[k] = error
            } else
                apart[k] = standard_errors(kiln[k], kiln_error[k])
        }
        if (any)
            printf "%-32s %-6s%s\n", s == 1 ? title : "", s == 1 ? "Kiln" : "Keras", cells
    }
    cells = ""
    for (k = 1; k <= networks_count; k++)
        cells = cells sprintf("  %16s", apart[k] == "" ? "" : sprintf("%+.1f", apart[k]))
    if (cells ~ /[0-9]/) {
        printf "%-32s %-6s%s\n", "", "apart", cells
        set_apart = 1
    }
}

function print_table(k) {
    printf "%-39s", ""
    for (k = 1; k <= networks_count; k++)
        printf "  %16s", network[k]
    printf "\n"
    line("training accuracy, last epoch", "last accuracy")
    line("test accuracy, last epoch", "last val_accuracy")
    line("test accuracy, best epoch", "best")
    line("test accuracy, lowest test loss", "kept")
    line("test loss, last epoch", "last val_loss")
    line("test loss, largest rise", "rise")
    line("in the end: loss, training set", "final loss")
    line("in the end: accuracy", "final accuracy")
    line("in the end: loss, test set", "final val_loss")
    line("in the end: accuracy", "final val_accuracy")
    line("seconds, the fastest run", "seconds")
    printf "Kiln: %s", seeds_of("Kiln")
    if (seeds["Keras", network[1]] != "")
        printf "; Keras: %s", seeds_of("Keras")
    printf ".%s%s\n", bracketed ? " In brackets the standard error of the mean." : "", set_apart ? " Apart: Kiln less Keras, in standard errors." : ""
}

# -- the claim --

# Pairs of one seed: sets `mean` and `error` of what `kind` tells of WITH (side 1), of WITHOUT (2), or of WITHOUT less WITH (0).
function pairs(source, kind, side, list, n, k, a, b, x, y) {
    start()
    never = 0
    n = split(seeds[source, network[1]], list, " ")
    for (k = 1; k <= n; k++) {
        a = source SUBSEP network[1] SUBSEP list[k]
        b = source SUBSEP network[2] SUBSEP list[k]
        if (!(b in epochs))
            continue
        x = of_pair(a, b, a, kind)
        y = of_pair(a, b, b, kind)
        never += kind == "epochs" && x > epochs[a]
        if (x != "" && y != "")
            add(side == 1 ? x : side == 2 ? y : y - x)
    }
    finish()
}

# How far the network `without` came, less a point, is what both have to reach.
function of_pair(with, without, id, kind, goal) {
    goal = measure(without, "best") - .01
    if (kind == "goal")
        return goal
    if (kind == "epochs")
        return reaches(id, goal)
    return kind == "seconds" ? seconds_until(id, reaches(id, goal)) : measure(id, kind)
}

# What the difference `mean` says, where `good` is what it has for WITH.
function says(good, better, worse) {
    if (!good)
        return "the same"
    if (error != "" && (good < 0 ? -good : good) <= 2 * error)
        return "within two standard errors"
    return network[1] " " (good > 0 ? better : worse) (error == "" ? ", by one seed" : "")
}

# A row; `sign` is 1 where less is better.
function compare(title, source, kind, digits, sign, better, worse, cells, side) {
    for (side = 1; side <= 2; side++) {
        pairs(source, kind, side)
        cells = cells sprintf("  %16s", with_error(mean, error, digits))
    }
    pairs(source, kind, 0)
    cells = cells sprintf("  %16s", with_error(-mean, error, digits))
    printf "  %-36s%s  %s\n", title, cells, says(sign * mean, better, worse)
}

function print_claim(source, goal) {
    pairs(source, "goal", 1)
    if (!count)
        return
    goal = number(mean, 4)
    printf "%-38s  %16s  %16s  %16s\n", source ", " count " seed" (count > 1 ? "s" : ""), network[1], network[2], "difference"
    pairs(source, "epochs", 1)
    if (never)
        printf "  (%d of %d runs of %s do not come that far: counted as one epoch more than there were)\n", never, count, network[1]
    compare("epochs to " goal " on the test set *", source, "epochs", 1, 1, "takes fewer", "takes more")
    pairs(source, "seconds", 1)
    if (mean)
        compare("seconds to there", source, "seconds", 2, 1, "is faster", "is slower")
    compare("test accuracy, last epoch", source, "last val_accuracy", 4, -1, "is better", "is worse")
    compare("test accuracy, best epoch", source, "best", 4, -1, "is better", "is worse")
    compare("test loss, largest rise", source, "rise", 4, 1, "is steadier", "is less steady")
}

# -- the tables of README.md --

function with_seeds(n) {
    return n ? ", " n " seed" (n > 1 ? "s" : "") : ""
}

function print_rows(k, kiln, kiln_error, kiln_count, apart) {
    for (k = 1; k <= networks_count; k++) {
        measure_all("Kiln", network[k], "last val_accuracy")
        kiln = mean
        kiln_error = error
        kiln_count = count
        measure_all("Keras", network[k], "last val_accuracy")
        apart = standard_errors(kiln, kiln_error)
        printf "| %s | %s | %s | %s |\n", network[k], with_error(mean, error, 4) with_seeds(count),
            with_error(kiln, kiln_error, 4) with_seeds(kiln_count), apart == "" ? "" : sprintf("%+.1f", apart)
    }
}

function pair_cell(source, kind, side, digits) {
    pairs(source, kind, side)
    return with_error(side || mean == "" ? mean : -mean, error, digits)
}

# In which epoch on average WITH and WITHOUT come so far.
function epochs_cell(source, with) {
    with = pair_cell(source, "epochs", 1, 1)
    with = never == count ? "never" : with (never ? " and " never " never" : "")
    return with ", " pair_cell(source, "epochs", 2, 1)
}

function print_pair(s, source, cells) {
    for (s = 1; s <= 2; s++) {
        source = s == 1 ? "Keras" : "Kiln"
        pairs(source, "epochs", 0)
        cells = cells (count ? " " epochs_cell(source) " |" : "  |")
        cells = cells sprintf(" %s |", pair_cell(source, "last val_accuracy", 0, 4))
    }
    pairs("Kiln", "epochs", 0)
    cells = cells " " (count ? says(mean, "takes fewer epochs", "takes more epochs") : "")
    pairs("Kiln", "last val_accuracy", 0)
    printf "| %s, %s |%s |\n", network[1], network[2], cells (count ? "; " says(-mean, "is better", "is worse") : "")
}

END {
    networks_count = split(networks, network, " ")
    if (mode == "table")
        print_table()
    else if (mode == "rows")
        print_rows()
    else if (mode == "pair")
        print_pair()
    else {
        print_claim("Kiln")
        print_claim("Keras")
        print "  * a point below the best of " network[2] ", seed by seed"
    }
}
