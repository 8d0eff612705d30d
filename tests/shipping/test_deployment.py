"""deploy/: the manifests and the unit, as their own programs read them. Those that this machine lacks are skipped."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fp8check.service.settings import PREFIX, Settings
from tests.support.paths import ROOT
from tests.tools.image.dockerfile import last

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KUBERNETES = ROOT / "deploy" / "kubernetes"
UNIT = ROOT / "deploy" / "systemd" / "fp8check.service"
OVERLAYS = ["base", "overlays/ingress", "overlays/postgres"]
VERSIONS = ("1.29.0", "1.37.0")
MOST_EXPOSED = 2.0  # systemd calls 4 and less OK


def rendered(overlay: str) -> list[dict[str, Any]]:
    """What kubectl makes of an overlay; without kubectl the base as it stands."""
    if shutil.which("kubectl"):
        words = ["kubectl", "kustomize", str(KUBERNETES / overlay)]
        text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        return list(yaml.safe_load_all(text))
    if overlay != "base":
        pytest.skip("no kubectl")
    listed = yaml.safe_load((KUBERNETES / "base/kustomization.yaml").read_text())["resources"]
    return [yaml.safe_load((KUBERNETES / "base" / name).read_text()) for name in listed]


def of_kind(overlay: str, kind: str) -> dict[str, Any]:
    """The one resource of a kind."""
    (found,) = [one for one in rendered(overlay) if one["kind"] == kind]
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests_are_valid(overlay: str) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate, as CI does")
    for one in rendered(overlay):
        for version in VERSIONS:
            validate.validate(one, version, strict=True)


def test_an_invalid_manifest_is_seen() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate, as CI does")
    one = of_kind("base", "Deployment")
    one["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    with pytest.raises(validate.ValidationError):
        validate.validate(one, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_restricted(overlay: str) -> None:
    """kubernetes.io/docs/concepts/security/pod-security-standards, "Restricted", which the namespace enforces."""
    assert of_kind(overlay, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = of_kind(overlay, "Deployment")["spec"]["template"]["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {kind for volume in pod["volumes"] for kind in volume if kind != "name"} <= {
        "configMap", "emptyDir", "persistentVolumeClaim", "secret",
    }  # fmt: skip
    (container,) = pod["containers"]
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["readOnlyRootFilesystem"] is True
    assert container["resources"].keys() == {"requests", "limits"}
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_choose_the_pods(overlay: str) -> None:
    labels = of_kind(overlay, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for kind, path in (("Service", "selector"), ("NetworkPolicy", "podSelector.matchLabels")):
        chosen = of_kind(overlay, kind)["spec"]
        for name in path.split("."):
            chosen = chosen[name]
        assert chosen.items() <= labels.items()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_container_is_that_of_the_image(overlay: str) -> None:
    image = last("cpu.Dockerfile")
    pod = of_kind(overlay, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert str(pod["securityContext"]["runAsUser"]) == image["USER"]
    assert [str(port["containerPort"]) for port in container["ports"]] == [image["EXPOSE"]]
    mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
    assert image["VOLUME"] in mounts
    tokens = re.search(r"FP8CHECK_TOKENS_FILE=(\S+)", image["ENV"])
    assert tokens is not None
    assert tokens[1].rpartition("/")[0] in mounts


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_probes_ask_for_a_host_that_is_allowed(overlay: str) -> None:
    allowed = of_kind(overlay, "ConfigMap")["data"].get("FP8CHECK_ALLOWED_HOSTS")
    (container,) = of_kind(overlay, "Deployment")["spec"]["template"]["spec"]["containers"]
    for name in ("readinessProbe", "livenessProbe", "startupProbe"):
        asked = {one["name"]: one["value"] for one in container[name]["httpGet"].get("httpHeaders", [])}
        assert asked.get("Host") == allowed
        assert container[name]["httpGet"]["path"] in ("/healthz", "/readyz")


def variables() -> Iterator[str]:
    """Every variable of fp8check that deploy/ and the compose file set."""
    for path in [*(ROOT / "deploy").rglob("*"), ROOT / "docker/compose.yaml"]:
        if path.is_file():
            yield from re.findall(r"\bFP8CHECK_[A-Z_]+[A-Z]", path.read_text())


def test_variables_are_settings() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert set(variables()) - {"FP8CHECK_TOKENS"} <= known


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program that is there."""
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace("/opt/fp8check/bin/fp8check", "/bin/true"))
    return path


def _analyzed(*words: str | Path) -> subprocess.CompletedProcess[str]:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def test_the_unit_is_one(unit: Path) -> None:
    done = _analyzed("verify", unit)
    assert unit.name not in done.stderr


def test_the_unit_is_hardened(unit: Path) -> None:
    done = _analyzed("security", "--offline=true", unit)
    found = re.search(r"exposure level for fp8check.service: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= MOST_EXPOSED


def test_the_unit_knows_the_settings_of_the_service() -> None:
    lines: Mapping[str, str] = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line)
    assert lines["LoadCredential"].startswith("tokens:")
    assert "FP8CHECK_TOKENS_FILE=%d/tokens" in UNIT.read_text()
