#compdef kiln
# Completion of kiln for zsh, made of the tables of `kiln VERB --help` when it was built.

# TABLES

# "NAME:KEY=VALUE,KEY=VALUE" of a table.
_kiln_row() {
    local names keys name
    local -a mine
    _kiln_table $1
    if compset -P 1 '(#b)([^:]#):'; then
        name=$match[1]
        mine=(${${(M)${=keys}:#($name|\*):*}#*:})
        compset -P '*,'
        [[ $PREFIX == *=* ]] || compadd -S = -q -a mine
    else
        mine=(${=names})
        compadd -a mine
    fi
}

# What may stand where --help has this kind.
_kiln_value() {
    local kind=${1//\\/} names keys # as _arguments needs it written
    local -a mine
    case $kind in
    OPTIMIZER* | SCHEDULE* | REGULARIZER* | LOSS* | METRIC*)
        [[ ${PREFIX%%:*} == *=* ]] && compset -P 1 '*='
        _kiln_row ${kind%%[^A-Z]*}
        ;;
    '[val_]METRIC'*)
        _kiln_table METRIC
        mine=(loss val_loss ${=names} val_${^=names})
        compadd -a mine
        ;;
    'KEY=VALUE,...')
        _kiln_table AUGMENTATION
        compset -P '*,'
        mine=(${${=keys}#*:})
        compadd -S = -q -a mine
        ;;
    KIND)
        _kiln_table KIND
        mine=(${=names})
        compadd -a mine
        ;;
    SPEC)
        if [[ $PREFIX == *:* ]]; then
            compset -P '*[:,]'
            _files
        else
            _kiln_table SPEC
            mine=(${=names})
            compadd -S '' -a mine
            _files
        fi
        ;;
    *=*)
        compset -P 1 '*=' && _kiln_value ${kind#*=}
        ;;
    *'|'*)
        mine=(${(s:|:)kind})
        compadd -a mine
        ;;
    MODEL) _files -g '*.(onnx|onnxtxt)(-.)' ;;
    DIR) _files -/ ;;
    *.csv...) _files -g '*.csv(-.)' ;;
    FILE.*) _files -g "*.${kind#*.}(-.)" ;;
    FILE | PATH*) _files ;;
    *) _message $kind ;;
    esac
}

_kiln() {
    local -a options verbs
    _kiln_verb ''
    if ((CURRENT == 2)); then
        _describe verb verbs
        _arguments $options
    elif _kiln_verb $words[2]; then
        ((CURRENT--))
        shift words
        _arguments -s -S $options
    fi
}

setopt localoptions extendedglob
_kiln "$@"
