# kiln.h(3), of the header's own comments. Usage: awk -v version=V -v date=D -f header.awk kiln.h
# A group of the header, "/* -- sessions -- */", becomes a section; of declarations with a comment above them come first the declarations.
# The last group, macros that start options, has nothing to be read.

BEGIN {
    WIDTH = 76
    print ".\\\" Made of kiln.h when it was built."
    print ".TH KILN.H 3 " date " \"kiln " version "\" \"Kiln\""
    print ".SH NAME\nkiln.h \\- run, train and write ONNX models"
    print ".SH SYNOPSIS\n.EX\n#include <kiln.h>\n.EE\n.PP\n.EX\ncc program.c $(pkg\\-config \\-\\-cflags \\-\\-libs kiln)\n.EE"
    print ".SH DESCRIPTION"
    fresh = 1
}

done { next }
/^\/\* -- options at their start -- \*\/$/ { flush(); done = 1; next }
/^\/\* -- .* -- \*\/$/ {
    flush()
    began = 1
    name = $0
    gsub(/^\/\* -- | -- \*\/$/, "", name)
    print ".SH \"" toupper(escape(name)) "\""
    fresh = 1
    next
}
# The first comment of all is the overview, and macros behind it are those of any header.
!began && !overview && /^\/\*/ { in_comment = 1 }
!began && !in_comment { next }
in_comment || /^\/\*/ {
    if (!in_comment && code != "")
        flush()
    in_comment = 1
    line = $0
    sub(/^(\/\*| \*) ?/, "", line)
    if (line ~ /\*\/$/) {
        sub(/ *\*\/$/, "", line)
        in_comment = 0
    }
    comment = comment line "\n"
    if (!in_comment && !began) {
        overview = 1
        flush()
    }
    next
}
/^$/ { flush(); next }
{ code = code $0 "\n" }
END { flush(); print ".SH SEE ALSO\n.BR kiln (1)" }

# What was gathered: the declarations, then what is said of them.
function flush() {
    if (code != "")
        put_code()
    if (comment != "") {
        if (code != "")
            print ".RS 4"
        put_comment()
        if (code != "")
            print ".RE"
    }
    code = comment = ""
}

function put_code(    lines, count, k, line, joined) {
    paragraph()
    print ".EX"
    count = split(code, lines, "\n")
    for (k = 1; k < count; k++) {
        line = lines[k]
        joined = 0
        if (line ~ /^#(define KILN_STATUS_ENTRY|undef)/)
            continue
        if (sub(/^KILN_API /, "", line))
            while (line !~ /;$/ && k < count) {
                sub(/^ +/, " ", lines[++k])
                line = line lines[k]
            }
        else
            while (line ~ /\/\*/ && line !~ /\*\/$/ && k < count) {
                sub(/^ +(\* )?/, " ", lines[++k])
                line = line lines[k]
                joined = 1
            }
        sub(/ +\\$/, "", line)
        if (joined || length(line) > WIDTH)
            put_long(line)
        else
            print escape(line)
    }
    print ".EE"
}

# A comment behind a declaration that is too long for a line goes below it; arguments are broken between two.
function put_long(line,    margin, at) {
    match(line, /^ */)
    margin = substr(line, 1, RLENGTH)
    at = index(line, "/*")
    if (at) {
        if (at > length(margin) + 1) {
            margin = margin "    "
            print escape(strip(substr(line, 1, at - 1)))
        }
        put_words(margin substr(line, at), margin "   ", " ")
    } else {
        put_words(line, "        ", ", ")
    }
}

# Not behind a heading, nor before the name of a type.
function paragraph() {
    if (!fresh)
        print ".PP"
    fresh = 0
}

function strip(text) {
    sub(/ +$/, "", text)
    return text
}

# Breaks a line behind separators.
function put_words(line, margin, separator,    k) {
    while (length(line) > WIDTH) {
        for (k = WIDTH; k > length(margin) + 1 && substr(line, k, length(separator)) != separator; k--)
            ;
        if (k <= length(margin) + 1)
            break
        print escape(strip(substr(line, 1, k)))
        line = margin substr(line, k + length(separator))
    }
    print escape(line)
}

# Paragraphs; lines that are set in have the name of a type in front.
function put_comment(    lines, count, k, text) {
    count = split(comment, lines, "\n")
    if (code == "")
        paragraph()
    for (k = 1; k < count; k++) {
        if (lines[k] ~ /^  +kiln_/) {
            put_text(text)
            text = lines[k]
            sub(/^ +/, "", text)
            print ".TP\n\\fB" substr(text, 1, index(text, " ") - 1) "\\fR"
            sub(/^[^ ]+ +/, "", text)
        } else if (lines[k] == "") {
            put_text(text)
            text = ""
            if (lines[k + 1] !~ /^  +kiln_/)
                paragraph()
        } else {
            text = text " " lines[k]
        }
    }
    put_text(text)
}

# Broken into lines; what the header declares is bold, and what stands in backquotes.
function put_text(text,    words, count, k, word, line) {
    count = split(text, words, /[ \t]+/)
    line = ""
    for (k = 1; k <= count; k++) {
        word = words[k]
        if (word == "")
            continue
        if (match(word, /`[^`]+`/))
            word = escape(substr(word, 1, RSTART - 1)) "\\fB" escape(substr(word, RSTART + 1, RLENGTH - 2)) "\\fR" escape(substr(word, RSTART + RLENGTH))
        else if (match(word, /kiln_[a-z0-9_]*[a-z0-9]/))
            word = escape(substr(word, 1, RSTART - 1)) "\\fB" escape(substr(word, RSTART, RLENGTH)) "\\fR" escape(substr(word, RSTART + RLENGTH))
        else
            word = escape(word)
        if (line != "" && length(line) + 1 + length(word) > WIDTH) {
            print line
            line = ""
        }
        line = line == "" ? (word ~ /^\./ ? "\\&" : "") word : line " " word
    }
    if (line != "")
        print line
}

function escape(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    gsub(/\^/, "\\(ha", text)
    gsub(/~/, "\\(ti", text)
    gsub(/'/, "\\(aq", text)
    gsub(/`/, "\\(ga", text)
    return text
}
