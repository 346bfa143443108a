"""What is wrong with a page is seen."""

from pathlib import Path

from tests.browser import opened


def test_an_error_and_a_request_of_a_page_are_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<img src=http://127.0.0.1:9/x.png><script>nothing()</script><p>shown</p>")
    seen = opened(page)
    assert "<p>shown</p>" in seen.dom
    assert any("ReferenceError" in line for line in seen.console)
    assert seen.requests == ["http://127.0.0.1:9/x.png"]
