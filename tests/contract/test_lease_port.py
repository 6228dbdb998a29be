"""What LeasePort promises, over a real API."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from real_api import Server

from sbkube.edges.cluster import HttpCluster
from sbkube.edges.lease import HttpLease
from sbkube.errors import ClusterError, ClusterForbidden, LockLost, StateLocked
from sbkube.models.resource import ResourceKey
from sbkube.ports import LeasePort

NAME = "sbkube-0123456789abcdef"
ANN = {"holder": "ann", "host": "laptop", "pid": "42", "command": "apply shop"}
BOB = {"holder": "bob", "host": "ci-7", "pid": "1", "command": "rollback"}
Faults = Callable[..., None]


@pytest.fixture
def ann(http: HttpCluster) -> LeasePort:
    return HttpLease(http)


@pytest.fixture
def bob(server: Server) -> LeasePort:
    return HttpLease(server.connect())


def outdate(http: HttpCluster, space: str, seconds: float) -> None:
    """As if the holder had not been heard of for so long."""
    key = ResourceKey("coordination.k8s.io", "v1", "Lease", space, NAME)
    then = (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    http.merge(key, {"spec": {"renewTime": then}}, manager="test")


def test_one_holder_and_the_other_is_told_who(ann: LeasePort, bob: LeasePort, space: str) -> None:
    token = ann.acquire(space, NAME, ANN, 30)
    assert token == 1
    with pytest.raises(StateLocked) as caught:
        bob.acquire(space, NAME, BOB, 30)
    assert 'locked by ann on laptop (pid 42, "apply shop") for 0s' in str(caught.value)
    assert "--wait-for-lock" in str(caught.value.hint)


def test_a_lock_is_not_re_entrant(ann: LeasePort, space: str) -> None:
    ann.acquire(space, NAME, ANN, 30)
    with pytest.raises(StateLocked):
        ann.acquire(space, NAME, ANN, 30)


def test_given_up_and_taken_by_another(ann: LeasePort, bob: LeasePort, space: str) -> None:
    ann.acquire(space, NAME, ANN, 30)
    ann.release(space, NAME, ANN, {"last-deployment": "d1", "example.com/x": "y"})
    lease = ann.read(space, NAME)
    assert lease is not None
    assert not lease["spec"].get("holderIdentity")
    assert lease["metadata"]["annotations"] == {"sbkube.dev/last-deployment": "d1", "example.com/x": "y"}
    assert bob.acquire(space, NAME, BOB, 30) == 2
    taken = bob.read(space, NAME)
    assert taken is not None
    assert taken["metadata"]["annotations"]["sbkube.dev/last-deployment"] == "d1"
    assert taken["metadata"]["annotations"]["sbkube.dev/holder-host"] == "ci-7"


def test_an_expired_lease_is_taken_over_and_the_loser_notices(
    http: HttpCluster, ann: LeasePort, bob: LeasePort, space: str
) -> None:
    ann.acquire(space, NAME, ANN, 30)
    outdate(http, space, 25)
    with pytest.raises(StateLocked):
        bob.acquire(space, NAME, BOB, 30)
    outdate(http, space, 40)
    assert bob.acquire(space, NAME, BOB, 30) == 2
    with pytest.raises(LockLost):
        ann.renew(space, NAME, ANN, 30)
    ann.release(space, NAME, ANN, {"last-deployment": "wrong"})
    lease = bob.read(space, NAME)
    assert lease is not None
    assert lease["spec"]["holderIdentity"].startswith("bob@ci-7/1/")
    assert "sbkube.dev/last-deployment" not in lease["metadata"]["annotations"]


def test_heartbeats_go_by_the_clock_of_the_server(http: HttpCluster, ann: LeasePort, space: str) -> None:
    ann.acquire(space, NAME, ANN, 30)
    outdate(http, space, 20)
    ann.renew(space, NAME, ANN, 45)
    lease = ann.read(space, NAME)
    assert lease is not None
    renewed = datetime.fromisoformat(lease["spec"]["renewTime"])
    assert abs(renewed - http.connection.server_time()) < timedelta(seconds=3)
    assert lease["spec"]["leaseDurationSeconds"] == 45
    assert lease["spec"]["leaseTransitions"] == 1


def test_of_many_takers_one_wins(server: Server, space: str) -> None:
    won: list[int] = []
    lost: list[StateLocked] = []
    barrier = threading.Barrier(6)

    def take(number: int) -> None:
        port = HttpLease(server.connect())
        barrier.wait()
        try:
            won.append(port.acquire(space, NAME, {**BOB, "pid": str(number)}, 30))
        except StateLocked as error:
            lost.append(error)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [1]
    assert len(lost) == 5


def test_deleting(ann: LeasePort, space: str) -> None:
    ann.acquire(space, NAME, ANN, 30)
    ann.delete(space, NAME)
    ann.delete(space, NAME)
    assert ann.read(space, NAME) is None
    with pytest.raises(LockLost):
        ann.renew(space, NAME, ANN, 30)
    ann.release(space, NAME, ANN, {})


def test_a_missing_namespace(ann: LeasePort) -> None:
    with pytest.raises(ClusterError) as caught:
        ann.acquire("sbkube-no-such", NAME, ANN, 30)
    assert caught.value.not_found


@pytest.mark.parametrize("verb", ["create", "update"])
def test_a_lost_answer_does_not_shut_us_out(ann: LeasePort, space: str, faults: Faults, verb: str) -> None:
    if verb == "update":
        ann.acquire(space, NAME, ANN, 30)
        ann.release(space, NAME, ANN, {})
    faults(verb=verb, kind="leases", cut="after")
    assert ann.acquire(space, NAME, ANN, 30) == (1 if verb == "create" else 2)
    faults(verb="update", kind="leases", cut="after")
    ann.renew(space, NAME, ANN, 30)


def test_leases_that_are_not_allowed(ann: LeasePort, space: str, faults: Faults) -> None:
    faults(kind="leases", status=403)
    with pytest.raises(ClusterForbidden) as caught:
        ann.acquire(space, NAME, ANN, 30)
    assert "--no-cluster-lock" in str(caught.value.hint)
