from __future__ import annotations

import re
from html import unescape

import pytest

from kit.evidence.verdict import Verdict
from kit.report.cleaning import costs_picture
from kit.report.heatmap import heatmap
from kit.report.picture import Picture
from kit.trials.cleaning import Cost

PICTURES = {
    "a grid": lambda: heatmap({"The suite": {("nothing", "none"): Verdict.HOLDS}}, ["nothing"], ["none"]),
    "costs": lambda: costs_picture([Cost("rollback", 0.5, 0, 1, False), Cost("truncate", 2.0, 0, 0, True)]),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_says_what_it_shows_wherever_it_is_shown(name: str) -> None:
    """Its title is the alternative text in HTML and of the PNG, and begins the text; all words are one step away."""
    picture = PICTURES[name]()
    data, metadata = picture._repr_mimebundle_()
    [alt] = re.findall(r'<img [^>]*alt="([^"]+)"', data["text/html"])
    assert unescape(alt) == picture.title == metadata["image/png"]["alt"]
    assert len(picture.title) > 20
    assert picture.words in unescape(data["text/html"]).partition("<details>")[2]
    assert data["text/plain"] == f"{picture.title}\n{picture.words}"


@pytest.mark.parametrize("name", PICTURES)
def test_who_sees_a_picture_reads_its_finding_below_it(name: str) -> None:
    """The title stands as text in the caption, and not only where it replaces the picture."""
    picture = PICTURES[name]()
    caption = picture._repr_mimebundle_()[0]["text/html"].partition("<figcaption>")[2]
    assert picture.title in unescape(caption.partition("<details>")[0])


def test_no_text_of_a_picture_is_markup() -> None:
    """What a test is called, or a project's file, stays text."""
    picture = Picture(PICTURES["costs"]().figure, 'a "title" <b>', "</pre><script>")
    html = picture._repr_mimebundle_()[0]["text/html"]
    assert "<script>" not in html
    assert 'alt="a &quot;title&quot; &lt;b&gt;"' in html
