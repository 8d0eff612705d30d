#!/bin/bash
# A prolog of Slurm (Prolog=/etc/slurm/fp8check-prolog.sh, PrologFlags=Alloc): the node looks at itself before a job.
# Slurm drains a node whose prolog does not end with 0. So only what fails does that: what is not known, and a fault of
# this script or of fp8check, drains nothing, and stands in the log.
#
# slurmd starts it as root, with few variables and no PATH of a user: all that it needs is named here.
set -u
export PATH=/usr/local/bin:/usr/bin:/bin
fp8check=${FP8CHECK:-/opt/fp8check/bin/fp8check}
python=${FP8CHECK_PYTHON:-}            # the interpreter that trains, where there is one for all jobs
run=${FP8CHECK_RUN:-/etc/fp8check}     # train.yaml and accelerate.yaml of what this partition is for
out=${FP8CHECK_OUT:-/var/lib/fp8check}
limit=${FP8CHECK_SECONDS:-20}          # a prolog holds the job up

words=(node --out "$out" --no-config)
[[ -n $python ]] && words+=(--python "$python")
[[ -r $run/train.yaml && -r $run/accelerate.yaml ]] && words+=("$run/train.yaml" "$run/accelerate.yaml")

cd / || exit 0
said=$(timeout "$limit" "$fp8check" "${words[@]}" 2>&1)
code=$?
logger -t fp8check-prolog -- "exit code $code: $said" 2>/dev/null || true
if [[ $code -eq 1 ]]; then
    echo "print fp8check: this node cannot run FP8: ${said//$'\n'/; }"
    exit 1
fi
exit 0
