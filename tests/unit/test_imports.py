"""The import rule: a package of `utils` imports only from packages below it, and modules form no import cycle.

Imports inside functions and under TYPE_CHECKING count.
"""

import ast

from utils import ROOT

# From top to bottom; "" are the entries, the modules directly in utils/.
ORDER = ("", "diagnosis", "factory", "report", "options", "tasks", "ocr", "convert", "evaluation", "release", "docker")
ORDER += ("proof", "repository", "sources", "registry", "targets", "triton", "host")


def modules():
    """Every module of `utils` with its file, without the prefix `utils.`."""
    files = {path.relative_to(ROOT / "utils"): path for path in (ROOT / "utils").rglob("*.py")}
    names = {".".join(place.with_suffix("").parts).removesuffix(".__init__"): path for place, path in files.items()}
    return {name: path for name, path in names.items() if name != "__init__"}


MODULES = modules()


def imported(path):
    """The modules that a file imports, wherever in its code."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}, line {node.lineno}: relative import"
            for alias in node.names:
                member = f"{node.module}.{alias.name}"
                names.add(member if member.removeprefix("utils.") in MODULES else node.module)
    return {name.removeprefix("utils.") for name in names if name.startswith("utils.")}


def package(name):
    """The package that holds a module; "" for an entry."""
    return name.partition(".")[0] if "." in name or MODULES[name].name == "__init__.py" else ""


IMPORTS = {name: imported(path) - {name} for name, path in MODULES.items()}


def needed_by(name):
    """The modules that `name` imports, directly or through others."""
    found, open_names = set(), [name]
    while open_names:
        new = IMPORTS[open_names.pop()] - found
        found |= new
        open_names += new
    return found


def test_every_package_has_its_place_in_the_order():
    assert {package(name) for name in MODULES} == set(ORDER)


def test_a_package_imports_only_from_those_below_it():
    upward = {
        f"{name} -> {target}"
        for name, targets in IMPORTS.items()
        for target in targets
        if ORDER.index(package(target)) < ORDER.index(package(name))
    }
    assert not upward, sorted(upward)


def test_no_module_is_in_an_import_cycle():
    cycles = [name for name in IMPORTS if name in needed_by(name)]
    assert not cycles, cycles
