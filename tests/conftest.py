"""What every test shares: where the public data lie, how figures are drawn, how examples are made.

Public data sets are not part of the project. ``BAYESCALE_DATA`` names a folder that mirrors them;
unset, ``../shared/data/public`` beside the checkout is taken if it exists. A test that needs one
asks for ``public_data`` and is skipped, with the reason in pytest's summary, where there is none.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers import make_fit
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# No deadline: the first example of a property may compile or import something. On CI the examples
# are the same each time, so that a red run is a change's doing.
settings.register_profile("local", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, derandomize=True)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("ci" if os.environ.get("CI") else "local")
    os.environ.setdefault("MPLBACKEND", "Agg")
    mirror = ROOT.parent / "shared" / "data" / "public"
    if mirror.is_dir():
        os.environ.setdefault("BAYESCALE_DATA", str(mirror))


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of public data sets; skips the test where there is none."""
    folder = os.environ.get("BAYESCALE_DATA")
    if not folder:
        pytest.skip("NOT CHECKED: no public data (set BAYESCALE_DATA to a folder of them)")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"BAYESCALE_DATA names {folder}, which is not a folder")
    return path


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved fit of the joint law to six architectures, its posterior the prior; not to be changed."""
    return make_fit(draws=200).save(tmp_path_factory.mktemp("fits") / "pile.nc")
