"""How do people read the API without a tool? One page, two languages, nothing loaded from anywhere."""

from __future__ import annotations

from html import escape

from gateway.http.problems import KINDS
from gateway.http.routes import ROUTES

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def docs_page() -> bytes:
    """HTML without style, script or image."""
    routes = "".join(
        f"<tr><td><code>{route.method} {escape(route.path)}</code><td>{escape(route.zh)}<td>{escape(route.en)}"
        f"<td>{', '.join(str(success.status) for success in route.success)}<td>{escape(', '.join(route.all_codes))}"
        for route in ROUTES
    )
    problems = "".join(
        f"<tr><td><code>{kind.code}</code><td>{kind.status}<td>{escape(kind.title_zh)}<td>{escape(kind.title_en)}"
        f"<td>{escape(kind.remedy_zh)}<td>{escape(kind.remedy_en)}"
        for kind in KINDS.values()
    )
    return (
        '<!doctype html><html lang="zh"><meta charset="utf-8"><title>护通 Hutong API</title>'
        "<h1>护通 Hutong</h1>"
        "<p>机器可读的描述在 <a href='/openapi.json'>/openapi.json</a>。"
        "<p lang='en'>The machine-readable description is at <a href='/openapi.json'>/openapi.json</a>."
        "<h2>接口 / Routes</h2>"
        f"<table border='1'><tr><th>接口<th>说明<th>about<th>成功<th>问题代码 / problems{routes}</table>"
        "<h2>问题代码 / Problems</h2>"
        f"<table border='1'><tr><th>代码<th>状态<th>含义<th>meaning<th>处理<th>remedy{problems}</table>"
    ).encode()
