"""Files of a data set on the Hugging Face hub, through ``datasets`` and ``huggingface_hub`` (the extra ``hub``).

``datasets`` says which files make a split of a configuration; ``huggingface_hub`` fetches just those, as published.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toleap.data.parquet import INSTALL
from toleap.errors import UsageError

_FILE = re.compile(r"hf://datasets/[^/@]+/[^/@]+@[^/]+/(?P<path>.+)")


@dataclass(frozen=True, slots=True)
class HubData:
    """One split of a data set at a revision (empty: the newest); ``name`` is the benchmark's, for messages."""

    name: str
    repo: str
    config: str
    split: str
    revision: str
    gated: bool = False

    @property
    def page(self) -> str:
        """Where a person reads about it and accepts its terms."""
        return f"https://huggingface.co/datasets/{self.repo}"


@dataclass(frozen=True, slots=True)
class HubFiles:
    """The files of a split, by their paths in the repository, and the commit that they are of."""

    commit: str
    paths: tuple[str, ...]


def find_files(data: HubData, scratch: Path) -> HubFiles:
    """Which files make the split; nothing of the data is fetched yet. ``scratch`` is a folder for notes of datasets.

    Raises:
        UsageError: the libraries are missing, the hub cannot be reached, terms are not accepted, or there is no
            such data set, revision, configuration or split.
    """
    with _told(data):
        from datasets import load_dataset_builder
        from huggingface_hub import HfApi

        api = HfApi()
        commit = str(api.dataset_info(data.repo, revision=data.revision or None, timeout=60).sha)
        if data.gated:
            api.auth_check(data.repo, repo_type="dataset")
        builder: Any = load_dataset_builder(
            f"hf://datasets/{data.repo}", data.config or None, revision=commit, cache_dir=str(scratch)
        )
        splits = {str(split): files for split, files in (builder.config.data_files or {}).items()}
    if data.split not in splits:
        raise UsageError(f"hub:{data.repo} has no split {data.split!r}; it has {', '.join(splits) or 'none'}")
    return HubFiles(commit, tuple(_path_of(str(file), data) for file in splits[data.split]))


def fetch_files(data: HubData, commit: str, paths: Iterable[str], into: Path) -> list[Path]:
    """Copies of these files of the repository below ``into``; one that is there already is not fetched again.

    Raises:
        UsageError: as ``find_files``, or a file is not in the repository.
    """
    with _told(data):
        from huggingface_hub import hf_hub_download

        return [
            Path(hf_hub_download(data.repo, path, repo_type="dataset", revision=commit, local_dir=into))
            for path in paths
        ]


def _path_of(address: str, data: HubData) -> str:
    match = _FILE.fullmatch(address)
    if match is None:
        raise UsageError(f"hub:{data.repo}: {address!r} is not a file of the data set")
    return match["path"]


@contextmanager
def _told(data: HubData) -> Iterator[None]:
    """Turn what the two libraries raise into one line that says what to do."""
    try:
        from datasets.exceptions import DatasetsError
        from httpx2 import HTTPError
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
    except ImportError as error:
        raise UsageError(f"fetching {data.name} from the hub needs a few more packages; type: {INSTALL}") from error
    try:
        yield
    except HfHubHTTPError as error:
        code = error.response.status_code
        if data.gated and code in (401, 403):
            raise UsageError(
                f"hub:{data.repo} is gated: accept its terms at {data.page}, set HF_TOKEN to a token of that "
                f"account, then type: toleap data prepare {data.name}"
            ) from error
        raise UsageError(
            f"hub:{data.repo}: the hub answers {code} ({type(error).__name__}); see {data.page}"
        ) from error
    except (OfflineModeIsEnabled, HTTPError, ConnectionError, TimeoutError) as error:
        raise UsageError(
            f"the hub cannot be reached ({type(error).__name__}); fetch the file from {data.page} elsewhere, "
            f"then type: toleap data import {data.name} PATH"
        ) from error
    except (DatasetsError, HFValidationError, OSError, ValueError, RuntimeError) as error:
        text = " ".join(str(error).split())[:300]
        raise UsageError(f"hub:{data.repo}: {type(error).__name__}: {text}") from error
