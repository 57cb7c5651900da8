"""What all tests share: compiled programs are kept in a folder of this run alone, never in the user's."""

import os
import shutil
import tempfile

try:
    from hypothesis import settings
except ImportError:  # in the environment of PyTorch
    pass
else:
    settings.register_profile("fewer", max_examples=30)  # of what a test does not say itself
    settings.load_profile("fewer")


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # workers find it in their environment
        config.programs = os.environ["SLALOM_CACHE"] = tempfile.mkdtemp(prefix="slalom-programs-")


def pytest_unconfigure(config):
    if hasattr(config, "programs"):
        shutil.rmtree(config.programs, ignore_errors=True)
