# SPDX-License-Identifier: MIT
"""docs/configuration: the pages are what the programs themselves say about their keys (-document-config).

To write them anew after a change of a table: CC_UPDATE=1 /usr/bin/python3 -m pytest tests/test_configuration_pages.py
"""
import os

import pytest

from harness import ROOT, run_program

HEAD = "# Configuration of {name}\n\nPrinted by `{name} -document-config`; a test keeps this page equal to it.\n\n"


@pytest.mark.parametrize("name", ["cc-metric-store", "cc-backend", "cc-metric-collector"])
def test_page_says_what_the_program_says(tmp_path, name):
    done = run_program(name, ["-document-config"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "## Section `main`" in done.stdout and "| Key | Type | Default | Meaning |" in done.stdout
    text = HEAD.format(name=name) + done.stdout.rstrip() + "\n"
    page = ROOT / "docs" / "configuration" / f"{name}.md"
    if os.environ.get("CC_UPDATE"):
        page.parent.mkdir(exist_ok=True)
        page.write_text(text)
    assert page.read_text() == text
