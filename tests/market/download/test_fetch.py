"""One file, from a server that fails."""

import os
import random
import shutil
import subprocess
import time
from datetime import date
from email.utils import formatdate
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from liqstrat.market.download import ArchiveFile, FileReport, Retry
from liqstrat.market.download.fetch import fetch
from liqstrat.market.download.transport import Archive

PATH = "data/futures/um/daily/metrics/BTCUSDT/BTCUSDT-metrics-2024-03-01.zip"
FILE = ArchiveFile("BTCUSDT", "metrics", PATH, date(2024, 3, 1), 1)
BODY = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(300_000)
QUICK = Retry(attempts=3, first_wait=0.01, timeout=2.0)


def bring(archive: Any, target: Path, retry: Retry = QUICK, **more: Any) -> FileReport:
    return fetch(FILE, Archive(archive.url, retry, Event()), target, **more)


def names(target: Path) -> set[str]:
    return {path.name for path in target.rglob("*") if path.is_file()}


def assert_fetched(report: FileReport, body: bytes = BODY) -> None:
    assert (report.state, report.reason, report.bytes) == ("fetched", "", len(body))
    assert report.path.read_bytes() == body
    assert {path.name for path in report.path.parent.iterdir()} == {report.path.name, f"{report.path.name}.CHECKSUM"}


def ranges(archive: Any) -> list[str | None]:
    return [request.headers.get("Range") for request in archive.asked(PATH)]


def test_a_file_comes_with_a_checksum_that_other_tools_can_check(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    report = bring(archive, tmp_path)
    assert_fetched(report)
    assert report.path == tmp_path / PATH
    if shutil.which("sha256sum"):
        check = ["sha256sum", "--check", "--strict", f"{report.path.name}.CHECKSUM"]
        assert subprocess.run(check, cwd=report.path.parent, capture_output=True).returncode == 0


def test_a_verified_file_costs_no_request_and_no_reading(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    path = bring(archive, tmp_path).path
    archive.requests.clear()
    stat = path.stat()
    path.write_bytes(OTHER)  # behind its back, to see that the bytes are not read again
    os.utime(path, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    report = bring(archive, tmp_path)
    assert (report.state, report.bytes, archive.requests) == ("present", len(BODY), [])


def test_a_file_written_to_is_verified_again_and_fetched_again_when_damaged(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    path = bring(archive, tmp_path).path
    archive.requests.clear()
    os.utime(path, ns=(1, 1))
    assert bring(archive, tmp_path).state == "present"
    assert archive.requests == []
    path.write_bytes(BODY[:-1])
    assert_fetched(bring(archive, tmp_path))


def test_a_zip_that_came_some_other_way_is_adopted_when_its_checksum_is_right(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    path = tmp_path / PATH
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    assert bring(archive, tmp_path).state == "present"
    assert archive.asked(PATH) == []
    archive.requests.clear()
    assert bring(archive, tmp_path).state == "present"
    assert archive.requests == []


def test_a_file_that_the_archive_does_not_have_is_missing(archive: Any, tmp_path: Path) -> None:
    report = bring(archive, tmp_path)
    assert (report.state, report.reason) == ("missing", "not in the archive")
    assert names(tmp_path) == set()


def test_days_to_come_are_missing_without_asking(archive: Any, tmp_path: Path) -> None:
    future = ArchiveFile("BTCUSDT", "metrics", PATH.replace("2024", "2999"), date(2999, 3, 1), 1)
    report = fetch(future, Archive(archive.url, QUICK, Event()), tmp_path)
    assert (report.state, archive.requests) == ("missing", [])


def test_a_file_without_a_checksum_does_not_count(archive: Any, tmp_path: Path) -> None:
    archive.files[PATH] = BODY
    report = bring(archive, tmp_path)
    assert (report.state, report.unusable) == ("failed", True)
    assert "no .CHECKSUM" in report.reason
    assert names(tmp_path) == set()


@pytest.mark.parametrize("path", [PATH, f"{PATH}.CHECKSUM"])
@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_that_falters_is_asked_again(archive: Any, tmp_path: Path, path: str, status: int) -> None:
    archive.put(PATH, BODY)
    archive.fail(path, times=2, status=status)
    assert_fetched(bring(archive, tmp_path))
    assert len(archive.asked(path)) == 3


def test_waits_grow(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.fail(PATH, times=2, status=503)
    assert_fetched(bring(archive, tmp_path, Retry(attempts=3, first_wait=0.1)))
    first, second, third = (request.time for request in archive.asked(PATH))
    assert second - first >= 0.05
    assert third - second >= 0.1


def test_a_server_that_stays_down_fails_the_file_with_its_reason(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.fail(PATH, times=9, status=503)
    report = bring(archive, tmp_path)
    assert (report.state, report.unusable) == ("failed", False)
    assert report.reason == "HTTP 503 Service Unavailable, tried 3 times"
    assert len(archive.asked(PATH)) == 3


def test_a_refusal_is_not_asked_again(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.fail(f"{PATH}.CHECKSUM", times=9, status=403)
    assert bring(archive, tmp_path).reason == "HTTP 403 Forbidden"
    assert len(archive.requests) == 1


def test_the_wait_that_the_server_names_is_kept(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.fail(PATH, status=429, headers={"Retry-After": "1"})
    assert_fetched(bring(archive, tmp_path))
    first, second = (request.time for request in archive.asked(PATH))
    assert second - first >= 0.95


@pytest.mark.parametrize("as_date", [False, True])
def test_a_wait_of_hours_is_not_sat_out(archive: Any, tmp_path: Path, as_date: bool) -> None:
    archive.put(PATH, BODY)
    named = formatdate(time.time() + 7290, usegmt=True) if as_date else "7200"
    archive.fail(PATH, status=429, headers={"Retry-After": named})
    assert bring(archive, tmp_path).reason.startswith("HTTP 429 Too Many Requests, asks to come back in 7,2")


def test_after_a_cut_only_the_rest_is_asked_for(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.fail(PATH, cut_after=100_000)
    assert_fetched(bring(archive, tmp_path))
    assert ranges(archive) == [None, "bytes=100000-"]


def test_cuts_that_bring_something_do_not_use_up_the_attempts(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.fail(PATH, times=5, cut_after=50_000)
    assert_fetched(bring(archive, tmp_path, Retry(attempts=2, first_wait=0.01)))
    assert len(archive.asked(PATH)) == 6


def test_cuts_at_the_same_place_do(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.ranges = False
    archive.fail(PATH, times=9, cut_after=50_000)
    report = bring(archive, tmp_path)
    assert report.reason == "connection cut after 50,000 of 300,000 bytes, tried 3 times"
    assert len(archive.asked(PATH)) == 3
    assert f"{report.path.name}.part" in names(tmp_path)


def test_a_server_without_ranges_gives_the_whole_again(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.ranges = False
    archive.fail(PATH, cut_after=100_000)
    assert_fetched(bring(archive, tmp_path))


@pytest.mark.parametrize("heeds", [True, False])
def test_a_file_that_changes_between_two_attempts_starts_anew(archive: Any, tmp_path: Path, heeds: bool) -> None:
    archive.put(PATH, BODY)
    archive.heeds_if_range = heeds
    archive.fail(PATH, cut_after=100_000, body=OTHER)
    assert_fetched(bring(archive, tmp_path))
    assert ranges(archive) == [None, "bytes=100000-"] + ([] if heeds else [None])
    assert len(archive.asked(f"{PATH}.CHECKSUM")) == 1  # seen by its version, not only by its checksum


def test_a_stalled_connection_is_left_and_gone_on_with(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.fail(PATH, stall_after=100_000)
    assert_fetched(bring(archive, tmp_path, Retry(attempts=5, first_wait=0.01, timeout=1.0)))
    assert ranges(archive)[:2] == [None, "bytes=100000-"]


def test_a_connection_that_only_drips_is_left(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.fail(PATH, drip=True)
    assert_fetched(bring(archive, tmp_path, Retry(attempts=5, first_wait=0.01, timeout=1.0)))
    assert len(archive.asked(PATH)) >= 2


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.fail(PATH, cut_after=100_000)
    assert bring(archive, tmp_path, Retry(attempts=1)).state == "failed"
    assert all(name.endswith(".part") for name in names(tmp_path))
    assert_fetched(bring(archive, tmp_path))
    assert ranges(archive)[-1] == "bytes=100000-"


def test_a_part_of_a_file_that_was_corrected_since_is_not_gone_on_with(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, OTHER)
    archive.fail(PATH, cut_after=100_000)
    bring(archive, tmp_path, Retry(attempts=1))
    archive.put(PATH, BODY)
    assert_fetched(bring(archive, tmp_path))
    assert ranges(archive) == [None, None]


def test_a_part_that_is_complete_only_needs_its_name(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.fail(PATH, cut_after=100_000)
    path = bring(archive, tmp_path, Retry(attempts=1)).path
    path.with_name(f"{path.name}.part").write_bytes(BODY)
    assert_fetched(bring(archive, tmp_path))


def test_a_part_that_is_longer_than_the_file_starts_anew(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.fail(PATH, cut_after=100_000)
    path = bring(archive, tmp_path, Retry(attempts=1)).path
    path.with_name(f"{path.name}.part").write_bytes(BODY + b"more")
    archive.requests.clear()
    assert_fetched(bring(archive, tmp_path))
    assert [request.path for request in archive.requests] == [f"{PATH}.CHECKSUM", PATH, PATH]


def test_a_wrong_checksum_is_tried_once_more_from_the_beginning(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.fail(PATH, body=OTHER)
    assert_fetched(bring(archive, tmp_path))
    assert ranges(archive) == [None, None]


def test_a_checksum_that_stays_wrong_fails_the_file_and_leaves_nothing(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY, checksum_of=OTHER)
    report = bring(archive, tmp_path)
    assert (report.state, report.unusable) == ("failed", True)
    assert report.reason.startswith("wrong checksum, twice: expected ")
    assert len(archive.asked(PATH)) == 2
    assert names(tmp_path) == set()


def test_a_page_in_place_of_a_checksum_is_not_taken_for_one(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    archive.files[f"{PATH}.CHECKSUM"] = b"<html>Please sign in to this network"
    assert 'begins with "<html>Please sign in' in bring(archive, tmp_path).reason
    assert archive.asked(PATH) == []


def test_refresh_asks_for_the_checksum_and_fetches_only_what_was_corrected(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, OTHER)
    bring(archive, tmp_path)
    archive.requests.clear()
    assert bring(archive, tmp_path, refresh=True).state == "present"
    assert [request.path for request in archive.requests] == [f"{PATH}.CHECKSUM"]
    archive.put(PATH, BODY)
    assert bring(archive, tmp_path).state == "present"
    assert_fetched(bring(archive, tmp_path, refresh=True))


def test_a_refresh_that_fails_leaves_what_was_there(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, OTHER)
    path = bring(archive, tmp_path).path
    archive.put(PATH, BODY)
    archive.fail(PATH, times=3, status=503)
    assert bring(archive, tmp_path, refresh=True).state == "failed"
    assert path.read_bytes() == OTHER
    assert bring(archive, tmp_path).state == "present"
    del archive.files[PATH], archive.files[f"{PATH}.CHECKSUM"]
    report = bring(archive, tmp_path, refresh=True)
    assert (report.state, report.reason) == ("present", "no longer in the archive")


def test_a_disk_that_cannot_be_written_is_the_files_failure(archive: Any, tmp_path: Path) -> None:
    archive.put(PATH, BODY)
    (tmp_path / "data").write_text("a file where a folder is needed")
    report = bring(archive, tmp_path)
    assert report.state == "failed"
    assert str(tmp_path / "data") in report.reason
