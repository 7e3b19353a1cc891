"""The try-it page of an image: read-only, for its user, and only when it is switched on."""

import json
import urllib.request

from examples.demo import PAGE_OPTIONS
from utils import ROOT
from utils.docker import context
from utils.docker.image import build_and_prove
from utils.repository.context import CONTEXT_FILE, read_context


def test_an_image_serves_its_page_when_it_is_switched_on(engine, make_tree):
    tree = make_tree("slim").folder
    bare = build_and_prove(tree, engine=engine, no_cache=False, verify=False)
    done = engine.client.run("run", "--rm", "--network", "none", *PAGE_OPTIONS, bare, merged=True)
    assert done.returncode == 2
    assert "the image has no /opt/serving/try.json" in done.stdout
    (tree / "try.json").write_text('{"model": "echo"}')
    context.write(tree, read_context(tree / CONTEXT_FILE).docker)
    image = build_and_prove(tree, engine=engine, no_cache=False, verify=False)
    with engine.run(image, options=PAGE_OPTIONS) as container:
        page = f"http://{container.address.http}/try/"
        with urllib.request.urlopen(f"{page}try.json", timeout=10) as answer:
            assert json.load(answer) == {"model": "echo"}
        for file in (ROOT / "deploy/try_page").glob("*.js"):
            with urllib.request.urlopen(f"{page}{file.name}", timeout=10) as answer:
                assert answer.read() == file.read_bytes()
