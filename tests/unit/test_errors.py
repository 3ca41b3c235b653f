from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from qawait import errors


def documented_tree() -> dict[str, tuple[str, ...]]:
    """The tree of the module's docstring: name to parents, the tree's one first."""
    assert errors.__doc__ is not None
    lines = errors.__doc__.split("```text\n")[1].split("```")[0].splitlines()
    parents: dict[str, tuple[str, ...]] = {}
    above: list[str] = []
    for line in lines:
        match = re.match(r"([│├└─ ]*)(\w+)(?: \((\w+)\))?", line)
        assert match is not None
        depth = len(match[1]) // 3
        above[depth:] = [match[2]]
        tree_parent = above[depth - 1] if depth else "Exception"
        parents[match[2]] = (tree_parent, match[3]) if match[3] else (tree_parent,)
    return parents


def test_the_documented_tree_is_the_real_one():
    real = {
        name: tuple(base.__name__ for base in kind.__bases__)
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    }
    assert documented_tree() == real
    assert set(errors.__all__) == set(real)


def example(kind: type[errors.Error]) -> errors.Error:
    required = {
        "circuit": "bell.qasm",
        "reason": "no measurement",
        "what": "the local service",
        "extra": "local",
        "message": "it says so",
        "status": 418,
        "evidence": "504",
        "submission_id": "s-1",
    }
    try:
        parameters = inspect.signature(kind).parameters.values()
    except ValueError:
        return kind("it says so")
    wanted = [p for p in parameters if p.default is p.empty]
    if any(p.kind is p.VAR_POSITIONAL for p in wanted):
        return kind("it says so")
    return kind(**{p.name: required[p.name] for p in wanted})


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_keeps_its_data_through_pickling_and_copying(name: str):
    error = example(getattr(errors, name))
    for twin in (
        pickle.loads(pickle.dumps(error)),  # noqa: S301 (our own bytes)
        copy.copy(error),
        errors.fresh(error),
    ):
        assert type(twin) is type(error)
        assert twin is not error
        assert str(twin) == str(error)
        assert twin.__dict__ == error.__dict__


def test_a_fresh_error_has_no_traceback_but_keeps_its_cause():
    with pytest.raises(errors.JobFailed) as caught:
        raise errors.JobFailed("boom", job_id="7", raw="failed") from KeyError("x")
    twin = errors.fresh(caught.value)
    assert caught.value.__traceback__ is not None
    assert twin.__traceback__ is None
    assert isinstance(twin.__cause__, KeyError)
    assert str(twin) == "job 7: boom"


def test_a_missing_extra_says_what_to_install():
    error = errors.MissingExtra("the local service", "local")
    assert str(error) == "the local service needs an extra: pip install 'qawait[local]'"
    assert isinstance(error, ImportError)
    assert isinstance(error, errors.ConfigurationError)
