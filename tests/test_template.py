"""The deployment: handlers that exist, roles that can do no more than they must, layers of locked packages."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
yaml: Any = importlib.import_module("yaml")  # comes with the emulator, without types


class Loader(yaml.SafeLoader):  # type: ignore[misc]  # see above
    """Reads CloudFormation's short functions as the plain values they are given."""


def _plain(loader: Any, _: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


Loader.add_multi_constructor("!", _plain)
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader)
FUNCTIONS: dict[str, Any] = {
    name: resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
WRITES = re.compile(r"s3:(Put|Delete|Abort|Create|Restore|Replicate)|s3:\*|\*$")


def statements(function: Any) -> list[Any]:
    """All statements of a function's policies; of an `!If`, those of its first branch."""
    policies = [policy[1] if isinstance(policy, list) else policy for policy in function["Policies"]]
    return [statement for policy in policies for statement in policy["Statement"]]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_handler_of_the_template_exists(name: str) -> None:
    handler = FUNCTIONS[name]["Handler"]
    if handler == "run.sh":  # written by layer/build, which says what it starts
        (started,) = re.findall(r"exec python -m ([\w.]+)", (ROOT / "layer" / "build").read_text())
        assert importlib.util.find_spec(started) is not None
        return
    module, _, attribute = handler.rpartition(".")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_only_the_indexer_may_write_and_only_indexes() -> None:
    for name, function in FUNCTIONS.items():
        for statement in statements(function):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert statement["Effect"] == "Allow"
            assert not any(action.endswith("*") for action in actions)
            if any(WRITES.match(action) for action in actions):
                assert name == "IndexOnUpload"
                assert statement["Resource"].endswith("/*.bindery")


def test_object_lambda_serves_ranges_and_all_four_actions() -> None:
    configuration = TEMPLATE["Resources"]["ObjectLambdaAccessPoint"]["Properties"]["ObjectLambdaConfiguration"]
    assert len(configuration["AllowedFeatures"]) == 4
    (transformation,) = configuration["TransformationConfigurations"]
    assert sorted(transformation["Actions"]) == ["GetObject", "HeadObject", "ListObjects", "ListObjectsV2"]


def test_every_package_of_a_layer_is_locked() -> None:
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    layers = re.findall(r"^layer (\w+) (.+)$", (ROOT / "layer" / "build").read_text(), re.MULTILINE)
    assert {name for name, _ in layers} == {"read", "write", "gateway"}
    for _, packages in layers:
        assert set(packages.split()) <= locked
