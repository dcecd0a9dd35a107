"""The chart by Helm itself and by Kubernetes' own schemas; its configuration by the gateway."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import gateway
from gateway.catalogue import ENDPOINTS
from gateway.settings import Settings, Sources, parse

WITHOUT_GROUP = "is not installed (dependency group deploy)"
helm = pytest.importorskip("helm_python", reason=f"helm-python-sdk {WITHOUT_GROUP}")

# Kinds of the Prometheus operator: Kubernetes has no schemas of them.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}
EVERY_KIND = {
    "ConfigMap",
    "Deployment",
    "HorizontalPodAutoscaler",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Service",
    "ServiceAccount",
    *FOREIGN,
}
PASSWORD = "/run/secrets/olgw/ol-print-password"

Manifests = dict[str, Any]
"""By kind; of two services, the one for callers."""


@pytest.fixture
def chart(deploy: Path) -> Path:
    return deploy / "helm/olconnect-gateway"


@pytest.fixture(params=["one", "many"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def values(chart: Path, load: Callable[[Path], Any]) -> Callable[[str], Any]:
    return lambda name: load(chart / f"ci/{name}-values.yaml")


def documents(chart: Path, values: Any) -> list[Any]:
    rendered = helm.Chart.load(chart).render(values, name="print", namespace="olgw")
    texts = [text for path, text in sorted(rendered.items()) if path.endswith(".yaml")]
    found = [item for text in texts for item in YAML(typ="safe").load_all(text)]
    return [item for item in found if item is not None]


def manifests(chart: Path, values: Any) -> Manifests:
    return {item["kind"]: item for item in reversed(documents(chart, values))}


def settings(manifest: Any, folder: Path) -> Settings:
    """What a gateway in a pod would read."""
    text = manifest["data"]["gateway.yaml"]
    password = folder / "ol-print-password"
    password.write_text("a password", encoding="utf-8")
    assert PASSWORD in text
    sources = Sources(folder, {"OLGW_STORE": "redis://redis:6379/0"})
    moved = text.replace(PASSWORD, str(password)).encode()
    return parse(moved, folder / "gateway.yaml", sources, known_endpoints=ENDPOINTS)


def test_helm_finds_no_fault(chart: Path, values: Callable[[str], Any], name: str) -> None:
    said = helm.lint(chart, values(name), strict=True, namespace="olgw")
    remarks = [message["error"] for message in said["messages"]]
    assert (said["errors"], remarks) == ([], ["icon is recommended"])


def test_kubernetes_knows_every_field(chart: Path, values: Callable[[str], Any], name: str) -> None:
    judge = pytest.importorskip(
        "kubernetes_validate", reason=f"kubernetes-validate {WITHOUT_GROUP}"
    )
    judged = [item for item in documents(chart, values(name)) if item["kind"] not in FOREIGN]
    assert len(judged) > 5
    for version in ("1.29", judge.latest_version()):
        for item in judged:
            judge.validate(item, version, strict=True)


def test_everything_can_be_switched_on(chart: Path, values: Callable[[str], Any]) -> None:
    assert set(manifests(chart, values("many"))) == EVERY_KIND
    one = EVERY_KIND - FOREIGN - {"HorizontalPodAutoscaler", "PodDisruptionBudget"}
    assert set(manifests(chart, values("one"))) == one | {"PersistentVolumeClaim"}


def test_the_gateway_takes_the_configuration(
    chart: Path, values: Callable[[str], Any], name: str, tmp_path: Path
) -> None:
    found = settings(manifests(chart, values(name))["ConfigMap"], tmp_path)
    assert found.store.kind == {"one": "sqlite", "many": "redis"}[name]
    assert str(found.admin.address) == "0.0.0.0:9090"
    assert found.listen.address.port == 8080
    assert list(found.teams) == ["billing", "archive"]


def test_kubernetes_waits_longer_than_the_gateway_drains(
    chart: Path, values: Callable[[str], Any], name: str, tmp_path: Path
) -> None:
    found = manifests(chart, values(name))
    pod = found["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = settings(found["ConfigMap"], tmp_path).listen.drain_timeout
    assert pod["terminationGracePeriodSeconds"] >= pause + drain + 5


def test_a_pod_may_do_little(chart: Path, values: Callable[[str], Any], name: str) -> None:
    pod = manifests(chart, values(name))["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "admin"
    assert {volume["name"] for volume in pod["volumes"]} == {
        mount["name"] for mount in container["volumeMounts"]
    }


def test_another_configuration_is_another_pod(chart: Path, values: Callable[[str], Any]) -> None:
    def checksum(config: str) -> str:
        given = values("one") | {"config": config}
        template = manifests(chart, given)["Deployment"]["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/config"])

    config = values("one")["config"]
    assert checksum(config) == checksum(config) != checksum(f"{config}# changed\n")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"replicaCount": 2}, "several replicas need store.kind: redis"),
        (
            {"autoscaling": {"enabled": True, "minReplicas": 1, "maxReplicas": 2}},
            "several replicas need store.kind: redis",
        ),
        ({"config": "listen: {workers: 2}"}, "several workers need store.kind: redis"),
        ({"config": "store: memory"}, "leave out store"),
        ({"config": "admin: {}"}, "leave out admin"),
        ({"config": "listen: {address: '0.0.0.0:80'}"}, "must have port 8080"),
        ({"config": "listen: {drain_timeout: soon}"}, "is no duration"),
        ({"config": "a: b: c"}, "config is not YAML"),
        ({"store": {"kind": "redis"}}, "needs store.redis.url"),
        ({"config": ""}, "config"),
        ({"store": {"kind": "files"}}, "/store/kind"),
        ({"replicas": 2}, "replicas"),
        ({"store": {"kind": "redis", "redis": {"url": "redis://:pw@redis/0"}}}, "/store/redis/url"),
    ],
)
def test_what_cannot_work_is_refused_in_words(
    chart: Path, values: Callable[[str], Any], change: dict[str, Any], words: str
) -> None:
    with pytest.raises(helm.HelmError) as refusal:
        manifests(chart, values("one") | change)
    assert words in str(refusal.value)


def test_prometheus_asks_the_admin_service_under_the_expected_name(
    chart: Path, values: Callable[[str], Any]
) -> None:
    found = documents(chart, values("many"))
    (monitor,) = (item for item in found if item["kind"] == "ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    services = [item for item in found if item["kind"] == "Service"]
    (asked,) = (item for item in services if wanted <= item["metadata"]["labels"].items())
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in asked["spec"]["ports"]}
    assert {"targetLabel": "job", "replacement": "olgw"} in endpoint["relabelings"]


def test_the_alerts_are_those_of_prometheus(
    chart: Path, deploy: Path, values: Callable[[str], Any], load: Callable[[Path], Any]
) -> None:
    original = deploy / "prometheus/alerts.yaml"
    assert (chart / "files/alerts.yaml").read_bytes() == original.read_bytes()
    groups = manifests(chart, values("many"))["PrometheusRule"]["spec"]["groups"]
    text = str(load(original)["groups"]).replace("docs/running.md", "https://wiki.example.com/olgw")
    assert str(groups) == text


def test_the_chart_is_of_this_version(chart: Path, load: Callable[[Path], Any]) -> None:
    about = load(chart / "Chart.yaml")
    assert about["appVersion"] == about["version"] == gateway.__version__
