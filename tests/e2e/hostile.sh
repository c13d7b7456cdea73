#!/bin/sh
# Trivial and hostile recordings: each gives what its row says. A row that fails is told; the rows after it still run.
#
# hostile.sh NEUROSET SOURCE DAMAGE [ROW...]: all rows, or those named.
. "$(dirname "$0")/common.sh"
damage=$3
shift 3
wanted=" $* "
failed=0

sort() { "$neuroset" sort "$@" -q; }
simulate() { "$neuroset" simulate recording -o "$tmp" -q "$@" >/dev/null; }
change() { "$damage" "$tmp/$1" "$tmp/$2" $3; } # change FROM TO "CHANGE..."
n_units() { echo $(($(wc -l <"$tmp/$1/units.csv") - 1)); }
n_good() { grep -c ',good,' "$tmp/$1/units.csv" || :; }
told() { tr -d '\n' <"$tmp/$1/run.json" | grep -q "$2" || fail "run.json does not say '$2'"; }
column() { # column FOLDER NAME: a column of units.csv
    awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) k = i; next } { print $k }' "$tmp/$1/units.csv"
}
units() { # units FOLDER OPERATOR NUMBER
    n=$(n_units "$1")
    [ "$n" "$2" "$3" ] || fail "$n units in $1, expected $2 $3"
}
score() { # score FOLDER TRUTH KEY
    "$neuroset" compare "$tmp/$1" "$tmp/$2" --json | sed -n "s/.*\"$3\": *\([0-9.]*\).*/\1/p" | head -1
}
at_least() { # at_least VALUE LEAST WHAT
    awk "BEGIN { exit !($1 >= $2) }" || fail "$3 is $1, at least $2 expected"
}
accuracy() { at_least "$(score "$1" "$2" mean_accuracy)" "$3" "mean accuracy of $1"; }

# row NAME: the function row_NAME in a subshell, its failure counted
row() {
    case $wanted in "  " | *" $1 "*) ;; *) return 0 ;; esac
    begin=$(date +%s)
    if (set -e; trap - EXIT; "row_$1") >"$tmp/row.log" 2>&1; then
        echo "ok    $1 ($(($(date +%s) - begin)) s)"
    else
        failed=$((failed + 1))
        echo "FAIL  $1: $(tail -3 "$tmp/row.log" | tr '\n' ' ')"
    fi
}

# What several rows start from, made when first asked for.
need() {
    for base in "$@"; do
        [ ! -e "$tmp/$base.made" ] || continue
        case $base in
        four) simulate --name four --layout tetrode --channels 4 --units 3 --seconds 20 --min-snr 8 --median-snr 12 \
            --artefacts 0 --seed 8 ;;
        whole4) sort "$tmp/four.bin" -o "$tmp/whole4" ;;
        probe) simulate --name probe --layout linear --channels 16 --units 5 --seconds 8 --min-snr 8 --artefacts 0 --seed 2 ;;
        whole) sort "$tmp/probe.bin" -o "$tmp/whole" ;;
        noise) simulate --name noise --layout np1 --channels 32 --units 0 --hash 0 --seconds 60 --artefacts 0 ;;
        esac
        : >"$tmp/$base.made"
    done
}

# ---- nothing to find ----

row_zeros() {
    head -c 7680000 /dev/zero >"$tmp/zeros.bin"
    sort "$tmp/zeros.bin" -o "$tmp/zeros" --format raw --rate 30000 --channels 32 --gain 1
    units zeros -eq 0
    told zeros 'no variance on 32 of 32 channels'
}
row_constant() {
    need four
    for v in 32767 -32768; do
        change four flat "scale=0 offset=$v"
        sort "$tmp/flat.bin" -o "$tmp/flat" --overwrite
        units flat -eq 0
        told flat 'clipped or constant'
    done
}
row_white() {
    need noise
    change noise white "white=40"
    sort "$tmp/white.bin" -o "$tmp/white"
    units white -eq 0
}
row_coloured() {
    need noise
    sort "$tmp/noise.bin" -o "$tmp/coloured"
    units coloured -eq 0
    told coloured '"events": [0-9]'
}
line_only() { # line_only LAYOUT NOISE
    simulate --name line --layout $1 --units 0 --hash 0 --noise $2 --lfp 0 --line 50 --artefacts 0 --channels 8 --seconds 10
    sort "$tmp/line.bin" -o "$tmp/line" --overwrite
    units line -eq 0
}
row_line() {
    line_only linear 0.1
    line_only linear 1
    line_only np1 1
}
row_line_rounded() { # an amplifier's noise far below a count: the rounding follows the line
    line_only np1 0.1
}
row_lfp() {
    simulate --name lfp --units 0 --hash 0 --noise 0.1 --lfp 300 --line 0 --artefacts 0 --channels 8 --seconds 10
    sort "$tmp/lfp.bin" -o "$tmp/lfp"
    units lfp -eq 0
}

# ---- very little ----

row_ten_spikes() {
    simulate --name ten --layout tetrode --channels 4 --units 1 --seconds 1 --min-snr 15 --max-snr 15.1 --median-snr 15 \
        --hash 0 --artefacts 0 --median-rate 9 --rate-sigma 0 --bursting 0 --sync 0 --seed 4
    sort "$tmp/ten.bin" -o "$tmp/ten"
    units ten -eq 1
    at_least "$(score ten ten.truth.npz mean_recall)" .9 'recall of the ten spikes'
    told ten '' && grep -q 'few spikes' "$tmp/ten/units.csv" || fail 'not labelled few spikes'
}
row_short() { # a tenth of a second
    need four
    change four short "cut=3000"
    sort "$tmp/short.bin" -o "$tmp/short"
    units short -le 1
}
row_samples() { # one, none, a torn one
    need four
    change four one "cut=1"
    sort "$tmp/one.bin" -o "$tmp/one"
    units one -eq 0
    change four none "cut=0"
    expect 3 'no whole frame' "$neuroset" sort "$tmp/none.bin" -o "$tmp/none" -q
    head -c 5 "$tmp/four.bin" >"$tmp/torn.bin"
    expect 3 'no whole frame' "$neuroset" sort "$tmp/torn.bin" -o "$tmp/torn" -q --format raw --rate 30000 --channels 4 --gain 1
}
row_one_spike() {
    simulate --name single --layout tetrode --channels 4 --units 0 --hash 0 --artefacts 0 --lfp 0 --line 0 --seconds 4
    change single spike "pulse=1500:3000"
    sort "$tmp/spike.bin" -o "$tmp/spike"
    units spike -eq 0
    told spike '"events": [0-9]'
}

# ---- few channels, groups ----

row_one_channel() { # shapes 8 and 6 noise sd apart; at 1.6 to 2.9 (seeds 2, 3, 4, 6, 12) no plane tells most spikes apart
    for seed in 1 5; do
        simulate --name onech --layout linear --channels 1 --units 2 --seconds 60 --min-snr 8 --median-snr 10 --max-snr 14 \
            --hash 2 --artefacts 0 --seed $seed
        sort "$tmp/onech.bin" -o "$tmp/onech" --overwrite
        units onech -eq 2
        accuracy onech onech.truth.npz .9
    done
}
row_two_channels() {
    simulate --name twoch --layout linear --channels 2 --units 2 --seconds 30 --min-snr 9 --median-snr 12 --hash 2 \
        --artefacts 0 --seed 12
    sort "$tmp/twoch.bin" -o "$tmp/twoch"
    units twoch -eq 2
    accuracy twoch twoch.truth.npz .8
}
row_tetrodes() { # each as it is alone
    simulate --name tets --layout tetrode --channels 12 --units 9 --seconds 20 --min-snr 7 --median-snr 12 --artefacts 0 --seed 3
    sort "$tmp/tets.bin" -o "$tmp/tets"
    of_all=0
    for t in 0 1 2; do
        unwire=
        for c in 0 1 2 3 4 5 6 7 8 9 10 11; do
            [ $((c / 4)) = $t ] || unwire="$unwire unwire=$c"
        done
        change tets alone "$unwire"
        sort "$tmp/alone.bin" -o "$tmp/alone" --overwrite
        of_all=$((of_all + $(n_units alone)))
        [ "$(n_units alone)" = 0 ] || accuracy tets alone/spikes.npz .999
    done
    units tets -eq $of_all
    change tets turned "renumber=9"
    sort "$tmp/turned.bin" -o "$tmp/turned" --threads 3
    same "$tmp/tets" "$tmp/turned" spikes.npz units.csv phy/templates.npy
}
row_bad_channels() { # more in check.sh
    need probe whole
    for defect in constant=5:0 noisy=5:400 copy=5:4; do
        change probe bad "$defect"
        change probe gone "$defect unwire=5"
        sort "$tmp/bad.bin" -o "$tmp/bad" --overwrite
        sort "$tmp/gone.bin" -o "$tmp/gone" --overwrite
        same "$tmp/bad" "$tmp/gone" spikes.npz units.csv phy/templates.npy
        told bad 'column 5, '
    done
    units bad -le "$(n_units whole)"
}
row_places() {
    need probe
    change probe place "place=3:2"
    sort "$tmp/place.bin" -o "$tmp/place"
    told place 'contacts lie where another one lies'
    cp "$tmp/probe.bin" "$tmp/noplace.bin"
    sort "$tmp/noplace.bin" -o "$tmp/noplace" --format raw --rate 30000 --channels 16 --gain 0.195
    told noplace 'no probe is known'
}

# ---- what is not of the brain ----

row_rails() {
    need four whole4
    change four rails "rails=100:3000"
    sort "$tmp/rails.bin" -o "$tmp/rails"
    told rails '"blanked_samples": \[ *\[ *[0-9]'
    [ "$(n_units rails)" -le $(($(n_units whole4) + 0)) ] || fail "$(n_units rails) units with the artefacts, $(n_units whole4) without"
    accuracy rails four.truth.npz "$(score whole4 four.truth.npz mean_accuracy | awk '{ print $1 - .08 }')"
}
row_stimulation() {
    need four whole4
    change four stim "pulse=15000:100"
    sort "$tmp/stim.bin" -o "$tmp/stim"
    [ "$(n_good stim)" -le "$(n_good whole4)" ] || fail "$(n_good stim) good units with the artefact, $(n_good whole4) without"
}
row_not_finite() {
    need four
    change four nan "float nan=70000:2"
    expect 3 'sample 70000 of column 2 is not a finite number' "$neuroset" sort "$tmp/nan.bin" -o "$tmp/nan" -q
    nothing_left "$tmp/nan"
    sort "$tmp/nan.bin" -o "$tmp/nan" --not-finite zero
}

# ---- scales, rates, polarity ----

row_volts() {
    need four whole4
    change four float "float"
    change four volts "volts"
    change four bare "volts nogain"
    for f in float volts bare; do
        sort "$tmp/$f.bin" -o "$tmp/$f"
        units $f -eq "$(n_units whole4)"
        accuracy $f whole4/spikes.npz .995
    done
}
row_gain() {
    need four whole4
    change four nogain "nogain"
    change four zerogain "gain=0"
    for f in nogain zerogain; do
        sort "$tmp/$f.bin" -o "$tmp/$f"
        units $f -eq "$(n_units whole4)"
        accuracy $f whole4/spikes.npz .995
        told $f 'gain'
    done
}
at_rates() { # at_rates HZ...
    for r in "$@"; do
        simulate --name rate --layout tetrode --channels 4 --units 3 --seconds 20 --rate $r --min-snr 9 --median-snr 12 \
            --artefacts 0 --seed 6
        sort "$tmp/rate.bin" -o "$tmp/rate" --overwrite
        accuracy rate rate.truth.npz .8
        kept=$(sed -n 's/^sample_rate = //p' "$tmp/rate/phy/params.py")
        awk "BEGIN { exit !($kept == $r) }" || fail "another rate: $kept"
    done
}
row_rates() { at_rates 10000 20000 24414.1 50000; }
row_slow() {
    need four
    change four slow "rate=1000"
    expect 3 '1000 Hz is too low a rate' "$neuroset" sort "$tmp/slow.bin" -o "$tmp/slow" -q
    nothing_left "$tmp/slow"
}
row_polarity() {
    need four whole4
    change four positive "invert"
    sort "$tmp/positive.bin" -o "$tmp/positive"
    units positive -eq "$(n_units whole4)"
    accuracy positive four.truth.npz "$(score whole4 four.truth.npz mean_accuracy | awk '{ print $1 - .03 }')"
}

# ---- the same bytes ----

row_same() {
    need probe whole
    change probe turned "renumber=4"
    sort "$tmp/turned.bin" -o "$tmp/turned"
    sort "$tmp/probe.bin" -o "$tmp/again" --threads 1
    sort "$tmp/probe.bin" -o "$tmp/third" --threads 3 --memory 256MB
    for f in turned again third; do
        same "$tmp/whole" "$tmp/$f" spikes.npz units.csv phy/templates.npy
    done
}

# ---- units that mislead ----

row_burst() {
    simulate --name burst --layout tetrode --channels 4 --units 1 --seconds 60 --median-rate 28 --rate-sigma 0 --bursting 1 \
        --refractory 3 --min-snr 12 --median-snr 14 --max-snr 16 --hash 2 --artefacts 0 --seed 2
    sort "$tmp/burst.bin" -o "$tmp/burst"
    units burst -eq 1
    accuracy burst burst.truth.npz .9
}
row_twins() { # a unit without a refractory period: what two of one shape at one place look like
    simulate --name twins --layout tetrode --channels 4 --units 1 --seconds 60 --median-rate 25 --rate-sigma 0 --bursting 1 \
        --refractory 0 --min-snr 12 --median-snr 14 --max-snr 16 --hash 2 --artefacts 0 --seed 2
    sort "$tmp/twins.bin" -o "$tmp/twins"
    units twins -eq 1
    at_least "$(column twins isi_violations_ratio)" 0.001 'the ratio of refractory violations'
}
row_drift() {
    simulate --name drift --layout np2 --channels 16 --units 6 --seconds 60 --drift 20 --min-snr 6 --median-snr 11 \
        --artefacts 0 --seed 5
    sort "$tmp/drift.bin" -o "$tmp/drift"
    split=$("$neuroset" compare "$tmp/drift" "$tmp/drift.truth.npz" --json | sed -n 's/.*"redundant": *\([0-9]*\).*/\1/p')
    [ "$split" = 0 ] || fail "$split units are split in time"
}

for name in zeros constant white coloured line line_rounded lfp ten_spikes short samples one_spike one_channel two_channels tetrodes \
    bad_channels places rails stimulation not_finite volts gain rates slow polarity same burst twins drift; do
    row $name
done
[ $failed = 0 ] || fail "$failed rows"
