"""The page's files as they are served: headers, compression, size, and the demo's sign-in."""

from __future__ import annotations

import dataclasses
import gzip
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from shared.settings import JwtSettings, Settings
from tests.tokens import SECRET, token
from web.app import create_app
from web.page.pages import ELEMENTS, STATIC, load_assets

MAX_COMPRESSED_BYTES = 80_000
# Nobody listens there: no route of this file asks Redis for anything but a token's revocation.
NO_REDIS = "redis://127.0.0.1:1/0"


def settings(*, demo: bool = True, origins: tuple[str, ...] = ()) -> Settings:
    return Settings(redis_url=NO_REDIS, jwt=JwtSettings(secret_key=SECRET), demo=demo, allowed_origins=origins)


def client(*, demo: bool = True, origins: tuple[str, ...] = ()) -> FlaskClient:
    return create_app(settings(demo=demo, origins=origins)).test_client()


def test_the_whole_page_with_its_languages_is_below_80_kb_compressed() -> None:
    shipped = [
        asset for name, asset in load_assets(settings()).items() if not name.endswith(".ts") and name not in ELEMENTS
    ]
    assert sum(len(asset.compressed) for asset in shipped) < MAX_COMPRESSED_BYTES


def catalogue(language: str) -> dict[str, str | dict[str, str]]:
    read: dict[str, str | dict[str, str]] = json.loads((STATIC / f"messages-{language}.json").read_text())
    return read


def test_every_text_of_the_page_is_in_the_catalogue() -> None:
    known = catalogue("en")
    for path in STATIC.glob("*.js"):
        for key in re.findall(r"""\bt\(\s*"([^"]+)\"""", path.read_text()):
            assert key in known, f"{path.name}: {key}"


def test_catalogues_have_the_same_texts_with_the_same_parameters() -> None:
    english, german = catalogue("en"), catalogue("de")
    assert list(english) == list(german)
    for key, text in english.items():
        parameters = [set(re.findall(r"\{\w+\}", json.dumps(one))) for one in (text, german[key])]
        assert parameters[0] == parameters[1], key


def test_more_languages_come_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "fr.json").write_text(json.dumps({"recalculate": "Recalculer"}))
    more = create_app(dataclasses.replace(settings(), messages=str(tmp_path))).test_client()
    assert 'name="daybook-languages" content="de en fr"' in more.get("/").text
    assert more.get("/static/messages-fr.json").json == {"recalculate": "Recalculer"}
    (tmp_path / "fr.json").write_text("[]")
    with pytest.raises(ValueError, match=r"fr\.json holds no catalogue"):
        load_assets(dataclasses.replace(settings(), messages=str(tmp_path)))


def test_page_is_served_without_a_token_and_allows_nothing_inline_or_foreign() -> None:
    response = client().get("/")
    assert response.status_code == 200
    assert response.content_type == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "frame-ancestors")} == {"'self'"}
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_page_has_no_inline_script_or_style_and_names_no_other_host() -> None:
    page = client().get("/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", page)
    assert not re.search(r"""(?:src|href)=["'](?!/(?!/)|#)""", page)
    for path in STATIC.iterdir():
        assert not re.search(r"https?://(?!www\.w3\.org/)", path.read_text()), path.name


def test_every_module_and_stylesheet_is_fetched_with_the_page() -> None:
    page = client().get("/").text
    modules = (
        {path.name for path in STATIC.glob("*.js")} - {"theme.js", "element.js", "live.js", "styles.js"} - ELEMENTS
    )
    assert set(re.findall(r'modulepreload" href="/static/([^"]+)"', page)) == modules
    assert set(re.findall(r'stylesheet" href="/static/([^"]+)"', page)) == {path.name for path in STATIC.glob("*.css")}
    assert "{" not in page


def test_an_allowed_origin_may_frame_the_page_and_is_named_in_it() -> None:
    response = client(origins=("https://books.example.com",)).get("/")
    assert "frame-ancestors 'self' https://books.example.com;" in response.headers["Content-Security-Policy"]
    assert 'name="daybook-origins" content="https://books.example.com"' in response.text


def test_a_file_is_compressed_for_those_who_can_read_it_and_the_same_for_others() -> None:
    visitor = client()
    plain = visitor.get("/static/app.js")
    packed = visitor.get("/static/app.js", headers={"Accept-Encoding": "br, gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert "Accept-Encoding" in packed.headers["Vary"]


def test_an_unchanged_file_is_not_sent_again() -> None:
    visitor = client()
    first = visitor.get("/static/client.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = visitor.get("/static/client.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "..%2fapp.py", "%2e%2e/app.py", "", ".", "app.js%00"])
def test_what_is_not_one_of_the_files_is_not_found(name: str) -> None:
    response = client().get(f"/static/{name}")
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"


def test_demo_link_becomes_a_cookie_that_scripts_cannot_read_and_leaves_the_address() -> None:
    response = client().get(f"/demo/sign-in?token={token('demo', ttl_s=600)}")
    assert (response.status_code, response.headers["Location"]) == (303, "/")
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("access_token_cookie=eyJ")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert 590 <= int(re.search(r"Max-Age=(\d+)", cookie)[1]) <= 600  # type: ignore[index]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_demo_cookie_is_secure_over_https() -> None:
    response = client().get(f"/demo/sign-in?token={token('demo')}", base_url="https://127.0.0.1")
    assert "Secure" in response.headers["Set-Cookie"]


@pytest.mark.parametrize("bad", ["", "nonsense", token("demo", ttl_s=-5), token("demo", secret="x" * 40)])
def test_a_bad_demo_link_signs_out_and_leads_to_the_page_that_says_so(bad: str) -> None:
    response = client().get("/demo/sign-in", query_string={"token": bad})
    assert (response.status_code, response.headers["Location"]) == (303, "/")
    assert response.headers["Set-Cookie"].startswith("access_token_cookie=;")


def test_there_is_no_sign_in_outside_of_the_demo() -> None:
    response = client(demo=False).get(f"/demo/sign-in?token={token('demo')}")
    assert response.status_code == 404
    assert "Set-Cookie" not in response.headers


def test_files_may_be_read_by_allowed_origins_and_by_no_other() -> None:
    ours = client(origins=("https://app.example.com",))
    for name in ("elements.js", "messages-en.json", "languages.json"):
        allowed = ours.get(f"/static/{name}", headers={"Origin": "https://app.example.com"})
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
        strange = ours.get(f"/static/{name}", headers={"Origin": "https://app.example.com.evil.test"})
        assert "Access-Control-Allow-Origin" not in strange.headers
        assert "Origin" in strange.headers["Vary"]
    assert ours.get("/static/languages.json").json == ["de", "en"]
