# source me on the GPU host
FP8_BUNDLE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd); FP8_SITE=${FP8_SITE:-$HOME/.fp8-site}; mkdir -p "$FP8_SITE/built"
for w in "$FP8_BUNDLE"/wheels/*.whl; do python3 -m zipfile -e "$w" "$FP8_SITE"; done
tar xJf "$FP8_BUNDLE/te_site.tar.xz" -C "$FP8_SITE"
_sp=$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
export PYTHONPATH=$FP8_SITE${PYTHONPATH:+:$PYTHONPATH}
# the CUDA libraries that torch was built with, ahead of the system's own
export LD_LIBRARY_PATH=$_sp/nvidia/cudnn/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
if ! ls "$FP8_BUNDLE"/built/*.whl >/dev/null 2>&1; then
  _src=$(mktemp -d); tar xzf "$FP8_BUNDLE"/transformer_engine_torch-*.tar.gz -C "$_src"
  (cd "$_src"/transformer_engine_torch-* && NVTE_PYTORCH_FORCE_BUILD=TRUE NVTE_WITH_NCCL_EP=0 MAX_JOBS=$(nproc) \
    CPLUS_INCLUDE_PATH=$(ls -d "$_sp"/nvidia/*/include | tr '\n' ':')$FP8_SITE/include \
    python3 -m pip wheel -q --no-build-isolation --no-deps -w "$FP8_SITE/built" . >"$FP8_SITE/built/log" 2>&1 \
    || tail -c 3000 "$FP8_SITE/built/log")
else cp "$FP8_BUNDLE"/built/*.whl "$FP8_SITE/built/"; fi
for w in "$FP8_SITE"/built/*.whl; do python3 -m zipfile -e "$w" "$FP8_SITE"; done
