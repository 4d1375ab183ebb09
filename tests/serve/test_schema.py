"""Answers held against the API's own description, on generated questions."""

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import booleans
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from liqstrat.serve.app import create_app
from tests.serve.browsing import serving

pytestmark = pytest.mark.slow

#: What starts work or moves runs of the other tests.
_CHANGING = ("/jobs", "/runs/delete", "/runs/undo", "/runs/note", "/runs/tags")
_CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_answers_are_as_described(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """What a question asks for is generated from the description; half of them are about a market that is there."""
    asked = 0
    with serving(*folders, tmp_path) as address:
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
        for found in schema.get_all_operations():
            operation = found.ok()
            if operation.path.startswith(_CHANGING):
                continue
            asked += 1

            @given(case=operation.as_strategy(), there=booleans())
            @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
            def check(case: schemathesis.Case, there: bool) -> None:
                if there and "symbol" in (case.query or {}):
                    case.query["symbol"] = "BTCUSDT"
                    case.query.pop("data", None)
                case.call_and_validate(checks=_CHECKS)

            check()
    assert asked > 15


def test_defaults_that_are_described_can_be_sent(folders: tuple[Path, Path], tmp_path: Path) -> None:
    client = TestClient(create_app(*folders, tmp_path), base_url="http://localhost")
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        told = operations.get("get", {}).get("parameters", [])
        defaults = {one["name"]: one["schema"]["default"] for one in told if one["schema"].get("default") is not None}
        if defaults and "{" not in path:
            if any(one["name"] == "symbol" and one["required"] for one in told):
                defaults["symbol"] = "BTCUSDT"
            assert client.get(path, params=defaults).status_code == 200, (path, defaults)
