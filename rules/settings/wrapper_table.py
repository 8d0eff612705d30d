"""The wrappers that people write in front of a launch command, each with its options and its effect.

The options are those of GNU coreutils 9.5, util-linux 2.40, sudo 1.9, numactl 2.0, Slurm 24.05 (and pyxis), Open MPI 5,
MPICH 4 (hydra), uv 0.9, conda 25, micromamba 2, poetry 2, pixi 0.50, docker 28, Apptainer 1.4, Nsight Systems 2025.
"""

from __future__ import annotations

from fp8check.rules.reading.kind import SHELLS
from fp8check.rules.settings import wrapper_effects as effects
from fp8check.rules.settings.wrapper_data import Wrapper
from fp8check.rules.settings.wrapper_effects import DOCKERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from fp8check.rules.settings.wrapper_data import Effect

    # A wrapper, or the commands of one that has several.
    Entry: TypeAlias = "Wrapper | Mapping[str, Entry]"


def _wrapper(
    values: str = "",
    switches: str = "",
    before: int = 0,
    effect: Effect | None = None,
    *,
    pairs: str = "",
    one_dash: bool = False,
    ends: str = "-h --help --version",
    folders: str = "",
    extends: bool = False,
    may_vary: bool = False,
    mounts: str = "",
) -> Wrapper:
    return Wrapper(
        frozenset((values + " " + folders).split()),
        frozenset(switches.split()),
        before,
        effect,
        frozenset(pairs.split()),
        one_dash,
        frozenset(ends.split()),
        frozenset(folders.split()),
        extends,
        may_vary,
        frozenset(mounts.split()),
    )


PLAIN = _wrapper()


_SLURM_VALUES = """
    -A --account --acctg-freq -b --begin --bcast --bell --cluster-constraint -M --clusters --comment -C --constraint
    --container --container-id --container-image --container-mounts --container-name
    --container-save --container-env --core-spec -S --cores-per-socket --cpu-bind --cpu-freq -c --cpus-per-task
    --cpus-per-gpu --deadline --delay-boot -d --dependency -m --distribution --epilog -e --error -x --exclude --export
    --extra-node-info -B --extra --gpu-bind --gpu-freq -G --gpus --gpus-per-node --gpus-per-socket --gpus-per-task
    --gres --gres-flags --het-group --hint -i --input -J --job-name --jobid -K --kill-on-bad-exit -L --licenses
    --mail-type --mail-user --mcs-label --mem --mem-bind --mem-per-cpu --mem-per-gpu --mincpus --mpi --multi-prog
    --network --nice -w --nodelist -N --nodes --ntasks -n --ntasks-per-core --ntasks-per-gpu --ntasks-per-node
    --ntasks-per-socket --open-mode -o --output -p --partition --power --prefer --prolog --propagate -q --qos
    --relative -r --reservation --resv-ports --signal --slurmd-debug --sockets-per-node --switches --task-epilog
    --task-prolog --threads -T --threads-per-core --thread-spec -t --time --time-min --tmp --tres-bind --tres-per-task
    --wait -W --wckey --wrap -a --array --export-file --chdir-to --profile --comment --uid --gid
"""
_SLURM_SWITCHES = """
    --contiguous --disable-status --exact --exclusive -s --oversubscribe -O --overcommit --overlap -Q --quiet
    --reboot --spread-job --test-only -u --unbuffered --use-min-nodes -v --verbose -X -Z --no-allocate -l --label
    -E --preserve-env -H --hold --immediate -I --interactive -k --no-kill --pty --het-step --whole --send-libs
    --no-container-mount-home --no-container-remap-root --no-container-entrypoint --no-container-writable
    --container-mount-home --container-remap-root --container-entrypoint --container-writable --no-requeue --requeue
    --parsable --ignore-pbs --kill-on-invalid-dep --get-user-env
"""
# --kill-on-bad-exit, --resv-ports, --propagate, --nice, --multi-prog take a value behind "=" only.
_SLURM_OPTIONAL = "-K --kill-on-bad-exit --resv-ports --propagate --nice --multi-prog --bcast --bell"


def _of_slurm(effect: Effect, ends: str = "") -> Wrapper:
    """srun and sbatch, which take the same options."""
    values = set(_SLURM_VALUES.split()).difference(_SLURM_OPTIONAL.split())
    switches = f"{_SLURM_SWITCHES} {_SLURM_OPTIONAL}"
    asking = f"{ends}--help --usage -V --version"
    return _wrapper(
        " ".join(values),
        switches,
        0,
        effect,
        ends=asking,
        folders="-D --chdir --container-workdir",
        extends=True,
        may_vary=True,
        mounts="--container-mounts",
    )


_UV_VALUES = """
    --extra --no-extra --group --no-group --only-group --env-file --with --with-editable --with-requirements -w
    --package --python -p --index --default-index -i --index-url --extra-index-url -f --find-links
    --project -P --upgrade-package --reinstall-package --index-strategy --keyring-provider -C --config-setting
    --config-settings-package --no-build-isolation-package --no-build-package --no-binary-package --refresh-package
    --link-mode --resolution --prerelease --exclude-newer --exclude-newer-package --fork-strategy --cache-dir --color
    --allow-insecure-host --config-file --python-platform --python-preference --no-sources-package --upgrade-group
    --from --torch-backend --constraints --overrides
"""
_UV_SWITCHES = """
    --all-extras --dev --no-dev --only-dev --all-groups --no-default-groups --no-editable --inexact --exact --isolated
    --active --no-active --no-sync --locked --frozen -s --script --gui-script --all-packages --no-project --no-config
    --no-env-file -U --upgrade --reinstall --no-sources --no-index --refresh --no-build --no-binary -n --no-cache
    --offline -q --quiet -v --verbose --native-tls --system-certs --managed-python --no-managed-python
    --no-python-downloads --no-progress -m --module --compile-bytecode --no-build-isolation --preview --show-settings
"""
_UV = _wrapper(_UV_VALUES, _UV_SWITCHES, 0, effects.uv, folders="--directory", may_vary=True)
_TOOL = _wrapper(_UV_VALUES, _UV_SWITCHES, 0, effects.environment, folders="--directory")
_CONDA = _wrapper(
    "-n --name -p --prefix -a --attach -e --env --rc-file -r --root-prefix --label",
    "-v --verbose --dev --debug-wrapper-scripts --no-capture-output --live-stream -s -d --detach --clean-env -q --quiet"
    " --no-env --no-rc",
    0,
    effects.environment,
    folders="--cwd",
)
_DOCKER_VALUES = """
    --add-host --annotation -a --attach --blkio-weight --cap-add --cap-drop --cgroup-parent --cgroupns --cidfile
    --cpu-period --cpu-quota --cpu-shares -c --cpus --cpuset-cpus --cpuset-mems --detach-keys --device
    --device-cgroup-rule --device-read-bps --device-write-bps
    --dns --dns-option --dns-search --domainname --entrypoint -e --env --env-file
    --expose --gpus --group-add --health-cmd -h --hostname --ip --ip6 --ipc --isolation --kernel-memory -l --label
    --label-file --link --log-driver --log-opt --mac-address -m --memory --memory-reservation --memory-swap
    --memory-swappiness --mount --name --network --net --network-alias --oom-score-adj --pid --pids-limit --platform
    -p --publish --pull --restart --runtime --security-opt --shm-size --stop-signal --stop-timeout --storage-opt
    --sysctl --tmpfs --ulimit -u --user --userns --uts -v --volume --volume-driver --volumes-from
    --arch --authfile --pod --systemd --secret --hooks-dir --rootfs
"""
_DOCKER_SWITCHES = """
    -d --detach --init -i --interactive -t --tty --rm --privileged -P --publish-all --read-only --no-healthcheck
    --oom-kill-disable --sig-proxy --disable-content-trust -q --quiet --replace --no-hosts --env-host --gpus-all
"""
_WORKDIR, _VOLUMES = "-w --workdir", "-v --volume --mount"
_RUN = _wrapper(
    _DOCKER_VALUES, _DOCKER_SWITCHES, 1, effects.container, ends="--help", folders=_WORKDIR, mounts=_VOLUMES
)
_IN_RUNNING = _wrapper(
    "-e --env --env-file -u --user --detach-keys --index",
    "-d --detach -i --interactive -t --tty --privileged -T --no-TTY",
    1,
    effects.container,
    ends="-h --help",
    folders=_WORKDIR,
)
_COMPOSE = _wrapper(
    "-e --env -u --user --entrypoint --name -l --label -p --publish -v --volume --index --pull --cap-add",
    "-d --detach -i --interactive -t -T --no-TTY --tty --rm --build --no-deps --service-ports --use-aliases"
    " --privileged --quiet-pull --remove-orphans -P",
    1,
    effects.container,
    folders=_WORKDIR,
    mounts=_VOLUMES,
)
_DOCKER: Mapping[str, Entry] = {"run": _RUN, "exec": _IN_RUNNING, "compose": {"run": _COMPOSE, "exec": _COMPOSE}}
_IMAGE = _wrapper(
    "-B --bind --mount --env --env-file -H --home -W --workdir --scratch -S -o --overlay --app --add-caps --drop-caps"
    " --dns --hostname --memory --network --network-args --pem-path --pid-file --security --cpus --cpuset-cpus"
    " --shell --fusemount --docker-username --docker-password --apply-cgroups --device",
    "--nv --rocm --nvccli -e --cleanenv -c --contain -C --containall -w --writable --writable-tmpfs -f --fakeroot"
    " -i --ipc -n --net -p --pid -u --userns --uts --no-home --no-privs --no-init --no-umask --no-eval --no-mount"
    " --allow-setuid --compat --sharens --unsquash --disable-cache --keep-privs -q --quiet -s --silent --underlay",
    1,
    effects.apptainer,
    folders="--pwd --cwd",
    mounts="-B --bind --mount",
)
_MPI = _wrapper(
    "-n -np --np --n -c -H -host --host -hosts -hostfile --hostfile -machinefile --machinefile -f -x -N -npernode"
    " --npernode -ppn -npersocket --npersocket -bind-to --bind-to -map-by --map-by -rank-by --rank-by -rf --rankfile"
    " -output-filename --output-filename -report-uri --report-uri -tune --tune --am -am -launcher -bootstrap -rmk"
    " -path --path -prefix --prefix -timeout --timeout -wdir-to -iface -envlist -genvlist --pernode-n --output"
    " -ppr --personality -cpu-set --cpu-set -xterm --xterm --display --runtime-options -hosts-file",
    "-q -quiet --quiet -v -verbose --verbose -V-off -allow-run-as-root --allow-run-as-root"
    " -oversubscribe --oversubscribe"
    " -nooversubscribe --nooversubscribe -bynode -byslot --bynode --byslot -pernode --pernode"
    " -display-map --display-map -display-allocation --display-allocation"
    " -report-bindings --report-bindings -tag-output --tag-output -l"
    " -prepend-rank -genvall -genvnone -envall -envnone -timestamp-output --timestamp-output -merge-stderr-to-stdout"
    " --merge-stderr-to-stdout -enable-recovery --enable-recovery --use-hwthread-cpus -use-hwthread-cpus -tm --tm"
    " -noprefix --noprefix -continuous --continuous -do-not-launch -nolocal --nolocal -debug-daemons --debug-daemons"
    " --leave-session-attached -leave-session-attached -bind-to-none -bind-to-core -bycore",
    0,
    effects.mpi,
    pairs="-mca --mca -gmca --gmca -env -genv --prtemca --pmixmca",
    one_dash=True,
    may_vary=True,
    folders="-wdir --wdir -wd --wd -C",
)

# One entry a wrapper; one with commands of its own has a table of them.
WRAPPERS: Mapping[str, Entry] = {
    "nohup": _wrapper(),
    "time": _wrapper("-f --format -o --output", "-p -v --verbose -a --append -q --quiet --portability", may_vary=True),
    "timeout": _wrapper("-k --kill-after -s --signal", "-f -v --foreground -p --preserve-status --verbose", 1),
    "nice": _wrapper("-n --adjustment -N"),
    "ionice": _wrapper("-c --class -n --classdata -p --pid -P --pgid -u --uid", "-t --ignore"),
    "chrt": _wrapper("-T -P -D", "-b -f -i -o -r -R -a -v --batch --fifo --idle --other --rr", 1),
    "numactl": _wrapper(
        "-N --cpunodebind --cpubind -C --physcpubind -m --membind -i --interleave -p --preferred -P --preferred-many"
        " -w --weighted-interleave -b --balancing-n",
        "-l --localalloc -a --all -b --balancing -c",
        ends="-h --help -V --version -H --hardware -s --show",
        may_vary=True,
    ),
    "taskset": _wrapper("", "-a --all-tasks -c --cpu-list", 1, ends="-h --help -V --version -p --pid"),
    "stdbuf": _wrapper("-i --input -o --output -e --error"),
    "unbuffer": _wrapper("", "-p"),
    "setsid": _wrapper("", "-c --ctty -f --fork -w --wait"),
    "catchsegv": _wrapper(),
    "chronic": _wrapper("", "-v -e"),
    "tini": _wrapper("-p -e", "-s -v -w -g -vv"),
    "dumb-init": _wrapper("-r --rewrite", "-c --single-child -v --verbose"),
    "gosu": _wrapper("", "", 1, effects.environment),
    "flock": _wrapper(
        "-w --timeout --wait -E --conflict-exit-code",
        "-n --nb --nonblock -x -e --exclusive -s --shared -o --close -F --no-fork --verbose",
        1,
    ),
    "strace": _wrapper("-o -e -s -p -P -a -S -E", "-f -ff -t -tt -ttt -T -c -q -v -y -r -x -k"),
    "compute-sanitizer": _wrapper(
        "--tool --log-file --kernel-regex --launch-timeout --target-processes --error-exitcode --save",
        "--leak-check --report-api-errors",
        extends=True,
    ),
    "dotenv": {"run": _wrapper("", "--override --no-override", 0, effects.with_variables)},
    "direnv": {"exec": _wrapper("", "", 1, effects.environment)},
    "doppler": {"run": _wrapper("-p --project -c --config -t --token", "--preserve-env", 0, effects.with_variables)},
    "script": _wrapper(
        "-c --command -E --echo -o --output-limit", "-a -e -f -q --append --return --flush --quiet", 0, effects.script
    ),
    "watch": _wrapper(
        "-n --interval", "-b -c -d -e -g -t -x --beep --color --errexit --no-title --exec", 0, effects.one_text
    ),
    "tmux": dict.fromkeys(
        ("new-session", "new", "new-window", "neww", "split-window", "splitw", "send-keys", "send", "respawn-pane"),
        _wrapper(
            "-s -t -n -x -y -F -e -l -p", "-d -A -D -P -X -h -v -b -f -k -l -R -M", 0, effects.one_text, folders="-c"
        ),
    ),
    "screen": _wrapper("-S -t -h -c -e -s -T -p", "-d -m -D -R -L -A -U -a -i -q -r -x -X -wipe", 0, effects.one_text),
    "xargs": _wrapper(
        "-I -n -P -L -a -d -E -s --max-args --max-procs --replace --max-lines --arg-file --delimiter",
        "-0 -r -t -p -x --null --no-run-if-empty --verbose",
        0,
        effects.xargs,
    ),
    "parallel": _wrapper(
        "-j --jobs --joblog --results --delay --timeout -a --arg-file -I --tmpdir -S --sshlogin --colsep --retries"
        " --memfree -C -N -n --max-args",
        "-k --keep-order --bar --eta --lb --line-buffer -u --ungroup --progress --dry-run -v --verbose --will-cite"
        " --halt-on-error -q --quote --resume --resume-failed --linebuffer --tag -0 -X -m",
        0,
        effects.parallel,
        extends=True,
    ),
    **dict.fromkeys(
        ("pdsh", "clush", "pssh", "parallel-ssh"),
        _wrapper("-w -x -f -R -l -t -u -g -h -H -p -i -o -e -b", "-S -b -N -v -q -A -P", 0, effects.ssh),
    ),
    "caffeinate": _wrapper("-t -w", "-d -i -m -s -u"),
    "prlimit": _wrapper("", "--nofile --memlock --stack --core --as --nproc --noheadings --verbose"),
    "systemd-run": _wrapper(
        "-p --property --unit -u --slice --uid --gid --nice -E --setenv -M --machine --description",
        "--user --scope --wait -P --pipe -t --pty -q --quiet --collect -G --same-dir -d --no-block -r",
        folders="--working-directory",
    ),
    "xvfb-run": _wrapper(
        "-e --error-file -f --auth-file -n --server-num -p --xauth-protocol -s --server-args -w --wait",
        "-a --auto-servernum -l --listen-tcp",
    ),
    "env": _wrapper(
        "-u --unset -S --split-string -a --argv0",
        "-i --ignore-environment -0 --null -v --debug --block-signal --default-signal --ignore-signal",
        0,
        effects.env,
        folders="-C --chdir",
    ),
    "sudo": _wrapper(
        "-u --user -g --group -h --host -p --prompt -r --role -t --type -T --command-timeout -U --other-user -c -R",
        "-E --preserve-env -H --set-home -n --non-interactive -b --background -S --stdin -k --reset-timestamp"
        " -A --askpass -P --preserve-groups -B --bell",
        0,
        effects.sudo,
        ends="-V --version --help -l --list -v --validate -K",
        folders="-D --chdir",
    ),
    "doas": _wrapper("-u -C", "-n", 0, effects.sudo),
    "exec": _wrapper("-a", "-c -l", 0, effects.exec_),
    "command": _wrapper("", "-p -v -V", 0, effects.lookup),
    "builtin": _wrapper(),
    "eval": _wrapper(effect=effects.eval_),
    **dict.fromkeys(
        SHELLS,
        _wrapper(
            "-o -O +o --rcfile --init-file",
            "-c -l -i -e -u -x -v -f -r -s --login --norc --noprofile --posix",
            0,
            effects.shell,
        ),
    ),
    "srun": _of_slurm(effects.slurm),
    "sbatch": _of_slurm(effects.sbatch, ends="-h "),
    **dict.fromkeys(("mpirun", "mpiexec", "orterun", "mpiexec.hydra", "prterun"), _MPI),
    "uv": {"run": _UV},
    "uvx": _TOOL,
    **{name: {"run": _CONDA} for name in ("conda", "mamba", "micromamba")},
    "poetry": {"run": _wrapper("", "-q --quiet -v -vv -vvv --verbose -n --no-interaction", 0, effects.environment)},
    "pdm": {"run": _wrapper("-p --project --venv -s --site-packages", "-q -v --recreate", 0, effects.environment)},
    "pipenv": {"run": _wrapper("--pypi-mirror --python", "-q -v --system", 0, effects.environment)},
    "rye": {"run": _wrapper("", "-l --list", 0, effects.environment)},
    "hatch": {"run": _wrapper("", "", 0, effects.hatch)},
    "pixi": {
        "run": _wrapper(
            "-e --environment --manifest-path -m --color --platform -p --concurrent-downloads",
            "--frozen --locked --as-is --no-install --clean-env --skip-deps -q --quiet -v --verbose --no-progress"
            " -x --executable --revalidate --force-activate --no-completions",
            0,
            effects.environment,
        )
    },
    **dict.fromkeys(DOCKERS, _DOCKER),
    "docker-compose": _DOCKER["compose"],
    "ssh": _wrapper(
        "-b -B -c -D -e -E -F -i -I -J -l -L -m -O -o -p -Q -R -S -w -W",
        "-4 -6 -A -a -C -f -G -g -K -k -M -N -n -q -s -T -t -V -v -X -x -Y -y",
        1,
        effects.ssh,
    ),
    **{name: {"exec": _IMAGE, "run": _IMAGE} for name in ("apptainer", "singularity")},
    "enroot": {
        "start": _wrapper("-c --conf -e --env -m --mount", "-r --root -w --rw", 1, effects.container, ends="-h --help")
    },
    "kubectl": {
        "exec": _wrapper(
            "-n --namespace -c --container --context --kubeconfig -f", "-i --stdin -t --tty -q", 1, effects.remote
        )
    },
    "nsys": {
        "profile": _wrapper(
            "-t --trace -o --output -y --delay -d --duration -c --capture-range --capture-range-end -s --sample"
            " -w --show-output -x --stop-on-exit -f --force-overwrite --gpu-metrics-device --gpu-metrics-devices"
            " --gpu-metrics-frequency --cuda-memory-usage --cudabacktrace --cuda-graph-trace --python-sampling"
            " --python-backtrace --pytorch --python-functions-trace --session-new --kill --stats --export -e --env-var"
            " --backtrace --cpuctxsw -p --nvtx-capture --osrt-threshold --nic-metrics --wait -n --inherit-environment"
            " --trace-fork-before-exec --nvtx-domain-include --nvtx-domain-exclude"
            " --sampling-frequency --cuda-flush-interval",
            "",
            extends=True,
            may_vary=True,
        )
    },
    "ncu": _wrapper(
        "-o --export -k --kernel-name -c --launch-count -s --launch-skip --set --section --metrics --target-processes"
        " --nvtx-include --nvtx-exclude --replay-mode --clock-control --cache-control --log-file --import-source"
        " --csv-to --kernel-name-base --profile-from-start --launch-skip-before-match",
        "-f --force-overwrite --nvtx --csv --quiet",
    ),
    "py-spy": {
        "record": _wrapper(
            "-o --output -f --format -d --duration -r --rate -p --pid", "-s --subprocesses -n --native -i -g -t"
        ),
    },
    "coverage": {
        "run": _wrapper(
            "--rcfile --source --omit --include --context --concurrency --data-file",
            "-p --parallel-mode -a --append --branch -m --module",
            0,
            effects.profiled,
        )
    },
    "kernprof": _wrapper(
        "-o --outfile -s --setup -p --prof-mod", "-l --line-by-line -b --builtin -v --view -m", 0, effects.profiled
    ),
    "memray": {
        "run": _wrapper(
            "-o --output -p --live-port",
            "-f --force -q --quiet --native --follow-fork --trace-python-allocators --live -m",
            0,
            effects.profiled,
        )
    },
    "viztracer": _wrapper(
        "-o --output_file --tracer_entries --max_stack_depth", "--log_async -m --module --quiet", 0, effects.profiled
    ),
    "scalene": _wrapper(
        "--outfile --cpu-percent-threshold --profile-interval",
        "--cpu --gpu --memory --html --json --cli --reduced-profile",
        0,
        effects.profiled,
    ),
}
GLOBAL: Mapping[str, Wrapper] = {
    **dict.fromkeys(
        ("docker compose", "docker-compose"),
        _wrapper(
            "-f --file -p --project-name --profile --env-file --ansi --progress --project-directory",
            "--compatibility --dry-run",
        ),
    ),
    "uv": _UV,
    **dict.fromkeys(("conda", "mamba", "micromamba"), _CONDA),
    "poetry": _wrapper(
        "-P --project", "-q --quiet -v -vv -vvv --verbose -n --no-interaction --no-plugins", folders="-C --directory"
    ),
    **dict.fromkeys(DOCKERS, _wrapper("-c --context -H --host -l --log-level --config", "-D --debug --tls")),
    **dict.fromkeys(
        ("apptainer", "singularity"),
        _wrapper("-c --config", "-d --debug -q --quiet -s --silent -v --verbose --nocolor"),
    ),
}
