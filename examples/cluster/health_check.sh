#!/bin/bash
# HealthCheckProgram of Slurm (HealthCheckProgram=/etc/slurm/fp8check-health.sh, HealthCheckInterval=1800): a node that
# cannot run FP8 drains itself. Slurm takes no notice of the exit code, and ends the program after 60 s.
#
# It runs beside jobs. So it looks only, which takes no GPU; it makes a step on the GPUs where the node is idle, and
# never where that is not known.
set -u
export PATH=/usr/local/bin:/usr/bin:/bin
fp8check=${FP8CHECK:-/opt/fp8check/bin/fp8check}
scontrol=${SCONTROL:-scontrol}
python=${FP8CHECK_PYTHON:-}
run=${FP8CHECK_RUN:-/etc/fp8check}
out=${FP8CHECK_OUT:-/var/lib/fp8check}
node=${SLURMD_NODENAME:-$(hostname -s)}

words=(node --out "$out" --host "$node" --no-config)
[[ -n $python ]] && words+=(--python "$python")
if [[ -r $run/train.yaml && -r $run/accelerate.yaml ]]; then
    words+=("$run/train.yaml" "$run/accelerate.yaml")
    # IDLE and nothing more: not IDLE+DRAIN, IDLE+CLOUD or IDLE+PLANNED, into which a job may come at any moment.
    state=$("$scontrol" --oneliner show node "$node" 2>/dev/null | sed -n 's/.* State=\([^ ]*\).*/\1/p')
    [[ $state == IDLE && ${FP8CHECK_PROBE:-yes} == yes ]] && words+=(--probe)
fi

cd / || exit 0
said=$(timeout 55 "$fp8check" "${words[@]}" 2>&1)
code=$?
logger -t fp8check-health -- "exit code $code: $said" 2>/dev/null || true
if [[ $code -eq 1 ]]; then
    why=$(sed -n 's/^  //p' <<< "$said" | head -n 1) # the first line is the verdict, and where it was written
    "$scontrol" update nodename="$node" state=drain reason="fp8check: ${why:0:150}"
fi
exit 0
