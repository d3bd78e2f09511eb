"""Takes pictures of a page as people see it: wide, on a phone, in the dark, and printed.

    python docs/screenshots.py results/report/report.html FOLDER

needs chromium, and pdftoppm (Debian's poppler-utils) for the printed pages.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

# Pixels: width of the window, whether it is dark, and height of what is shown, None for the page.
VIEWS = {
    "report": (1100, False, 1000),
    "wide": (1280, False, None),
    "dark": (1280, True, None),
    "phone": (390, False, None),
}
# A page is shown in a frame of the view's width, since a window is never as narrow as a phone.
FRAME = """<!doctype html><style>body {{ margin: 0 }} iframe {{ border: 0; width: {width}px; height: {height}px }}</style>
<iframe src="{page}"></iframe>"""
MEASURE = "<script>document.title = 'height ' + document.documentElement.scrollHeight</script>"
TALLEST = 16000


def main(page: str, folder: str) -> None:
    """Write pictures of a page: the first screen, wide, dark, as on a phone, and printed."""
    into = Path(folder)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name, (width, is_dark, height) in VIEWS.items():
            shown = height or measure(Path(page), width, Path(scratch))
            take(Path(page), into / f"{name}.png", (width, shown), is_dark, Path(scratch))
        pdf = Path(scratch) / "page.pdf"
        browse(Path(scratch), "--no-pdf-header-footer", f"--print-to-pdf={pdf}", Path(page))
        if shutil.which("pdftoppm"):
            subprocess.run(["pdftoppm", "-r", "60", "-png", pdf, into / "print"], check=True)


def take(page: Path, picture: Path, shown: tuple[int, int], is_dark: bool, scratch: Path) -> None:
    """Take a picture of a page, as much of it as is shown at a width and height."""
    width, height = shown
    frame = scratch / "frame.html"
    frame.write_text(FRAME.format(width=width, height=height, page=page.resolve().as_uri()))
    colours = f"--blink-settings=preferredColorScheme={0 if is_dark else 1}"
    size = f"--window-size={max(width, 500)},{height}"
    browse(scratch, colours, size, "--hide-scrollbars", f"--screenshot={picture.resolve()}", frame)
    with Image.open(picture) as taken:
        cropped = taken.crop((0, 0, width, height))
    cropped.save(picture)


def measure(page: Path, width: int, scratch: Path) -> int:
    """How high a page is at a width."""
    copy = scratch / "measured.html"
    # A body as narrow as the view breaks lines as the view does.
    narrow = f"<style>html {{ width: {width}px }}</style>"
    copy.write_text(page.read_text().replace("</body>", f"{narrow}{MEASURE}</body>"))
    shown = browse(scratch, f"--window-size={max(width, 500)},800", "--dump-dom", copy)
    return min(TALLEST, int(re.search(r"<title>height (\d+)", shown)[1]) + 20)


def browse(scratch: Path, *options: object) -> str:
    """Have chromium do something without a window; gives what it printed."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu"]
    command += [f"--user-data-dir={scratch / 'profile'}", "--allow-file-access-from-files"]
    done = subprocess.run(
        [*command, *map(str, options)], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
