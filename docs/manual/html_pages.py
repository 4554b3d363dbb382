# SPDX-License-Identifier: MIT
"""The same pages as HTML, with an index that is searched as one types."""
import html
import shutil
import subprocess
from pathlib import Path

import mdoc

HERE = Path(__file__).parent

INDEX = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>nido manual</title><link rel="stylesheet" href="manual.css"></head>
<body>
<h1>nido manual</h1>
<p><a href="nido.7.html">nido(7)</a> is where to begin. Type to search:
<input id="words" type="search" placeholder="group close" autofocus></p>
<table id="calls">
{rows}
</table>
<script>
const words = document.getElementById('words');
const rows = [...document.querySelectorAll('#calls tr')];
words.addEventListener('input', () => {{
  const asked = words.value.toLowerCase().split(/\\s+/);
  for (const row of rows)
    row.hidden = !asked.every(word => row.textContent.toLowerCase().includes(word));
}});
</script>
</body>
</html>
"""


def page(source, out):
    done = subprocess.run(
        ["mandoc", "-Thtml", "-Ostyle=manual.css,man=%N.%S.html,toc", source],
        check=True, capture_output=True, text=True)
    home = '<body>\n<p class="home"><a href="index.html">nido manual</a></p>\n'
    out.write_text(done.stdout.replace("<body>\n", home, 1))


def redirect(main, out):
    out.write_text(f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{main}</title>'
                   f'<meta http-equiv="refresh" content="0; url={main}.3.html"></head>'
                   f'<body><a href="{main}.3.html">{main}(3)</a></body></html>\n')


def row(name, section, what):
    return f'<tr><td><a href="{name}.{section}.html">{name}</a>({section})</td><td>{html.escape(what)}</td></tr>'


def index_rows(headers):
    for header in headers:
        yield row(mdoc.overview_name(header), 7, header.summary)
        for group in mdoc.groups(header):
            for item in group:
                yield row(item.name, 3, mdoc.description(item if item.doc else group[0]))


def write(headers, pages, out):
    folder = out / "html"
    folder.mkdir(exist_ok=True)
    for source in sorted(out.glob("man[37]/*")):
        main = pages.get(source.stem, source.stem)
        target = folder / f"{source.name}.html"
        if source.suffix == ".3" and main != source.stem:
            redirect(main, target)
        else:
            page(source, target)
    (folder / "index.html").write_text(INDEX.format(rows="\n".join(index_rows(headers))))
    shutil.copy(HERE / "manual.css", folder)
