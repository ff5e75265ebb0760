# Completion of kiln for bash, made of the tables of `kiln VERB --help` when it was built. It needs nothing but bash.

# TABLES

# Files whose names end in one of the endings, and folders. What is completed stands behind $2.
_kiln_files() { # VALUE BEFORE ENDING...
    local value=$1 before=$2 file ending
    shift 2
    compopt -o filenames 2>/dev/null # quoted where there are spaces, and a slash behind a folder
    while IFS= read -r file; do
        if [[ -d $file || $# -eq 0 ]]; then
            COMPREPLY+=("$before$file")
        else
            for ending in "$@"; do
                [[ $file == *"$ending" ]] && COMPREPLY+=("$before$file")
            done
        fi
    done < <(compgen -f -- "$value")
}

_kiln_words() { # VALUE BEFORE WORD...
    local value=$1 before=$2 word
    shift 2
    for word in "$@"; do
        [[ $word == "$value"* ]] && COMPREPLY+=("$before$word")
    done
}

# "NAME:KEY=VALUE,KEY=VALUE" of a table.
_kiln_row() { # TABLE VALUE BEFORE
    local table=$1 value=$2 before=$3 names keys name key last mine=()
    _kiln_table "$table"
    if [[ $value != *:* ]]; then
        # shellcheck disable=SC2086
        _kiln_words "$value" "$before" $names
        return
    fi
    name=${value%%:*} last=${value##*[:,]}
    [[ $last == *=* ]] && return
    for key in $keys; do
        [[ $key == "$name:"* || $key == "*:"* ]] && mine+=("${key#*:}=")
    done
    [[ $table == AUGMENTATION ]] && value=${value#*:}
    _kiln_words "$last" "$before${value%"$last"}" "${mine[@]}"
}

# What may stand where --help has KIND.
_kiln_value() { # KIND VALUE BEFORE
    local kind=$1 value=$2 before=$3 names keys last
    case $kind in
    OPTIMIZER* | SCHEDULE* | REGULARIZER* | LOSS* | METRIC*)
        if [[ ${value%%:*} == *=* ]]; then # OUTPUT=
            before+=${value%%=*}= value=${value#*=}
        fi
        _kiln_row "${kind%%[^A-Z]*}" "$value" "$before"
        ;;
    '[val_]METRIC'*)
        _kiln_table METRIC
        # shellcheck disable=SC2086
        _kiln_words "$value" "$before" loss val_loss $names ${names// / val_}
        ;;
    'KEY=VALUE,...')
        _kiln_table AUGMENTATION
        _kiln_row AUGMENTATION ":$value" "$before"
        ;;
    KIND)
        _kiln_table KIND
        # shellcheck disable=SC2086
        _kiln_words "$value" "$before" $names
        ;;
    SPEC)
        if [[ $value == *:* ]]; then
            last=${value##*[:,]}
            _kiln_files "$last" "$before${value%"$last"}"
        else
            _kiln_table SPEC
            # shellcheck disable=SC2086
            _kiln_words "$value" "$before" $names
            [[ ${#COMPREPLY[@]} -gt 0 && $value ]] || _kiln_files "$value" "$before"
        fi
        ;;
    *=*)
        [[ $value == *=* ]] && _kiln_value "${kind#*=}" "${value#*=}" "$before${value%%=*}="
        ;;
    *'|'*)
        # shellcheck disable=SC2086
        _kiln_words "$value" "$before" ${kind//|/ }
        ;;
    MODEL) _kiln_files "$value" "$before" .onnx .onnxtxt ;;
    DIR)
        compopt -o filenames 2>/dev/null
        while IFS= read -r last; do
            COMPREPLY+=("$before$last")
        done < <(compgen -d -- "$value")
        ;;
    *.csv...) _kiln_files "$value" "$before" .csv ;;
    FILE.*) _kiln_files "$value" "$before" ".${kind#*.}" ;;
    FILE | PATH*) _kiln_files "$value" "$before" ;;
    esac
}

_kiln() {
    local words=() word joined=0 k options kinds argument kind option cut
    COMPREPLY=()
    # The shell has cut the words at '=' and ':', too: they are put together again.
    for ((k = 0; k <= COMP_CWORD; k++)); do
        word=${COMP_WORDS[k]}
        if ((k > 1)) && { [[ $word =~ ^[:=]+$ ]] || ((joined)); }; then
            words[${#words[@]} - 1]+=$word
            joined=0
        else
            words+=("$word")
        fi
        [[ $word =~ ^[:=]+$ ]] && joined=1
    done
    word=${words[${#words[@]} - 1]}
    if [[ ${#words[@]} -eq 2 ]]; then
        _kiln_verb ''
        # shellcheck disable=SC2086
        _kiln_words "$word" '' $options
        return
    fi
    _kiln_verb "${words[1]}" || return
    kind=$argument option=${words[${#words[@]} - 2]}
    if [[ $word == --*=* ]]; then
        kind=
        for k in $kinds; do
            [[ $k == "${word%%=*}="* ]] && kind=${k#*=}
        done
        _kiln_value "$kind" "${word#*=}" "${word%%=*}="
    else
        for k in $kinds; do
            [[ $option != *=* && $k == "$option="* ]] && kind=${k#*=} option=
        done
        if [[ $word == -* && $option ]]; then
            # shellcheck disable=SC2086
            _kiln_words "$word" '' $options
        else
            _kiln_value "$kind" "$word" ''
        fi
    fi
    # What comes before the last '=' or ':' is not the shell's to put in.
    cut=${word%"${word##*[=:]}"}
    for k in "${!COMPREPLY[@]}"; do
        [[ ${COMPREPLY[k]} == *[=:] ]] && compopt -o nospace 2>/dev/null
        COMPREPLY[k]=${COMPREPLY[k]#"$cut"}
    done
}

complete -F _kiln kiln
