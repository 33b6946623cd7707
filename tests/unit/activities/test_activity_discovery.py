"""Discovery of modules and entry points, and what a broken one does."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint

import pytest

from workflows_app.activities import Registry, catalogue, discovery, registry
from workflows_app.engine.errors import NotFound

GOOD = "from workflows_app.activities import activity\n\n@activity({name!r})\ndef perform(): ...\n"


@pytest.fixture
def plugins(tmp_path, monkeypatch, settings):
    """Writes plugin modules; the process's registry is replaced by an empty one meanwhile."""
    fresh = Registry()
    monkeypatch.setattr(catalogue, "registry", fresh)
    monkeypatch.setattr("workflows_app.activities.activity", fresh.activity)
    monkeypatch.setattr(discovery, "entry_points", lambda group: [])
    monkeypatch.delenv("ORCHESTRATOR_ACTIVITIES", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)
    settings.ORCHESTRATOR_ACTIVITY_MODULES = []

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return name

    write.registry = fresh
    yield write
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_configured_modules_and_those_of_the_environment_are_found(plugins, settings, monkeypatch):
    settings.ORCHESTRATOR_ACTIVITY_MODULES = [plugins("plug_a", GOOD.format(name="plug.a"))]
    monkeypatch.setenv("ORCHESTRATOR_ACTIVITIES", f"plug_a, {plugins('plug_b', GOOD.format(name='plug.b'))},")

    plugins.registry.discover()
    plugins.registry.discover()

    assert [entry.name for entry in plugins.registry.all()] == ["plug.a", "plug.b"]


def test_an_installed_packages_entry_point_is_found(plugins, monkeypatch):
    plugins("plug_c", GOOD.format(name="plug.c"))
    point = EntryPoint(name="c", value="plug_c", group=discovery.ENTRY_POINT_GROUP)
    monkeypatch.setattr(discovery, "entry_points", lambda group: [point] if group == point.group else [])

    plugins.registry.discover()

    assert plugins.registry.get("plug.c").name == "plug.c"


@pytest.mark.parametrize(
    "fault", ["raise RuntimeError('no licence')", "import no_such_module", "def (", "raise SystemExit(3)"]
)
def test_a_broken_plugin_is_named_and_the_others_work(plugins, settings, fault):
    broken = plugins("plug_broken", f"{GOOD.format(name='plug.half')}\n{fault}\n")
    settings.ORCHESTRATOR_ACTIVITY_MODULES = [broken, plugins("plug_d", GOOD.format(name="plug.d"))]

    with pytest.raises(discovery.DiscoveryFailed) as failure:
        plugins.registry.discover()

    assert failure.value.code == "ACTIVITY_DISCOVERY_FAILED"
    assert set(failure.value.details["modules"]) == {broken}
    assert broken in failure.value.message
    assert plugins.registry.get("plug.d")
    with pytest.raises(NotFound):
        plugins.registry.get("plug.half")


def test_what_a_broken_plugin_imported_whole_is_kept(plugins, settings):
    plugins("plug_whole", GOOD.format(name="plug.whole"))
    settings.ORCHESTRATOR_ACTIVITY_MODULES = [plugins("plug_importer", "import plug_whole\nraise ValueError\n")]

    with pytest.raises(discovery.DiscoveryFailed):
        plugins.registry.discover()

    assert plugins.registry.get("plug.whole")


def test_a_mended_plugin_is_found_at_the_next_try(plugins, settings):
    settings.ORCHESTRATOR_ACTIVITY_MODULES = [
        plugins("plug_mended", f"{GOOD.format(name='plug.m')}\nraise ValueError\n")
    ]
    with pytest.raises(discovery.DiscoveryFailed):
        plugins.registry.discover()
    plugins("plug_mended", GOOD.format(name="plug.m"))

    plugins.registry.discover()

    assert plugins.registry.get("plug.m")


def test_a_plugin_that_takes_a_shipped_name_is_refused_by_name(plugins, settings):
    settings.ORCHESTRATOR_ACTIVITY_MODULES = [
        plugins("plug_first", GOOD.format(name="plug.same")),
        plugins("plug_second", GOOD.format(name="plug.same")),
    ]

    with pytest.raises(discovery.DiscoveryFailed, match=r"plug_second: Activity plug\.same@1\.0\.0 .* plug_first"):
        plugins.registry.discover()


def test_the_shipped_activities_are_the_documented_ones():
    for module in discovery.SHIPPED_MODULES:
        importlib.import_module(module)

    names = {entry.name for entry in registry.all()}
    assert {"sql.query", "sql.execute", "sql.load", "file.read", "file.write", "file.list", "file.copy"} <= names
    assert {"core.echo", "core.sleep", "core.fail", "core.log", "http.request", "mail.send", "celery.task"} <= names
