# What the recipes have in common; models/NAME/train reads this file. The program is $KILN, else the checkout's build/tools/kiln, else kiln.

here=$(cd "$(dirname "$0")" && pwd)
models=$(dirname "$here")
name=$(basename "$here")
diverged=9 # how kiln ends then

fail() { # CODE MESSAGE
    echo "models/$name/train: $2" >&2
    exit "$1"
}

# The comment at the head of the script.
usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

find_program() { # PATH-BELOW-build NAME: the path, or the name where it is to be found by that; nothing where there is none
    if [ -x "$models/../build/$1" ]; then
        echo "$(cd "$models/../build" && pwd)/$1"
    else
        command -v "$2" || true
    fi
}

# recipe OWN-OPTIONS ARGUMENTS: reads the options. Of those that only this recipe has, "--long" is set to 1 in $long, "--steps=" to a number in $steps.
recipe() {
    local own=" $1 " value
    shift
    data='' output='' seed=1 seeds=1 epochs='' limit='' as_is=1
    while [ $# -gt 0 ]; do
        case $1 in
        --help) usage && exit ;;
        --data | --output) [ $# -gt 1 ] || fail 64 "$1 needs a folder" ;;
        --seed | --seeds | --epochs | --limit) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail 64 "$1 needs a number from 1 on, not '${2:-}'" ;;
        -*)
            case $own in
            *" $1= "*) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail 64 "$1 needs a number from 1 on, not '${2:-}'" ;;
            *" $1 "*) set -- "$1" 1 "${@:2}" ;;
            *) fail 64 "there is no option '$1'; --help lists them" ;;
            esac
            ;;
        *) fail 64 "there is nothing to do with '$1'; --help lists the options" ;;
        esac
        case $1 in --data | --epochs | --limit) as_is='' ;; esac
        value=${1#--}
        printf -v "${value//-/_}" %s "$2"
        shift 2
    done
    [ -z "$data" ] || [ -d "$data" ] || fail 1 "--data $data: there is no such folder"
    kiln=${KILN:-$(find_program tools/kiln kiln)}
    [ -n "$kiln" ] || fail 1 "there is no kiln in build/tools nor in PATH; tools/setup builds it"
    output=${output:-$models/../build/originals/$name}
    mkdir -p "$output" || fail 1 "--output $output cannot be made"
    output=$(cd "$output" && pwd)
    echo network,seed,epoch,loss,accuracy,val_loss,val_accuracy,seconds >"$output/kiln.csv"
}

# about TIME: on two cores, of the recipe as it is.
about() {
    [ -z "$as_is" ] || echo "About $1 on two cores, for each seed."
}

heading() {
    printf '\n== %s\n' "$1"
}

# stand_in cifar10|cifar100: $data becomes a folder with a set of that form, made where there is none yet.
stand_in() {
    local program=${KILN_STAND_IN:-$(find_program models/stand_in kiln-stand-in)}
    [ -z "$data" ] || return 0
    [ -n "$program" ] || fail 1 "there is no build/models/stand_in, which tools/setup builds; --data DIR takes the real set"
    data=$output/stand_in
    [ -n "$limit" ] || data=$models/../build/stand_in/$1
    if [ ! -e "$data/made" ]; then
        mkdir -p "$data"
        "$program" "$1" "$data" ${limit:+"$limit" "$limit"} && touch "$data/made" || fail 1 "the stand-in for $1 could not be made in $data"
    fi
    data=$(cd "$data" && pwd)
    echo "data: a set in the form of $1, made from Fashion-MNIST, in $data (--data DIR takes the real one)"
}

# fit NETWORK MODEL OPTION...: trains it with seed $run. The model is $output/NETWORK.RUN.onnx, the history beside it. One that diverges has what it came to.
fit() {
    local network=$1 model=$here/$2.onnxtxt made=$output/$1.$run code=0
    shift 2
    rm -f "$made.onnx" "$made.csv"
    echo "-- $network, seed $run"
    "$kiln" train "$model" --seed "$run" --output "$made.onnx" --history "$made.csv" "$@" ${epochs:+--epochs "$epochs"} \
        ${limit:+--limit "$limit" --validation-steps 2} || code=$?
    if [ $code -eq "$diverged" ] && [ -e "$made.csv" ]; then
        echo "$network diverged after $(($(wc -l <"$made.csv") - 1)) epochs"
    elif [ $code -ne 0 ]; then
        fail $code "$network was not trained to the end"
    fi
    awk -F, -v network="$network" -v run="$run" '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { printf "%s,%s,%d,%.5g,%.5g,%.5g,%.5g,%.4g\n", network, run, $at["epoch"], $at["loss"], $at["accuracy"], $at["val_loss"],
            $at["val_accuracy"], $at["seconds"] }' "$made.csv" >>"$output/kiln.csv"
}

# evaluate NETWORK SPEC OPTION...: "LOSS ACCURACY" of what was trained, where there is a model of it.
evaluate() {
    local model=$output/$1.$run.onnx spec=$2
    shift 2
    [ -e "$model" ] || return 0
    "$kiln" eval "$model" --data "$spec" ${limit:+--limit "$limit"} "$@" |
        awk '$1 == "loss" && NF == 2 { l = $2 } $1 == "accuracy" { a = $2 } END { print l, a }'
}

# final NETWORK TRAIN TEST OPTION...: what the trained network makes of both sets, whole; a row `final`.
final() {
    local network=$1 train=$2 test=$3
    shift 3
    echo "$network $run $(evaluate "$network" "$train" "$@") $(evaluate "$network" "$test" "$@")" |
        awk 'NF == 6 { printf "%s,%d,final,%.5g,%.5g,%.5g,%.5g,\n", $1, $2, $3, $4, $5, $6 }' >>"$output/kiln.csv"
}

# curves FILE TITLE NETWORK...: the figure of the first seed.
curves() {
    local file=$output/$1 title=$2 network runs=()
    shift 2
    for network in "$@"; do
        [ "$(wc -l <"$output/$network.$seed.csv")" -lt 2 ] || runs+=("$network=$output/$network.$seed.csv")
    done
    [ ${#runs[@]} -gt 0 ] || return 0
    "$kiln" figure --output "$file" --title "$title, seed $seed" "${runs[@]}" || fail $? "the figure could not be drawn"
    echo "curves: $file"
}

# numbers MODE "NETWORK...": models/recipe.awk on what was measured, and on Keras' numbers where they are of the same data and recipe.
numbers() {
    local keras=$here/keras.csv
    [ -n "$as_is" ] && [ -e "$keras" ] || keras=/dev/null
    awk -F, -v mode="$1" -v networks="$2" -f "$models/recipe.awk" "$output/kiln.csv" "$keras"
}

# table "NETWORK..." TITLE: side by side, beside Keras.
table() {
    heading "$2"
    numbers table "$1"
    [ -n "$as_is" ] || echo "Keras' numbers are of the recipe as it is, on the data that it takes by itself: they do not stand beside these."
}

# claim "WITH WITHOUT" TEXT: what the numbers say of it.
claim() {
    echo
    echo "Claim: $2"
    numbers claim "$1"
}
