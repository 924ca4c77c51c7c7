"""schemathesis over the OpenAPI document: no fault of ours, no undocumented answer; and the checked-in copy."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.unit.mgmt.api_client import Bench

from punktfunk.mgmt.access import Scope
from punktfunk.mgmt.app import openapi_text

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


EXAMPLES_PER_OPERATION = 10


def operations(bench: Bench):
    schema = schemathesis.openapi.from_dict(json.loads(openapi_text()))
    schema.app = bench.app
    # The stream of events does not end by itself; it has tests of its own.
    for result in schema.exclude(path_regex="/events$").get_all_operations():
        yield result.ok()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_every_answer_is_documented(tmp_path, method):
    bench = Bench(tmp_path, hosts=("testserver",))
    text, _ = bench.management.account.create_token("schema", [Scope.ADMIN], bench.clock(), None)
    chosen = [operation for operation in operations(bench) if operation.method.upper() == method]
    assert chosen
    for operation in chosen:
        tried = 0
        for mode in GenerationMode:

            @settings(
                max_examples=EXAMPLES_PER_OPERATION,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def judge(case):
                nonlocal tried
                tried += 1
                bench.clock.now += 1000
                response = case.call(headers={"Authorization": f"Bearer {text}"})
                case.validate_response(response, checks=CHECKS)

            # Some operations have no malformed form (a GET without parameters).
            with contextlib.suppress(Unsatisfiable):
                judge()
        assert tried, operation.label


def test_the_document_in_docs_is_the_present_one():
    stored = (Path(__file__).parents[3] / "docs/openapi.json").read_text()
    assert stored == openapi_text(), "run: punktfunk-host openapi > docs/openapi.json"


def test_every_operation_has_a_summary_a_description_and_documented_refusals():
    document = json.loads(openapi_text())
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert {"400", "401", "421", "422", "429"} <= operation["responses"].keys(), (method, path)
