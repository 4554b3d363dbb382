# SPDX-License-Identifier: MIT
"""What the public headers say: each with its preamble, types, macros and calls, in their order."""
import re
from dataclasses import dataclass, field
from pathlib import Path

PRIVATE = re.compile(r"NIDOI|nidoi_|_H$|^NIDO_API$|^NIDO_MUST_CHECK$|^NIDO_PRINTF$")


@dataclass
class Item:
    kind: str  # call, type, macro, section
    name: str
    text: str  # the declaration; of a section its title
    doc: list  # the lines of the comment before it
    close: bool  # no empty line between it and what stands before it


@dataclass
class Header:
    name: str  # "group", of nido/group.h; "nido" of nido.h
    path: str  # as it is included
    summary: str
    preamble: list
    items: list = field(default_factory=list)

    def of_kind(self, *kinds):
        return [item for item in self.items if item.kind in kinds]


def comment_lines(text):
    """The lines of a comment, without its frame."""
    text = text.strip().removeprefix("/*").removesuffix("*/")
    lines = [re.sub(r"^ \* ?", "", line).rstrip() for line in text.split("\n")]
    lines[0] = lines[0].strip()
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def joined(declaration):
    """A prototype in one line, without what only the compiler reads."""
    text = re.sub(r"\b(NIDO_API|NIDO_MUST_CHECK|static inline|NIDO_PRINTF\(\d, \d\))\s*", "", declaration)
    return re.sub(r"\s+", " ", text).strip().rstrip(";{").strip()


def call_name(declaration):
    return re.search(r"(\w+)\(", joined(declaration)).group(1)


TOKENS = re.compile(
    r"(?P<comment>/\*.*?\*/)"
    r"|^(?P<call>(?:NIDO_API|static inline)[^;{]*[;{])"
    r"|^(?P<type>(?:typedef )?(?:struct|enum) \w+ \{.*?^\}[^;\n]*;[^\n]*|typedef [^;{]*;[^\n]*)"
    r"|^#define (?P<macro>\w+(?:\([^)]*\))?)(?P<value>(?:\\\n|[^\n])*)",
    re.S | re.M,
)


def type_name(declaration):
    last = re.search(r"\}\s*(\w+);", declaration)
    if last:
        return last.group(1)
    head = re.match(r"(?:typedef )?(?:struct|enum) (\w+) \{", declaration)
    if head:
        return head.group(1)
    return re.search(r"(\w+)(?:\([^;]*\))?;", re.sub(r"/\*.*", "", declaration)).group(1)


def blank_before(text, at):
    return text[:at].endswith("\n\n")


def read_items(text):
    doc, doc_at, doc_end = [], 0, -1
    for match in TOKENS.finditer(text):
        if match["comment"]:
            section = re.match(r"/\* ---- (.*?) ----", match["comment"])
            if section:
                lines = comment_lines(match["comment"])[1:]
                yield Item("section", section.group(1), section.group(1), lines, False)
                doc_end = -1
            elif text[:match.start()].endswith("\n"):
                doc, doc_at, doc_end = comment_lines(match["comment"]), match.start(), match.end()
            continue
        documented = doc_end >= 0 and not text[doc_end:match.start()].strip()
        begin = doc_at if documented else match.start()
        kind = "call" if match["call"] else "type" if match["type"] else "macro"
        declaration = match[kind] if kind != "macro" else match["macro"]
        name = {"call": call_name, "type": type_name, "macro": lambda d: d.split("(")[0]}[kind](declaration)
        doc_end = -1
        if PRIVATE.search(name):
            continue
        body = declaration if kind != "call" else joined(declaration)
        if kind == "macro" and "(" not in declaration:
            body = declaration + match["value"] if "\\" not in match["value"] else declaration
        yield Item(kind, name, body, doc if documented else [], not blank_before(text, begin))


def read_header(path, include):
    text = re.sub(r"\A/\* SPDX.*\n", "", path.read_text())
    first = re.match(r"/\*.*?\*/", text, re.S)
    lines = comment_lines(first.group(0))
    blank = lines.index("") if "" in lines else len(lines)
    summary, _, rest = " ".join(lines[:blank]).split(": ", 1)[1].partition(". ")
    header = Header(path.stem, include, summary.rstrip("."), [rest, ""] * bool(rest) + lines[blank + 1:])
    header.items = list(read_items(text[first.end():]))
    return header


def read_all(folder):
    """All public headers: nido.h, those that it includes, in its order, and the others."""
    folder = Path(folder)
    included = re.findall(r'#include "nido/(\w+)\.h"', (folder / "nido.h").read_text())
    others = sorted(path.stem for path in (folder / "nido").glob("*.h"))
    names = [name for name in dict.fromkeys(included + others) if name != "impl"]
    return [read_header(folder / "nido.h", "nido.h")] + [
        read_header(folder / f"nido/{name}.h", f"nido/{name}.h") for name in names]
