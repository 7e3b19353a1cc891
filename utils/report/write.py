"""Writes report.json, report.html and README.md into a build tree, each whole or not at all."""

from pathlib import Path

from utils.proof import measured
from utils.proof.golden_file import read_golden
from utils.proof.measured import Measured
from utils.proof.served import read_served
from utils.report.files import CARD_FILE, PAGE_FILE, REPORT_FILE, keep_warnings
from utils.report.model_card import model_card
from utils.report.page import page
from utils.report.report import as_json, make_report
from utils.report.section import Finished, Image
from utils.repository import build_record
from utils.repository.context import GOLDEN_FILE, Context


def write_report(
    tree: Path, place: Path, context: Context, *, image: str = "", images: tuple[Image, ...] = (), reference: str = ""
) -> None:
    """The files of FILES, from what the stages left in `tree`; the arguments are those of Finished."""
    keep_warnings(tree)
    record = build_record.read(tree)
    proven = "proof" in record  # files of an earlier proof may be there
    finished = Finished(
        tree=tree,
        place=place,
        context=context,
        golden=read_golden(tree / GOLDEN_FILE),
        image=image,
        images=images,
        reference=reference,
        record=record,
        served=read_served(tree) if proven else (),
        measured=measured.read(tree) if proven else Measured(),
    )
    report = make_report(finished)
    texts = {REPORT_FILE: as_json(report), PAGE_FILE: page(report), CARD_FILE: model_card(report)}
    for name, text in texts.items():
        partial = tree / f".{name}"
        partial.write_text(text, encoding="utf-8")
        partial.replace(tree / name)
