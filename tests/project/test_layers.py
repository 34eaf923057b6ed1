"""Imports run one way: a package knows those below it, never those above or beside it. No modules import in a ring."""

import ast
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "include" / "dataflyt"
LAYERS = (
    *(
        "cli",
        "on_airflow",
        "operations decisions records frames",
        "why",
        "run",
        "exports accounts reference",
        "warehouse",
        "sources",
        "registers",
    ),
    *("quality", "storage", "formats config", "identity", "errors"),
)
"""From the top down; packages in one layer do not import each other."""
MODULES = {
    ".".join(("dataflyt", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
    if path.parent != PACKAGE or path.stem == "errors"
}


BESIDE = {
    f"{folder}.{path.stem}": path
    for folder in ("simulator", "supervisor")
    for path in (PACKAGE.parent / folder).glob("*.py")
}
"""The modules of the simulator and the supervisor, which have no folders."""


def imported(path: Path, modules: Mapping[str, Path] = MODULES) -> set[str]:
    """Return the given modules that a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {name if (name := f"{node.module}.{one.name}") in modules else node.module for one in node.names}
    return found & modules.keys()


GRAPH = {module: imported(path) for module, path in MODULES.items()}


def test_a_package_imports_only_those_below_it() -> None:
    place = {package: depth for depth, layer in enumerate(LAYERS) for package in layer.split()}
    wrong = []
    for module, others in GRAPH.items():
        mine = module.split(".")[1]
        for other in others:
            theirs = other.split(".")[1]
            if theirs != mine and place[theirs] <= place[mine]:
                wrong.append(f"{module} imports {other}")
    assert not wrong, "\n".join(sorted(wrong))


def test_no_modules_import_each_other_in_a_ring() -> None:
    for graph in (GRAPH, {module: imported(path, BESIDE) for module, path in BESIDE.items()}):
        list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the ring


def test_the_simulator_imports_nothing_of_dataflyt_and_dataflyt_nothing_of_either() -> None:
    assert not {module for module, path in BESIDE.items() if module.startswith("simulator") and imported(path)}
    assert not {module for module, path in MODULES.items() if imported(path, BESIDE)}


def test_a_chain_of_packages_is_at_most_twelve_long() -> None:
    packages: dict[str, set[str]] = {}
    for module, others in GRAPH.items():
        mine = module.split(".")[1]
        packages.setdefault(mine, set()).update({other.split(".")[1] for other in others} - {mine})
    depth: dict[str, int] = {}
    for package in TopologicalSorter(packages).static_order():
        depth[package] = 1 + max((depth[other] for other in packages[package]), default=0)
    assert max(depth.values()) <= 12, depth
