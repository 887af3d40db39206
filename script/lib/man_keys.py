# SPDX-License-Identifier: MIT
"""Makes a man page of a configuration from its template and the tables that the program prints (-document-config):

    man_keys.py OUT TEMPLATE PAGE

The line @KEYS@ of the template is replaced by a section with all keys of PAGE (docs/configuration/x.md, which a test keeps
equal to what the program says).
"""
import pathlib
import re
import sys


def escape(text):
    text = text.replace("\\", r"\e").replace("`", "")
    return re.sub(r"^([.'])", r"\&\1", text)


def entry(key, kind, default, meaning):
    """One key; 'required' stands in the column of the defaults."""
    facts = [kind] + (["required"] if default == "required" else [f"default {default.strip('`')}"] if default else [])
    return [f".It Ic {escape(key.strip('`'))} Pq {escape(', '.join(facts))}", escape(meaning)]


def keys(page):
    lines = [".Sh KEYS"]
    for section in re.split(r"^## Section ", page, flags=re.MULTILINE)[1:]:
        name, rows = section.split("\n", 1)
        lines += [f".Ss Section {escape(name)}", ".Bl -tag -width Ds"]
        for row in re.findall(r"^\| (`.*) \|$", rows, re.MULTILINE):
            lines += entry(*(cell.strip() for cell in row.split("|", 3)))
        lines.append(".El")
    return "\n".join(lines)


def main(out, template, page):
    text = pathlib.Path(template).read_text()
    pathlib.Path(out).write_text(text.replace("@KEYS@", keys(pathlib.Path(page).read_text())))


if __name__ == "__main__":
    main(*sys.argv[1:])
