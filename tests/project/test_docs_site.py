"""The docs site by the real mkdocs, its links checked; and the links of the pages outside docs/."""

import re

import pytest

from utils import ROOT

PAGES = sorted(path for path in ROOT.glob("*.md"))
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")


def anchors(page):
    """The anchors that GitHub and mkdocs give the headings of a page."""
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))
    heads = re.findall(r"(?m)^#+ (.+)$", text)
    return {"#" + re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_site_builds_without_a_warning(tool, tmp_path):
    """Strict: a page outside the navigation, a link to no page, and a link to no heading fail."""
    done = tool("mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in (ROOT / "docs").glob("*.md"):
        folder = tmp_path if page.stem == "index" else tmp_path / page.stem
        assert (folder / "index.html").is_file(), page


def test_a_broken_link_fails(tool, tmp_path):
    for name in ("nowhere.md", "other.md#nowhere"):
        (tmp_path / "docs").mkdir(exist_ok=True)
        (tmp_path / "docs/index.md").write_text(f"# A page\n\n[a link]({name}), [another](other.md)\n")
        (tmp_path / "docs/other.md").write_text("# Another\n")
        config = (ROOT / "mkdocs.yml").read_text().partition("nav:")[0]
        (tmp_path / "mkdocs.yml").write_text(config)
        done = tool(
            "mkdocs", "build", "--strict", "--config-file", tmp_path / "mkdocs.yml", "--site-dir", tmp_path / "s"
        )
        assert done.returncode == 1
        assert "nowhere" in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_links_of_a_page_beside_the_docs(page):
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        file = page.parent / target if target else page
        assert file.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(file), f"{page.name} links to {target}{anchor}"


def test_the_readme_is_one_page():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 90


PICTURES = [page for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")] if "```mermaid" in page.read_text()]


@pytest.mark.parametrize("page", PICTURES, ids=lambda path: path.name)
def test_no_picture_has_a_node_with_a_reserved_name(page):
    """`graph`, `end` and others as the name of a node are syntax errors of mermaid; no page shows the picture then."""
    for picture in re.findall(r"(?ms)^```mermaid\n(.*?)^```", page.read_text(encoding="utf-8")):
        nodes = set(re.findall(r"(?m)(?:^|>|\|)\s*(\w+)\s*(?=\[|\{|-->|--|$)", picture))
        assert not nodes & {"graph", "end", "subgraph", "class", "click", "style", "default"}
        assert len(nodes) > 3
