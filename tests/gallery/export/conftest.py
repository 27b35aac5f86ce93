"""What several tests of the export look at and none of them changes."""

import pytest
from factories import made_up_workspace

from db.workspace import Workspace


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The sweep `demo`, 32 combinations, all done."""
    return made_up_workspace(tmp_path_factory.mktemp("workspace"))
