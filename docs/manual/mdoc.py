# SPDX-License-Identifier: MIT
"""Pages of the manual, as mdoc(7): one for each call, one for each header."""
import re

DATE = "November 30, 2026"


def escape(text):
    text = text.replace("\\", "\\e")
    return "\\&" + text if text[:1] in ".'" else text


class Writer:
    """Lines of mdoc. `pages` maps the name of a call to the page that has it."""

    def __init__(self, pages):
        self.lines = []
        self.pages = pages

    def macro(self, *words):
        self.lines.append("." + " ".join(words))

    def text(self, text):
        """Running text: names of calls become links; codes of failures and `arguments` are marked."""
        plain = []

        def flush():
            if plain:
                self.lines.append(escape(" ".join(plain)))
                plain.clear()

        for word in text.split():
            before, core, after = re.match(r"^([(\"]*)(.*?)(\(\))?[)\",.;:]*$", word).group(1, 2, 3)
            rest = word[len(before) + len(core) + len(after or ""):]
            marks = " ".join(rest)
            if core in self.pages:
                flush()
                self.link(before, core, marks)
            elif re.fullmatch(r"-E[A-Z0-9]+|`\w+`", core):
                flush()
                self.mark(".Er" if core[0] == "-" else ".Fa", before, core.strip("`"), marks)
            else:
                plain.append(word)
                if re.search(r"[.?!][)\"]*$", word):  # a sentence begins on a line of its own
                    flush()
        flush()

    def mark(self, macro, before, word, marks):
        self.lines.append(" ".join(filter(None, [macro, before, word, marks])).replace('"', "\\(dq"))

    def link(self, before, name, marks):
        marks = marks.replace('"', "\\(dq")
        if before:
            self.lines.append(f".Pf {before.replace(chr(34), chr(92) + '(dq')} Xr {name} 3 {marks}".rstrip())
        else:
            self.lines.append(f".Xr {name} 3 {marks}".rstrip())

    def literal(self, lines):
        self.macro("Bd", "-literal", "-offset indent")
        self.lines += [escape(line) for line in lines]
        self.macro("Ed")

    def points(self, lines):
        """Points of a list: a line that is indented by two; more depth continues it."""
        points = []
        for line in lines:
            if re.match(r" {2,3}\S", line) or not points:
                points.append(line.strip())
            else:
                points[-1] += " " + line.strip()
        self.macro("Bl", "-dash", "-compact")
        for point in points:
            self.macro("It")
            self.text(point)
        self.macro("El")

    def paragraphs(self, lines, first=True):
        """Text as the comments of headers have it: paragraphs, examples (indented by four or more), lists (by two)."""
        for kind, block in blocks(lines):
            if kind == "text":
                if not first:
                    self.macro("Pp")
                self.text(" ".join(block))
            elif kind == "literal":
                shift = min(len(line) - len(line.lstrip()) for line in block if line)
                self.literal([line[shift:] for line in block])
            else:
                self.points(block)
            first = False


def line_kind(line):
    depth = len(line) - len(line.lstrip())
    return "literal" if depth >= 4 else "points" if depth >= 2 else "text"


def blocks(lines):
    """Splits into [kind, lines]; an empty line ends a block, unless an example goes on after it."""
    out = []
    ended = False
    for line in lines:
        if not line:
            ended = True
            continue
        kind = line_kind(line)
        if out and out[-1][0] == "points" and not ended and kind == "literal":
            kind = "points"
        if out and out[-1][0] == kind and (not ended or kind == "literal"):
            out[-1][1] += [""] * ended + [line]
        else:
            out.append([kind, [line]])
        ended = False
    return out


# ---- Pages of calls ----


def groups(header):
    """Calls that share a page: declared without an empty line between them, or told as "the same" of the one before."""
    out = []
    for item in header.of_kind("call"):
        told_there = re.match(r"(The same|See nido_)", " ".join(item.doc[:1])) or not item.doc
        if out and (told_there or item.close):
            out[-1].append(item)
        else:
            out.append([item])
    return out


def page_map(headers):
    return {item.name: group[0].name for header in headers for group in groups(header) for item in group}


def first_sentence(text):
    sentence = re.split(r"(?<=[^.])[.?](?: |$)", text.strip(), maxsplit=1)[0]
    shorter = sentence.split(": ")[0]
    return shorter if len(shorter) >= 16 else sentence


def description(item):
    text = first_sentence(re.split(r";| \(", " ".join(item.doc))[0]).strip() or item.name
    return text[0].lower() + text[1:] if text[1:2].islower() else text


CLAIM = re.compile(r"(Not(?:\s+itself)?\s+a\s+cancellation\s+point|Cancellation\s+point)\b[^.;]*[.;]")


def split_doc(doc):
    """What a call does, whether it is a cancellation point, and what it returns: lines, text, lines."""
    lines = "\n".join(doc)
    claim = CLAIM.search(lines)
    if not claim:
        return doc, "", []
    before = lines[:claim.start()].rstrip().split("\n")
    returns = lines[claim.end():].strip(" ").split("\n")
    return before, " ".join(claim.group(0).rstrip(".;").split()) + ".", returns


def prototype(writer, text):
    head, arguments = re.match(r"(.*?)\((.*)\)$", text).groups()
    kind, name = re.match(r"(.*?[ *])(\w+)$", head).groups()
    writer.macro("Ft", kind.strip())
    writer.macro("Fo", name)
    for argument in re.split(r", (?![^(]*\))", arguments):
        writer.macro("Fa", f'"{argument}"')
    writer.macro("Fc")


def head(writer, title, section, names, what):
    writer.macro("Dd", DATE)
    writer.macro("Dt", title.upper(), section)
    writer.macro("Os", "nido")
    writer.macro("Sh", "NAME")
    for name in names[:-1]:
        writer.macro("Nm", name, ",")
    writer.macro("Nm", names[-1])
    writer.macro("Nd", escape(what).replace('"', "\\(dq"))


def call_body(writer, item, alone):
    what, claim, returns = split_doc(item.doc)
    if not alone:
        writer.macro("Ss", item.name)
    writer.paragraphs(what)
    if claim:
        writer.macro("Pp")
        writer.text(claim)
    return returns


def call_page(header, group, pages):
    writer = Writer(pages)
    writer.pages = {name: page for name, page in pages.items() if name not in {item.name for item in group}}
    head(writer, group[0].name, "3", [item.name for item in group], description(group[0]))
    writer.macro("Sh", "SYNOPSIS")
    writer.macro("In", header.path)
    for item in group:
        prototype(writer, item.text)
    writer.macro("Sh", "DESCRIPTION")
    returns = [(item, call_body(writer, item, len(group) == 1)) for item in group]
    if any(any(lines) for _, lines in returns):
        writer.macro("Sh", "RETURN VALUES")
    for item, lines in returns:
        if any(lines) and len(group) > 1:
            writer.macro("Ss", item.name)
        writer.paragraphs(lines)
    see_also(writer, header, group)
    return "\n".join(writer.lines) + "\n"


def see_also(writer, header, group):
    near = [call[0].name for call in groups(header) if call is not group and call != group]
    writer.macro("Sh", "SEE ALSO")
    names = sorted(near)
    for name in names:
        writer.macro("Xr", name, "3", ",")
    writer.macro("Xr", overview_name(header), "7")


# ---- Pages of headers ----


def overview_name(header):
    return "nido" if header.name == "nido" else "nido_" + header.name


def is_private_struct(item):
    return any("ields are private" in line for line in item.doc) or "Fields are private" in item.text


def overview_types(writer, header):
    types = [item for item in header.of_kind("type", "macro") if item.doc or item.kind == "type"]
    if not types:
        return
    writer.macro("Sh", "TYPES AND MACROS")
    for item in types:
        writer.macro("Ss", item.name)
        writer.paragraphs(item.doc)
        if not is_private_struct(item):
            writer.literal(item.text.split("\n"))


def overview_calls(writer, header):
    calls = groups(header)
    if not calls:
        return
    writer.macro("Sh", "CALLS")
    writer.macro("Bl", "-tag", "-width Ds")
    for group in calls:
        marks = [" ,"] * (len(group) - 1) + [""]
        writer.macro("It", *[f"Xr {item.name} 3{mark}" for item, mark in zip(group, marks)])
        writer.text(description(group[0])[:1].upper() + description(group[0])[1:] + ".")
    writer.macro("El")


def overview_page(header, headers, pages):
    writer = Writer(pages)
    head(writer, overview_name(header), "7", [overview_name(header)], header.summary)
    writer.macro("Sh", "SYNOPSIS")
    writer.macro("In", header.path)
    writer.macro("Sh", "DESCRIPTION")
    writer.paragraphs(header.preamble or [header.summary + "."])
    for section in header.of_kind("section"):
        if section.doc:
            writer.macro("Ss", section.name)
            writer.paragraphs([line for line in section.doc])
    overview_types(writer, header)
    overview_calls(writer, header)
    others(writer, header, headers)
    return "\n".join(writer.lines) + "\n"


def others(writer, header, headers):
    rest = [other for other in headers if other is not header]
    writer.macro("Sh", "SEE ALSO")
    if header.name != "nido":
        names = sorted(overview_name(other) for other in rest)
        for name in names[:-1]:
            writer.macro("Xr", name, "7", ",")
        writer.macro("Xr", names[-1], "7")
        return
    writer.macro("Bl", "-tag", "-width nido_broadcast(7)")
    for other in rest:
        writer.macro("It", "Xr", overview_name(other), "7")
        writer.text(other.summary + ".")
    writer.macro("El")
