"""Proof that no event was changed, left out or put in: every chain read from its first entry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from modelyard.domain import events
from modelyard.domain.answers import AuditProof
from modelyard.domain.errors import IntegrityError
from modelyard.domain.records import Event, Model, Registry
from modelyard.ports.metadata import EventQuery, RegistryKey
from modelyard.service.deletion import models
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService


def verify(service: LocalService, registry: Registry | None = None) -> AuditProof:
    """Read all chains; each must hold by itself and end where its record says it ends.

    A cut tail is noticed because the model's record carries the head. Who can rewrite the whole database can rewrite
    that too: compare ``root`` with a copy kept elsewhere.

    Args:
        service: Whose chains.
        registry: The registry's record, where it is not in the store yet.
    """
    heads: list[Model | Registry] = list(models(service, None))
    registry = registry or service.store.get(RegistryKey())
    chains: list[Model | Registry] = [*([registry] if registry else []), *heads]
    count, breaks = 0, []
    for chain in chains:
        read, broken = _verify_chain(service, chain)
        count += read
        if broken is not None:
            breaks.append(broken)
    leaves = sorted(f"{_key(c)}\n{c.sequence}\n{c.head}".encode() for c in chains)
    return AuditProof(events=count, chains=len(chains), root=merkle_root(leaves), breaks=tuple(breaks))


def _key(chain: Model | Registry) -> str:
    return chain.key if isinstance(chain, Model) else ""


def _verify_chain(service: LocalService, chain: Model | Registry) -> tuple[int, dict[str, Any] | None]:
    """Number of events read, and the break if there is one."""
    seen: list[Event] = []
    name = chain.name if isinstance(chain, Model) else ""

    def watched() -> Iterator[Event]:
        for event in _events(service, _key(chain)):
            seen[:] = [event]
            yield event

    try:
        broken = events.first_break(watched())
    except IntegrityError as error:
        sequence = seen[0].sequence + 1 if seen else 1
        return sequence - 1, {"model": name, "sequence": sequence, "why": error.detail}
    last = seen[0].sequence if seen else 0
    if broken is None and (last, seen[0].hash if seen else "") != (chain.sequence, chain.head):
        broken = (
            min(last, chain.sequence) + 1,
            f"the chain ends at {last}, its record says {chain.sequence}",
        )
    if broken is None:
        return last, None
    return last, {"model": name, "sequence": broken[0], "why": broken[1]}


def _events(service: LocalService, model_key: str) -> Iterator[Event]:
    return every(service.store, EventQuery(model_key=model_key))


def merkle_root(leaves: Sequence[bytes]) -> str:
    """Merkle tree hash of RFC 6962, section 2.1, as 64 hex digits."""
    return _tree(leaves).hex()


def _tree(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _tree(leaves[:split]) + _tree(leaves[split:])).digest()
