"""The signature of a version: as given, else as the examples show, else as the model says of itself."""

from __future__ import annotations

from typing import Any

from modelyard.client.pack import Package
from modelyard.domain import signature_given
from modelyard.domain.records import JSON
from modelyard.domain.signature import Field, Signature
from modelyard.flavors import carried


def describe(package: Package, given: Any, input_example: Any, output_example: Any) -> dict[str, JSON] | None:
    """The signature's JSON; ``None`` if nobody knows any.

    Examples go before what the model says, part by part: they know types, and the model only names.

    Raises:
        InvalidInput: What was given is no signature, or an example shows no fields.
    """
    if given is not None:
        return signature_given.parse(given).to_mapping()
    inputs = _shown(input_example, "input_example")
    outputs = _shown(output_example, "output_example")
    own = None if inputs is not None and outputs is not None else _carried(package)
    if own is not None:
        inputs = own.inputs if inputs is None else inputs
        outputs = own.outputs if outputs is None else outputs
    if inputs is None and outputs is None:
        return own.to_mapping() if own else None
    return Signature(inputs=inputs, outputs=outputs, params=own.params if own else ()).to_mapping()


def _shown(example: Any, what: str) -> tuple[Field, ...] | None:
    if example is None:
        return None
    from modelyard.flavors import schema  # 3 ms that only an example has to pay

    return schema.infer(example, what)


def _carried(package: Package) -> Signature | None:
    flavor = package.flavor
    source = package.sources.get(flavor.entry) if flavor else None
    return carried.read(flavor, package.live, source[0] if source else None)
