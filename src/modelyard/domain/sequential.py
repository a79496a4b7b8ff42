"""Evidence that may be looked at whenever one likes: the chance of ever being misled stays below ``alpha``.

A fixed-size test that is repeated until it likes what it sees is wrong far more often than it says. What is computed
here stays right under every rule of stopping, because each number is (approximately, for means) a test martingale: by
Ville's inequality it exceeds ``1 / alpha`` at *any* moment with a chance of at most ``alpha`` if there is nothing to
find.

Means
    The mixture sequential probability ratio test with a normal mixture: H. Robbins, "Statistical methods related to
    the law of the iterated logarithm", Ann. Math. Stat. 41 (1970); for A/B tests R. Johari, P. Koomen, L. Pekelis,
    D. Walsh, "Always valid inference: continuous monitoring of A/B tests", Operations Research 70 (2022). Variances
    are estimated, which is justified in the limit by I. Waudby-Smith, D. Arbour, R. Sinha, E. Kennedy, A. Ramdas,
    "Time-uniform central limit theory and asymptotic confidence sequences", Ann. Statist. 52 (2024): hence the
    minimum sample.

Counts
    M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022: the Bayes factor of a
    Dirichlet prior around the declared shares against these shares themselves. It is exact for any number of counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

CONCENTRATION: Final = 100.0
"""How near to the declared shares the prior expects other ones: as if a hundred units had been seen. Small enough to
notice 60/40 for 50/50 within some hundred units, large enough to notice a percent within some ten thousand."""


def tuning(size: float, alpha: float) -> float:
    """The mixture's width (variance of the effect in units of the variance of one outcome) that makes the interval at
    ``size`` outcomes about as short as it can be (Waudby-Smith et al. 2024, section 2.4)."""
    level = -2 * math.log(alpha)
    return (level + math.log(level + 1)) / size


def log_evidence(effect: float, variance: float, size: float, width: float) -> float:
    """Natural logarithm of the evidence against "there is no effect".

    Args:
        effect: What was measured.
        variance: Of ``effect``, as an estimate shrinks with more outcomes.
        size: Number of outcomes that ``effect`` comes from.
        width: From :func:`tuning`; fixed before the first outcome.

    Returns:
        0 is no evidence, ``log(1 / alpha)`` is enough; 0 too where nothing varies, which says nothing of chance.
    """
    if variance <= 0:
        return 0.0
    grown = size * width
    return effect * effect / variance * grown / (2 * (grown + 1)) - math.log1p(grown) / 2


def radius(variance: float, size: float, width: float, alpha: float) -> float:
    """Half the length of the interval that holds the true effect at all times with a chance of ``1 - alpha``.

    It is exactly the effects against which :func:`log_evidence` does not reach ``log(1 / alpha)``.
    """
    if variance <= 0:
        return math.inf
    grown = size * width
    return math.sqrt(variance * 2 * (grown + 1) / grown * (math.log1p(grown) / 2 - math.log(alpha)))


def p_value(log_of_evidence: float) -> float:
    """The evidence as a p-value that is valid at every moment: its inverse, at most 1."""
    return math.exp(-max(log_of_evidence, 0.0))


def log_share_evidence(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Natural logarithm of the evidence that units do not come in the declared ``shares``.

    Args:
        counts: Units per variant, each unit once.
        shares: Declared share of each, which sum to 1.
    """
    found = math.lgamma(CONCENTRATION) - math.lgamma(CONCENTRATION + sum(counts))
    for count, share in zip(counts, shares, strict=True):
        prior = CONCENTRATION * share
        found += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return found
