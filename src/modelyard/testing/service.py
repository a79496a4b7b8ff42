"""What every registry service has to keep, wherever it runs: subclass, give fixtures, and run it with pytest.

    class TestMine(ServiceContract):
        @pytest.fixture
        def service(self, clock): ...               # empty, on that clock, with an actor called "ann"
        @pytest.fixture
        def other(self): ...                        # a second empty one
        def blob_list(self, service): ...           # around the service, so that what it says is tested
        def damage(self, service, digest, data): ...
        def rewrite(self, service, model, events): ...   # only where the database is within reach

Every refusal in here is also held to have changed no record, no stored byte and no event.
"""

from __future__ import annotations

from modelyard.testing.service_aliases import Aliasing
from modelyard.testing.service_audit import Auditing
from modelyard.testing.service_batches import Batching
from modelyard.testing.service_care import Collecting, Deleting
from modelyard.testing.service_carried import CarryingMore
from modelyard.testing.service_experiments import Experimenting
from modelyard.testing.service_facts import Facts
from modelyard.testing.service_holding import Holding
from modelyard.testing.service_moves import Promoting
from modelyard.testing.service_questions import Asking, Searching
from modelyard.testing.service_renumbered import Renumbering
from modelyard.testing.service_rollback import RollingBack
from modelyard.testing.service_steps import Stepping
from modelyard.testing.service_tokens import Admitting
from modelyard.testing.service_versions import Naming, Registering
from modelyard.testing.service_withdrawals import Withdrawing


class ServiceContract(
    Registering,
    Batching,
    Naming,
    Stepping,
    Facts,
    Experimenting,
    Promoting,
    Holding,
    Withdrawing,
    Aliasing,
    RollingBack,
    Deleting,
    Collecting,
    CarryingMore,
    Renumbering,
    Auditing,
    Admitting,
    Asking,
    Searching,
):
    """Laws of one ``RegistryService`` and one caller."""
