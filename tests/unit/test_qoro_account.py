"""The account, configurations and QUBOs: what is asked and how answers are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from qawait import QoroService
from qawait.errors import ConfigurationError, ProtocolError
from qawait.model import Answer, Call
from qawait.qoro import Configs, ExecutionConfig, account

JOB = "06b32c55-4065-49b3-b677-8ef92b98bdec"


def answer(body: Any) -> Answer:
    return Answer(200, {}, json.dumps(body).encode())


class Answers:
    """A connection that answers in turn and keeps what it was asked."""

    def __init__(self, *bodies: Any) -> None:
        self.bodies = list(bodies)
        self.asked: list[Call] = []

    async def ask(self, call: Call) -> Answer:
        self.asked.append(call)
        return answer(self.bodies.pop(0))


def connected(*bodies: Any) -> tuple[QoroService, Answers]:
    service, answers = (
        QoroService("http://127.0.0.1:1/api", token="t"),
        Answers(*bodies),
    )
    service.connections.append(cast("Any", answers))
    return service, answers


def line(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "amount": "-0.10",
        "balance_after": "499.90",
        "transaction_type": "CONSUMPTION",
        "description": "",
        "job_id": JOB,
        "created_at": "2026-01-02T03:04:05.678Z",
        "something_new": 1,
    }


def page(*numbers: int, more: bool, pages: int = 3) -> dict[str, Any]:
    return {
        "count": 5,
        "total_pages": pages,
        "next": "https://evil.example/" if more else None,
        "previous": None,
        "results": [line(n) for n in numbers],
    }


async def test_every_page_of_transactions_is_read_once_and_no_address_followed():
    service, answers = connected(
        page(1, 2, more=True), page(3, 4, more=True), page(5, more=False)
    )
    found = [t async for t in service.transactions()]
    assert [t.id for t in found] == [1, 2, 3, 4, 5]
    assert [call.path for call in answers.asked] == ["credits/transactions/"] * 3
    assert [dict(call.query) for call in answers.asked] == [
        {"page": str(n), "page_size": "100"} for n in (1, 2, 3)
    ]
    assert (found[0].amount, found[0].job_id) == (Decimal("-0.10"), JOB)
    assert str(found[0].amount) == "-0.10"
    assert found[0].created_at == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


@pytest.mark.parametrize(
    "last",
    [page(3, more=True, pages=2), page(more=True, pages=9)],
    ids=["count", "empty"],
)
async def test_a_service_that_always_promises_more_is_not_believed(last: Any):
    service, answers = connected(page(1, 2, more=True, pages=9), last)
    found = [t async for t in service.transactions()]
    assert len(answers.asked) == 2
    assert [t.id for t in found][:2] == [1, 2]


async def test_pages_are_asked_for_when_the_iteration_reaches_them():
    service, answers = connected(page(1, 2, more=True))
    async for transaction in service.transactions():
        if transaction.id == 2:
            break
    assert len(answers.asked) == 1


def test_credits_are_decimal_texts_or_numbers():
    read = account.read_credits(answer({"balance": "500.10", "total_used": "0"}))
    assert (str(read.balance), read.total_used) == ("500.10", Decimal(0))
    assert account.read_credits(answer({"balance": 5})).balance == 5
    bad: list[Any] = [{}, {"balance": None}, {"balance": "much"}, []]
    for body in bad:
        with pytest.raises(ProtocolError):
            account.read_credits(answer(body))


def test_configurations_are_read_in_the_form_of_either_era():
    config = {"bond_dimension": 16, "simulation_type": 1}
    old = account.read_configs(answer({"execution_configuration": config}))
    assert old == Configs(execution_config=ExecutionConfig.from_response(config))
    body = {"job_id": JOB, "maestro_config": {"seed": 7}, "device_config": None}
    assert account.read_configs(answer(body)) == Configs(maestro_config={"seed": 7})
    union = body | {"execution_configuration": config}
    both = account.read_configs(answer(union))
    assert both.execution_config == old.execution_config
    assert both.maestro_config == {"seed": 7}
    with pytest.raises(ProtocolError):
        account.read_configs(answer({"maestro_config": [7]}))


async def test_a_qubo_is_passed_on_as_it_is_in_two_calls_sent_once():
    service, answers = connected({"job_id": JOB}, {"anything": 1})
    qubo = {"terms": [[0, 1, -2.5]], "offset": 1}
    job_id = await service.submit_qubo(qubo, ["01", "10"], options={"depth": 3})
    assert job_id == JOB
    opened, sent = answers.asked
    assert (opened.method, opened.path) == ("POST", "job/init/")
    assert json.loads(opened.body or b"") == {"job_type": "VALIDATE", "tag": "default"}
    assert (sent.method, sent.path) == ("POST", f"job/{JOB}/submit_qubo/")
    assert json.loads(sent.body or b"") == {
        "qubo": qubo,
        "reference_states": ["01", "10"],
        "options": {"depth": 3},
    }
    assert not opened.repeatable
    assert not sent.repeatable


async def test_nothing_is_opened_for_a_qubo_that_cannot_be_written():
    service, answers = connected()
    with pytest.raises(ConfigurationError, match="no form in JSON"):
        await service.submit_qubo({"terms": {object()}}, ["01"])
    assert answers.asked == []


async def test_reports_about_a_qubo_are_passed_on_as_they_are():
    service, answers = connected({"score": 0.5}, "<html>ü</html>")
    assert await service.validation_result(JOB) == {"score": 0.5}
    assert "<html>" in await service.validation_report(JOB)
    assert [call.path for call in answers.asked] == [
        f"job/{JOB}/validation_result/",
        f"job/{JOB}/validation_result/html/",
    ]
    assert answers.asked[1].accept == "text/html"


async def test_blueprints_are_passed_on_as_they_are():
    service, answers = connected({"iqm": {"label": "IQM", "device": []}})
    assert await service.vendor_blueprints() == {"iqm": {"label": "IQM", "device": []}}
    assert answers.asked[0].path == "vendor-config-blueprint/"
