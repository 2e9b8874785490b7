"""The route table, the description, the documents and the running application say one thing."""

import inspect
import re
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import gateway.http.refusals
import gateway.model.errors
from gateway.http.openapi import openapi_document
from gateway.http.problems import KINDS, kind_of, problem_document
from gateway.http.routes import ROUTES
from gateway.http.settings import HttpSettings
from gateway.model.errors import HutongError, LeaseLost, Refusal
from tests.unit.http.standins import StandIn

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_description_is_valid_openapi_3_1():
    OpenAPIV31SpecValidator(openapi_document("https://hutong.example")).validate()


def test_every_route_is_described_with_each_of_its_codes():
    paths = openapi_document("https://hutong.example")["paths"]
    for route in ROUTES:
        responses = paths[route.path][route.method.lower()]["responses"]
        for success in route.success:
            assert str(success.status) in responses
        for code in route.all_codes:
            status = str(KINDS[code].status)
            assert (
                status in {str(success.status) for success in route.success} or code in responses[status]["description"]
            )


def test_every_route_is_served_and_nothing_else_is(standin):
    served = {
        (route.method, route.resource.canonical) for route in standin.app.router.routes() if route.resource is not None
    }
    assert served == {(route.method, route.path) for route in ROUTES}


async def test_the_description_and_the_page_are_served_without_a_token_and_load_nothing(standin):
    async with standin.client.get("/openapi.json") as answer:
        assert (await answer.json())["openapi"] == "3.1.0"
    async with standin.client.get("/docs") as answer:
        page = await answer.text()
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "报送通报" in page
    assert not re.search(r"<(script|link|img|style)|https?://", page)
    for route in ROUTES:
        assert route.path in page


def errors():
    for module in (gateway.model.errors, gateway.http.refusals):
        for _, error in inspect.getmembers(module, inspect.isclass):
            if issubclass(error, HutongError) and error is not HutongError:
                yield error


@pytest.mark.parametrize("error", list(errors()), ids=lambda error: error.__name__)
def test_every_error_has_its_own_row_in_the_table(error):
    assert error.code in KINDS


def test_every_row_says_what_to_do_in_both_languages():
    for kind in KINDS.values():
        assert all((kind.title_zh, kind.title_en, kind.remedy_zh, kind.remedy_en)), kind.code
        assert 400 <= kind.status < 600


def test_a_refusal_nobody_listed_is_a_plain_refusal_and_a_stranger_is_internal():
    class Novel(Refusal):
        code = "novel"

    assert kind_of(Novel("x")).code == "refused"
    assert kind_of(KeyError("李小测")).code == "internal"
    assert "李小测" not in str(problem_document(KeyError("李小测")))


def test_a_lost_lease_tells_the_state():
    assert problem_document(LeaseLost("over", state="acknowledged"))["state"] == "acknowledged"


def test_half_a_surrogate_pair_in_a_position_does_not_break_the_answer():
    assert "?" in problem_document(Refusal("x \ud800"))["detail"]


def test_the_document_of_errors_is_the_table():
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    assert rows == [(k.code, str(k.status), k.title_zh, k.title_en, k.remedy_zh, k.remedy_en) for k in KINDS.values()]


def test_the_document_of_the_api_names_every_route():
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    for route in ROUTES:
        assert f"`{route.method} {route.path}`" in text, route.path


async def test_health_readiness_and_metrics(standin):
    async with standin.client.get("/healthz") as answer:
        assert answer.status == 200
    async with standin.client.get("/readyz") as answer:
        assert (answer.status, (await answer.json())["checks"]) == (200, {"store": "ok"})
    standin.state = {"store": "unavailable"}
    async with standin.client.get("/readyz") as answer:
        assert answer.status == 503
    async with standin.client.get("/v1/inbox"), standin.client.get("/metrics") as answer:
        text = await answer.text()
    assert 'hutong_http_requests_total{route="inbox",status="401"} 1.0' in text
    assert 'hutong_http_problems_total{code="unauthenticated"} 1.0' in text
    assert "hutong_http_unauthenticated_total 1.0" in text
    assert 'hutong_http_request_seconds_bucket{le="+Inf",route="inbox"} 1.0' in text


async def test_metrics_do_not_exist_for_those_who_may_not_read_them():
    standin = await StandIn(HttpSettings(metrics_readers=())).start()
    try:
        async with standin.client.get("/metrics") as answer:
            assert answer.status == 404
    finally:
        await standin.stop()


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
async def test_what_a_proxy_of_the_monitoring_network_passed_on_is_not_from_there(standin, header):
    async with standin.client.get("/metrics", headers={header: "192.0.2.1"}) as answer:
        assert answer.status == 404
