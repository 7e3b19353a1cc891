"""The sentence on the machine of a figure."""

import re

from utils.host.machine import machine


def test_it_names_the_processor_and_how_many():
    assert re.fullmatch(r".+, \d+ CPUs?( \([\w, ]+\))?", machine())
